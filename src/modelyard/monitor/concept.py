"""Concept drift, calibration and slices: what labels say about the release that serves, told apart from its inputs.

All three live on the sums of `cohorts`; only the rows that became mature are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from scipy import special

from modelyard.monitor import reference, served
from modelyard.monitor.cohorts import KIND, Cohort, Sums, sliced, take
from modelyard.monitor.level import Days, merged, shown, slack
from modelyard.monitor.past import past
from modelyard.monitor.seen import Seen, unknown
from modelyard.records import Level, Observation, Release
from modelyard.spec.monitors import Monitor
from modelyard.spec.types import Spec
from modelyard.stats import severity
from modelyard.stats.changepoint import Change, locate
from modelyard.stats.edetector import RUN_LENGTH, EDetector
from modelyard.stats.performance import Performance
from modelyard.stats.prior import prior_shift
from modelyard.stats.rhythm import Rhythm
from modelyard.stats.seasonal import HOURS
from modelyard.store import Store

GRAVE = 4
"""A rise of so many tolerances pages; a smaller one warns."""
SHARE = 4
"""The run length is as many times the declared budget: others spend of it too."""
LEAST = 1_000
"""However much rows err together, so many steps are the least run length."""
DOUBT = 2.0
"""An e-value from which on something seems to be wrong; without a change one day in ten to thirty is beyond it."""
SEASON = timedelta(weeks=12)
BACK = timedelta(days=120)


def look(store: Store, spec: Spec, name: str, monitor: Monitor, release: Release | None, now: datetime) -> list[Seen]:
    """Labels, concept, calibration and slices; those that are declared off are left out."""
    wanted = {
        "concept": monitor.concept.enabled,
        "calibration": monitor.calibration.enabled,
        "slices": monitor.slices.enabled,
    }
    kinds = [KIND, *(kind for kind, enabled in wanted.items() if enabled)]
    if len(kinds) == 1:
        return []
    known = reference.performance(store, release)
    if release is None or known is None:
        why = "no release serves yet" if release is None else "the release has no record of its quality on unseen rows"
        return [unknown(kind, why) for kind in kinds]
    if known.task == "regression":
        kinds = [kind for kind in kinds if kind != "calibration"]
    cohort = take(store, spec, name, monitor, release, known, now)
    detector = _advance(store, name, monitor, known, cohort, now)
    seen = [_labels(release, cohort, detector)]
    few = _few(cohort, monitor)
    if few:
        gone = {"release": release.digest, "rows": cohort.whole.rows, "labelled": cohort.whole.labelled}
        return [*seen, *(unknown(kind, few, **gone) for kind in kinds[1:])]
    prior = _prior(known, cohort.whole, spec.models[release.model].target)
    made = {
        "concept": lambda: _concept(store, name, monitor, release, known, cohort, detector, prior, now),
        "calibration": lambda: _calibration(monitor, release, known, cohort.whole, prior),
        "slices": lambda: _slices(store, name, monitor, release, known, cohort, now),
    }
    return [*seen, *(made[kind]() for kind in kinds[1:])]


def _few(cohort: Cohort, monitor: Monitor) -> str:
    """Why labels say nothing yet, or ""."""
    if cohort.whole.labelled >= monitor.min_rows:
        return ""
    if cohort.waiting:
        return f"{cohort.waiting}; {monitor.min_rows} labelled answers are needed"
    return (
        f"{cohort.whole.labelled} of {cohort.whole.rows} mature answers have a label, {monitor.min_rows} are needed; "
        "what the answers are worth is unknown until labels come"
    )


def _labels(release: Release, cohort: Cohort, detector: EDetector) -> Seen:
    detail: dict[str, Any] = {
        "release": release.digest,
        "since": cohort.since.isoformat(),
        "until": cohort.until.isoformat(),
        "sums": cohort.sums.to_json(),
        "detector": detector.to_json(),
    }
    whole = cohort.whole
    if not whole.labelled:
        says = cohort.waiting or f"none of {whole.rows} mature answers has a label"
        return Seen(KIND, "insufficient_data", f"insufficient data: {says}", detail)
    says = f"{whole.labelled} of {whole.rows} mature answers have their label, up to {cohort.until:%Y-%m-%d %H:%M}"
    return Seen(KIND, "ok", f"{says}; {cohort.waiting}" if cohort.waiting else says, detail)


@dataclass(frozen=True)
class Prior:
    """What is told where only the share of the classes changed: the end of a sentence, and parts of the detail; else
    nothing."""

    says: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


def _prior(known: Performance, whole: Sums, target: str) -> Prior:
    """Whether prior shift tells the labelled rows of the window, of a binary target."""
    if known.task != "binary_classification" or known.tenths is None:
        return Prior()
    found = prior_shift(known.tenths, whole.bins, effect=known.effect)
    if found is None:
        return Prior()
    moved = "rose" if found.after > found.before else "fell"
    says = (
        f"; the share of {target} {moved} from {found.before:.3f} to {found.after:.3f} while the rows of each class are "
        "scored as before (prior shift): ranks hold"
    )
    shares = {"before": round(found.before, 5), "after": round(found.after, 5), "fit": round(found.fit, 5)}
    return Prior(says, {"prior_shift": shares, "cure": CURE})


CURE = "only the share of the classes changed: calibrate the answers again on rows after it did, or retrain on them"


# ---- concept ---------------------------------------------------------------------------------------------------------


def _advance(store: Store, name: str, monitor: Monitor, known: Performance, cohort: Cohort, now: datetime) -> EDetector:
    """The sequential test after this look's rows; a new one for a new release, and after an alarm that resolved."""
    detector = _begin(monitor, known, cohort.whole)
    if cohort.previous is not None:
        detector = EDetector.from_json(cohort.previous.detector)
    if detector.alarmed is not None and _over(known, cohort, detector):
        detector = _begin(monitor, known, cohort.whole)
    if not len(cohort.excess):
        return detector
    if detector.alarmed is None:
        detector = _held(store, name, monitor, known, cohort, detector, now)
    shift = _season(store, name, now, cohort)
    return detector.update(cohort.excess, shift=shift, effect=known.effect)


