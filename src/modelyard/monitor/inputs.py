"""Judge a window's inputs and predictions against the training rows of the release that served, kinds apart."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from modelyard.monitor import reference, season, segments, served
from modelyard.monitor.logged import PREDICTION
from modelyard.monitor.seen import Seen, unknown
from modelyard.monitor.served import Served
from modelyard.records import Release
from modelyard.spec.monitors import Monitor
from modelyard.stats import ColumnResult, Profile, Verdict, compare, severity, units
from modelyard.stats.checks import SHARE_PAGE
from modelyard.store import Store

KINDS: dict[str, tuple[str, ...]] = {
    "drift": ("distribution", "range", "unseen", "unit", "stuck", "precision", "case", "recode"),
    "units": ("unit",),
    "missing": ("missing", "infinite"),
    "schema": ("schema",),
    "duplicates": ("duplicates", "replay"),
}
"""The kinds of observation, and the kinds of finding that each is made of: every one has another cure."""
SHOWN = 5
FEWEST = 30
"""So many rows of a day tell its unit."""
SEVERE, HALF = 4, 0.5
"""Four times the page's effect, or half of the rows, is so much that a second look is not waited for."""
IDLE = 0.005
"""A column that makes up less of what the model leans on is idle: what befalls it counts a level less."""
LESS: dict[Verdict, Verdict] = {"page": "warn", "warn": "info"}
WEEK, DAY, HOUR = timedelta(days=7), timedelta(days=1), timedelta(hours=1)
ALMOST = 1.1
"""A window this factor short of a known width still counts as one: its first or last hours may lack traffic."""


def look(
    store: Store,
    name: str,
    monitor: Monitor,
    release: Release | None,
    now: datetime,
    hours: Sequence[Served],
    *,
    exactly: bool = False,
) -> list[Seen]:
    """Drift, missing, schema and duplicates in the window that ends now, in which these `hours` were answered; kinds that
    are not declared are left out.

    `exactly`: judge all that the release answered in the window, not just the part of it that is fair."""
    kinds = [kind for kind in KINDS if _declared(monitor, kind)]
    if not kinds:
        return []
    known = reference.profile(store, release)
    if release is None or known is None:
        why = "no release serves yet" if release is None else "the release has no profile of its training rows"
        return [unknown(kind, why) for kind in kinds]
    if exactly:
        found = segments.stretches(store, monitor.deployment, release, now - monitor.window, now)
    else:
        found = _in_whole_weeks(store, monitor, release, now, hours)
    window = Profile.merge([each.profile for each in found])
    if window.rows < monitor.min_rows:
        of = f"{release.model}@{release.number}"
        why = f"{of} answered {window.rows} rows in the window, {monitor.min_rows} are needed"
        return [unknown(kind, why, rows=window.rows, release=release.digest) for kind in kinds]
    latest = max(each.end for each in found)
    span = latest - min(each.start for each in found)
    newest = Profile.merge([each.profile for each in found if each.end > latest - DAY])
    worth = reference.performance(store, release)
    leaning = worth.importance if worth else None
    more: dict[str, Any] = {}
    if monitor.reference == "seasonal":
        weeks = season.learnt(store, name, monitor, release, now)
        more["weeks"] = weeks.to_json()
        same = season.matched(store, monitor, release, known, weeks, found, hours)
        if same is not None:
            more["same_hours"] = same.rows
            return judge(monitor, release, same, window, newest, span=span, kinds=kinds, leaning=leaning, more=more)
    if known.narrowest is not None and known.narrowest > ALMOST * span:
        # Half a week is no small week: it lacks weekdays, and nothing tells how half weeks usually differ.
        of = f"{release.model}@{release.number}"
        why = f"{of} answered for {_days(span)} in the window; what is usual is known of {_days(known.narrowest)}"
        return [unknown(kind, why, rows=window.rows, release=release.digest, **more) for kind in kinds]
    return judge(monitor, release, known, window, newest, span=span, kinds=kinds, leaning=leaning, more=more)


def _in_whole_weeks(
    store: Store, monitor: Monitor, release: Release, now: datetime, hours: Sequence[Served]
) -> list[segments.Stretch]:
    """What the release answered in the window; of more than a week only whole weeks: ten days may hold four days of
    weekend."""
    start = _steady(hours, monitor, release, now)
    found = segments.stretches(store, monitor.deployment, release, start, now)
    if not found:
        return found
    since = now - min(each.start for each in found)
    weeks = since // WEEK
    if weeks == 0 or since == weeks * WEEK:
        return found
    return segments.stretches(store, monitor.deployment, release, now - weeks * WEEK, now)


