"""A window is compared with the same hours of the week: what a weekend usually is, is no drift on a Sunday."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from modelyard.stats import Groups, Profile, Seasonal, compare, worst
from modelyard.stats.seasonal import hour_at, hour_of_week

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)


def draw(rng, weeks, per_hour=30):
    """Busy, cheap days from Monday to Friday; quiet, dear weekends; a curve over the day."""
    hour = np.repeat(np.arange(weeks * 168), per_hour)
    weekend = hour % 168 >= 120
    keep = ~weekend | (rng.random(len(hour)) < 0.3)
    hour, weekend = hour[keep], weekend[keep]
    price = rng.normal(10, 2, len(hour)) + 4 * weekend + 2 * np.sin(2 * np.pi * (hour % 24) / 24)
    kind = np.where(rng.random(len(hour)) < np.where(weekend, 0.7, 0.2), "leisure", "work")
    return hour, pa.table({"price": price, "kind": kind})


def hourly(hour, rows, reference, start=MONDAY):
    starts, place = np.unique(hour, return_inverse=True)
    profiles = Profile.of_groups(rows, Groups(len(starts), place), reference)
    return [(start + timedelta(hours=int(h)), profile) for h, profile in zip(starts, profiles, strict=True)]


@pytest.fixture(scope="module")
def world():
    hour, rows = draw(np.random.default_rng(1), 8)
    reference = Profile.of(rows)
    return reference, Seasonal.of(hourly(hour, rows, reference))


def window(seed, low, high):
    hour, rows = draw(np.random.default_rng(seed), 1)
    inside = (hour >= low) & (hour < high)
    return hour[inside], rows.filter(pa.array(inside))


def counted(hour):
    return {int(h): int(n) for h, n in zip(*np.unique(hour, return_counts=True), strict=True)}


@pytest.mark.parametrize(("low", "high"), [(0, 24), (60, 168), (120, 168), (132, 168)])
def test_part_of_a_week_is_no_drift_beside_the_same_hours(world, low, high):
    reference, seasons = world
    hour, rows = window(low + 7, low, high)
    profile = Profile.of(rows, reference)
    matched = seasons.matched(counted(hour), reference)
    assert matched.covered == 1.0 and matched.weeks == 8
    assert worst(compare(matched.profile, profile)) in ("ok", "info")
    if low >= 120:
        assert worst(compare(reference, profile)) == "page"


def test_a_true_change_is_seen_beside_the_same_hours(world):
    reference, seasons = world
    hour, rows = window(3, 120, 168)
    moved = rows.set_column(0, "price", pa.array(rows["price"].to_numpy() + 1.5))
    matched = seasons.matched(counted(hour), reference)
    found = {r.column: r.verdict for r in compare(matched.profile, Profile.of(moved, reference))}
    assert found["price"] in ("warn", "page") and found["kind"] == "ok"


def test_the_mixture_never_claims_more_rows_than_history_holds(world):
    reference, seasons = world
    hour, _ = window(3, 0, 168)
    matched = seasons.matched(counted(hour), reference).profile
    assert matched.rows <= sum(profile.rows for profile in seasons.hours.values())
    price = matched.columns["price"].tally
    assert abs(price.count - matched.rows) <= len(price.cells)


def test_hours_without_history_are_said(world):
    reference, seasons = world
    weekdays = Seasonal({h: p for h, p in seasons.hours.items() if h < 120}, seasons.weeks)
    hour, _ = window(3, 0, 168)
    matched = weekdays.matched(counted(hour), reference)
    assert matched.covered == pytest.approx(np.mean(hour < 120))
    assert weekdays.matched({130: 10}, reference) is None
    assert weekdays.matched({}, reference) is None


def test_histories_add_up_to_the_history_of_both():
    hour, rows = draw(np.random.default_rng(1), 4)
    reference = Profile.of(rows)
    parts = hourly(hour, rows, reference)
    early, late = Seasonal.of(parts[:300]), Seasonal.of(parts[300:])
    both, whole = early.and_(late), Seasonal.of(parts)
    assert both.weeks == whole.weeks
    need = dict.fromkeys(range(168), 5)
    cells = [s.matched(need, reference).profile.columns["price"].tally.cells.tolist() for s in (both, whole)]
    assert cells[0] == cells[1]


def test_the_hour_of_the_week_begins_on_monday():
    assert [hour_at(MONDAY), hour_at(MONDAY - timedelta(hours=1))] == [0, 167]
    times = np.array([(MONDAY + timedelta(days=d)).timestamp() for d in range(7)])
    assert hour_of_week(times).tolist() == [24 * d for d in range(7)]