def _begin(monitor: Monitor, known: Performance, whole: Sums) -> EDetector:
    mean = known.excess + slack(known)
    daily = whole.labelled / (monitor.window / timedelta(days=1))
    budget = monitor.drift.false_alarms
    rows = max(RUN_LENGTH, SHARE * daily * (budget.per / timedelta(days=1)) / budget.count)
    # Rows that err together are steps taken together: a run of n rows is one of n/d steps.
    steps = max(LEAST, round(rows / known.effect))
    return EDetector.above(mean, tolerance=monitor.concept.tolerance, run_length=steps, floor=known.floor)


def _held(
    store: Store, name: str, monitor: Monitor, known: Performance, cohort: Cohort, detector: EDetector, now: datetime
) -> EDetector:
    """The test against the level of this look. It does not rise while something seems to be wrong: rows after a change
    would hide it."""
    if cohort.previous is None:
        return detector
    days = merged(_served(store, name, cohort.previous.release, now))
    low = shown(known, days, (cohort.until - monitor.window).date())
    limit = low + slack(known) + monitor.concept.tolerance
    return detector if limit > detector.limit and detector.mixed > DOUBT else replace(detector, limit=limit)


def _level(monitor: Monitor, known: Performance, detector: EDetector) -> float:
    """The mean excess that the release is held to."""
    return detector.limit - monitor.concept.tolerance - slack(known)


def _over(known: Performance, cohort: Cohort, detector: EDetector) -> bool:
    """Whether the alarm's reason is gone: a whole window after it lies below the limit again."""
    whole = cohort.whole
    after = detector.rows - (detector.alarmed or 0) >= whole.labelled
    return bool(after and whole.labelled and whole.excess / whole.labelled < detector.limit)


