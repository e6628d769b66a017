"""Joint drift: columns that look unchanged one by one and have changed together, by a domain classifier, once a window.

A column that tells the time, whose values come and go, or that all rows of a day share more or less (the weather) is left
out: it tells one window from all others, and that is no drift. Part of a week is compared with the same hours of the week.

Weeks of a real stream can always be told from the rest of it by somebody who looks at everything: weather comes in
fronts. So the area under the curve must lie beyond what pieces of the release's own training rows give, and past
windows. It warns and never pages: what it says needs a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import special

from modelyard.monitor import reference, served
from modelyard.monitor.logged import PREDICTION
from modelyard.monitor.past import past
from modelyard.monitor.sample import Sample, read, thinned
from modelyard.monitor.seen import Seen, unknown
from modelyard.monitor.served import Served
from modelyard.records import Observation, Release
from modelyard.spec.monitors import Monitor
from modelyard.stats import Profile, arrow, joint
from modelyard.stats.clusters import between
from modelyard.stats.seasonal import HOURS, hour_of_week
from modelyard.store import Store, predictions

KIND = "joint"
ROWS = 2_000
PIECES = 4
ALPHA = 0.001
MOST_HOURS = 0.9
BY_DAY, HEAVIEST = 0.1, 5
"""A column is that of its day when a larger share of its variance lies between days; of words that of the heaviest counts."""


def look(
    store: Store,
    name: str,
    monitor: Monitor,
    release: Release | None,
    now: datetime,
    drift: Seen | None,
    hours: Sequence[Served],
) -> list[Seen]:
    """Whether the quiet columns changed together; between two looks a window apart the last finding stands.

    `hours`: what was answered before now, at least two weeks of it."""
    if not monitor.drift.joint or drift is None:
        return []
    if release is None or not release.body.get("sample"):
        why = "no release serves yet" if release is None else "the release kept no sample of its training rows"
        return [unknown(KIND, why)]
    looks = past(store, name, KIND, now - monitor.window * 12, _found, until=now)
    mine = [each for _, each in looks if each.detail.get("release") == release.digest and "looked" in each.detail]
    if mine and now - datetime.fromisoformat(mine[-1].detail["looked"]) < monitor.window:
        return [mine[-1]]
    if drift.level == "insufficient_data":
        return [unknown(KIND, drift.detail.get("why", drift.says), release=release.digest)]
    young = served.partial(hours, release.digest, monitor.window, now)
    if young:
        return [unknown(KIND, young, release=release.digest)]
    kept = read(store.blobs, release.body["sample"])
    columns = _quiet(monitor, kept, reference.profile(store, release), drift)
    rows, seconds = _rows(store, monitor, release, columns, now)
    known = thinned(_same_hours(kept, seconds), 2 * ROWS)
    if len(columns) < 2 or min(rows.num_rows, known.num_rows) < joint.FEWEST:
        why = f"{rows.num_rows} rows and {len(columns)} quiet columns; {joint.FEWEST} rows and 2 columns are needed"
        return [unknown(KIND, why, release=release.digest)]
    found = joint.judge(known, rows, columns)
    if found is None:
        return [unknown(KIND, "too few distinct rows", release=release.digest)]
    usual = mine[-1].detail["usual"] if mine else _usual(known, columns)
    return [judge(found, usual, columns, release.digest, now)]


def _found(seen: Observation) -> Seen:
    """What an earlier look saw, without what was told of it."""
    inner = {part: value for part, value in seen.detail.items() if part not in ("raw", "risen", "part_of", "message")}
    return Seen(KIND, seen.level, seen.says, inner)


def judge(found: joint.Joint, usual: Sequence[float], columns: Sequence[str], release: str, now: datetime) -> Seen:
    """Warn when the classifier does better than on pieces of an unchanged world."""
    limit = _limit(usual)
    detail: dict[str, Any] = {
        "release": release,
        "looked": now.isoformat(),
        "auc": round(found.auc, 4),
        "z": round(found.z, 2),
        "limit": round(limit, 4),
        "leaning": found.leaning,
    }
    if limit >= 1.0:
        why = f"pieces of the training rows are told from the rest as well (AUC {max(usual):.2f}), so that it would mean nothing"
        return unknown(KIND, why, **detail, usual=list(usual))
    if found.auc >= joint.WARN and found.z >= joint.SURE and found.auc > limit:
        says = (
            f"{len(columns)} columns that look unchanged one by one have changed together: a classifier tells window "
            f"from training with an AUC of {found.auc:.2f} (up to {limit:.2f} is usual), most by {', '.join(found.leaning)}"
        )
        return Seen(KIND, "warn", says, {**detail, "usual": list(usual)})
    says = f"{len(columns)} columns together lie within what is usual (AUC {found.auc:.2f})"
    return Seen(KIND, "ok", says, {**detail, "usual": [*usual, round(found.auc, 4)][-26:]})


def _quiet(monitor: Monitor, kept: Sample, known: Profile | None, drift: Seen) -> list[str]:
    moved = {each["column"] for each in drift.detail.get("columns", ()) if each.get("level") in ("warn", "page")}
    timely = {name for name, column in known.columns.items() if column.follows} if known else set()
    names = kept.rows.column_names
    watched = set(monitor.drift.columns or names) - moved - timely - {PREDICTION}
    return [name for name in names if name in watched and _by_day(kept, name) <= BY_DAY]


@lru_cache(maxsize=1024)
def _by_day(kept: Sample, name: str) -> float:
    """The share of a column's variance that lies between days; unknown (0) of rows without times."""
    if kept.seconds is None:
        return 0.0
    array, days = kept.rows[name].combine_chunks(), np.floor(kept.seconds / 86_400)
    if arrow.family(array.type) == "text":
        codes, words = arrow.codes(array)
        heaviest = np.argsort(-np.bincount(codes[codes >= 0], minlength=len(words)), kind="stable")[:HEAVIEST]
        return max((between((codes == each).astype(np.float64), days) for each in heaviest), default=0.0)
    numbers = arrow.floats(array)
    if numbers is None or not np.isfinite(numbers).any():
        return 0.0
    known = np.isfinite(numbers) & np.isfinite(days)
    return between(numbers[known], days[known])


