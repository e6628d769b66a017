"""What was done to numbers is named when it explains them all; what nobody did is not."""

import numpy as np
import pyarrow as pa
import pytest

from modelyard.stats import compare_frames

SIZE = 3_000


def columns(seed):
    """Numbers as tables hold them: amounts with a wide range, few whole numbers near zero, heaps, cents."""
    rng = np.random.default_rng(seed)
    return {
        "income": np.round(rng.lognormal(11, 0.6, SIZE)),
        "nights": rng.poisson(2.0, SIZE),
        "price": np.round(rng.gamma(2, 20, SIZE), 2),
        "delay": np.where(rng.random(SIZE) < 0.3, 0, np.round(rng.normal(5, 20, SIZE))),
        "weight": rng.gamma(3, 25, SIZE),
    }


def some(values, part, new):
    return np.where(np.random.default_rng(5).random(SIZE) < part, new, values)


def found(name, change):
    now = columns(2)
    now[name] = change(now[name].astype(float))
    told = {c["column"]: c for c in compare_frames(columns(1), now, together=False)["columns"] if c["verdict"] != "ok"}
    return told.get(name), set(told) - {name}


FAULTS = {
    "a code inside the known range": (
        "income",
        lambda v: some(v, 0.04, -999),
        "range",
        "are -999, which the reference never held",
    ),
    "a code among prices": (
        "price",
        lambda v: some(v, 0.04, 9999),
        "range",
        "are 9999, which the reference never held",
    ),
    "a code between known values": ("income", lambda v: some(v, 0.04, 99_999.5), "stuck", "are 99999.5, which the"),
    "kilometres of whole numbers": ("nights", lambda v: v * 1.609344, "unit", "miles and kilometres"),
    "pounds, written with two places": ("nights", lambda v: np.round(v * 2.204623, 2), "unit", "kilograms and pounds"),
    "thousands of whole numbers": ("nights", lambda v: v * 1000, "unit", "×1000"),
    "the sign of amounts around zero": ("delay", lambda v: -v, "unit", "sign turned"),
    "cut above": ("weight", lambda v: np.minimum(v, 120), "cut", "nothing lies above 120 any more"),
    "cut below": ("price", lambda v: np.maximum(v, 15), "cut", "nothing lies below 15 any more"),
    "rows beyond a limit are gone": ("weight", lambda v: np.resize(v[v < 80], SIZE), "cut", "others are as before"),
    "rounded to tens": ("weight", lambda v: np.round(v, -1), "precision", "rounded to multiples of 10"),
    "cents cut off": ("price", np.floor, "precision", "rounded to multiples of 1."),
    "all the same": ("nights", lambda v: np.full(SIZE, 2), "stuck", "every value is 2 now"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_in_its_column_and_no_other(fault):
    name, change, kind, says = FAULTS[fault]
    told, others = found(name, change)
    assert told["kinds"][0] == kind and told["verdict"] in ("warn", "page") and not others
    assert says in told["says"]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("weight", lambda v: v + 20),
        ("weight", lambda v: v * 1.3),
        ("income", lambda v: v * 1.5),
        ("price", lambda v: 40 + (v - 40) * 1.5),
        ("delay", lambda v: v + 15),
    ],
)
def test_another_world_has_no_cause_of_ours(name, change):
    told, others = found(name, change)
    assert told["kinds"][0] == "distribution" and not others


def test_of_an_unchanged_world_no_value_is_new():
    """Whole numbers of many sizes, heaps and rare ones, 60 pairs of tables."""
    alarms = []
    for seed in range(60):
        first, second = (
            {name: values[: (300, 3_000)[seed % 2]] for name, values in columns(s).items()}
            for s in (100 + seed, 900 + seed)
        )
        told = compare_frames(first, second, together=False)["columns"]
        alarms += [c["says"] for c in told if c["verdict"] in ("warn", "page")]
    assert not alarms


def test_a_known_value_that_grows_a_little_is_no_alarm():
    """Zeros of 30% of the rows become 34%: more of what is usual, by a little."""
    told, _ = found("delay", lambda v: some(v, 0.06, 0))
    assert told is None or told["verdict"] == "info"


