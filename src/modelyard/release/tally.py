"""Counts of a rollout, which add up: per release and step how many rows, how many bad ones, latencies and outputs.

The files of the prediction log are immutable, so each is read once: a look costs what is new, not what is old. Rows that
are answered but not moved yet (`live`) are counted on top.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as parquet

from modelyard.release.guards import LATENCY, OUTPUT, PER_E, RATES
from modelyard.release.state import Rollout
from modelyard.store import Store

COLUMNS = ("at", "row", "arm", "role", "release", "error", "fallback", "warnings", "latency_ms", "prediction",
           "predictions", "propensity")  # fmt: skip
LATENCIES = 1100
OUTPUTS = 4097
_MOST_REMEMBERED = 32


@dataclass(frozen=True)
class Key:
    """What is counted: the rows of `challengers` and of the champion they are measured by, in steps from `entries` on.

    `divided`: the steps in which the traffic is divided.
    """

    challengers: tuple[str, ...]
    champion: str
    probation: bool
    entries: tuple[datetime, ...]
    guards: tuple[str, ...]
    segmented: bool = False
    divided: tuple[bool, ...] = ()

    @classmethod
    def of(cls, rollout: Rollout, guards: Iterable[str], segmented: bool, divided: tuple[bool, ...] = ()) -> Key:
        """What a rollout's guards need."""
        phase = rollout.phase == "probation"
        names = tuple(sorted(guards))
        return cls(rollout.challengers, rollout.champion, phase, rollout.entries, names, segmented, divided)


@dataclass
class Tally:
    """Counts of one release, by step; `bad` by rate, `latency` and `outputs` by bin (empty where no guard asks)."""

    rows: np.ndarray
    bad: dict[str, np.ndarray]
    latency: np.ndarray
    outputs: np.ndarray

    @classmethod
    def empty(cls, key: Key) -> Tally:
        """Nothing yet."""
        steps = len(key.entries)
        return cls(
            np.zeros(steps, dtype=np.int64),
            {name: np.zeros(steps, dtype=np.int64) for name in key.guards if name in RATES},
            np.zeros((steps, LATENCIES if LATENCY in key.guards else 0), dtype=np.int64),
            np.zeros((steps, OUTPUTS if OUTPUT in key.guards else 0), dtype=np.int64),
        )

    def add(self, other: Tally) -> None:
        """Add the counts of other rows."""
        self.rows += other.rows
        self.latency += other.latency
        self.outputs += other.outputs
        for name, counts in other.bad.items():
            self.bad[name] += counts

    def copy(self) -> Tally:
        """The same counts."""
        bad = {name: counts.copy() for name, counts in self.bad.items()}
        return Tally(self.rows.copy(), bad, self.latency.copy(), self.outputs.copy())


Tallies = dict[str, Tally]
"""By challenger's digest, and "" for the champion they are measured by."""


def of_rows(rows: pa.Table, key: Key) -> Tallies:
    """Count the rows of a log."""
    found = {}
    champion = pc.equal(rows["release"], key.champion)
    for release in (*key.challengers, ""):
        if key.probation:
            arms, roles = (["previous"], ["shadow"]) if release == "" else (["champion"], ["answer"])
            wanted = pc.and_(
                pc.equal(rows["release"], release or key.champion),
                pc.and_(pc.is_in(rows["arm"], pa.array(arms)), pc.is_in(rows["role"], pa.array(roles))),
            )
        elif release == "":
            wanted = pc.and_(champion, pc.and_(pc.equal(rows["arm"], "champion"), pc.equal(rows["role"], "answer")))
        else:
            mine = pc.and_(pc.equal(rows["release"], release), pc.starts_with(rows["arm"], "challenger"))
            wanted = pc.and_(mine, pc.not_equal(rows["role"], "forced"))
        if key.segmented and "propensity" in rows.column_names:
            # Outside the declared group the strategy has no say; shadows are only of rows within it.
            wanted = pc.and_(wanted, pc.or_(pc.is_valid(rows["propensity"]), pc.equal(rows["role"], "shadow")))
        found[release] = _count(rows.filter(wanted), key)
    return found