def _season(store: Store, name: str, now: datetime, cohort: Cohort) -> np.ndarray:
    """By how much the excess of these hours of the week is usually higher, once there is history of three weeks."""
    found = past(store, name, KIND, now - SEASON, _hours, until=now)
    if not found:
        return np.zeros(len(cohort.seconds))
    hours, parts = (np.concatenate(each, axis=-1) for each in zip(*(seen for _, seen in found), strict=True))
    rows, sums, squares = (np.bincount(hours, part, HOURS).astype(float) for part in parts)
    return Rhythm.summed(rows, sums, squares, (now - found[0][0]) / timedelta(weeks=1)).at(cohort.seconds)


def _hours(seen: Observation) -> tuple[np.ndarray, np.ndarray]:
    """The hours of the week that a look took rows of, and per hour rows, excess and its squares."""
    hours = seen.detail.get("sums", {}).get("hours", {})
    return np.array([int(hour) for hour in hours], dtype=np.int64), np.array([*hours.values()]).reshape(-1, 3).T


def _concept(
    store: Store,
    name: str,
    monitor: Monitor,
    release: Release,
    known: Performance,
    cohort: Cohort,
    detector: EDetector,
    prior: Prior,
    now: datetime,
) -> Seen:
    whole = cohort.whole
    loss, excess = whole.loss / whole.labelled, whole.excess / whole.labelled
    known, released = known.held_to(_level(monitor, known, detector)), known
    rise, harder = excess - known.excess, (loss - excess) - (known.loss - known.excess)
    detail: dict[str, Any] = {
        "release": release.digest,
        "rows": whole.rows,
        "labelled": whole.labelled,
        "loss": [round(known.loss, 5), round(loss, 5)],
        "excess": [round(known.excess, 5), round(excess, 5)],
        "of_inputs": round(harder, 5),
        "limit": round(detector.limit, 5),
        "evidence": round(detector.evidence, 6),
        "run_length": detector.run_length,
        "mature_until": cohort.until.isoformat(),
    }
    split = (
        f"mean loss {known.loss:.4f} → {loss:.4f}: {harder:+.4f} by what was asked, {rise:+.4f} by the world behind it"
    )
    if detector.alarmed is None:
        return Seen("concept", "ok", f"{split}; no more than is usual", detail)
    change = began(_served(store, name, release.digest, now), known)
    if change is not None:
        detail["began"], detail["change"] = change[0], change[1].kind
    when = f", since {change[0]}, {change[1].kind}" if change else ""
    level: Level = "page" if rise >= GRAVE * monitor.concept.tolerance else "warn"
    where = _worst(monitor, released, whole)
    told = f"; most in {where.column} = {where.value} ({where.rise:+.3f} more)" if where else ""
    if where:
        detail["slice"] = {"column": where.column, "value": where.value, "rise": round(where.rise, 5)}
    says = f"the same inputs come out otherwise than the model learnt{when}: {split}{told}{prior.says}"
    return Seen("concept", level, says, detail | prior.detail)


def _served(store: Store, name: str, release: str, now: datetime) -> list[Days]:
    """What each look saw of a release, by day."""
    return [days for _, (of, days) in past(store, name, KIND, now - BACK, _days, until=now) if of == release]


def _days(seen: Observation) -> tuple[str, dict[str, np.ndarray]]:
    """The release that a look was about, and its sums by day."""
    days = seen.detail.get("sums", {}).get("days", {})
    return seen.detail.get("release", ""), {day: np.array(parts) for day, parts in days.items()}


def began(looks: Iterable[Days], known: Performance) -> tuple[str, Change] | None:
    """The day on which the excess changed, and how, from the sums by day of each look."""
    days = merged(looks)
    names = [day for day, parts in days.items() if parts[0] > 0]
    if not names:
        return None
    rows = np.array([days[day][0] for day in names])
    values = np.array([days[day][2] for day in names]) / rows
    # The release's own unseen rows stand before all days, as one more.
    variances = np.append(max(known.error, 1e-6) ** 2, known.spread**2 * known.effect / np.maximum(rows, 1))
    change = locate(np.append(known.excess, values), variances)
    if change is None or change.after <= change.before:
        return None
    return names[change.at - 1], change


