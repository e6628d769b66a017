"""What must alarm, alarms with its kind and in a sentence; what is chance, season or calendar does not."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from modelyard.stats import Profile, compare, compare_frames, worst

SIZE = 5_000
START = datetime(2024, 1, 1, tzinfo=UTC)


def draw(rng, n):
    columns = {f"n{i}": rng.normal(10 * (i + 1), 2 + i, n) for i in range(6)}
    columns |= {"skew": rng.lognormal(1, 1, n), "count": rng.poisson(3, n), "zero": np.maximum(rng.normal(0, 1, n), 0)}
    columns = {name: pa.array(values, mask=rng.random(n) < 0.01) for name, values in columns.items()}
    columns["kind"] = pa.array(rng.choice(list("abcde"), n, p=[0.45, 0.25, 0.15, 0.1, 0.05]))
    columns["shop"] = pa.array([f"s{i}" for i in rng.integers(0, 2_000, n)])
    columns["tail"] = pa.array([f"z{i}" for i in rng.zipf(1.6, n)])
    columns["flag"] = pa.array(rng.random(n) < 0.2)
    return pa.table(columns)


@pytest.fixture(scope="module")
def reference():
    return Profile.of(draw(np.random.default_rng(0), 50_000))


def test_no_change_is_quiet_over_all_columns(reference):
    rng = np.random.default_rng(1)
    windows = [compare(reference, Profile.of(draw(rng, SIZE), reference)) for _ in range(60)]
    assert sum(worst(results) != "ok" for results in windows) <= 1


def test_a_tiny_shift_of_many_rows_does_not_alarm():
    rng = np.random.default_rng(2)
    known, now = rng.normal(size=(12, 200_000)), rng.normal(0.01, 1, size=(12, 200_000))
    names = [f"x{i}" for i in range(12)]
    result = compare_frames(pa.table(list(known), names), pa.table(list(now), names))
    assert {column["verdict"] for column in result["columns"]} == {"ok"}


def share(rng, values, part, new):
    return np.where(rng.random(len(values)) < part, new, values)


FAULTS = {
    "half a deviation": ("n3", lambda rng, v: v + 2.5, "distribution"),
    "scale": ("n3", lambda rng, v: 40 + (v - 40) * 1.5, "distribution"),
    "a fifth more": ("n3", lambda rng, v: v * 1.2, "distribution"),
    "hundredfold": ("n3", lambda rng, v: v * 100, "unit"),
    "inches": ("n3", lambda rng, v: v * 2.54, "unit"),
    "fahrenheit": ("n3", lambda rng, v: v * 1.8 + 32, "unit"),
    "sentinel": ("n3", lambda rng, v: share(rng, v, 0.035, -999), "range"),
    "stuck": ("n3", lambda rng, v: share(rng, v, 0.3, 41.5), "stuck"),
    "rounded": ("n3", lambda rng, v: np.round(v), "precision"),
    "new value": ("kind", lambda rng, v: share(rng, v, 0.06, "new"), "unseen"),
    "swapped": ("kind", lambda rng, v: np.array([{"a": "b", "b": "a"}.get(x, x) for x in v]), "distribution"),
    "case": ("kind", lambda rng, v: np.array([x.upper() for x in v]), "unseen"),
    "5% missing": ("n3", lambda rng, v: share(rng, v, 0.045, np.nan), "missing"),
    "20% missing": ("n3", lambda rng, v: share(rng, v, 0.2, np.nan), "missing"),
    "all missing": ("n3", lambda rng, v: np.full(len(v), np.nan), "missing"),
    "infinite": ("n3", lambda rng, v: share(rng, v, 0.05, np.inf), "infinite"),
    "as text": ("n3", lambda rng, v: np.array([f"{x} EUR" for x in v]), "schema"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_alarms_in_its_column_with_its_kind_and_nowhere_else(reference, fault):
    name, break_, kind = FAULTS[fault]
    rng = np.random.default_rng(7)
    rows = draw(rng, SIZE)
    broken = pa.array(break_(rng, rows[name].to_numpy(zero_copy_only=False)), from_pandas=True)
    rows = rows.set_column(rows.column_names.index(name), name, broken)
    alarms = {r.column: r for r in compare(reference, Profile.of(rows, reference)) if r.verdict in ("warn", "page")}
    assert list(alarms) == [name]
    assert kind in alarms[name].kinds
    assert alarms[name].says.startswith(f"{name}: ")


def test_a_tenth_of_a_deviation_is_information_at_most(reference):
    rng = np.random.default_rng(8)
    rows = draw(rng, SIZE)
    rows = rows.set_column(3, "n3", pa.array(rows["n3"].to_numpy(zero_copy_only=False) + 0.5, from_pandas=True))
    assert worst(compare(reference, Profile.of(rows, reference))) in ("ok", "info")


def test_repeated_rows_alarm_as_rows(reference):
    rows = draw(np.random.default_rng(9), SIZE)
    doubled = pa.concat_tables([rows.slice(0, 3_500), rows.slice(0, 1_500)])
    alarms = [r for r in compare(reference, Profile.of(doubled, reference)) if r.verdict != "ok"]
    assert [(r.column, r.kinds) for r in alarms] == [("(rows)", ("duplicates",))]


def test_a_replayed_window_is_recognised():
    rng = np.random.default_rng(9)
    first, second = (pa.table({"x": rng.normal(size=SIZE)}) for _ in range(2))
    reference = Profile.of(first)
    samples = [Profile.of(rows, reference).sample for rows in (first, second)]
    assert samples[0].seen_in(reference.sample) == 1.0
    assert samples[1].seen_in(reference.sample) == 0.0


def test_a_lost_column_pages_and_a_new_one_informs():
    known = pa.table({"a": np.arange(1000.0), "b": np.arange(1000.0)})
    result = compare_frames(known, known.rename_columns(["a", "c"]))
    assert [(c["column"], c["verdict"], c["kinds"]) for c in result["columns"]] == [
        ("b", "page", ["schema"]),
        ("c", "info", ["schema"]),
        ("a", "ok", []),
    ]


def only(known, now):
    """What is found of a single column that alarms."""
    (found,) = [r for r in compare(known, Profile.of(now, known)) if r.verdict in ("warn", "page")]
    return found


def flights(seed, n):
    """Whole numbers, and heaps: columns as most tables have them."""
    rng = np.random.default_rng(seed)
    speed = np.round(rng.gamma(3, 3, n)) * 1.15
    return {
        "minutes": np.round(rng.gamma(4, 35, n)),
        "wind": np.where(rng.random(n) < 0.1, 0, speed),
        "id": rng.random(n),
    }


@pytest.mark.parametrize("name", ["minutes", "wind"])
def test_a_stuck_value_is_named_among_heaps_and_whole_numbers_too(name):
    now, rng = flights(7, 5_000), np.random.default_rng(7)
    now[name] = share(rng, now[name], 0.25, now[name].max() / 2 + 0.4)
    found = only(Profile.of(pa.table(flights(6, 20_000))), pa.table(now))
    assert (found.column, found.kinds[0], found.verdict) == (name, "stuck", "page")
    assert "the others are as before" in found.says and "median" not in found.says


def test_whole_numbers_that_are_rounded_are_so_and_not_another_world():
    now = flights(7, 5_000)
    now["minutes"] = np.round(now["minutes"] / 10) * 10
    found = only(Profile.of(pa.table(flights(6, 20_000))), pa.table(now))
    assert (found.column, found.kinds[0]) == ("minutes", "precision")


def test_what_lies_out_of_range_or_is_new_explains_what_it_moves(reference):
    rng = np.random.default_rng(7)
    rows = draw(rng, SIZE)
    numbers = rows.set_column(3, "n3", pa.array(share(rng, rows["n3"].to_numpy(zero_copy_only=False), 0.05, -999)))
    found = only(reference, numbers)
    assert found.kinds[0] == "range" and "median" not in found.says
    words = rows.set_column(
        rows.column_names.index("kind"),
        "kind",
        pa.array(share(rng, rows["kind"].to_numpy(zero_copy_only=False), 0.2, "x")),
    )
    found = only(reference, words)
    assert found.kinds[0] == "unseen" and "top values" not in found.says


def test_a_rare_value_in_another_case_is_known_by_its_hash():
    rng = np.random.default_rng(8)
    stock = lambda n: [f"Item{i}A" for i in rng.integers(0, 2_000, n)]  # noqa: E731
    known = Profile.of(pa.table({"stock": stock(20_000)}))
    for change, shown in ((str.lower, "'Item"), (lambda word: word + " ", "'Item")):
        found = only(known, pa.table({"stock": [change(word) for word in stock(4_000)]}))
        assert found.kinds[0] == "case" and shown in found.says


def test_few_values_of_a_sparse_column_are_no_heaps_that_fade():
    """Of a dozen values each is a twentieth and more; other ones in the next table are no news."""
    alarmed = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        known, now = (
            pa.table({"agent": pa.array(rng.integers(1, 500, 300), mask=rng.random(300) < 0.95)}) for _ in range(2)
        )
        alarmed += any(c["verdict"] != "ok" for c in compare_frames(known, now)["columns"])
    assert alarmed <= 1


def stream(rng, days, per_day=60):
    """A world without drift: weekdays, slow weather, an unfair week now and then, and columns that tell the time."""
    weather = np.zeros(days)
    for day in range(1, days):
        weather[day] = 0.7 * weather[day - 1] + rng.normal(0, 0.3)
    day = np.repeat(np.arange(days), per_day)
    start = datetime(2022, 1, 1, tzinfo=UTC)
    hours = rng.integers(0, 24, len(day))
    times = [start + timedelta(days=int(d), hours=int(h)) for d, h in zip(day, hours, strict=True)]
    return day, pa.table(
        {
            "time": pa.array(times, pa.timestamp("us", "UTC")),
            "month": [t.month for t in times],
            "day_of_month": [t.day for t in times],
            "row": np.arange(len(day)),
            "weekday": [t.weekday() for t in times],
            "temperature": weather[day] + rng.normal(0, 1, len(day)),
            "channel": np.where(rng.random(len(day)) < 0.5 + 0.1 * weather[day], "web", "shop"),
            "customer": [f"c{i}" for i in (rng.exponential(100, len(day)) + day * 2).astype(int)],
        }
    )


@pytest.fixture(scope="module")
def year():
    day, rows = stream(np.random.default_rng(4), 150 + 180)
    return day, rows, Profile.of(rows.filter(pa.array(day < 150)), time="time")


def week(year, start):
    day, rows, _ = year
    return rows.filter(pa.array((day >= start) & (day < start + 7))).drop_columns(["time"])


def test_a_stable_stream_stays_quiet_because_its_reference_knows_its_weather(year):
    reference = year[2]
    span = timedelta(days=7).total_seconds()
    levels = [worst(compare(reference, Profile.of(week(year, d), reference), span=span)) for d in range(150, 323, 7)]
    assert levels.count("page") == 0
    assert levels.count("warn") <= 1
    without = Profile.of(year[1].filter(pa.array(year[0] < 150)).drop_columns(["time"]))
    noisy = [worst(compare(without, Profile.of(week(year, d), without))) for d in range(150, 323, 7)]
    assert noisy.count("page") > 20


def test_columns_that_tell_the_time_are_known(year):
    follows = {name: column.follows for name, column in year[2].columns.items() if column.follows}
    assert follows == {
        "month": "month",
        "day_of_month": "day of the month",
        "row": "time itself",
        "customer": "turnover of its values",
    }


def test_a_true_change_still_alarms_in_a_stream_with_weather(year):
    reference, rows = year[2], week(year, 200)
    hot = pa.array(rows["temperature"].to_numpy() + 3)
    rows = rows.set_column(rows.column_names.index("temperature"), "temperature", hot)
    found = compare(reference, Profile.of(rows, reference), span=timedelta(days=7).total_seconds())
    assert [(r.column, r.verdict) for r in found if r.verdict != "ok"][:1] == [("temperature", "page")]


def test_a_stream_that_moves_much_must_move_twice_as_much_before_it_pages():
    rng = np.random.default_rng(11)
    day = np.repeat(np.arange(140), 60)
    level = np.repeat(rng.normal(0, 0.5, 20), 7 * 60)
    moving = pa.table({"x": rng.normal(level, 1.0), "time": [START + timedelta(days=int(d)) for d in day]})
    known, span = Profile.of(moving, time="time"), timedelta(days=7).total_seconds()
    found = [
        compare(known, Profile.of(pa.table({"x": rng.normal(m, 1.0, 420)}), known), span=span)[0] for m in (1.8, 4)
    ]
    assert [each.verdict for each in found] == ["warn", "page"]
    usual = found[0].usual["shift"]
    assert usual + 0.2 < found[0].effects["shift"] < 2 * usual < found[1].effects["shift"]


def test_a_reference_whose_recent_windows_are_all_thin_is_read():
    busy = [START + timedelta(minutes=each) for each in range(1_000)]
    rare = [START + timedelta(hours=17 + each) for each in range(25)]
    known = Profile.of(pa.table({"x": np.arange(1_025) % 7 + 0.5, "time": busy + rare}), time="time")
    assert known.columns["x"].natural, "the busy hours tell what is usual"


def test_values_that_lie_close_together_may_move_by_little():
    rng = np.random.default_rng(8)
    busy = rng.random(20_000) < 0.4
    sales = np.where(busy, rng.normal(1_000, 400, 20_000), rng.normal(5, 3, 20_000))
    reference = Profile.of(pa.table({"sales": sales}))

    def verdict(moved):
        found = compare(reference, Profile.of(pa.table({"sales": moved[:5_000]}), reference))
        return next(result for result in found if result.column == "sales")

    slight = verdict(np.where(busy, sales, sales + 6))
    assert slight.psi > 1 and slight.verdict == "info"
    assert verdict(np.where(busy, sales * 1.2, sales)).verdict in ("warn", "page")


def test_equal_answers_of_a_model_are_no_value_that_got_stuck():
    rng = np.random.default_rng(9)
    reference = Profile.of(pa.table({"prediction": rng.random(20_000)}), computed=["prediction"])
    served = np.where(rng.random(5_000) < 0.03, 0.987, rng.random(5_000))  # many rows in one leaf
    assert worst(compare(reference, Profile.of(pa.table({"prediction": served}), reference))) in ("ok", "info")


def test_a_column_of_a_few_fractions_moves_when_its_shares_do():
    rng = np.random.default_rng(9)
    known = pa.table({"rate": rng.choice([0.25, 0.5, 0.75], 5_000, p=[0.6, 0.3, 0.1])})
    now = pa.table({"rate": rng.choice([0.25, 0.5, 0.75], 5_000, p=[0.2, 0.3, 0.5])})
    assert compare_frames(known, now)["columns"][0]["verdict"] == "page"


def test_the_known_range_is_that_of_all_rows_and_not_of_the_same_hours():
    whole = Profile.of(pa.table({"x": np.arange(2_000) / 10}))
    hours = Profile.of(pa.table({"x": np.full(400, 4.0)}), whole)
    window = Profile.of(pa.table({"x": np.append(np.full(300, 4.0), np.full(100, 999.5))}), whole)
    assert "25.0% lie out of the known range 0 to 199.9; now 4 to 999.5" in compare(hours, window)[0].says
