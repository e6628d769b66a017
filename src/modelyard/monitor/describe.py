"""A change described when it is first told: since when, how, in which rows, from which table, how much the model leans
on it, what it does to the metric, and what is going to be done about it.

Looked at only when an alarm rises, so that a quiet day costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.monitor import reference, segments
from modelyard.records import Release, Version
from modelyard.spec.monitors import Monitor
from modelyard.stats import Profile, arrow
from modelyard.stats.category import TAIL, CategoryLayout
from modelyard.stats.changepoint import locate
from modelyard.stats.distance import comparable
from modelyard.stats.measured import MeasuredLayout
from modelyard.stats.performance import Performance
from modelyard.stats.profile import Column
from modelyard.stats.tally import Tally, merge
from modelyard.store import Store, predictions

BACK = 6
"""So many windows before now are looked at to see when it began."""
PAST = 52
"""A past state is looked for in so many windows."""
NEAR = 0.25
"""A past window is the same state when it lies from the present one less than this share of what changed."""
HALFWAY, CALM = 0.5, 0.25
"""A change was there on a day that had half of its present size, and was over on one that had a quarter."""
ROWS = 20_000
FEWEST = 50
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Told:
    """What is known of one changed column; that it `began` is known to a stretch of so much time (`width`)."""

    column: str
    source: str | None
    importance: float | None
    began: datetime | None = None
    kind: str = ""
    like: datetime | None = None
    slice: tuple[str, str, float] | None = None
    width: timedelta = DAY

    @property
    def says(self) -> str:
        """A sentence; empty when nothing is known."""
        parts = []
        if self.began is not None:
            # A look in the afternoon counts days from afternoon to afternoon: most of such a day lies in the next one.
            day = f"{self.began + self.width / 2:%Y-%m-%d}"
            parts.append(f"since {day if self.width >= DAY else f'{self.began:%Y-%m-%d %H:%M}'}, {self.kind}")
        if self.like is not None:
            parts.append(f"as it was in the window to {self.like:%Y-%m-%d} before")
        if self.slice is not None:
            parts.append(f"most in rows with {self.slice[0]} = {self.slice[1]}")
        if self.source is not None:
            parts.append(f"from {self.source}")
        if self.importance is not None:
            parts.append(f"{self.importance:.0%} of what the model leans on")
        return f"{self.column}: {', '.join(parts)}." if parts else ""

    def as_json(self) -> dict[str, Any]:
        """For the observation's detail."""
        return {
            "column": self.column,
            "source": self.source,
            "importance": self.importance,
            "began": self.began.isoformat() if self.began else None,
            "change": self.kind or None,
            "like": self.like.isoformat() if self.like else None,
            "slice": list(self.slice) if self.slice else None,
        }


def columns(
    store: Store, monitor: Monitor, release: Release, names: Sequence[str], window: Profile, now: datetime
) -> list[Told]:
    """What is known of the changed columns, in the order given."""
    known = reference.profile(store, release)
    worth = reference.performance(store, release)
    if known is None:
        return []
    days = list(_days(store, monitor, release, now))
    from_where = sources(store, release)
    found = []
    for name in names:
        leaning = worth.importance.get(name, 0.0) if worth is not None and worth.importance else None
        told = Told(name, from_where.get(name), leaning if name in release.body.get("inputs", ()) else None)
        if name in known.columns and name in window.columns:
            told = _dated(store, monitor, release, told, known.columns[name], window.columns[name].tally, days, now)
            told = _placed(store, monitor, release, told, worth, now)
        found.append(told)
    return found


def sources(store: Store, release: Release) -> dict[str, str]:
    """The upstream table of each input: `sources.weather` by way of a view or dataset, as its recorded version says."""
    body = release.body
    tables = [body.get("dataset"), *(body.get("features") or {}).values()]
    found: dict[str, str] = {}
    for table in tables:
        if not table:
            continue
        version = next(iter(store.read(Version, entity=table["entity"], number=table["number"], limit=1)), None)
        if version is None:
            continue
        by_way = table["entity"]
        names = sorted(version.body.get("sources") or ()) or sorted(version.body.get("inputs") or ())
        where = f"{' and '.join(names)} (by {by_way})" if names else by_way
        view = by_way.partition(".")[2]
        for column in version.body.get("columns") or ():
            found.setdefault(column, where)
            found.setdefault(f"{view}.{column}", where)
    return found


def upstream(store: Store, release: Release, column: str) -> str | None:
    """The name of the source that a column comes from, alone."""
    where = sources(store, release).get(column)
    return where.partition(" (")[0] if where else None


# ---- since when ------------------------------------------------------------------------------------------------------


