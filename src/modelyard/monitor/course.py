"""The figures of what is watched over time, as pages draw them: by kind, and beside what is usual where that is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from modelyard.records import Observation
from modelyard.stats import severity

SHOWN = 3
"""So many columns of an alarm are followed."""
USUAL = ", usual"
"""The ending of the name of what is drawn beside a figure."""


def of(found: Sequence[Observation], alarming: Sequence[Observation]) -> list[dict[str, Any]]:
    """`{"kind", "name", "points": [[start, end, value]]}` for each figure, oldest look first; what is usual of a figure is one
    by the same name with `USUAL`. `found`: newest first; `alarming`: of these, what alarms now."""
    columns = {each.kind: _columns(each) for each in alarming}
    series: dict[tuple[str, str], list[list[Any]]] = {}
    for each in reversed(found):
        for name, value in _figures(each, columns.get(each.kind, [])):
            if isinstance(value, int | float):
                point = [each.start.isoformat(), each.end.isoformat(), round(float(value), 6)]
                series.setdefault((each.kind, name), []).append(point)
    return [{"kind": kind, "name": name, "points": points} for (kind, name), points in series.items()]


def _columns(alarm: Observation) -> list[str]:
    """The first of the columns that alarm; of stale sources, these."""
    if alarm.kind == "stale":
        return list(alarm.detail.get("stale", ()))[:SHOWN]
    found = alarm.detail.get("columns")
    listed = found if isinstance(found, list) else []
    return [each["column"] for each in listed if severity(each.get("level", "ok")) >= 2][:SHOWN]


def _figures(each: Observation, columns: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """The figures of one look, with their names."""
    detail = each.detail
    match each.kind:
        case "quality" | "estimate":
            label = "by labels" if each.kind == "quality" else "estimated"
            name = f"{detail.get('metric', 'metric')}, {label}"
            yield name, detail.get("value")
            yield f"{name}{USUAL}", detail.get("release_value")
        case "concept":
            yield "excess of the loss", (detail.get("excess") or [None, None])[1]
        case "calibration":
            yield "distance of probability and frequency", detail.get("gap")
        case "volume":
            yield "rows", detail.get("rows")
            yield f"rows{USUAL}", detail.get("usual")
        case "software":
            yield "latency in ms, 95th percentile", detail.get("latency_p95")
            yield "rows without an answer", detail.get("errors")
            yield "memory of a gateway process, MB", detail["memory"] / 1e6 if "memory" in detail else None
        case "cost":
            yield "seconds of the last training", (detail.get("seconds") or [None])[-1]
        case "joint":
            yield "how well a classifier tells these rows from those of training, AUC", detail.get("auc")
        case "slices":
            yield "largest rise of the loss in a slice, beyond all rows", detail.get("largest")
        case "duplicates":
            yield "share of rows that repeat another", detail.get("repeated")
            yield "share of rows that training held", detail.get("replayed")
        case "stale":
            yield from _ages(each, columns)
        case "kpis":
            for figure in detail.get("figures", ()):
                name = f"{figure['name']}, {figure['unit']}" if figure["unit"] else figure["name"]
                yield name, figure.get("value")
                yield f"{name}{USUAL}", figure.get("expected")
        case "drift":
            for column in columns:
                yield f"PSI of {column}", (detail.get("psi") or {}).get(column)
        case "missing":
            shares = detail.get("shares", {})
            for column in columns if "shares" in detail else ():
                yield f"share of {column} that is missing", shares.get(column, 0.0)


def _ages(each: Observation, names: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """How old the newest row of these sources was, beside what is declared."""
    sources = each.detail.get("sources", {})
    for name in names:
        source = sources.get(name, {})
        if source.get("newest"):
            age = (each.end - datetime.fromisoformat(source["newest"])).total_seconds() / 86_400
            label = f"days since the newest row of {name}"
            yield label, max(age, 0.0)
            if source.get("freshness_seconds"):
                yield f"{label}{USUAL}", source["freshness_seconds"] / 86_400
