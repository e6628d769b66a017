"""The checks of one column: each is a test, an effect size with its own limits, and a kind of trouble with its own
cure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from modelyard.stats import natural
from modelyard.stats.category import CategoryLayout
from modelyard.stats.distance import Layout, beyond, comparable, heap, moved, share
from modelyard.stats.measured import MeasuredLayout
from modelyard.stats.natural import Natural
from modelyard.stats.numeric import BUCKETS, NumberLayout, mean
from modelyard.stats.profile import TURNOVER, Column, Profile
from modelyard.stats.significance import apart, proportions
from modelyard.stats.tally import Tally
from modelyard.stats.text import UNSEEN

Level = Literal["ok", "info", "warn", "page"]
SHARE_WARN, SHARE_PAGE = 0.02, 0.10
WARN, PAGE, ALPHA = 0.05, 0.25, 1e-3
REPLAY, REPLAY_PAGE = 0.05, 0.25
ROUNDED = 0.25
"""Points of whole numbers more or less; a tenth comes and goes with the weather."""
INFO = 0.02
MEASURED = ("shift", "outside")
"""The checks that are made of each measure of a text or vector."""
SLIGHT = 0.05
"""An average move by less than this many (robust) standard deviations is no alarm, whatever the PSI: where values lie
close together, PSI is large and the change small."""


@dataclass(frozen=True)
class Limits:
    """`warn`, `page`: PSI; `alpha`: how rarely an unchanged column leaves its natural variation; `span`: seconds
    covered."""

    warn: float = WARN
    page: float = PAGE
    alpha: float = ALPHA
    span: float | None = None


@dataclass(frozen=True)
class Finding:
    """One check: `kind` of trouble, `name` of the distance, its size, the test's p-value, and the level its size
    alone gives."""

    kind: str
    name: str
    effect: float
    p_value: float
    level: Level
    before: float = 0.0
    after: float = 0.0
    usual: float = 0.0


def column_findings(column: Column, window: Tally, limits: Limits) -> list[Finding]:
    """All checks of one column against its reference."""
    usual = natural.nearest(column.natural, limits.span)
    findings = [_missing(column.tally, window, usual, limits), *_schema(column.tally, window)]
    if window.count == 0 or column.tally.count == 0 or column.follows not in ("", TURNOVER):
        return findings
    match column.layout:
        case MeasuredLayout() as layout:
            return findings + _measured(layout, column.tally, window, usual, limits)
        case CategoryLayout() as layout:
            found = _category(layout, column.tally, window, usual, limits)
            return findings + (_at_most_info(found) if column.follows == TURNOVER else found)
        case NumberLayout() as layout:
            return findings + _number(layout, column.tally, window, usual, limits)


def _at_most_info(findings: list[Finding]) -> list[Finding]:
    return [finding if finding.level == "ok" else replace(finding, level="info") for finding in findings]


def row_findings(reference: Profile, current: Profile, limits: Limits) -> list[Finding]:
    """Whole rows by their hashes: whether more of them repeat others than in the reference, and whether they are the
    reference's own, come again."""
    return [*_repeated(reference, current, limits), *_replayed(reference, current, limits)]


def _repeated(reference: Profile, current: Profile, limits: Limits) -> list[Finding]:
    before, after = reference.sample.repeated, current.sample.repeated
    usual = natural.nearest(reference.repeats, limits.span)
    if before is None or after is None or (current.rows > reference.rows and not usual):
        return []
    if not _whole(reference, current):
        return []
    n, m = int(reference.sample.counts.sum()), int(current.sample.counts.sum())
    p_value = proportions((before * n, n), (after * m, m))
    growth, limit = max(after - before, 0.0), max(usual.limit("repeated", limits.alpha) - before, 0.0)
    return [Finding("duplicates", "repeated", growth, p_value, share_level(growth, limit), before, after, limit)]


def _whole(reference: Profile, current: Profile) -> bool:
    """Whether the window has all columns of the reference: rows are alike without the one that told them apart."""
    there = (current.columns.get(name) for name in reference.columns)
    return all(column is not None and column.tally.mismatched <= column.tally.rows / 2 for column in there)