def _days(store: Store, monitor: Monitor, release: Release, now: datetime) -> Iterator[tuple[datetime, Profile]]:
    """Profiles of whole days before now, oldest first."""
    width = min(DAY, monitor.window)
    count = int(BACK * monitor.window / width)
    for place in range(count, 0, -1):
        start = now - width * place
        found = segments.stretches(store, monitor.deployment, release, start, start + width)
        if found:
            yield start, Profile.merge([each.profile for each in found])


def _dated(
    store: Store,
    monitor: Monitor,
    release: Release,
    told: Told,
    column: Column,
    window: Tally,
    days: Sequence[tuple[datetime, Profile]],
    now: datetime,
) -> Told:
    """When it began and how: the likelihood ratio of present against reference, day by day."""
    towards = _direction(column, window)
    if towards is None:
        return told
    scored = [(start, _score(column, day.columns.get(told.column), towards)) for start, day in days]
    used = [(start, score) for start, score in scored if score is not None]
    if not used:
        return told
    known = _known(column)
    usual = float(known @ towards / max(known.sum(), 1))
    used = used[_episode(np.array([score for _, (score, _) in used]), usual) :]
    values = np.array([usual, *(score for _, (score, _) in used)])
    variances = np.array([1e-9, *(1 / rows for _, (_, rows) in used)])
    change = locate(values, variances)
    began = used[0][0] if change is None else used[max(change.at - 1, 0)][0]
    kind = "" if change is None else change.kind
    since = [day.columns[told.column].tally for start, day in days if start >= began and told.column in day.columns]
    like = _like(store, monitor, release, told.column, column, merge(since) if since else window, began, now)
    how = "recurring" if like else kind or "sudden"
    return replace(told, began=began, kind=how, like=like, width=min(DAY, monitor.window))


def _episode(scores: np.ndarray, usual: float) -> int:
    """The first day that belongs to the present change: what was so before, and was over in between, is another one.

    >>> _episode(np.array([0.0, 1, 1, 0, 0, 0.4, 1.0]), 0.0), _episode(np.array([0, 0.3, 0.6, 0.4, 1.0]), 0.0)
    (3, 0)
    """
    apart = (scores - usual) / ((scores[-1] - usual) or 1.0)
    calm = np.flatnonzero(apart < CALM)
    before = np.flatnonzero(apart[: calm[-1]] > HALFWAY) if len(calm) else calm
    return int(before[-1]) + 1 if len(before) else 0


def _direction(column: Column, window: Tally) -> np.ndarray | None:
    """Per cell (the last one: missing) the logarithm of how much more of it there is now."""
    before, after = _known(column), _cells(column, window)
    if before.shape != after.shape or not before.sum() or not after.sum():
        return None
    p = (before + 0.5) / (before.sum() + 0.5 * len(before))
    q = (after + 0.5) / (after.sum() + 0.5 * len(after))
    return np.asarray(np.log(q / p))


def _cells(column: Column, tally: Tally) -> np.ndarray:
    """What is counted: the distribution's cells, of categories one for all values that the reference never held, and how
    many are missing."""
    layout = column.layout
    if isinstance(layout, MeasuredLayout):
        parts = [tally.parts[name].cells for name in layout.parts if name in tally.parts]
        return np.append(np.concatenate(parts) if parts else np.zeros(0), tally.nulls)
    if isinstance(layout, CategoryLayout) and len(tally.cells):
        return np.append(tally.cells[:-TAIL], [layout.unseen(tally), tally.nulls])
    _, cells = comparable(layout, column.tally, tally)
    return np.append(cells, tally.nulls)


def _known(column: Column) -> np.ndarray:
    """The cells of the reference. It has seen all its own values; as many new ones as it saw once are usual (Good 1953),
    and were rare ones."""
    cells, layout = _cells(column, column.tally), column.layout
    if isinstance(layout, CategoryLayout) and len(cells) > 2:
        rare = slice(len(layout.top), len(layout.top) + TAIL)
        cells = cells.astype(np.float64)
        new = min(float(layout.once), cells[rare].sum())
        cells[rare] *= 1 - new / max(cells[rare].sum(), 1.0)
        cells[-2] = new
    return cells


def _score(column: Column, day: Column | None, towards: np.ndarray) -> tuple[float, float] | None:
    if day is None or day.tally.rows < FEWEST / 5:
        return None
    cells = _cells(column, day.tally)
    if cells.shape != towards.shape or not cells.sum():
        return None
    return float(cells @ towards / cells.sum()), float(cells.sum())


def _like(
    store: Store,
    monitor: Monitor,
    release: Release,
    name: str,
    column: Column,
    window: Tally,
    began: datetime,
    now: datetime,
) -> datetime | None:
    """The end of the nearest past window in the state of the rows since it began, when there is one: what changed has
    been so before."""
    present = _cells(column, window)
    moved = _apart(_known(column), present)
    best: tuple[float, datetime] | None = None
    for place in range(2, PAST):
        end = now - monitor.window * place
        if end > began:
            continue
        found = segments.stretches(store, monitor.deployment, release, end - monitor.window, end)
        tallies = [each.profile.columns[name].tally for each in found if name in each.profile.columns]
        if not tallies:
            break
        past = merge(tallies)
        away = _apart(_cells(column, past), present)
        if away < NEAR**2 * moved and (best is None or away < best[0]):
            best = away, end
    return best[1] if best else None


