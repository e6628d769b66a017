"""Findings as a sentence for a person: the column, from what to what, and how large the change is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from modelyard.stats.category import CategoryLayout, shown
from modelyard.stats.causes import Cause
from modelyard.stats.checks import Finding
from modelyard.stats.distance import Layout, share
from modelyard.stats.measured import MeasuredLayout
from modelyard.stats.numeric import NumberLayout, known, mean, quantiles
from modelyard.stats.profile import Column
from modelyard.stats.tally import Tally
from modelyard.stats.text import LENGTH, UNSEEN
from modelyard.stats.vector import DIRECTION, SIDES


def summary(layout: Layout, tally: Tally) -> dict[str, Any]:
    """A window of one column in a few figures: rows, missing share, and median and mean or the top values' shares."""
    result: dict[str, Any] = {"rows": tally.rows, "missing": round(share(tally.nulls, tally.rows), 4)}
    match layout:
        case CategoryLayout():
            return result | {"top": _top(layout, tally)}
        case NumberLayout(kind="timestamp"):
            return result | {"min": _moment(tally.low), "max": _moment(tally.high)}
        case MeasuredLayout():
            return result | _measures(layout, tally)
        case NumberLayout():
            middle, average = quantiles(tally, layout, (0.5,)), mean(tally, layout)
            return result | {"median": _short(middle[0] if middle else None), "mean": _short(average)}


def _measures(layout: MeasuredLayout, tally: Tally) -> dict[str, Any]:
    """The mean of each measure of a text or vector; of a vector's fixed directions none, they mean nothing."""
    means = {name: mean(tally.parts[name], part) for name, part in layout.parts.items() if name in tally.parts}
    return {name: _short(value) for name, value in means.items() if name not in SIDES}


def sentence(
    name: str, column: Column, window: Tally, alarms: Sequence[Finding], psi: float | None, cause: Cause | None
) -> str:
    """What happened to a column, in the order of the alarms given; a known cause first."""
    if not alarms and cause is None:
        return f"{name}: follows the {column.follows}." if column.follows else f"{name}: nothing new{_effect(psi)}."
    before, after = summary(column.layout, column.tally), summary(column.layout, window)
    parts = [cause.says + (_medians(before, after) if cause.kind == "unit" else "")] if cause and cause.says else []
    for finding in alarms:
        if cause is None or finding.kind not in cause.explains:
            parts.append(_part(finding, column.layout, column.tally, window, before, after))
    return f"{name}: {'; '.join(dict.fromkeys(parts))}."


def rows_told(finding: Finding) -> str:
    """What happened to whole rows."""
    if finding.kind == "duplicates":
        return f"{finding.after:.1%} of the rows repeat another row of the window; {finding.before:.1%} is usual"
    if finding.level == "info":
        return "the rows are those of the reference: a copy"
    return f"{finding.after:.1%} of the rows were in the reference already; {finding.before:.1%} would be by chance"


def _medians(before: dict[str, Any], after: dict[str, Any]) -> str:
    return f": median {before['median']} → {after['median']}" if "median" in before else ""


def _part(
    finding: Finding,
    layout: Layout,
    reference: Tally,
    window: Tally,
    before: dict[str, Any],
    after: dict[str, Any],
) -> str:
    if isinstance(layout, MeasuredLayout) and ": " in finding.name:
        return _of_measure(finding, layout, reference, window)
    match finding.kind:
        case "missing":
            return f"missing {finding.before:.1%} → {finding.after:.1%}"
        case "unseen":
            words = ", ".join(f"'{shown(word)}'" for word in list(window.fresh)[:3])
            return f"{finding.after:.1%} of values were never seen before ({words})"
        case "range":
            # That of all rows that were learnt, of which a reference of the same hours of the week is a part.
            assert isinstance(layout, NumberLayout)
            low, high = known(layout)
            told = f"{finding.after:.1%} lie out of the known range"
            if layout.kind == "timestamp":
                return f"{told} {_moment(low)} to {_moment(high)}"
            ends = f"{_short(low)} to {_short(high)}" if low < high else f"({_short(low)} only)"
            return f"{told} {ends}; now {_short(window.low)} to {_short(window.high)}"
        case "stuck":
            value = next((f" ({_short(float(pile))})" for pile in window.piles), "")
            return f"one value{value} holds {finding.effect:.1%} more of the rows"
        case "precision" if finding.name == "integers":
            return f"whole numbers {finding.before:.1%} → {finding.after:.1%}: rounded differently"
        case "precision":
            return f"its values repeat as rounded ones do{_effect(finding.effect)}"
        case "infinite":
            return f"infinite {finding.before:.1%} → {finding.after:.1%}"
        case "schema":
            found = " and ".join(sorted(window.types)) or "nothing"
            return f"came as {found}" + (_unread(finding, window) if finding.name == "mismatched" else "")
        case _:
            return _moved(layout, before, after) + _effect(finding.effect, finding.usual)


def _unread(finding: Finding, window: Tally) -> str:
    words = ", ".join(f"'{shown(word)}'" for word in list(window.fresh)[:3])
    return f", {finding.effect:.1%} unreadable" + (f" ({words})" if words else "")


def _of_measure(finding: Finding, layout: MeasuredLayout, reference: Tally, window: Tally) -> str:
    """What happened to a measure of a text or vector: its mean, from what to what."""
    name = finding.name.partition(": ")[0]
    part = layout.parts[name]
    before, after = mean(reference.parts[name], part), mean(window.parts[name], part)
    if layout.kind == "text" and name != LENGTH:
        label = "words never seen before" if name == UNSEEN else f"{name} among its characters"
        return f"{label} {before or 0:.1%} → {after or 0:.1%}"
    label = {DIRECTION: "cosine with the mean direction"}.get(name, name)
    if name in SIDES:
        label = "cosine with a fixed direction"
    return f"{label} {_short(before)} → {_short(after)}" + (
        f", {finding.after:.1%} out of the known range" if finding.kind == "range" else _effect(finding.effect)
    )


def _moved(layout: Layout, before: dict[str, Any], after: dict[str, Any]) -> str:
    if isinstance(layout, CategoryLayout):
        return f"top values {_words(before['top'])} → {_words(after['top'])}"
    two = isinstance(layout, NumberLayout) and layout.edges == (0.0, 1.0)
    if two or before["median"] == after["median"]:
        return f"mean {before['mean']} → {after['mean']}" + ("" if two else f", median {before['median']}")
    return f"median {before['median']} → {after['median']}"


def _effect(psi: float | None, usual: float = 0.0) -> str:
    if psi is None:
        return ""
    return f" (PSI {max(psi, 0):.3f}" + (f", up to {usual:.3f} is usual)" if usual > 0.001 else ")")


def _top(layout: CategoryLayout, tally: Tally) -> dict[str, float]:
    if tally.count == 0:
        return {}
    counts = dict(zip(layout.top, tally.cells.tolist(), strict=False)) | tally.fresh
    first = sorted(counts.items(), key=lambda item: -item[1])[:3]
    return {shown(word): round(share(n, tally.count), 4) for word, n in first if n}


def _words(top: dict[str, float]) -> str:
    return ", ".join(f"'{word}' {part:.0%}" for word, part in top.items()) or "none"


def _short(value: float | None) -> float | None:
    if value is None or not np.isfinite(value):
        return None
    rounded = float(f"{value:.4g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded


def _moment(seconds: float | None) -> str | None:
    if seconds is None or not -6e10 < seconds < 2.5e11:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat()
