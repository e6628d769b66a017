"""Divide a frame's rows into those to train on and those to judge by. Pure: times come in, indices go out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.errors import DataError
from modelyard.train import delay

SHARE = 0.2
LEAST_TRAIN = 10


class Frame(Protocol):
    """What is divided: see `data.training_frame`."""

    @property
    def table(self) -> pa.Table: ...
    @property
    def time(self) -> str | None: ...
    @property
    def target(self) -> str: ...
    @property
    def known_at(self) -> str: ...


class Split(Protocol):
    """How rows are divided: see `spec.models.Split`."""

    @property
    def by(self) -> str | None: ...
    @property
    def test(self) -> timedelta | float | None: ...
    @property
    def mature(self) -> timedelta | None: ...


@dataclass(frozen=True, eq=False)
class Cut:
    """Row numbers of the frame, ascending; `left_out` counts rows by reason; delays and `mature` in seconds."""

    train: np.ndarray
    test: np.ndarray
    left_out: Mapping[str, int]
    by: str
    mature: float
    delay: Mapping[str, float] = field(default_factory=lambda: {"p50": 0.0, "p95": 0.0})
    test_start: datetime | None = None

    @property
    def all(self) -> np.ndarray:
        """All rows whose label is known and mature, ascending."""
        return np.sort(np.concatenate([self.train, self.test]))

    def as_json(self) -> dict[str, Any]:
        """How it was cut, for the records."""
        return {
            "by": self.by,
            "train_rows": len(self.train),
            "test_rows": len(self.test),
            "left_out": dict(self.left_out),
            "mature_seconds": self.mature,
            "test_start": self.test_start.isoformat() if self.test_start else None,
        }


def split(frame: Frame, how: Split, *, as_of: datetime, seed: int) -> Cut:
    """Cut the rows as declared, as the world was known at `as_of`.

    Rows without a label, or younger than `mature` (default: the 95th percentile of the label's delay), are left out and
    counted. By time (the default where there is one) the test rows are the last `test` before the newest mature row, or
    the last share of rows, never dividing rows of one time; at random they are a share. Default: a fifth.
    DataError says what is missing: too few rows, nothing to test, one class only to train on.
    """
    by = how.by or ("time" if frame.time else "random")
    if by == "time" and frame.time is None:
        raise DataError("a split by time needs a dataset with a `time`", hint="Use `split: {by: random}`.")
    table = frame.table
    known = _known(table, frame, as_of)
    times = _micros(table.column(frame.time)) if frame.time else None
    p50, p95 = _delays(table, frame, known, times, as_of)
    mature = how.mature.total_seconds() if how.mature is not None else p95
    young = np.zeros(len(known), dtype=bool) if times is None else times > _at(as_of) - round(mature * 1e6)
    left_out = {"label unknown": int((~known).sum()), "younger than mature": int((known & young).sum())}
    rows = np.nonzero(known & ~young)[0]
    _enough(rows, table, left_out, mature)
    test = _by_time(rows, times, how) if by == "time" else _at_random(rows, how, seed)
    cut = Cut(
        np.setdiff1d(rows, test, assume_unique=True),
        test,
        {reason: count for reason, count in left_out.items() if count},
        by,
        mature,
        {"p50": p50, "p95": p95},
        _time(times[test].min()) if times is not None and len(test) and by == "time" else None,
    )
    _usable(cut, table.column(frame.target), how)
    return cut


def _known(table: pa.Table, frame: Frame, as_of: datetime) -> np.ndarray:
    target = table.column(frame.target)
    present = pc.is_valid(target)
    if pa.types.is_floating(target.type):
        present = pc.and_(present, pc.invert(pc.fill_null(pc.is_nan(target), False)))
    now = pa.scalar(as_of, pa.timestamp("us", "UTC"))
    known = pc.fill_null(pc.less_equal(table.column(frame.known_at), now), False)
    return pc.and_(present, known).to_numpy().astype(bool)


def _delays(
    table: pa.Table, frame: Frame, known: np.ndarray, times: np.ndarray | None, as_of: datetime
) -> tuple[float, float]:
    if times is None or not known.any():
        return 0.0, 0.0
    took = (_micros(table.column(frame.known_at))[known] - times[known]) / 1e6
    waited = (_at(as_of) - times[~known]) / 1e6
    p50, p95 = delay.quantiles(np.maximum(took, 0), waited, (0.5, 0.95))
    return p50, p95


def _by_time(rows: np.ndarray, times: np.ndarray | None, how: Split) -> np.ndarray:
    assert times is not None
    own = times[rows]
    if isinstance(how.test, timedelta):
        start = own.max() - round(how.test.total_seconds() * 1e6)
        return rows[own > start]
    share = SHARE if how.test is None else how.test
    start = np.sort(own)[min(round(len(own) * (1 - share)), len(own) - 1)]
    return rows[own >= start] if share > 0 else rows[:0]


def _at_random(rows: np.ndarray, how: Split, seed: int) -> np.ndarray:
    if isinstance(how.test, timedelta):
        raise DataError("a random split has no duration", hint="Give `test` as a share, such as 20%.")
    share = SHARE if how.test is None else how.test
    chosen = np.random.default_rng(seed).permutation(len(rows))[: round(len(rows) * share)]
    return np.sort(rows[chosen])


def _enough(rows: np.ndarray, table: pa.Table, left_out: Mapping[str, int], mature: float) -> None:
    if len(rows) > LEAST_TRAIN:
        return
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items() if count)
    raise DataError(
        f"only {len(rows)} of {len(table):,} rows can be trained on" + (f" ({reasons})" if reasons else ""),
        hint=f"Labels count as mature after {timedelta(seconds=round(mature))}: widen `window`, or set `split.mature`."
        if reasons and round(mature)
        else "Look at the target, or widen `window`."
        if reasons
        else "Give it more data, or widen `window`.",
    )


def _usable(cut: Cut, target: pa.ChunkedArray, how: Split) -> None:
    if not len(cut.test):
        raise DataError("no rows are left to test on", hint="Enlarge `split.test`.")
    if len(cut.train) < LEAST_TRAIN:
        raise DataError(
            f"only {len(cut.train)} rows are left to train on, {len(cut.test):,} are kept to test",
            hint="Make `split.test` smaller, or `window` longer.",
        )
    if pc.count_distinct(target.take(pa.array(cut.train))).as_py() < 2:
        value = target[int(cut.train[0])].as_py()
        raise DataError(
            f"all {len(cut.train):,} training rows have the same label, {value!r}",
            hint="A model needs rows of at least two kinds: widen `window`, or look at the target.",
        )


def _micros(column: pa.ChunkedArray) -> np.ndarray:
    """Timestamps as integers of microseconds; missing ones are far in the past."""
    stamps = column.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    return stamps.fill_null(np.iinfo(np.int64).min // 2).to_numpy()


def _at(moment: datetime) -> int:
    return pa.scalar(moment, pa.timestamp("us", "UTC")).cast(pa.int64()).as_py()


def _time(micros: int) -> datetime:
    return datetime.fromtimestamp(micros / 1e6, UTC)
