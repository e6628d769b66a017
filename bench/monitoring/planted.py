"""Is the right cause named, and when it began? Planted changes, played through the monitor itself at default declarations.

`.venv/bin/python bench/monitoring/planted.py [--stream null|hotels] [--seeds N] [--first SEED] [--plants ...]`. Each plant is one change of one
column (or of the world behind all columns) on a known day of a stream: the simulated one of `quiet_year.py`, with a busy day and
a quiet weekend, or hotel bookings, whose weeks (in random order) differ much from one another. What is scored is the first
message about it: its kind, the first column named, the source that the column comes from, the day it began (within 2 days of
the truth; a ramp within 7), how it changed, and after how many days it was told, and paged.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
import played as playing
from played import DAY, START, Told
from quiet_year import hotels, null, shuffled, table

LEARNT, WATCHED, CHANGE = 120, 63, 28
Change = Callable[[pd.DataFrame, np.ndarray, np.random.Generator], None]


@dataclass(frozen=True)
class Plant:
    """`change` alters the rows, given days since the change (negative before); `kinds`: what may be told of it."""

    name: str
    column: str
    kinds: tuple[str, ...]
    how: tuple[str, ...]
    change: Change
    late: int = 2


def add(column: str, size: float) -> Change:
    """A shift from the day on."""

    def change(rows: pd.DataFrame, day: np.ndarray, rng: np.random.Generator) -> None:
        rows[column] = rows[column] + size * (day >= 0)

    return change


def ramp(column: str, size: float, days: float) -> Change:
    """A shift that grows."""

    def change(rows: pd.DataFrame, day: np.ndarray, rng: np.random.Generator) -> None:
        rows[column] = rows[column] + size * np.clip(day / days, 0, 1)

    return change


def again(column: str, size: float) -> Change:
    """As it was in the third week before (for a week), once more."""

    def change(rows: pd.DataFrame, day: np.ndarray, rng: np.random.Generator) -> None:
        rows[column] = rows[column] + size * ((day >= 0) | ((day >= -21) & (day < -14)))

    return change


def times(column: str, factor: float) -> Change:
    """Another unit."""

    def change(rows: pd.DataFrame, day: np.ndarray, rng: np.random.Generator) -> None:
        rows[column] = rows[column] * np.where(day >= 0, factor, 1.0)

    return change


def lost(column: str, share: float) -> Change:
    """Missing values."""

    def change(rows: pd.DataFrame, day: np.ndarray, rng: np.random.Generator) -> None:
        rows.loc[(day >= 0) & (rng.random(len(rows)) < share), column] = np.nan

    return change


def other(column: str, value: str, share: float) -> Change:
    """A category that takes a share of the rows."""

    def change(rows: pd.DataFrame, day: np.ndarray, rng: np.random.Generator) -> None:
        rows.loc[(day >= 0) & (rng.random(len(rows)) < share), column] = value

    return change


def turned(share: float) -> Change:
    """The world behind the inputs: so many labels come out the other way."""

    def change(rows: pd.DataFrame, day: np.ndarray, rng: np.random.Generator) -> None:
        hit = (day >= 0) & (rng.random(len(rows)) < share)
        rows["y"] = np.where(hit, 1 - rows["y"], rows["y"])

    return change


PLANTS = [
    Plant("normal_0 + 1 sd", "normal_0", ("drift",), ("sudden",), add("normal_0", 1.0)),
    Plant("normal_3 + .6 sd", "normal_3", ("drift",), ("sudden",), add("normal_3", 0.6)),
    Plant("normal_1 + 1.5 sd over 14 days", "normal_1", ("drift",), ("gradual",), ramp("normal_1", 1.5, 14), late=7),
    Plant("normal_2 + 1 sd, as three weeks before", "normal_2", ("drift",), ("recurring",), again("normal_2", 1.0)),
    Plant("skewed × 1000", "skewed", ("units",), ("sudden", "recurring"), times("skewed", 1000.0)),
    Plant("count missing in 30%", "count", ("missing",), ("sudden",), lost("count", 0.3)),
    Plant("kind: 15% are new", "kind", ("drift",), ("sudden",), other("kind", "k9", 0.15)),
    Plant("kind: 30% become k1", "kind", ("drift",), ("sudden",), other("kind", "k1", 0.3)),
    Plant("25% of labels turned", "", ("concept",), ("sudden",), turned(0.25), late=3),
]


HOTEL_PLANTS = [
    Plant("adr + 1 sd", "adr", ("drift",), ("sudden",), add("adr", 48.0)),
    Plant("lead_time × 24", "lead_time", ("units", "drift"), ("sudden",), times("lead_time", 24.0)),
    Plant("adr missing in 30%", "adr", ("missing",), ("sudden",), lost("adr", 0.3)),
    Plant(
        "market_segment: 15% are new", "market_segment", ("drift",), ("sudden",), other("market_segment", "App", 0.15)
    ),
    Plant(
        "deposit_type: all the same", "deposit_type", ("drift",), ("sudden",), other("deposit_type", "Refundable", 1.0)
    ),
    Plant("25% of labels turned", "", ("concept",), ("sudden",), turned(0.25), late=3),
]


@dataclass(frozen=True)
class Stream:
    """Where changes are planted: rows to learn from and to watch (by seed), the sources of their columns, and the plants."""

    rows: Callable[[np.random.Generator, int], tuple[pd.DataFrame, pd.Timestamp]]
    tables: dict[str, list[str]]
    plants: list[Plant]


def simulated(rng: np.random.Generator, seed: int) -> tuple[pd.DataFrame, pd.Timestamp]:
    """The simulated null, and when watching begins."""
    return null(rng, LEARNT + WATCHED), pd.Timestamp(START.replace(tzinfo=None)) + LEARNT * DAY


def bookings(rng: np.random.Generator, seed: int) -> tuple[pd.DataFrame, pd.Timestamp]:
    """Hotel bookings, their weeks in random order: half to learn from, nine to watch."""
    case = shuffled("hotels", hotels(), seed)
    before, after = (each.to_pandas() for each in (case.training, case.watched))
    begin = after["time"].iloc[0].normalize()
    rows = pd.concat([before, after[after["time"] < begin + WATCHED * DAY]], ignore_index=True)
    return rows.assign(time=rows["time"].dt.tz_localize(None)), begin.tz_localize(None)


STREAMS = {
    "null": Stream(
        simulated,
        {
            "shop": ["normal_0", "normal_1", "count", "kind", "hour", "weekday"],
            "sensors": ["normal_2", "normal_3", "skewed", "gaps", "coin", "customer"],
        },
        PLANTS,
    ),
    "hotels": Stream(
        bookings,
        {
            "stays": ["hotel", "lead_time", "stays_in_weekend_nights", "stays_in_week_nights", "adr", "meal"],
            "guests": [
                "adults", "children", "market_segment", "distribution_channel", "is_repeated_guest", "previous_cancellations",
                "deposit_type", "customer_type", "total_of_special_requests",
            ],
        },
        HOTEL_PLANTS,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Scored:
    """What was right of one plant: None where nothing is asked."""

    told: Told | None
    early: int
    days: float | None = None
    paged: float | None = None
    kind: bool = False
    column: bool | None = None
    source: bool | None = None
    onset: float | None = None
    how: str = ""


def score(stream: Stream, plant: Plant, seed: int) -> Scored:
    """Play one plant."""
    rng = np.random.default_rng(seed)
    rows, begin = stream.rows(rng, seed)
    day = ((rows["time"] - begin) / DAY - CHANGE).to_numpy()
    plant.change(rows, day, rng)
    before = (rows["time"] < begin).to_numpy()
    found = playing.play(table(rows[before]), table(rows[~before]), tables=stream.tables)
    change = begin.tz_localize("UTC").to_pydatetime() + CHANGE * DAY
    # What recurs was told the first time, too: the second time counts.
    late = [each for each in found.told if each.at > change]
    early = len([each for each in found.told if each.at <= change - 22 * DAY])
    about = [each for each in late if set(each.kind.replace("+", " ").split()) & set(plant.kinds)]
    if not about:
        return Scored(None, early)
    mine, first = about[0], (about[0].changed or ({},))[0]
    onset = None
    if began := first.get("began") or mine.detail.get("began"):
        moment = datetime.fromisoformat(began)
        onset = abs((moment if moment.tzinfo else moment.replace(tzinfo=change.tzinfo)) - change) / DAY
    paged = next(((each.at - change) / DAY for each in about if each.level == "page"), None)
    told = Scored(mine, early, (mine.at - change) / DAY, paged, mine.kind.startswith(plant.kinds), onset=onset)
    if not plant.column:
        return replace(told, how=mine.detail.get("change", ""))
    source = next(name for name, columns in stream.tables.items() if plant.column in columns)
    return replace(
        told,
        column=first.get("column") == plant.column,
        source=str(first.get("source", "")).startswith(source),
        how=first.get("change") or "",
    )


def main() -> None:
    """Play all plants, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stream", choices=list(STREAMS), default="null")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first", type=int, default=1000, help="the first seed; each plant begins ten further on")
    parser.add_argument("--plants", type=int, nargs="*", help="numbers of plants, from 0 on (all)")
    parser.add_argument("--out", type=Path)
    said = parser.parse_args()
    lines = [
        "| planted | told after days | paged after days | kind first | column first | source | onset off by days | said to be |",
        "|---|---|---|---|---|---|---|---|",
    ]
    right = asked = 0
    stream = STREAMS[said.stream]
    for place, plant in enumerate(stream.plants):
        if said.plants and place not in said.plants:
            continue
        begun = time.process_time()
        runs = [score(stream, plant, said.first + 10 * place + seed) for seed in range(said.seeds)]
        shown = []
        for name in ("days", "paged", "kind", "column", "source", "onset", "how"):
            values = [getattr(each, name) for each in runs]
            if name in ("days", "paged"):
                shown.append(", ".join("never" if each is None else f"{each:.0f}" for each in values))
            elif name == "onset":
                shown.append(", ".join("unsaid" if each is None else f"{each:.1f}" for each in values))
                right += sum(each is not None and each <= plant.late for each in values)
                asked += len(values)
            elif name == "how":
                shown.append(", ".join(each or "unsaid" for each in values))
                right += sum(each in plant.how for each in values)
                asked += len(values)
            else:
                known = [each for each in values if each is not None]
                shown.append(f"{sum(known)} of {len(known)}" if known else "")
                right += sum(known)
                asked += len(known)
        lines.append(f"| {plant.name} | {' | '.join(shown)} |")
        print(lines[-1], f"{time.process_time() - begun:.0f} s", file=sys.stderr, flush=True)
        for each in runs:
            print("   ", each.early, "before;", each.told.says[:300] if each.told else "", file=sys.stderr, flush=True)
    print("\n".join(lines))
    print(f"\n{right} of {asked} answers right")
    if said.out:
        said.out.write_text("\n".join(lines) + "\n")
    sys.exit(right < 0.9 * asked)


if __name__ == "__main__":
    main()