def _steady(hours: Sequence[Served], monitor: Monitor, release: Release, now: datetime) -> datetime:
    """Since when, within the window, the release has had its present share of the traffic: days on which a canary had a
    twentieth and days on which it has all make no fair week."""
    start = now - monitor.window
    days: dict[int, list[int]] = {}
    for hour in served.within(hours, start, now):
        day = days.setdefault(int((now - hour.start - HOUR) / DAY), [0, 0])
        day[0] += hour.rows * (hour.release == release.digest)
        day[1] += hour.rows
    shares = {day: mine / all_rows for day, (mine, all_rows) in days.items() if all_rows}
    if not shares:
        return start
    present = shares[min(shares)]
    less = [day for day, share in shares.items() if share < present / 2]
    return max(start, now - min(less) * DAY) if less else start


def _days(span: timedelta) -> str:
    return f"{span.total_seconds() / 86400:.1f} days"


def judge(
    monitor: Monitor,
    release: Release,
    known: Profile,
    window: Profile,
    newest: Profile,
    *,
    span: timedelta,
    kinds: Sequence[str],
    leaning: Mapping[str, float] | None = None,
    more: Mapping[str, Any] | None = None,
) -> list[Seen]:
    """One thing seen per kind, from the comparison of all columns. `newest`: the window's last day; `leaning`: how much the
    model leans on each; `more`: of the reference, for the detail of drift."""
    watched = known if monitor.drift.columns is None else known.only((*monitor.drift.columns, PREDICTION))
    results = compare(
        watched,
        window,
        warn=monitor.drift.warn,
        page=monitor.drift.page,
        alpha=alpha(monitor, len(watched.columns)),
        min_rows=monitor.min_rows,
        span=span.total_seconds(),
    )
    judged = [_unit(result, watched, newest) for result in results if result.verdict != "insufficient_data"]
    if not judged:
        why = f"the training rows of {release.model}@{release.number} are too few ({known.rows})"
        return [unknown(kind, why, rows=window.rows, release=release.digest, **(more or {})) for kind in kinds]
    sure = {
        result.column for result in judged if "unit" in result.kinds and _sure(result.column, known, window, newest)
    }
    plain = _plain(judged, watched, newest, monitor.drift.page)
    found = Compared(release, known, window, judged, monitor.drift.page, leaning, sure, plain, more or {})
    return [_seen(kind, found) for kind in kinds]


def _plain(judged: Sequence[ColumnResult], known: Profile, newest: Profile, page: float) -> set[str]:
    """The columns whose page needs no other window: an effect is far beyond what is usual, and the newest day alone has it. A
    window in which one day was another world pages for as long as it holds that day."""
    far = {each.column: _beyond(each, page, SHARE_PAGE, SEVERE, SEVERE) for each in judged if each.verdict == "page"}
    if not any(far.values()):
        return set()
    today = compare(known, newest, span=DAY.total_seconds())
    return {each.column for each in today if far.get(each.column, set()) & _beyond(each, page, SHARE_PAGE, 0.0, 0.0)}


def _sure(column: str, known: Profile, window: Profile, newest: Profile) -> bool:
    """Whether no week of other customers looks like that change of unit: the factor is large, or the newest day alone tells
    the same one."""
    whole, day = (_change(column, known, some) for some in (window, newest))
    return any(unit is not None and unit.sure for unit in (whole, day)) or (whole is not None and whole == day)


def _change(column: str, known: Profile, some: Profile) -> units.Unit | None:
    reference, found = known.columns.get(column), some.columns.get(column)
    if reference is None or found is None or found.tally.count < FEWEST:
        return None
    return units.change(reference.layout, reference.tally, found.tally)


def _unit(result: ColumnResult, known: Profile, newest: Profile) -> ColumnResult:
    """The change of unit behind a page, as the newest day tells it: for most of a window it is mixed with the days before,
    and meanwhile a model may be trained on both."""
    if result.verdict != "page" or "unit" in result.kinds:
        return result
    unit = _change(result.column, known, newest)
    if unit is None or not unit.sure:
        return result
    says = f"{result.says.removesuffix('.')}; on the newest day its unit seems changed, {unit}."
    return replace(result, kinds=("unit", *result.kinds), levels={**result.levels, "unit": "page"}, says=says)