# ---- calibration -----------------------------------------------------------------------------------------------------
# Rows of one week err together in ways that few weeks of unseen rows do not show (a group of guests that cancels): what
# is judged by week must show in another week. What changed for good has alarmed as concept drift by then.


def _calibration(monitor: Monitor, release: Release, known: Performance, whole: Sums, prior: Prior) -> Seen:
    gap, p_value = whole.bins.gap(), whole.bins.p_value(known.effect, known.tenths)
    budget = monitor.drift.false_alarms
    alpha = min(1e-3, budget.count / max(budget.per / monitor.window, 1.0) / 20)
    usual = known.gaps.limit(float(special.stdtrit(known.gaps.count - 1, 1 - alpha))) if known.gaps else 0.0
    said = whole.bins.happened.sum() / max(whole.bins.rows.sum(), 1)
    thought = whole.bins.expected.sum() / max(whole.bins.rows.sum(), 1)
    detail = {
        "release": release.digest,
        "labelled": whole.labelled,
        "gap": round(gap, 5),
        "p_value": p_value,
        "bins": whole.bins.to_json(),
        "usual": round(usual, 5),
        "effect": round(known.effect, 2),
    }
    level: Level = "ok"
    warn, page = monitor.calibration.warn, monitor.calibration.page
    if p_value < alpha and gap >= max(warn, usual):
        level = "page" if gap >= max(page, usual + page - warn) else "warn"
        if _rise(known, whole) <= 0 and level == "page":
            level = "warn"  # off, but to the good: the loss fell
    says = (
        f"probabilities lie {gap:.3f} from the frequencies, beyond chance: {thought:.3f} was expected, {said:.3f} came"
    )
    if level == "ok":
        says = f"probabilities are the frequencies that they were ({thought:.3f} was expected, {said:.3f} came)"
    else:
        says += f" (up to {usual:.3f} is usual)" if usual else ""
        says += prior.says or "; ranks may still hold: calibrate the answers again, or retrain"
        detail |= prior.detail
    return Seen("calibration", level, says, detail, varies=True)


# ---- slices ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Slice:
    """One slice of answers: by how much its mean excess rose more than that of all, the standard error, its rows."""

    column: str
    value: str
    rise: float
    error: float
    rows: int


def _rises(known: Performance, whole: Sums, columns: tuple[str, ...]) -> list[Slice]:
    """The slices with enough rows at release and now."""
    found = []
    overall = _rise(known, whole)
    least = max(FEWEST, SHARE_OF_ROWS * whole.labelled)
    for column in columns:
        if column not in whole.slices or column not in known.slices:
            continue
        names = known.cuts[column].names
        for value, before, after in zip(names, known.slices[column], whole.slices[column], strict=True):
            if before[0] < FEWEST or after[0] < least:
                continue
            rise = float(after[2] / after[0] - before[2] / before[0]) - overall
            error = known.spread * np.sqrt(max(before[3], 1.0) * (1 / before[0] + 1 / after[0]))
            found.append(Slice(column, value, rise, float(error), int(after[0])))
    return found


FEWEST, SHARE_OF_ROWS = 100, 0.02


def _worst(monitor: Monitor, known: Performance, whole: Sums) -> Slice | None:
    """The slice whose excess rose most beyond that of all, if one surely did."""
    beyond = [each for each in _rises(known, whole, sliced(monitor, known)) if each.rise > 2 * each.error]
    return max(beyond, key=lambda each: each.rise * each.rows**0.5, default=None)


