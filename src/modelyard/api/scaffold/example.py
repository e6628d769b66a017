"""The example of `yard init` without a table: made-up deliveries of a bakery, the same each time."""

from __future__ import annotations

import csv
import math
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

TARGET = "late"
ROWS = 4000
_DISTRICTS = {"north": 0.2, "harbour": 0.6, "old town": 0.9, "hills": 0.4, "east": 0.0}
_VEHICLES = {"bike": 0.3, "van": 0.0, "scooter": -0.3}


def write(folder: Path) -> Path:
    """Write deliveries.csv into `folder`: half a year of orders, and whether each came late."""
    chance = random.Random(2024)
    path = folder / "deliveries.csv"
    time = datetime(2024, 1, 8, 7, tzinfo=UTC)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(
            ["order_id", "ordered_at", "district", "vehicle", "distance_km", "items", "rain_mm", "temp_c", TARGET]
        )
        for number in range(ROWS):
            time = _next(time, chance)
            rows.writerow([f"B{number:05}", time.isoformat(), *_delivery(time, chance)])
    return path


def _next(time: datetime, chance: random.Random) -> datetime:
    time += timedelta(minutes=round(chance.expovariate(1 / 27)))
    return time if time.hour < 19 else time.replace(hour=7, minute=chance.randrange(60)) + timedelta(days=1)


def _delivery(time: datetime, chance: random.Random) -> list[object]:
    district, vehicle = chance.choice(list(_DISTRICTS)), chance.choices(list(_VEHICLES), (3, 4, 2))[0]
    distance = round(0.4 + chance.gammavariate(2.2, 1.1), 1)
    items = 1 + min(11, int(chance.expovariate(0.45)))
    rain = round(chance.expovariate(0.6), 1) if chance.random() < 0.3 else 0.0
    temp = round(9 - 9 * math.cos(2 * math.pi * (time.timetuple().tm_yday + 10) / 365) + chance.gauss(0, 3), 1)
    rush = 1.3 if time.hour in (8, 12, 17) else 0.0
    score = -3.1 + _DISTRICTS[district] + rush + 0.45 * distance + 0.12 * items
    score += rain * (0.35 if vehicle == "van" else 0.7) + _VEHICLES[vehicle] + (0.5 if time.weekday() == 4 else 0)
    late = chance.random() < 1 / (1 + math.exp(-score))
    return [district, vehicle, distance, items, rain, "" if chance.random() < 0.02 else temp, str(late).lower()]
