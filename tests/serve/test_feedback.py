"""Labels that come back: once, corrected only when said so, joined whenever their prediction comes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from modelyard.records import Audit, Label
from modelyard.serve import Refusal, move
from modelyard.store import predictions

CHAMPION = "a" * 64


@pytest.fixture
def gateway(yard, row):
    yard.deploy()
    gateway = yard.gateway()
    gateway.predict("late-api", rows=[row(flight=7), row(flight=8)], request_id="r")
    return gateway


def statuses(results):
    return [each.status for each in results]


def window(yard, gateway, **how):
    gateway.rotate()
    move(yard.store, "late-api")
    day = timedelta(days=1)
    return predictions.window(yard.store, "late-api", start=yard.clock.now() - day, end=yard.clock.now() + day, **how)


def test_a_label_is_recorded_once(yard, gateway):
    item = {"request_id": "r", "row": 1, "label": 3}
    assert statuses(gateway.feedback("late-api", [item])) == [200]
    assert statuses(gateway.feedback("late-api", [item, item])) == [200, 200]
    assert [(each.request_id, each.row, each.label) for each in yard.store.read(Label)] == [("r", 1, 3.0)]


def test_another_label_is_refused_unless_it_is_a_correction(yard, gateway):
    gateway.feedback("late-api", [{"request_id": "r", "label": 3}])
    refused = gateway.feedback("late-api", [{"request_id": "r", "label": 4}, {"request_id": "r", "row": 1, "label": 5}])
    assert statuses(refused) == [409, 200]
    first_known = yard.clock.now()
    yard.clock.set(first_known + timedelta(hours=1))
    assert statuses(gateway.feedback("late-api", [{"request_id": "r", "label": 4, "correct": True}])) == [200]
    assert [(each.label, each.sequence) for each in yard.store.read(Label, request_id="r", row=0)] == [
        (3.0, 0),
        (4.0, 1),
    ]
    assert window(yard, gateway)["label"].to_pylist() == [4.0, 5.0]
    assert window(yard, gateway, known_by=first_known)["label"].to_pylist() == [3.0, 5.0]


def test_a_label_may_come_before_its_prediction(yard, gateway, row):
    assert statuses(gateway.feedback("late-api", [{"request_id": "later", "label": 3}])) == [202]
    assert statuses(gateway.feedback("late-api", [{"request_id": "r", "row": 2, "label": 3}])) == [202]
    gateway.predict("late-api", rows=[row()], request_id="later")
    assert statuses(gateway.feedback("late-api", [{"request_id": "later", "label": 3}])) == [200]
    assert window(yard, gateway, labelled=True)["request_id"].to_pylist() == ["later"]


def test_labels_by_key(yard, gateway):
    results = gateway.feedback("late-api", [{"key": {"flight": 8}, "label": 1}, {"key": {"flight": 9}, "label": 2}])
    assert statuses(results) == [200, 202]
    found = window(yard, gateway, columns=["key", "role"]).to_pylist()
    assert [(each["key"], each["label"]) for each in found] == [('{"flight":7}', None), ('{"flight":8}', 1.0)]


def test_of_a_label_by_row_and_one_by_key_the_later_holds(yard, gateway):
    gateway.feedback("late-api", [{"key": {"flight": 7}, "label": 1}])
    yard.clock.set(yard.clock.now() + timedelta(hours=1))
    gateway.feedback("late-api", [{"request_id": "r", "row": 0, "label": 2}, {"request_id": "r", "row": 1, "label": 2}])
    yard.clock.set(yard.clock.now() + timedelta(hours=1))
    gateway.feedback("late-api", [{"key": {"flight": 8}, "label": 3}])
    assert window(yard, gateway)["label"].to_pylist() == [2.0, 3.0]


def test_a_label_is_joined_to_answers_and_shadows(yard, row):
    yard.deploy(shadows={"challenger": ("b" * 64, 1.0)})
    gateway = yard.gateway()
    gateway.predict("late-api", rows=[row()], request_id="r")
    gateway.feedback("late-api", [{"request_id": "r", "label": 3}])
    assert window(yard, gateway, columns=["role"]).to_pydict()["label"] == [3.0, 3.0]


def test_a_prediction_is_known_wherever_it_is(yard, gateway, row):
    item = [{"request_id": "r", "label": 3}]
    other = yard.gateway()
    assert statuses(other.feedback("late-api", item)) == [200]
    gateway.rotate()
    move(yard.store, "late-api")
    assert statuses(yard.gateway().feedback("late-api", item)) == [200]
    assert statuses(yard.gateway().feedback("late-api", [{"key": {"flight": 7}, "label": 3}])) == [200]


def test_the_time_of_a_label(yard, gateway):
    moment = datetime(2013, 4, 1, 5, tzinfo=UTC)
    for row, time in enumerate(["2013-04-01T05:00:00Z", "2013-04-01T07:00:00+02:00", moment, 1364792400000000]):
        gateway.feedback("late-api", [{"request_id": "r", "row": row, "label": 3, "time": time}])
    assert {each.time for each in yard.store.read(Label)} == {moment}
    assert {each.received for each in yard.store.read(Label)} == {yard.clock.now()}


@pytest.mark.parametrize(
    ("item", "place", "code"),
    [
        (1, "", "wrong_shape"),
        ({}, "/label", "missing"),
        ({"request_id": "r", "label": None}, "/label", "null_not_allowed"),
        ({"request_id": "r", "label": "3"}, "/label", "wrong_type"),
        ({"request_id": "r", "label": True}, "/label", "wrong_type"),
        ({"request_id": "r", "label": float("inf")}, "/label", "not_finite"),
        ({"request_id": "r", "label": 10**400}, "/label", "not_finite"),
        ({"label": 3}, "/request_id", "missing"),
        ({"request_id": 3, "label": 3}, "/request_id", "wrong_type"),
        ({"request_id": "a\x00", "label": 3}, "/request_id", "wrong_type"),
        ({"request_id": "r", "row": "0", "label": 3}, "/row", "wrong_type"),
        ({"request_id": "r", "row": -1, "label": 3}, "/row", "out_of_bounds"),
        ({"request_id": "r", "label": 3, "time": "soon"}, "/time", "wrong_type"),
        ({"request_id": "r", "label": 3, "correct": 1}, "/correct", "wrong_type"),
        ({"request_id": "r", "key": {"flight": 1}, "label": 3}, "/key", "wrong_shape"),
        ({"key": {"flight": "x"}, "label": 3}, "/key", "wrong_type"),
        ({"key": {"train": 1}, "label": 3}, "/key", "wrong_type"),
        ({"request_id": "r", "label": 3, "colour": 1}, "/colour", "unknown_field"),
    ],
)
def test_a_wrong_item_is_named_and_nothing_is_recorded(yard, gateway, item, place, code):
    with pytest.raises(Refusal) as refused:
        gateway.feedback("late-api", [{"request_id": "r", "label": 3}, item])
    assert [(each.pointer, each.code) for each in refused.value.faults] == [(f"/feedback/1{place}", code)]
    assert yard.store.read(Label) == []


@pytest.mark.parametrize(
    ("classes", "positive", "accepted", "refused"),
    [
        (["no", "yes"], "yes", {"yes": 1, "no": 0, 1.0: 1, False: 0}, ["maybe", 2, 0.5]),
        ([False, True], True, {True: 1, 0: 0}, ["true", 2]),
        ([1, 2], 2, {2: 1, 1: 0}, [3, "2"]),
    ],
)
def test_binary_labels(yard, row, classes, positive, accepted, refused):
    base = yard.releases[CHAMPION]
    about = {"task": "binary_classification", "classes": classes, "positive": positive}
    yard.serve(CHAMPION, type(base.model)(signature=base.signature | about))
    yard.deploy()
    gateway = yard.gateway()
    for number, (label, meant) in enumerate(accepted.items()):
        gateway.feedback("late-api", [{"request_id": "r", "row": number, "label": label}])
        assert yard.store.read(Label, row=number)[0].label == meant
    for label in refused:
        with pytest.raises(Refusal) as wrong:
            gateway.feedback("late-api", [{"request_id": "s", "label": label}])
        assert wrong.value.code == "wrong_label"


def test_labels_of_several_classes_are_text(yard, row):
    base = yard.releases[CHAMPION]
    yard.serve(
        CHAMPION,
        type(base.model)(signature=base.signature | {"task": "multiclass_classification", "classes": [1, 2, 3]}),
    )
    yard.deploy()
    gateway = yard.gateway()
    gateway.predict("late-api", rows=[row(), row()], request_id="r")
    gateway.feedback("late-api", [{"request_id": "r", "row": 0, "label": 2}])
    assert window(yard, gateway, columns=[])["label"].to_pylist() == ["2", None]


def test_a_call_has_one_audit_entry_with_counts(yard, gateway):
    gateway.feedback("late-api", [{"request_id": "r", "row": row, "label": 3} for row in range(5)])
    entry = yard.store.read(Audit, action="feedback.received")[-1]
    assert entry.detail == {"items": 5, "recorded": 5, "statuses": {"200": 2, "202": 3}}