def test_numbers_of_rows_run_on_and_that_is_no_news():
    rng = np.random.default_rng(1)
    value = [pa.array(rng.normal(size=SIZE)) for _ in range(4)]
    known = pa.table({"id": np.arange(SIZE) + 10, "x": value[0]})
    for start, step in ((SIZE + 10, 1), (50_000, 2)):
        (entry,) = [
            c
            for c in compare_frames(known, {"id": start + step * np.arange(SIZE), "x": value[1]})["columns"]
            if c["column"] == "id"
        ]
        assert entry["verdict"] == "ok" and "follows the numbering of rows" in entry["says"]
    for broken in (np.arange(SIZE) * 1000, np.repeat(np.arange(SIZE // 2) + SIZE * 2, 2), np.arange(SIZE) - SIZE):
        (entry,) = [c for c in compare_frames(known, {"id": broken, "x": value[2]})["columns"] if c["column"] == "id"]
        assert entry["verdict"] == "page"


WORDS = np.array(["red", "blue", "green", "gray"])
PARTS = (0.45, 0.3, 0.15, 0.1)


def worded(seed, words=WORDS):
    return {"c": np.random.default_rng(seed).choice(words, SIZE, p=PARTS)}


@pytest.mark.parametrize(
    ("now", "kind", "says"),
    [
        (worded(2, ["red", "azure", "green", "gray"]), "recode", "its values seem renamed: 'blue' → 'azure'"),
        (worded(2, ["0", "1", "2", "3"]), "recode", "'red' → '0', 'blue' → '1', 'green' → '2'"),
        ({"c": np.full(SIZE, "blue")}, "stuck", "every value is 'blue' now"),
        ({"c": [f"shade {i % 40}" for i in range(SIZE)]}, "unseen", "100.0% of values were never seen before"),
        ({"c": np.where(np.random.default_rng(9).random(SIZE) < 0.1, "new", worded(2)["c"])}, "unseen", "never seen"),
    ],
)
def test_what_became_of_categories_is_named(now, kind, says):
    (told,) = compare_frames(worded(1), now)["columns"]
    assert told["kinds"][0] == kind and says in told["says"] and "top values" not in told["says"]


def test_values_that_always_come_in_clumps_are_usual_where_the_reference_has_a_time():
    """A group of guests a week: each week a seventh of the rows has a lead time that no other week has."""

    def weeks(first, last):
        rng = np.random.default_rng(first)
        week = np.repeat(np.arange(first, last), 400)
        days = np.where(rng.random(len(week)) < 0.15, 200 + 7 * week, rng.poisson(20, len(week)))
        seconds = (week * 7 * 86_400 + rng.integers(0, 7 * 86_400, len(week))).astype("datetime64[s]")
        return {"lead": np.append(days, 5_000), "time": np.append(seconds, seconds.min())}

    known, now = weeks(0, 30), weeks(20, 21)
    now["lead"] = np.where(now["lead"] == 340, 333, now["lead"])
    told = {name: compare_frames(known, now, columns=["lead"], **more)["columns"][0]["verdict"] for name, more in WAYS}
    assert told == {"timeless": "page", "timed": "ok"}


WAYS = (("timeless", {}), ("timed", {"time": "time"}))


@pytest.mark.parametrize(("step", "unit"), [("D", "days"), ("h", "hours"), ("m", "minutes")])
def test_times_that_are_cut_are_told(step, unit):
    start, rng = np.datetime64("2024-03-01", "s"), np.random.default_rng(4)
    known, now = (start + rng.integers(0, 30 * 86_400, SIZE).astype("timedelta64[s]") for _ in range(2))
    cut = now.astype(f"datetime64[{step}]").astype("datetime64[s]")
    (told,) = compare_frames({"at": known}, {"at": cut})["columns"][:1]
    assert (told["verdict"], told["kinds"][0]) == ("warn", "precision")
    assert told["says"].startswith(f"at: its times are whole {unit} now. ")
    for quiet in ((known, now), (cut, cut[::-1].copy())):
        assert compare_frames(*({"at": each} for each in quiet))["columns"][0]["verdict"] in ("ok", "info")