def alpha(monitor: Monitor, columns: int) -> float:
    """How rarely one column of an unchanged world may leave its natural variation in one window, by the declared
    budget.

    The budget is shared by all columns and by the windows of its period. Windows overlap, so that each has several
    chances: a quarter of the share is given.
    """
    budget = monitor.drift.false_alarms
    looks = max(budget.per / monitor.window, 1.0) * max(columns, 1)
    return min(max(budget.count / looks / 4, 1e-6), 1e-2)


def _declared(monitor: Monitor, kind: str) -> bool:
    upstream = monitor.upstream
    return {
        "drift": monitor.drift.enabled,
        "units": upstream.units,
        "missing": upstream.missing,
        "schema": upstream.schema_,
        "duplicates": upstream.duplicates,
    }[kind]


@dataclass(frozen=True)
class Compared:
    """What the comparison of all columns gave, and what says how much it matters: the effect of a `page`, how much the model
    is `leaning` on each, whose change of unit is `sure`, whose page is `plain`; `more` of the reference."""

    release: Release
    known: Profile
    window: Profile
    results: Sequence[ColumnResult]
    page: float
    leaning: Mapping[str, float] | None
    sure: Collection[str]
    plain: Collection[str]
    more: Mapping[str, Any]


def _seen(kind: str, of: Compared) -> Seen:
    levels = {result.column: _level(kind, result, of.leaning) for result in of.results}
    moved = [result for result in of.results if levels[result.column] != "ok"]
    moved.sort(key=lambda result: (-severity(levels[result.column]), -(result.psi or 0.0)))
    worst = levels[moved[0].column] if moved else "ok"
    alarming = [result for result in moved if severity(levels[result.column]) >= 2]
    detail = {
        "rows": of.window.rows,
        "release": of.release.digest,
        "reference": f"{of.release.model}@{of.release.number}",
        "columns": [{**result.as_json(), "level": levels[result.column]} for result in moved],
    }
    match kind:
        case "drift":
            shifts = {result.column: round(result.psi, 4) for result in of.results if result.psi is not None}
            detail |= {"psi": shifts, **of.more}
        case "missing":
            detail["shares"] = {name: round(share, 5) for name, share in _missing(of.window) if share}
        case "duplicates":
            detail |= {"repeated": of.window.sample.repeated, "replayed": of.window.sample.seen_in(of.known.sample)}
    if kind == "units":
        severe = any(result.column in of.sure for result in alarming)
        varies = not severe
    else:
        severe = any(_beyond(each, SEVERE * of.page, HALF, SEVERE, 2) for each in alarming)
        varies = not any(result.column in of.plain for result in alarming)
    return Seen(kind, worst, _says(kind, alarming, moved, len(of.results)), detail, severe, varies)


def _missing(window: Profile) -> Iterator[tuple[str, float]]:
    """The share of each column that is missing."""
    for name, column in window.columns.items():
        yield name, column.tally.nulls / max(column.tally.rows, 1)


def _beyond(result: ColumnResult, psi: float, share: float, psis: float, shares: float) -> set[str]:
    """The effects that are as large as that, and `psis` or `shares` times as large as is usual."""
    found = set()
    for name, size in result.effects.items():
        least, times = (psi, psis) if name.endswith("shift") else (share, shares)
        if size >= max(least, times * result.usual.get(name, 0.0)):
            found.add(name)
    return found


def _level(kind: str, result: ColumnResult, leaning: Mapping[str, float] | None) -> Verdict:
    """The worst of a column's findings of one kind; a level less for a column that the model does not lean on."""
    if kind == "units" and result.column == PREDICTION:
        return "ok"  # what a model answers has no unit that somebody could change
    found: list[Verdict] = [result.levels.get(each, "ok") for each in KINDS[kind]]
    level = max(found, key=severity)
    idle = leaning and result.column != PREDICTION and leaning.get(result.column, 0.0) < IDLE
    return LESS.get(level, level) if idle and kind in ("drift", "missing") else level


def _says(kind: str, alarming: list[ColumnResult], moved: list[ColumnResult], columns: int) -> str:
    if not alarming:
        lightly = (
            f"; {', '.join(result.column for result in moved[:SHOWN])} moved, not enough to alarm" if moved else ""
        )
        return {
            "drift": f"of {columns} columns none alarms{lightly}"
            if moved
            else f"all {columns} columns lie within what is usual",
            "units": "no column seems to have changed its unit",
            "missing": "no more is missing than is usual",
            "schema": "the columns and their types are those of training",
            "duplicates": "no more rows repeat than is usual",
        }[kind]
    told = " ".join(result.says for result in alarming[:SHOWN])
    more = f" And {len(alarming) - SHOWN} more columns." if len(alarming) > SHOWN else ""
    return told + more