def _replayed(reference: Profile, current: Profile, limits: Limits) -> list[Finding]:
    """Rows that the reference held, beyond what two samples of one world share. The very same rows are a copy, which is
    worth a word, but no fault."""
    seen, rows = current.sample.overlap(reference.sample)
    if rows == 0:
        return []
    usual = natural.nearest(reference.repeats, limits.span).limit("replayed", limits.alpha)
    before, after = max(reference.sample.familiar, min(usual, 1.0)), seen / rows
    n = int(reference.sample.counts.sum())
    growth = max(after - before, 0.0)
    level: Level = "page" if growth >= REPLAY_PAGE else "warn" if growth >= REPLAY else "ok"
    if level != "ok" and reference.rows == current.rows and current.sample.same(reference.sample):
        level = "info"
    return [Finding("replay", "replayed", growth, proportions((before * n, n), (seen, rows)), level, before, after)]


def _missing(reference: Tally, window: Tally, usual: Natural, limits: Limits) -> Finding:
    before, after = share(reference.nulls, reference.rows), share(window.nulls, window.rows)
    p_value = proportions((reference.nulls, reference.rows), (window.nulls, window.rows))
    limit = usual.limit("missing", limits.alpha)
    return Finding(
        "missing",
        "missing",
        abs(after - before),
        p_value,
        share_level(abs(after - before), limit),
        before,
        after,
        limit,
    )


def _schema(reference: Tally, window: Tally) -> list[Finding]:
    """A type of another family, or values that cannot be read as the reference's kind."""
    unread = share(window.mismatched, window.rows)
    family = {"integer": "number", "boolean": "number"}
    known = {family.get(kind, kind) for kind in reference.types}
    new = {family.get(kind, kind) for kind in window.types} - known
    if unread:
        return [Finding("schema", "mismatched", unread, 0.0, "page", 0.0, unread)]
    if new and known:
        return [Finding("schema", "type", 1.0, 0.0, "warn", 0.0, 1.0)]
    return []


def _measured(layout: MeasuredLayout, reference: Tally, window: Tally, usual: Natural, limits: Limits) -> list[Finding]:
    """The checks of numbers on each measure of a text or vector; that words are new is a kind of its own."""
    findings = []
    for name, part in layout.parts.items():
        before, after = reference.parts.get(name), window.parts.get(name)
        if before is None or after is None or before.count == 0 or after.count == 0:
            continue
        fewer = name == UNSEEN and (mean(after, part) or 0.0) <= (mean(before, part) or 0.0)
        for found in _number(part, before, after, usual.of_part(name), limits):
            if found.name in MEASURED and not fewer:
                kind = "unseen" if name == UNSEEN else found.kind
                findings.append(replace(found, kind=kind, name=f"{name}: {found.name}"))
    return findings


def _category(layout: CategoryLayout, reference: Tally, window: Tally, usual: Natural, limits: Limits) -> list[Finding]:
    findings = [_shift(layout, reference, window, usual, limits)]
    if layout.kind == "category":
        # A reference of the same hours of the week may have met values that the layout had not.
        new, before = layout.unseen(window), max(layout.once, layout.unseen(reference))
        expected, present = share(before, reference.count), share(window.count, window.rows)
        p_value = proportions((before, reference.count), (new, window.count))
        findings.append(
            _excess("unseen", "unseen", expected, share(new, window.count), p_value, usual, limits, present)
        )
    return findings


def _number(layout: NumberLayout, reference: Tally, window: Tally, usual: Natural, limits: Limits) -> list[Finding]:
    outside, present = share(beyond(layout, window), window.count), share(window.count, window.rows)
    # The next value leaves the range of m values on either side with probability 2 / (m + 1), whatever its
    # distribution. A reference of the same hours of the week may have left the range of the layout before.
    before = beyond(layout, reference)
    p_outside = proportions((2 + before, reference.count + 1 + before), (beyond(layout, window), window.count))
    expected = share(before, reference.count)
    findings = [_excess("range", "outside", expected, outside, p_outside, usual, limits, present)]
    if reference.infinite or window.infinite:
        findings.append(_infinite(reference, window))
    if layout.kind == "timestamp":
        return findings
    findings.append(_shift(layout, reference, window, usual, limits))
    if layout.kind == "number":
        findings.append(_integers(reference, window, usual, limits))
    if layout.smooth:
        findings += [_heap(reference, window, usual, limits), _digits(reference, window, usual, limits)]
    return findings


