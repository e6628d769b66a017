"""Which rows an arm answers: by a column's value, within a group, or because the request says so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from modelyard.release.obeyed import listed
from modelyard.serve import move
from modelyard.serve.refusal import Refusal
from modelyard.spec.predicate import parse
from modelyard.store import predictions

CHAMPION, CHALLENGER = "a" * 64, "b" * 64
HALVES = {"champion": (CHAMPION, 0.5), "challenger": (CHALLENGER, 0.5)}
TO_SEATTLE = {"segment": listed(parse("dest = 'SEA'"))}


def logged(yard, gateway):
    gateway.rotate()
    move(yard.store, "late-api")
    return predictions.window(yard.store, "late-api", start=yard.clock.now(), end=yard.clock.now() + timedelta(days=1))


def test_rows_are_routed_by_a_declared_column_whatever_the_header_says(yard, row):
    yard.deploy(HALVES, routing={"route_by": "flight"})
    gateway = yard.gateway()
    rows = [row(flight=number % 20) for number in range(100)]
    gateway.predict("late-api", rows=rows, routing_key="mine")
    again = gateway.predict("late-api", columns={name: [each[name] for each in rows] for name in rows[0]})
    found = logged(yard, gateway).to_pylist()
    arms = {each["routing"]: set() for each in found}
    for each in found:
        arms[each["routing"]].add(each["arm"])
    assert set(arms) == {str(number) for number in range(20)}
    assert all(len(each) == 1 for each in arms.values()), "a flight keeps its arm, in rows and in columns"
    assert {"champion", "challenger"} == set.union(*arms.values()) == set(again.arms)


def test_a_row_without_the_declared_column_is_routed_as_the_request(yard, row):
    yard.deploy(HALVES, routing={"route_by": "flight"})
    gateway = yard.gateway()
    gateway.predict("late-api", rows=[row(flight=7), row(), row(flight=None)], routing_key="mine")
    gateway.predict("late-api", rows=[row()], routing_key="mine")
    found = logged(yard, gateway).to_pylist()
    assert sorted(each["routing"] for each in found) == ["7", "mine", "mine", "mine"]
    assert len({each["arm"] for each in found if each["routing"] == "mine"}) == 1


def test_outside_the_segment_the_champion_answers_and_the_strategy_has_no_say(yard, row):
    yard.deploy(HALVES, shadows={"challenger": (CHALLENGER, 1.0)}, routing=TO_SEATTLE)
    gateway = yard.gateway()
    rows = [row(dest=("SEA", "PDX", None)[number % 3]) for number in range(60)]
    for number in range(8):
        gateway.predict("late-api", rows=rows, routing_key=str(number))
    found = logged(yard, gateway).to_pylist()
    outside = [each for each in found if each["row"] % 3]
    assert {(each["arm"], each["role"], each["propensity"]) for each in outside} == {("champion", "answer", None)}
    inside = {(each["arm"], each["role"], each["propensity"]) for each in found if each["row"] % 3 == 0}
    assert inside == {
        ("champion", "answer", 0.5), ("challenger", "answer", 0.5), ("challenger", "shadow", None),
    }  # fmt: skip


def test_a_request_may_name_its_arm_and_is_logged_as_forced(yard, row):
    yard.deploy(shadows={"challenger": (CHALLENGER, 1.0)})
    gateway = yard.gateway()
    forced = gateway.predict("late-api", rows=[row()], arm="challenger", request_id="r")
    assert (forced.arm, forced.release, forced.predictions) == ("challenger", CHALLENGER, [121.0])
    assert gateway.predict("late-api", rows=[row()], arm="challenger", request_id="r").predictions == [121.0]
    assert [(each["role"], each["propensity"]) for each in logged(yard, gateway).to_pylist()] == [("forced", None)]
    assert gateway.feedback("late-api", [{"request_id": "r", "row": 0, "label": 3.0}])[0].status == 200
    with pytest.raises(Refusal) as refused:
        gateway.predict("late-api", rows=[row()], arm="chalenger")
    assert (refused.value.status, refused.value.code) == (400, "unknown_arm")
    with pytest.raises(Refusal) as reused:
        gateway.predict("late-api", rows=[row()], request_id="r")
    assert reused.value.status == 409, "another arm is another question"