def _apart(p: np.ndarray, q: np.ndarray) -> float:
    """How far the shares of cells lie from each other, squared and less what two samples of one state do on average."""
    n, m = max(p.sum(), 1), max(q.sum(), 1)
    a, b = p / n, q / m
    return float(((a - b) ** 2).sum() - (a * (1 - a)).sum() / n - (b * (1 - b)).sum() / m)


# ---- which rows ------------------------------------------------------------------------------------------------------


def _placed(
    store: Store, monitor: Monitor, release: Release, told: Told, worth: Performance | None, now: datetime
) -> Told:
    """The slice that moved most: the rows before it began against those after, as logged."""
    if told.began is None or worth is None:
        return told
    others = [name for name in (*worth.importance, *worth.cuts) if name in worth.cuts and name != told.column]
    others = list(dict.fromkeys(others))[:6]
    wanted = [f"in.{name}" for name in (told.column, *others)]
    start = told.began - monitor.window
    rows = predictions.answers(store, monitor.deployment, start=start, end=now, columns=["at", "release", *wanted])
    rows = rows.filter(pc.equal(rows["release"], release.digest))
    if f"in.{told.column}" not in rows.column_names or rows.num_rows < 4 * FEWEST:
        return told
    step = max(1, rows.num_rows // ROWS)
    rows = rows.take(pa.array(np.arange(0, rows.num_rows, step))).combine_chunks()
    after = pc.greater_equal(rows["at"], pa.scalar(told.began, rows["at"].type)).to_numpy(zero_copy_only=False)
    if min(after.sum(), (~after).sum()) < FEWEST:
        return told
    values = _values(rows[f"in.{told.column}"].combine_chunks(), after)
    whole = abs(values[after].mean() - values[~after].mean())
    best: tuple[str, str, float] | None = None
    for name in others:
        if f"in.{name}" not in rows.column_names:
            continue
        cut = worth.cuts[name]
        place = cut.place(rows[f"in.{name}"].combine_chunks())
        for number, label in enumerate(cut.names):
            mine = place == number
            if min((mine & after).sum(), (mine & ~after).sum()) < FEWEST:
                continue
            rise = abs(values[mine & after].mean() - values[mine & ~after].mean())
            sure = 3 * values.std() * np.sqrt(1 / (mine & after).sum() + 1 / (mine & ~after).sum())
            if rise > 1.5 * whole and rise - whole > sure and (best is None or rise > best[2]):
                best = name, label, float(rise)
    return replace(told, slice=best)


def _values(array: pa.Array, after: np.ndarray) -> np.ndarray:
    """One number per row that moved with the change: the value itself clipped to its bulk, else whether it is missing or
    the value that gained or lost most."""
    numbers = arrow.floats(array) if arrow.family(array.type) not in ("text", "boolean") else None
    missing = pc.is_null(array).to_numpy(zero_copy_only=False).astype(np.float64)
    if abs(missing[after].mean() - missing[~after].mean()) > 0.02:
        return missing
    if numbers is not None:
        known = numbers[np.isfinite(numbers)]
        if not len(known):
            return missing
        low, high = np.quantile(known, [0.01, 0.99])
        return np.clip(np.where(np.isfinite(numbers), numbers, np.median(known)), low, high)
    codes, words = arrow.codes(array)
    size = len(words) + 1
    codes = np.where(codes < 0, len(words), codes)
    moved = np.bincount(codes[after], minlength=size) / max(after.sum(), 1) - np.bincount(
        codes[~after], minlength=size
    ) / max((~after).sum(), 1)
    return np.asarray(codes == int(np.argmax(np.abs(moved))), dtype=np.float64)


# ---- and what now ----------------------------------------------------------------------------------------------------


def effect(seen: Mapping[str, Mapping[str, Any]]) -> str:
    """What it does to the metric, as far as it is known: by labels, else by the estimate."""
    judged, guessed = seen.get("quality", {}), seen.get("estimate", {})
    if guessed.get("value") is not None and guessed.get("release_value") is not None:
        before, after = guessed["release_value"], guessed["value"]
        told = f"Estimated effect on {guessed['metric']}: {before:.4g} → {after:.4g}"
        if judged.get("value") is not None:
            told += f"; by the labels that came: {judged['value']:.4g}"
        return told + "."
    if judged.get("value") is not None:
        return f"{judged['metric']} is {judged['value']:.4g} by the labels that came."
    return "Its effect on the metric is not known yet."