def _rows(
    store: Store, monitor: Monitor, release: Release, columns: Sequence[str], now: datetime
) -> tuple[pa.Table, arrow.Floats]:
    """At most 2,000 of the window's rows, and all of their times."""
    names = [f"in.{name}" for name in columns]
    start = now - monitor.window
    rows = predictions.answers(store, monitor.deployment, start=start, end=now, columns=["at", "release", *names])
    rows = rows.filter(pc.equal(rows["release"], release.digest))
    seconds = rows["at"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy() / 1e6
    rows = thinned(rows.drop_columns(["at", "release"]), ROWS)
    return rows.rename_columns([name.removeprefix("in.") for name in rows.column_names]), seconds


def _same_hours(kept: Sample, seconds: arrow.Floats) -> pa.Table:
    """The training rows of the hours of the week that the window holds; all of them where that is nearly every hour."""
    if kept.seconds is None or not len(seconds):
        return kept.rows
    hours = np.unique(hour_of_week(seconds))
    if len(hours) >= MOST_HOURS * HOURS:
        return kept.rows
    return kept.rows.filter(pa.array(np.isin(hour_of_week(np.nan_to_num(kept.seconds)), hours)))


def _usual(known: pa.Table, columns: Sequence[str]) -> list[float]:
    """How well pieces of the training rows, each a stretch of time, are told from the rest."""
    found = []
    size = known.num_rows // PIECES
    for piece in range(PIECES):
        inside = np.arange(known.num_rows) // max(size, 1) == piece
        rest, mine = known.filter(pa.array(~inside)), known.filter(pa.array(inside))
        each = joint.judge(rest, mine, columns)
        if each is not None:
            found.append(round(each.auc, 4))
    return found


def _limit(usual: Sequence[float]) -> float:
    """The prediction interval of the next one; without pieces to go by nothing is usual but chance."""
    if len(usual) < 3:
        return joint.WARN
    values = np.array(usual)
    t = float(special.stdtrit(len(values) - 1, 1 - ALPHA))
    return float(values.mean() + t * values.std(ddof=1) * np.sqrt(1 + 1 / len(values)))
