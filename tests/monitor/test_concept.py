"""What labels say once they come, what is said before, and that neither is ever taken for the other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from modelyard import monitor
from modelyard.digest import canonical
from modelyard.monitor.concept import Slice, grave

START = datetime(2024, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def look(world, spec, day):
    """Profile what is new, and look at the end of `day`; gives the observations by kind."""
    now = START + DAY * day
    world.clock.set(now)
    monitor.profile_segments(world.store, "api")
    seen = monitor.observe(world.store, spec, "health", now=now, actor="test", source_times={"sales": now})
    return {each.kind: each for each in seen}


def play(world, spec, days, **change):
    """Serve and look, day by day; `change` holds for all of them."""
    found = []
    for day in days:
        world.serve(day, **change)
        found.append(look(world, spec, day + 1))
    return found


def test_before_labels_everything_about_them_is_unknown_and_the_estimate_says_that_it_is_blind(world, declared):
    last = play(world, declared(), range(9), labels=False)[-1]
    assert {last[kind].level for kind in ("labels", "concept", "calibration", "slices", "quality")} == {
        "insufficient_data"
    }
    assert "unknown until labels come" in last["concept"].says
    assert "blind" in last["estimate"].says
    low, high = last["estimate"].detail["interval"]
    assert low < 0.94 < high or low < last["estimate"].detail["value"] < high


def test_a_quiet_world_is_quiet(world, declared):
    found = play(world, declared(), range(30))
    assert {seen[kind].level for seen in found[4:] for kind in ("concept", "calibration")} == {"ok"}
    assert {seen[kind].level for seen in found[9:] for kind in ("slices", "estimate")} == {"ok"}


def test_days_that_are_no_week_say_nothing_of_slices_and_are_no_estimate(world, declared):
    third = play(world, declared(), range(3))[-1]
    assert third["estimate"].level == "insufficient_data"
    assert "answered for 3 days of 7, and days of the week differ" in third["estimate"].says


def test_a_world_that_turns_behind_the_same_inputs_is_concept_drift_with_its_day(world, declared):
    play(world, declared(), range(10))
    found = play(world, declared(), range(10, 20), turned=0.35)
    assert found[-1]["concept"].level == "page"
    first = next(seen for seen in found if seen["concept"].level == "page")["concept"]
    assert first.detail["began"] in {"2024-03-10", "2024-03-11", "2024-03-12"}
    assert first.detail["change"] in {"sudden", "gradual"}
    assert "by the world behind it" in first.says
    assert found[-1]["drift"].level == "ok"
    assert found[-1]["estimate"].level == "ok", "an estimate cannot see it"
    assert found[-1]["calibration"].level in ("warn", "page")
    assert not {"prior_shift"} & {*found[-1]["calibration"].detail, *found[-1]["concept"].detail}


def test_a_share_of_the_label_that_moved_alone_is_named(world, declared):
    play(world, declared(), range(9))
    found = play(world, declared(), range(9, 18), share=0.8)
    told = found[-1]["calibration"]
    assert told.level in ("warn", "page")
    assert "the share of y rose from 0.5" in told.says and "the rows of each class are scored as before" in told.says
    assert told.detail["prior_shift"]["after"] == pytest.approx(0.8, abs=0.05)
    messages = [each.detail["message"] for seen in found for each in seen.values() if "message" in each.detail]
    helps = "What helps: only the share of the classes changed: calibrate the answers again"
    assert any(helps in message and message.startswith("drift: distance") for message in messages), (
        "inputs moved with it"
    )


def test_a_release_is_held_to_what_it_shows_when_its_unseen_rows_said_worse(world, declared):
    unlucky = world.measured().held_to(world.measured().excess + 0.06)
    world.performance = world.store.blobs.put(canonical(unlucky.to_json()))
    world.release("d" * 64, 2)

    def weeks(first, last, **change):
        for week in range(first, last):
            for day in range(7 * week, 7 * week + 7):
                world.serve(day, release="d" * 64, **change)
            yield look(world, declared(), 7 * week + 7)["concept"]

    assert {seen.level for seen in weeks(0, 7)} == {"ok"}
    told = next(seen for seen in weeks(7, 16, turned=0.1) if seen.level != "ok")
    before, after = told.detail["loss"]
    assert after < unlucky.loss, "it is still better than was said"
    assert before == pytest.approx(unlucky.loss - 0.06, abs=0.005)
    assert told.level == "page" and "by the world behind it" in told.says
    assert 49 <= (datetime.fromisoformat(told.detail["began"]).replace(tzinfo=UTC) - START).days <= 51


def test_harder_inputs_are_no_concept_drift(world, declared):
    spec = declared(drift={"enabled": "false"}, quality={"metric": "roc_auc", "min": 0.75})
    play(world, spec, range(8))
    found = play(world, spec, range(8, 18), narrow=0.2)
    assert {seen["concept"].level for seen in found} == {"ok"}
    assert found[-1]["estimate"].level == "warn", "but the estimate sees them"
    assert found[-1]["concept"].detail["of_inputs"] > 0.05


def test_rows_are_taken_in_once(world, declared):
    found = play(world, declared(), range(9))
    taken = [seen["labels"].detail["sums"]["rows"] for seen in found]
    assert sum(taken) == 150 * 7, "up to two days ago"
    assert found[-1]["labels"].detail["detector"]["rows"] == sum(taken)


def test_one_slice_that_fails_is_found_and_named(world, declared):
    play(world, declared(), range(8))
    found = play(world, declared(), range(8, 24), turned=0.6, where="b")
    assert found[-1]["slices"].level in ("warn", "page")
    assert "kind = b" in found[-1]["slices"].says
    assert "kind = a" not in found[-1]["slices"].says


def test_a_slice_that_lost_and_has_too_few_rows_since_is_not_well_again(world, declared):
    """It lost for ten days, and then nobody asked about it: that is not known to be over, until it is judged or long gone."""
    levels = {}
    for day in range(60):
        bad = 8 <= day < 18
        world.serve(day, turned=0.6 if bad else 0.0, where="b", only="a" if 18 <= day < 52 else "")
        if day >= 8:
            seen = look(world, declared(), day + 1)["slices"]
            levels[day] = seen.detail["raw"]
            assert levels[day] != "insufficient_data" or "kind = b, which lost, has too few" in seen.says
    assert levels[17] in ("warn", "page")
    lasts = [day for day, level in levels.items() if level in ("warn", "page")]
    silent = [levels[day] for day in range(max(lasts) + 1, max(lasts) + 20)]
    assert set(silent) == {"insufficient_data"}
    assert levels[max(lasts) + 22] == "ok", "after three windows without it, it is let go"
    assert levels[59] == "ok", "it was judged"


def test_a_slice_of_few_rows_warns_however_much_it_lost(declared):
    health = declared().monitors["health"]
    found = Slice("channel", "corporate", 0.27, 0.03, 108)
    assert [grave(found, health, labelled) for labelled in (1000, 400)] == ["warn", "page"]
    assert grave(replace(found, rise=0.06), health, 200) == "info"


@pytest.mark.parametrize("off", ["concept", "calibration", "slices", "estimate"])
def test_what_is_declared_off_is_not_watched(world, declared, off):
    assert off not in play(world, declared(**{off: {"enabled": "false"}}), range(1))[0]