def _shift(
    layout: NumberLayout | CategoryLayout, reference: Tally, window: Tally, usual: Natural, limits: Limits
) -> Finding:
    effect, p_value = apart(*comparable(layout, reference, window))
    limit = usual.limit("shift", limits.alpha) ** 2
    level = _psi_level(effect, limit, limits)
    if level in ("warn", "page") and _slight(layout, reference, window):
        level = "info"
    return Finding("distribution", "shift", effect, p_value, level, usual=limit)


def _slight(layout: Layout, reference: Tally, window: Tally) -> bool:
    """Whether a measured column hardly moved on its own scale: where many values lie close together, the least step
    takes them from one quantile bin to the next. Whole numbers may be codes, whose neighbours are strangers."""
    return isinstance(layout, NumberLayout) and layout.kind == "number" and moved(layout, reference, window) < SLIGHT


def _digits(reference: Tally, window: Tally, usual: Natural, limits: Limits) -> Finding:
    effect, p_value = apart(reference.buckets, window.buckets)
    limit = usual.limit("digits", limits.alpha) ** 2
    level: Level = "warn" if effect >= max(limits.warn, limit) else "ok"
    return Finding("precision", "digits", effect, p_value, level, usual=limit)


def _heap(reference: Tally, window: Tally, usual: Natural, limits: Limits) -> Finding:
    growth, place = heap(reference, window)
    events = (
        (float(reference.buckets[place]), float(reference.count)),
        (float(window.buckets[place]), float(window.count)),
    )
    p_value = min(1.0, BUCKETS * proportions(*events))
    limit = usual.limit("heap", limits.alpha)
    return Finding("stuck", "heap", growth, p_value, share_level(growth, limit), 0.0, growth, limit)


def _integers(reference: Tally, window: Tally, usual: Natural, limits: Limits) -> Finding:
    before, after = share(reference.integers, reference.count), share(window.integers, window.count)
    p_value = proportions((reference.integers, reference.count), (window.integers, window.count))
    effect, limit = abs(after - before), usual.limit("integers", limits.alpha)
    level: Level = "warn" if effect >= max(ROUNDED, limit) else "ok"
    return Finding("precision", "integers", effect, p_value, level, before, after, limit)


def _infinite(reference: Tally, window: Tally) -> Finding:
    before, after = share(reference.infinite, reference.rows), share(window.infinite, window.rows)
    p_value = proportions((reference.infinite, reference.rows), (window.infinite, window.rows))
    return Finding(
        "infinite", "infinite", abs(after - before), p_value, share_level(abs(after - before), 0), before, after
    )


def _excess(
    kind: str, name: str, expected: float, found: float, p_value: float, usual: Natural, limits: Limits, present: float
) -> Finding:
    """A share of the present values that only alarms when it grows beyond what is expected; `present` is the share of
    rows that have a value, for what few rows have can matter for few rows only."""
    limit = usual.limit(name, limits.alpha)
    growth = max(found - expected, 0.0)
    return Finding(kind, name, growth, p_value, share_level(growth * present, limit * present), expected, found, limit)


def share_level(effect: float, usual: float) -> Level:
    """2 points warn and 10 page; beyond natural variation, and a page far beyond it."""
    if effect >= _paging(SHARE_WARN, SHARE_PAGE, usual):
        return "page"
    return "warn" if effect >= max(SHARE_WARN, usual) else "ok"


def _paging(warn: float, page: float, usual: float) -> float:
    """Where a page begins: as far beyond what is usual as page is from warn, and at twice the usual. A stream that moves much
    from week to week sets its own records, but not by that much."""
    return max(page, usual + max(page - warn, usual) if usual > 0 else 0.0)


def _psi_level(effect: float, usual: float, limits: Limits) -> Level:
    if effect >= _paging(limits.warn, limits.page, usual):
        return "page"
    if effect >= max(limits.warn, usual):
        return "warn"
    return "info" if effect >= max(INFO, usual) else "ok"
