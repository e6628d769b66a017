"""The figures of what is watched over time, as pages draw them: by kind, and beside what is usual where that is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    """The first of the columns that alarm."""
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
        case "kpis":
            for figure in detail.get("figures", ()):
                name = f"{figure['name']}, {figure['unit']}" if figure["unit"] else figure["name"]
                yield name, figure.get("value")
                yield f"{name}{USUAL}", figure.get("expected")
        case "drift":
            for column in columns:
                yield f"PSI of {column}", (detail.get("psi") or {}).get(column)
        case "missing":
            shares = {one["column"]: (one.get("to") or {}).get("missing") for one in detail.get("columns", ())}
            for column in columns:
                yield f"share of {column} that is missing", shares.get(column)
