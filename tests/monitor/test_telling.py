"""What is told of trouble: only what persists, one cause once, and everything that a person needs to act."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from modelyard import monitor
from modelyard.monitor import cost, inputs, joint, quality, sources
from modelyard.monitor.decay import apart, judge
from modelyard.monitor.describe import Told
from modelyard.monitor.grouping import Earlier, group, led, persistent, remaining, shared, waits
from modelyard.monitor.sample import Sample, thinned
from modelyard.monitor.seen import Seen, unknown
from modelyard.monitor.served import LATENCIES, Served
from modelyard.monitor.software import by_hour, software, volume
from modelyard.records import Audit, Observation, Release, Version
from modelyard.spec.monitors import Quality
from modelyard.spec.types import Spec
from modelyard.stats import Profile
from modelyard.stats import joint as stats_joint
from modelyard.stats.hourly import Hourly
from modelyard.ui.watch import headline, render

START = datetime(2024, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def look(world, spec, day):
    """Profile what is new, and look at the end of `day`; gives the observations by kind."""
    now = START + DAY * day
    world.clock.set(now)
    monitor.profile_segments(world.store, "api")
    seen = monitor.observe(world.store, spec, "health", now=now, actor="test", source_times={"sales": now})
    return {each.kind: each for each in seen}


def test_a_page_must_show_in_two_of_three_looks_unless_it_is_severe_or_a_fact():
    page = Seen("drift", "page", "moved")
    once = persistent([page], {})[0]
    assert (once.level, once.detail["raw"]) == ("warn", "page")
    assert "until 2 of 3 looks" in once.says
    assert persistent([page], {"drift": ["ok", "page"]})[0].level == "page"
    assert persistent([page], {"drift": ["page", "ok"]})[0].level == "page"
    assert persistent([page], {"drift": ["page", "ok", "ok"]})[0].level == "warn"
    assert persistent([Seen("drift", "page", "moved", {}, True)], {})[0].level == "page"
    assert persistent([Seen("stale", "page", "old")], {})[0].level == "page"


def parts(*seen):
    """What is told first, and with it."""
    return [(first.kind, [each.kind for each in with_it]) for first, with_it in led(group(seen))]


def test_what_a_stream_has_nearly_shown_before_must_show_in_two_of_three_windows():
    page = Seen("drift", "page", "too much", varies=True)
    (held,) = persistent([page], {"drift": ["page", "page"]})
    assert held.level == "warn" and "2 of 3 windows" in held.says
    (told,) = persistent([page], {"drift": ["ok", "ok"]}, {"drift"})
    assert told.level == "page"


def test_a_slice_that_lost_in_one_week_is_for_information_until_another_week_shows_it():
    lost = Seen("slices", "warn", "one group cancelled", varies=True)
    (held,) = persistent([lost], {"slices": ["warn", "warn"]})
    assert (held.level, held.detail["raw"]) == ("info", "warn")
    assert "for information until 2 of 3 windows" in held.says
    assert persistent([lost], {}, {"slices"})[0].level == "warn"
    assert persistent([Seen("slices", "page", "all", varies=True)], {})[0].level == "warn"
    assert persistent([Seen("drift", "warn", "moved", varies=True)], {})[0].level == "warn"


def test_a_metric_out_of_bounds_must_show_on_other_rows_unless_it_is_far_out():
    """Looks a day apart at a window of a week judge the same rows: six of seven of them."""
    rng = np.random.default_rng(4)
    p = rng.random(600)
    rows = pa.table({"label": (rng.random(600) < p).astype(float), "prediction": p})
    seen = {
        least: quality.judge(
            Quality(metric="roc_auc", min=least), "binary_classification", rows, (), 200, START, (0.9, 0.01)
        )
        for least in (0.88, 0.99)
    }
    assert [each.level for each in seen.values()] == ["page", "page"]
    looks = {"quality": ["page", "page"]}
    assert persistent([seen[0.88]], looks)[0].level == "warn"
    assert persistent([seen[0.88]], looks, {"quality"})[0].level == "page"
    assert persistent([seen[0.99]], {})[0].level == "page", "by more than twice what chance makes"


def test_one_cause_is_one_message_and_software_has_its_own():
    missing, drift = Seen("missing", "page", "gone"), Seen("drift", "warn", "moved")
    quality, slow = Seen("quality", "page", "low"), Seen("software", "warn", "slow")
    assert parts(drift, missing, quality, slow, unknown("decay", "young")) == [
        ("missing", ["drift", "quality"]),
        ("software", []),
    ]


def test_what_a_cause_leaves_behind_in_the_window_is_no_other_cause(world, declared):
    """Three days came in another unit, then it was put right: the week still holds them, and the column still drifts."""
    for day in range(22):
        world.serve(day, unit=100.0 if 10 <= day < 13 else 1.0)
    kinds, left = set(), 0
    for day in range(9, 23):
        seen = look(world, declared(), day)
        drift = seen["drift"]
        left += drift.level in ("warn", "page") and seen["units"].level == "ok" and drift.detail["part_of"] == "units"
        kinds |= {
            each.kind for each in seen.values() if each.level in ("warn", "page") and "part_of" not in each.detail
        }
        if day == 16:
            assert headline(monitor.show(world.store, "health")).startswith("drift")
    assert kinds == {"units"} and left > 0
    told = [entry.detail["kind"] for entry in world.store.read(Audit, action="monitor.alarmed")]
    assert all(each.startswith("units") for each in told) and told


def test_what_is_more_than_its_cause_had_or_in_other_columns_is_told():
    def drift(level, *columns, **more):
        return Seen("drift", level, "", {"columns": [{"column": each, "level": level} for each in columns], **more})

    before = {
        "drift": [Earlier.of(drift("warn", "a", "b", part_of="units"))],
        "units": [Earlier("warn", None, frozenset())],
    }

    def of(seen, earlier=before):
        return remaining([seen], earlier)[0].detail.get("part_of")

    assert of(drift("warn", "a")) == "units"
    assert of(drift("page", "a")) is None, "worse than the cause was"
    assert of(drift("warn", "c")) is None, "another column"
    assert of(drift("warn", "a"), {**before, "units": []}) is None, "a window without it has passed"
    calm = [*before["drift"], Earlier("ok", None, frozenset())]
    assert of(drift("warn", "a"), {**before, "drift": calm}) is None, "it was over, and came again"


def test_no_line_leads_across_days_of_which_nothing_is_known():
    def page(days):
        points = [[str(START + DAY * day), str(START + DAY * day), 400_000.0 + day] for day in days]
        series = [{"kind": "volume", "name": "rows", "points": points}]
        shown = {"monitor": "m", "levels": {}, "alarms": [], "pictures": [], "series": series, "observations": []}
        return render({"monitors": [shown]}, title="shop")

    def lines(days):
        return len(re.findall(r"M[0-9.]+[ ,]", "".join(re.findall(r'<path[^>]* d="([^"]*)"', page(days)))))

    assert (lines(range(10)), lines([0, 1, 2, 3, 12, 13, 14])) == (1, 2)
    left = {
        int(float(x)) for x in re.findall(r'class="grid" x1="([0-9.]+)" x2="[0-9.]+" y1="[0-9.]+" y2', page(range(10)))
    }
    assert min(left) >= 14 + 7 * len("400,000"), "large figures are not cut off"


def test_whatever_alarms_has_a_course_over_time(world, declared):
    """Rows that come twice, a slice that loses, a source that stands still: each is drawn from before it began."""
    for day in range(30):
        world.serve(day, twice=day >= 26, turned=0.6 if day >= 14 else 0.0, where="b")
    for day in range(8, 31):
        now = START + DAY * day
        monitor.profile_segments(world.store, "api")
        times = {"sales": min(now, START + 25 * DAY)}
        monitor.observe(world.store, declared(), "health", now=now, actor="test", source_times=times)
    shown = monitor.show(world.store, "health")
    alarms = {each["kind"] for each in shown["alarms"]}
    assert {"duplicates", "stale"} <= alarms and alarms & {"slices", "concept"}
    drawn = {each["name"]: [value for *_, value in each["points"]] for each in shown["series"]}
    repeated = drawn["share of rows that repeat another"]
    assert len(repeated) >= 20 and repeated[0] < 0.02 < 0.25 < repeated[-1]
    stale = next(each for each in shown["alarms"] if each["kind"] == "stale")
    assert "2.1 days" not in stale["says"] and stale["now"] == stale["says"] and "5.0 days" in stale["now"]
    ages = drawn["days since the newest row of sales"]
    assert ages[0] == 0 and ages[-1] == 5 and set(drawn["days since the newest row of sales, usual"]) == {2.0}
    assert max(drawn["largest rise of the loss in a slice, beyond all rows"]) > 0.1
    page = render({"monitors": [shown]}, title="shop")
    assert f"Now: {stale['now']}" in page
    for name in ("share of rows that repeat another", "days since the newest row of sales"):
        assert f"<figcaption>{name}</figcaption>" in page


def test_the_worst_leads_and_of_equals_what_lies_upstream():
    assert parts(Seen("missing", "warn", ""), Seen("drift", "page", "")) == [("drift", ["missing"])]
    assert parts(Seen("drift", "page", ""), Seen("units", "page", "")) == [("units", ["drift"])]


@pytest.mark.parametrize(
    ("began", "width", "says"),
    [
        (START, DAY, "since 2024-03-01, sudden"),
        (START + DAY * 0.6, DAY, "since 2024-03-02, sudden"),
        (START + DAY * 0.6, DAY / 24, "since 2024-03-01 14:24, sudden"),
    ],
)
def test_it_began_on_the_day_that_holds_most_of_the_stretch(began, width, says):
    """A look at 14:24 counts days from there to there; one at a window of an hour knows the hour."""
    assert says in Told("adr", None, None, began, "sudden", width=width).says


def test_what_callers_send_otherwise_comes_from_no_table_that_is_late():
    broken = Seen("schema", "page", "", {"refused": 60})
    stale, thin, drift = Seen("stale", "page", ""), Seen("volume", "warn", ""), Seen("drift", "warn", "")
    assert sorted(parts(stale, broken, thin, drift)) == [("schema", ["volume"]), ("stale", ["drift"])]
    assert parts(stale, Seen("schema", "page", "")) == [("stale", ["schema"])], "but a column that a table lost does"


def test_a_world_that_changed_behind_the_inputs_is_a_cause_of_its_own():
    seen = [Seen("drift", "warn", ""), Seen("concept", "page", ""), Seen("quality", "page", "")]
    assert parts(*seen) == [("concept", ["quality"]), ("drift", [])]
    assert parts(Seen("quality", "page", ""), Seen("slices", "warn", "")) == [("quality", ["slices"])]


def test_monitors_of_one_deployment_share_its_budget(declared):
    one = declared()
    two = Spec.model_validate(
        {**one.model_dump(by_alias=True), "monitors": {"health": {"deployment": "api"}, "other": {"deployment": "api"}}}
    )
    assert shared(one, one.monitors["health"]).drift.false_alarms.per == 90 * DAY
    assert shared(two, two.monitors["health"]).drift.false_alarms.per == 180 * DAY


def test_an_alarm_says_since_when_in_which_rows_from_which_table_and_what_will_be_done(world, declared):
    table = {"table": "datasets/orders", "columns": {"distance": "number", "kind": "string"}, "sources": {"sales": {}}}
    with world.store.transaction(actor="test", action="test.built", subject="dataset.orders") as transaction:
        transaction.add(
            Version(
                entity="dataset.orders", number=1, fingerprint="f", digest="d", as_of=START, created=START,
                actor="test", body=table,
            )
        )  # fmt: skip
    source = {"entity": "dataset.orders", "number": 1}
    world.release("e" * 64, 2, dataset=source, inputs=["distance", "kind"])
    spec = Spec.model_validate(
        {
            **declared().model_dump(by_alias=True),
            "triggers": {"refresh": {"model": "late", "when": {"drift": "health"}, "cooldown": "14d"}},
        }
    )
    for day in range(22):
        world.serve(day, release="e" * 64, shift=4.0 if day >= 14 else 0.0, where="b")
        if day >= 13:
            look(world, spec, day + 1)
    told = world.store.read(Audit, action="monitor.alarmed")
    first = next(entry for entry in told if "distance" in entry.detail["why"])
    why = first.detail["why"]
    assert "distance: since 2024-03-15, sudden" in why
    assert "most in rows with kind = b" in why
    assert "from sales (by dataset.orders)" in why
    assert "90% of what the model leans on" in why
    assert "Estimated effect on roc_auc" in why
    assert "Trigger refresh (retrain) acts at once if it pages" in why
    assert "at most every 14 days" in why
    about = [each for each in told if "drift" in each.detail["kind"]]
    assert len(about) <= 2, "once as a warning, once as a page"
    shown = monitor.show(world.store, "health")
    assert shown["alarms"][0]["kind"] == "drift"
    assert "What helps" in shown["alarms"][0]["message"]
    assert [each["column"] for each in shown["pictures"]] == ["distance"]
    (psi,) = [each for each in shown["series"] if each["name"] == "PSI of distance"]
    assert psi["kind"] == "drift" and len(psi["points"]) == 9
    assert "sums" not in str(shown)
    page = render({"monitors": [shown]}, title="shop")
    assert "drift alarms since 2024-03-" in page
    assert page.count("<svg") > 3
    assert "http" not in page.replace("http-equiv", "")
    seen = world.store.read(Observation, monitor="health", kind="drift", level=["warn", "page"], order="end")
    assert seen[0].detail["changed"][0]["slice"][:2] == ["kind", "b"]


def test_an_alarm_that_lasts_long_has_its_first_day_and_what_was_told_of_it(world):
    """Longer than what is read for the page: 500 looks."""
    with world.store.transaction(actor="test", action="monitor.observed", subject="monitor.health") as transaction:
        for look in range(500):
            about = {"monitor": "health", "deployment": "api", "model": "late", "start": START, "at": START}
            risen = {"message": "drift: it moved. What helps: retrain"} if look == 3 else {}
            level = "ok" if look < 3 else "page"
            end = START + look * DAY
            transaction.add(Observation(kind="drift", level=level, says="moved", detail=risen, end=end, **about))
            transaction.add(Observation(kind="units", level="ok", says="none", detail={}, end=end, **about))
    shown = monitor.show(world.store, "health")
    (alarm,) = shown["alarms"]
    assert alarm["since"] == (START + 3 * DAY).isoformat() and alarm["message"].startswith("drift: it moved")
    assert headline(shown) == "drift alarms since 2024-03-04."


def a_release():
    return Release(
        digest="d", model="late", number=1, created=START, as_of=START, author="a", state="live", body={}
    )  # fmt: skip


def test_a_unit_that_changed_yesterday_is_named_though_the_window_is_mixed(declared):
    rng = np.random.default_rng(6)

    def day(factor, rows=150):
        return pa.table({"distance": rng.lognormal(3, 1, rows) * factor, "prediction": rng.random(rows)})

    known = Profile.of(day(1.0, 8_000))
    days = [Profile.of(day(factor), reference=known) for factor in (1, 1, 1, 1, 1, 1, 1000)]
    release, health = a_release(), declared().monitors["health"]
    for newest, told in ((days[-1], "page"), (days[0], "ok")):
        window = Profile.merge(days)
        drift, units = inputs.judge(health, release, known, window, newest, span=7 * DAY, kinds=["drift", "units"])
        assert (drift.level, units.level) == ("page", told)
    told = inputs.judge(health, release, known, window, days[-1], span=7 * DAY, kinds=["units"])[0].says
    assert "on the newest day its unit seems changed, ×1000" in told


def test_a_small_factor_waits_for_another_window_unless_the_newest_day_tells_the_same(declared):
    """A week of groups that book twice as early looks like miles and kilometres; one day of it does not."""
    rng = np.random.default_rng(6)

    def rows(factor, count):
        return pa.table({"distance": rng.normal(30, 3, count) * factor, "prediction": rng.random(count)})

    known = Profile.of(rows(1.0, 8_000))
    release, health = a_release(), declared().monitors["health"]

    def units_of(factor, newest):
        window, day = (
            Profile.of(rows(each, count), reference=known) for each, count in ((factor, 2_000), (newest, 900))
        )
        return inputs.judge(health, release, known, window, day, span=7 * DAY, kinds=["units"])[0]

    assert [waits(units_of(*each)) for each in ((2.54, 1.0), (2.54, 2.54), (100.0, 100.0))] == [True, False, False]
    assert units_of(2.54, 1.0).varies and "inches and centimetres" in units_of(2.54, 1.0).says


def test_what_is_not_known_is_not_called_well():
    nothing = {"monitor": "m", "observations": [], "alarms": [], "levels": {}}
    assert headline(nothing) == "It has not looked yet."
    alarms = [
        {"kind": kind, "since": f"2024-03-{day}T00:00", "part_of": of}
        for kind, day, of in (("schema", 17, None), ("cost", 11, None), ("drift", 12, "schema"))
    ]
    assert headline({**nothing, "observations": [1], "alarms": alarms}) == (
        "schema alarms since 2024-03-17, cost since 2024-03-11."
    )
    unknown = {**nothing, "observations": [1], "levels": {"quality": "insufficient_data", "drift": "ok"}}
    assert headline(unknown) == "No alarm, but of quality too little is known."


def test_an_alarm_that_is_over_is_said_to_be(world, declared):
    spec = declared(window="2d", every="1d", min_rows=100)
    for day in range(18):
        world.serve(day, shift=3.0 if 5 <= day < 8 else 0.0)
        look(world, spec, day + 1)
    over = [
        entry for entry in world.store.read(Audit, action="monitor.resolved") if "drift" in entry.detail["resolved"]
    ]
    assert len(over) == 1
    assert START + DAY * 10 < over[0].at < START + DAY * 15


def test_columns_that_change_together_are_seen_where_each_alone_looks_unchanged():
    rng = np.random.default_rng(3)

    def table(rows: int, together: float) -> pa.Table:
        first = rng.normal(size=rows)
        return pa.table({"a": first, "b": together * first + np.sqrt(1 - together**2) * rng.normal(size=rows)})

    known = thinned(table(6_000, 0.9), 4_000)
    usual = joint._usual(known, ["a", "b"])
    same, broken = (stats_joint.judge(known, table(2_000, share), ["a", "b"]) for share in (0.9, 0.0))
    assert joint.judge(same, usual, ["a", "b"], "r", START).level == "ok"
    seen = joint.judge(broken, usual, ["a", "b"], "r", START)
    assert seen.level == "warn"
    assert "changed together" in seen.says
    assert joint.judge(broken, [0.95, 0.99, 0.9, 1.0], ["a", "b"], "r", START).level == "insufficient_data"


def test_what_all_rows_of_a_day_share_tells_the_day_and_is_not_asked(declared):
    """Weather tells any week from all others: with it a week would always look new, and nothing could be said at all."""
    rng = np.random.default_rng(5)
    day = np.repeat(np.arange(80), 50)
    windy = np.where(rng.random(80)[day] < 0.5, "calm", "storm")
    rows = pa.table(
        {
            "distance": rng.normal(size=4_000),
            "carrier": rng.choice(["a", "b", "c"], 4_000),
            "hour": np.tile(np.arange(50) % 24, 80),
            "temperature": rng.normal(size=80)[day] + 0.5 * rng.normal(size=4_000),
            "wind": windy,
            "holiday": rng.random(80)[day] < 0.1,
            "empty": pa.nulls(4_000, pa.float64()),
        }
    )
    drift, health = Seen("drift", "ok", "quiet", {"columns": []}), declared().monitors["health"]
    kept = Sample(rows, day * 86_400.0)
    assert joint._quiet(health, kept, None, drift) == ["distance", "carrier", "hour", "empty"]
    assert joint._quiet(health, Sample(rows, None), None, drift) == rows.column_names


def test_training_that_takes_ever_longer_is_told():
    assert cost.judge([10.0] * 6, 3600).level == "ok"
    assert cost.judge([10.0] * 6 + [16.0], 3600).level == "warn"
    assert cost.judge([10.0] * 3, 3600).level == "insufficient_data"
    assert "its limit" in cost.judge([3000.0], 3600).says


def test_a_source_without_a_declared_freshness_is_late_by_what_is_usual():
    def look_at(day: float, age: float) -> Observation:
        end = START + day * DAY
        newest = {"sales": {"newest": (end - age * DAY).isoformat()}}
        return Observation(
            monitor="m", deployment="api", model="late", kind="stale", start=end - DAY, end=end, level="ok", says="",
            detail={"sources": newest}, at=end,
        )  # fmt: skip

    learned = sources.usual(sources.ages(look_at(day, 0.5)) for day in range(11))
    assert learned == {"sales": DAY / 2}
    assert sources.usual(sources.ages(look_at(day, 0.5)) for day in range(5)) == {}
    fresh, late = ({"sales": START - age * DAY} for age in (1.0, 2.0))
    assert sources.judge({"sales": None}, fresh, START, learned).level == "ok"
    assert sources.judge({"sales": None}, late, START, learned).level == "warn"
    assert sources.judge({"sales": DAY}, late, START, learned).level == "page"
    assert sources.judge({"sales": None}, {}, START, {}).level == "insufficient_data"
    unheld = sources.judge({"sales": None}, late, START)
    assert unheld.level == "insufficient_data" and "of sales the newest row is" in unheld.says
    mixed = sources.judge({"sales": None, "rates": DAY}, {**late, "rates": START}, START)
    assert mixed.level == "ok" and mixed.says.startswith("1 of 2 sources are fresh; of sales the newest row is")


def test_a_day_of_rest_each_week_is_usual_from_the_second_week_on_and_an_outage_never_is():
    def ages(days: int, closed: int) -> list[dict[str, float]]:
        return [{"sales": 3600.0 * (32 if day % 7 == closed else 8)} for day in range(days)]

    for days in range(11, 60):
        for closed in range(7):
            assert sources.usual(ages(days, closed))["sales"] == timedelta(hours=32), (days, closed)
    outage = [*[{"sales": 3600.0 * 8}] * 15, *({"sales": 3600.0 * hours} for hours in (32, 56, 80))]
    assert sources.usual(outage)["sales"] == timedelta(hours=8)


def test_a_trend_is_dated_and_a_gap_ends_the_series():
    week = 7 * DAY
    ends = [START + week * place for place in range(20)]
    falling = [(end, {"value": 0.8 - 0.005 * place + 0.001 * (place % 3)}) for place, end in enumerate(ends)]
    values = apart(falling, week)
    assert len(values) == 20
    seen = judge("roc_auc", 0.67, True, values, week, ends[-1], "r")
    assert seen.level in ("info", "warn")
    assert ends[-1] < datetime.fromisoformat(seen.detail["crosses"]) < ends[-1] + 10 * week
    assert seen.detail["earliest"] <= seen.detail["crosses"] <= seen.detail["latest"]
    assert "reaches 0.67 about" in seen.says
    assert judge("roc_auc", 0.67, True, [0.8] * 20, week, ends[-1], "r").level == "ok"
    assert judge("roc_auc", 0.67, True, values[:5], week, ends[-1], "r").level == "insufficient_data"
    assert len(apart(falling[:10] + falling[14:], week)) == 6
    daily = [(START + DAY * day, {"value": float(day)}) for day in range(40)]
    assert apart(daily, week) == [4.0, 11.0, 18.0, 25.0, 32.0, 39.0]


def test_thin_traffic_is_seen_against_the_same_hours_of_the_week():
    hour = timedelta(hours=1)

    def hours(weeks: float, share: float = 1.0):
        first = START - weeks * 7 * DAY
        for place in range(int(weeks * 168)):
            at = first + hour * place
            busy = 9 <= at.hour < 17 and at.weekday() < 5
            yield Served(at, "r", int((40 if busy else 2) * share), 0, 0)

    past = list(hours(6))
    week = [Served(each.start + 7 * DAY, "r", each.rows, 0, 0) for each in hours(1)]
    assert volume(by_hour(past), by_hour(week), START, START + 7 * DAY).level == "ok"
    weekend = [each for each in week if each.start.weekday() >= 5]
    begin = min(each.start for each in weekend)
    assert volume(by_hour(past), by_hour(weekend), begin, begin + 2 * DAY).level == "ok", "a weekend is no fault"
    thin = [Served(each.start, "r", each.rows // 4, 0, 0) for each in week]
    assert volume(by_hour(past), by_hour(thin), START, START + 7 * DAY).level == "warn"
    assert volume(by_hour(past), by_hour([]), START, START + 7 * DAY).level == "page"
    many = [Served(each.start + 7 * DAY, "r", each.rows, 0, 0) for each in hours(1, 2.5)]
    assert volume(by_hour(past), by_hour(many), START, START + 7 * DAY).level == "warn"
    fair = [Served(each.start - 21 * DAY, "r", each.rows, 0, 0) for each in many]
    assert volume(by_hour([*past, *fair]), by_hour(many), START, START + 7 * DAY).level == "ok", "it has been as busy"
    assert volume(by_hour(past[-100:]), by_hour(week), START, START + 7 * DAY).level == "insufficient_data"


def test_requests_that_take_longer_week_by_week_are_told():
    assert cost.creep([10, 10, 12, 10, 12, 10, 10, 12]) == ""
    assert cost.creep([10, 10, 12, 12, 14]) == "", "five weeks are too few"
    assert "10 ms 7 weeks ago" in cost.creep([10, 11, 12, 13, 14, 15, 16, 17])
    assert cost.creep([10.0, 10, 10, 10, 20, 20, 10, 10]) == "", "a bad fortnight is no creep"
    assert cost.both(unknown("cost", "too few"), "a request takes longer").level == "warn"


def test_a_source_that_brings_half_is_thin_and_a_sunday_is_not():
    def rows(hours):
        return sources.sparse("sales", Hourly.of(hours), DAY)

    hours = {START + DAY * (h / 24): 20 if (START + DAY * (h / 24)).isoweekday() < 6 else 4 for h in range(56 * 24)}
    assert rows(hours) == ""
    sunday = {hour: n for hour, n in hours.items() if hour < START + DAY * 52}
    assert max(sunday).isoweekday() == 7
    assert rows(sunday) == ""
    thin = Hourly.of({hour: n if hour < START + DAY * 49 else n // 3 for hour, n in hours.items()})
    assert sources.sparse("sales", thin, 7 * DAY).startswith("sales: is thin: 768 rows came")
    assert rows({}) == ""


@pytest.mark.parametrize(
    ("before", "now", "level"), [(3, 9, "ok"), (3, 40, "page"), (40, 70, "warn"), (40, 160, "page")]
)
def test_latency_is_slower_by_share_and_by_what_somebody_feels(declared, before, now, level):
    def hour(milliseconds):
        place = int(np.searchsorted(LATENCIES, milliseconds))
        return Served(START, "r", 400, 0, 0, {place: 400})

    seen = software(declared().monitors["health"], [hour(before)], [hour(now)], simulated=False)
    assert seen.level == level


def test_a_process_that_grows_is_told_once_its_usual_size_is_known(world, declared):
    levels = []
    for day in range(20):
        world.serve(day, 220, labels=False)
        monitor.profile_segments(world.store, "api")
        size = 200_000_000 if day < 15 else 330_000_000 if day < 18 else 500_000_000
        seen = monitor.observe(
            world.store,
            declared(window=DAY, quality=None),
            "health",
            now=START + DAY * (day + 1),
            actor="test",
            source_times={},
            memory=lambda size=size: [150_000_000, size],
        )
        levels.append(next(each for each in seen if each.kind == "software"))
    assert {each.level for each in levels[:18]} == {"ok"}, "125 MB are what reading tables takes"
    assert levels[18].level == "warn" and "holds 500 MB, 200 MB were usual" in levels[18].says