def _count(rows: pa.Table, key: Key) -> Tally:
    tally = Tally.empty(key)
    at = rows["at"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    edges = [round(entry.timestamp() * 1_000_000) for entry in key.entries]
    step = np.searchsorted(edges, at, side="right") - 1
    if len(step) and step.min() < 0:
        rows, step = rows.filter(pa.array(step >= 0)), step[step >= 0]
    alone = _alone(rows, step, key)
    if alone.any():
        rows, step = rows.filter(pa.array(~alone)), step[~alone]
    steps = len(edges)
    tally.rows += np.bincount(step, minlength=steps)
    for name in tally.bad:
        hits = np.asarray(_BAD[name](rows).to_numpy(), dtype=bool)
        tally.bad[name] += np.bincount(step[hits], minlength=steps)
    if tally.latency.shape[1]:
        # One per request that somebody waited for.
        asked = np.asarray(pc.and_(pc.equal(rows["role"], "answer"), pc.equal(rows["row"], 0)).to_numpy(), dtype=bool)
        values = pc.fill_null(rows["latency_ms"], 0.0).to_numpy()[asked]
        np.add.at(tally.latency, (step[asked], latency_bin(values)), 1)
    if tally.outputs.shape[1]:
        values = _outputs(rows)
        known = np.isfinite(values)
        np.add.at(tally.outputs, (step[known], output_bin(values[known])), 1)
    return tally


def _alone(rows: pa.Table, step: np.ndarray, key: Key) -> np.ndarray:
    """Answers that the champion gave before a gateway had loaded its challenger: all traffic was its own by then still."""
    if not any(key.divided) or "propensity" not in rows.column_names:
        return np.zeros(len(step), dtype=bool)
    whole = pc.fill_null(pc.equal(rows["propensity"], 1.0), False).to_numpy(zero_copy_only=False)
    return np.array(key.divided)[step] & whole & pc.equal(rows["role"], "answer").to_numpy(zero_copy_only=False)


_BAD = {
    "error_rate": lambda rows: pc.not_equal(pc.fill_null(rows["error"], ""), ""),
    "fallback_rate": lambda rows: pc.fill_null(rows["fallback"], False),
    "warning_rate": lambda rows: pc.invert(pc.is_in(pc.fill_null(rows["warnings"], ""), pa.array(["", "[]"]))),
}


def latency_bin(milliseconds: np.ndarray) -> np.ndarray:
    """The bin of each latency: 2% wide, from 1 µs on.

    >>> latency_bin(np.array([0.0, 1.0, 1.1])).tolist()
    [0, 345, 350]
    """
    return np.clip(np.floor(np.log(np.maximum(milliseconds, 1e-3) * 1e3) * PER_E), 0, LATENCIES - 1).astype(np.int64)


def output_bin(values: np.ndarray) -> np.ndarray:
    """The bin of each output: fine about 0, coarse far away; the same for all releases and times, so that counts add up."""
    middle = OUTPUTS // 2
    fine = np.sign(values) * np.where(np.abs(values) <= 1, np.abs(values) * 1024, 1024 + 64 * np.log(np.abs(values) + (np.abs(values) < 1)))  # fmt: skip
    return np.clip(np.floor(fine) + middle, 0, OUTPUTS - 1).astype(np.int64)


def _outputs(rows: pa.Table) -> np.ndarray:
    """One number per row: the prediction, or of several classes the number of the likeliest."""
    many = "predictions" in rows.column_names and rows["predictions"].null_count < rows.num_rows
    if not many:
        return pc.fill_null(rows["prediction"], float("nan")).to_numpy().astype(float)
    listed = rows["predictions"].to_pylist()
    return np.array([float(np.argmax(each)) if each else np.nan for each in listed])


# ---- the log, file by file -------------------------------------------------------------------------------------------


@dataclass
class _Total:
    """What was counted of a deployment so far, and of which files."""

    tallies: Tallies
    paths: set[str] = field(default_factory=set)


_totals: OrderedDict[tuple[str, Key], _Total] = OrderedDict()
_lock = threading.Lock()


def total(
    store: Store, deployment: str, key: Key, now: datetime, live: Mapping[str, pa.Table] | None = None
) -> Tallies:
    """The counts of a rollout as the log has it now.

    `live` are rows by the segment that they are in; those of segments that the table has by now are not counted twice.
    """
    table = store.table(f"predictions/{deployment}")
    waiting = dict(live or {})
    paths: list[str] = []
    if table.exists():
        paths, moved = table.holding(("at", key.entries[0], now), waiting)
        waiting = {name: rows for name, rows in waiting.items() if name not in moved}
    with _lock:
        place = (str(table.directory), key)
        known = _totals.get(place)
        if known is None or not known.paths <= set(paths):  # new, or the table was written anew
            known = _totals[place] = _Total({release: Tally.empty(key) for release in (*key.challengers, "")})
        _totals.move_to_end(place)
        while len(_totals) > _MOST_REMEMBERED:
            _totals.popitem(last=False)
        for path in [each for each in paths if each not in known.paths]:
            for release, tally in of_rows(_read(path, key), key).items():
                known.tallies[release].add(tally)
            known.paths.add(path)
        found = {release: tally.copy() for release, tally in known.tallies.items()}
    for rows in waiting.values():
        for release, tally in of_rows(rows, key).items():
            found[release].add(tally)
    return found


def _read(path: str, key: Key) -> pa.Table:
    file = parquet.ParquetFile(path)
    there = set(file.schema_arrow.names)
    needed = {"at", "row", "arm", "role", "release", "propensity"}
    needed |= {_SOURCE[name] for name in key.guards if name in _SOURCE}
    if OUTPUT in key.guards:
        needed |= {"prediction", "predictions"}
    return file.read(columns=[name for name in COLUMNS if name in needed & there])


_SOURCE = {"error_rate": "error", "fallback_rate": "fallback", "warning_rate": "warnings", LATENCY: "latency_ms"}
