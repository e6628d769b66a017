"""Real labels that come late: whether a hotel booking is cancelled is known 39 days after it in the median."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from modelyard import monitor
from modelyard.digest import canonical
from modelyard.records import Label, Release, Segment
from modelyard.stats import Profile
from modelyard.stats.performance import Performance
from modelyard.store.predictions import COLUMNS

DATA = Path(__file__).parents[3] / "shared/data/hotel_bookings.parquet"
DAY = timedelta(days=1)
BOOKED = datetime(2016, 2, 1, tzinfo=UTC)
MATURE = 262


@pytest.fixture(scope="module")
def bookings():
    """Bookings with the day they were made, whether they were cancelled, and the day on which that was known."""
    if not DATA.exists():
        pytest.skip(f"the hotel bookings are not at {DATA}")
    import pandas as pd

    table = pd.read_parquet(DATA)
    arrival = pd.to_datetime(
        table["arrival_date_year"].astype(str)
        + table["arrival_date_month"].astype(str)
        + table["arrival_date_day_of_month"].astype(str),
        format="%Y%B%d",
    )
    table["booked"] = (arrival - pd.to_timedelta(table["lead_time"], unit="D")).dt.tz_localize("UTC")
    table["known"] = pd.to_datetime(table["reservation_status_date"]).dt.tz_localize("UTC")
    return table[["booked", "known", "is_canceled", "lead_time", "deposit_type"]].sort_values("booked")


def fraction(part, rates, usual):
    """A plain model: the share cancelled per kind of deposit and fifth of lead time, of the half year before."""
    keys = list(zip(part["deposit_type"], np.minimum(part["lead_time"] // 60, 5), strict=True))
    return np.array([rates.get(key, usual) for key in keys])


def test_a_cohort_is_judged_when_its_labels_have_come_and_not_by_those_that_came_first(world, declared, bookings):
    before = bookings[(bookings["booked"] >= "2015-08-01") & (bookings["booked"] < "2016-02-01")]
    keys = [before["deposit_type"], np.minimum(before["lead_time"] // 60, 5)]
    rates, usual = before["is_canceled"].groupby(keys).mean().to_dict(), float(before["is_canceled"].mean())
    y, p = before["is_canceled"].to_numpy(float), fraction(before, rates, usual)
    inputs = pa.table({"distance": before["lead_time"].to_numpy(float), "kind": before["deposit_type"].tolist()})
    seconds = before["booked"].astype("int64").to_numpy() / 1e9
    known = Performance.of("binary_classification", y, p, seconds=seconds, inputs=inputs)
    reference = Profile.of(inputs.append_column("prediction", pa.array(p)))
    store = world.store
    body = {
        "reference": store.blobs.put(canonical(reference.to_json())),
        "performance": store.blobs.put(canonical(known.to_json())),
    }
    with store.transaction(actor="test", action="release.changed", subject="late@1") as transaction:
        transaction.change(Release, {"number": 1}, body=body)

    cohort = bookings[(bookings["booked"] >= BOOKED) & (bookings["booked"] < BOOKED + 7 * DAY)]
    n = len(cohort)
    given = fraction(cohort, rates, usual)
    at = [BOOKED + 7 * DAY * (row / n) for row in range(n)]
    logged = {
        "request_id": ["week"] * n, "row": np.arange(n), "at": at, "arm": ["champion"] * n, "role": ["answer"] * n,
        "release": ["c" * 64] * n, "key": [""] * n, "routing": [""] * n, "prediction": given, "fallback": [False] * n,
        "warnings": ["[]"] * n, "error": [""] * n,
    }  # fmt: skip
    table = pa.table(logged).cast(pa.schema([COLUMNS.field(name) for name in logged]))
    table = table.append_column("in.distance", pa.array(cohort["lead_time"].to_numpy(float)))
    table = table.append_column("in.kind", pa.array(cohort["deposit_type"].tolist()))
    version = store.table("predictions/api").append(table, once="week")
    with store.transaction(actor="test", action="log.moved", subject="deployment.api") as transaction:
        transaction.add(
            Segment(deployment="api", name="week", rows=n, start=at[0], end=at[-1], table_version=version, at=at[-1])
        )
        transaction.add_all(
            Label(deployment="api", request_id="week", row=row, label=int(label), time=known_at, received=known_at)
            for row, (label, known_at) in enumerate(
                zip(cohort["is_canceled"], [each.to_pydatetime() for each in cohort["known"]], strict=True)
            )
        )
    monitor.profile_segments(store, "api")

    def look(days: float):
        spec = declared(quality={"metric": "brier", "max": 0.3}, window="7d")
        model = spec.models["late"].model_copy(
            update={"split": spec.models["late"].split.model_copy(update={"mature": MATURE * DAY})}
        )
        spec = spec.model_copy(update={"models": {"late": model}})
        now = BOOKED + days * DAY
        world.clock.set(now)
        seen = monitor.observe(store, spec, "health", now=now, actor="test", source_times={"sales": now})
        return {each.kind: each for each in seen}

    labels_of_30_days = cohort[cohort["known"] <= BOOKED + 37 * DAY]["is_canceled"]
    truth = float(cohort["is_canceled"].mean())
    assert len(labels_of_30_days) > 200, "there would be enough to say something"
    assert abs(labels_of_30_days.mean() - truth) > 0.03, "and it would be wrong"
    early = look(37)
    assert {early[kind].level for kind in ("quality", "concept", "calibration", "slices")} == {"insufficient_data"}
    late = look(7 + MATURE)
    assert late["labels"].level == "ok"
    assert late["labels"].detail["sums"]["labelled"] / n > 0.9
    assert late["quality"].level in ("ok", "warn", "page")
    assert late["quality"].detail["rows"] == n