def _slices(
    store: Store, name: str, monitor: Monitor, release: Release, known: Performance, cohort: Cohort, now: datetime
) -> Seen:
    """Slices whose loss rose more than that of all rows, beyond what inputs explain: for information by `tolerance`, a
    warning by twice, a page by four times as much."""
    whole = cohort.whole
    rises = _rises(known, whole, sliced(monitor, known))
    detail: dict[str, Any] = {"release": release.digest, "labelled": whole.labelled, "judged": len(rises)}
    if not rises:
        return unknown("slices", f"no slice has {FEWEST} labelled answers here and at release", **detail)
    # Labels may come months later: these hours are none of the window's.
    hours = served.window(store, monitor.deployment, cohort.until - 2 * served.WEEK, cohort.until)
    young = served.partial(hours, release.digest, monitor.window, cohort.until)
    if young:
        return unknown("slices", young, **detail)
    detail["largest"] = round(max(each.rise for each in rises), 5)
    budget = monitor.drift.false_alarms
    alpha = budget.count / max(budget.per / monitor.window, 1.0) / 20 / len(rises)
    z = float(-special.ndtri(min(alpha, 1e-3)))
    bad = [each for each in rises if each.rise >= monitor.slices.tolerance and each.rise > z * each.error]
    bad.sort(key=lambda each: -each.rise)
    detail["slices"] = [
        {"column": each.column, "value": each.value, "rise": round(each.rise, 5), "rows": each.rows} for each in bad
    ]
    looks = past(store, name, "slices", now - OPEN * monitor.window, _lost, until=now)
    before = next((lost for _, (of, lost) in reversed(looks) if of == release.digest and lost is not None), {})
    worse = [each for each in bad if severity(grave(each, monitor, whole.labelled)) >= 2]
    lost = _still(before, rises, worse, now - OPEN * monitor.window, now)
    detail["lost"] = [[*place, when.isoformat()] for place, when in lost.items()]
    if not bad:
        gone = [place for place in lost if place not in {(each.column, each.value) for each in rises}]
        if gone:
            named = ", ".join(f"{column} = {value}" for column, value in gone)
            return unknown("slices", f"{named}, which lost, has too few labelled answers; no other lost more", **detail)
        return Seen("slices", "ok", f"none of {len(rises)} slices lost more than the rest", detail)
    level = max((grave(each, monitor, whole.labelled) for each in bad), key=severity)
    told = ", ".join(f"{each.column} = {each.value} ({each.rise:+.3f} on {each.rows} rows)" for each in bad[:5])
    return Seen("slices", level, f"the mean loss rose more than elsewhere in {told}", detail, varies=True)


OPEN = 3
"""A slice that lost and has too few rows since is waited for so many windows: it is not known to be well again."""
Lost = dict[tuple[str, str], datetime]


def _lost(seen: Observation) -> tuple[str, Lost | None]:
    """The release that a look was about, and when each slice that lost was last seen to; None when it did not judge."""
    found = seen.detail.get("lost")
    lost = (
        {(column, value): datetime.fromisoformat(when) for column, value, when in found} if found is not None else None
    )
    return seen.detail.get("release", ""), lost


def _still(before: Lost, rises: Sequence[Slice], bad: Sequence[Slice], since: datetime, now: datetime) -> Lost:
    """The slices that lose now, and those that lost since a time and could not be judged since."""
    judged = {(each.column, each.value) for each in rises}
    waited = {place: when for place, when in before.items() if place not in judged and when > since}
    return waited | {(each.column, each.value): now for each in bad}


def grave(found: Slice, monitor: Monitor, labelled: int) -> Level:
    """How bad that is: a page also needs that it alone raised the loss of all labelled rows by the tolerance."""
    times, of_all = found.rise / monitor.slices.tolerance, found.rise * found.rows / labelled
    if times >= GRAVE and of_all >= monitor.slices.tolerance:
        return "page"
    return "warn" if times >= GRAVE / 2 else "info"


def _rise(known: Performance, whole: Sums) -> float:
    """How much the mean excess of all rows rose since release."""
    return whole.excess / max(whole.labelled, 1) - known.excess
