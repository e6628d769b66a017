"""Answering: one answer per row, by one release per request, logged before it is given."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from modelyard.records import Segment
from modelyard.serve import Refusal, move
from modelyard.store import predictions

CHAMPION, CHALLENGER = "a" * 64, "b" * 64


def logged(yard, *gateways, **how):
    """All rows of the log, once moved."""
    for gateway in gateways:
        gateway.rotate()
    move(yard.store, "late-api")
    day = timedelta(days=400)
    return predictions.window(yard.store, "late-api", start=yard.clock.now() - day, end=yard.clock.now() + day, **how)


def test_a_row_is_answered_by_the_champion_and_logged(yard, row):
    yard.deploy()
    gateway = yard.gateway()
    answer = gateway.predict("late-api", rows=[row(flight=7, time_hour="2013-04-01T05:00:00Z")])
    assert answer.as_json() == {
        "request_id": answer.request_id, "release": CHAMPION, "arm": "champion", "predictions": [111.0], "warnings": [],
    }  # fmt: skip
    found = logged(yard, gateway).to_pylist()
    assert len(found) == 1
    assert found[0] == {
        "request_id": answer.request_id, "row": 0, "at": yard.clock.now(), "time": yard.clock.now() + timedelta(hours=5),
        "arm": "champion", "role": "answer", "release": CHAMPION, "key": '{"flight":7}', "routing": answer.request_id,
        "prediction": 111.0, "predictions": None, "fallback": False, "warnings": "[]", "error": "",
        "latency_ms": found[0]["latency_ms"], "propensity": 1.0,
        "weight": 1.0, "in.temp": 10.0, "in.stops": 1, "in.dest": "SEA", "in.night": False,
        "in.when": found[0]["in.when"], "in.day": found[0]["in.day"],
        "label": None, "label_time": None, "label_received": None,
    }  # fmt: skip
    assert found[0]["in.when"].isoformat() == "2013-02-03T04:05:06+00:00"
    assert found[0]["in.day"].isoformat() == "2013-02-03"


def test_rows_and_columns_are_the_same_question(yard, row):
    yard.deploy()
    gateway = yard.gateway()
    rows = [row(temp=float(temp)) for temp in range(5)]
    columns = {name: [each[name] for each in rows] for name in rows[0]}
    by_rows, by_columns = gateway.predict("late-api", rows=rows), gateway.predict("late-api", columns=columns)
    assert by_rows.predictions == by_columns.predictions == [101.0, 102.0, 103.0, 104.0, 105.0]


def test_one_predict_per_arm_and_request(yard, row):
    yard.deploy()
    model = yard.releases[CHAMPION].model
    gateway = yard.gateway()
    model.calls.clear()
    gateway.predict("late-api", rows=[row()] * 300)
    assert model.calls == [300]


def test_a_routing_key_stays_with_its_arm(yard, row):
    yard.deploy({"champion": (CHAMPION, 0.7), "challenger": (CHALLENGER, 0.3)})
    gateway = yard.gateway()
    arms = {str(key): gateway.predict("late-api", rows=[row()], routing_key=str(key)).arm for key in range(60)}
    assert set(arms.values()) == {"champion", "challenger"}
    again = {key: gateway.predict("late-api", rows=[row()], routing_key=key).arm for key in arms}
    assert again == arms
    yard.deploy({"champion": (CHAMPION, 0.4), "challenger": (CHALLENGER, 0.6)})
    gateway.refresh()
    grown = {key: gateway.predict("late-api", rows=[row()], routing_key=key).arm for key in arms}
    assert all(grown[key] == "challenger" for key, arm in arms.items() if arm == "challenger")
    assert sum(arm == "challenger" for arm in grown.values()) > sum(arm == "challenger" for arm in arms.values())


def test_a_replayed_row_is_answered_as_its_own_request_over_the_gateway(yard, row):
    yard.deploy(
        {"champion": (CHAMPION, 0.5), "challenger": (CHALLENGER, 0.5)}, shadows={"challenger": (CHALLENGER, 1.0)}
    )
    gateway = yard.gateway()
    rows = [
        row(temp=float(number % 50), stops=number % 4, dest=["SEA", "LAX", None][number % 3]) for number in range(200)
    ]
    keys = [f"key-{number}" for number in range(200)]
    table = pa.Table.from_pylist([{**each, "when": None, "day": None} for each in rows])
    replayed = gateway.replay(
        "late-api", table, request_id="sim-1", routing_keys=keys,
        times=[yard.clock.now() + timedelta(minutes=number) for number in range(200)],
    )  # fmt: skip
    alone = [
        gateway.predict("late-api", rows=[each | {"when": None, "day": None}], routing_key=key)
        for each, key in zip(rows, keys, strict=True)
    ]
    assert replayed.predictions == [each.predictions[0] for each in alone]
    assert replayed.arms == [each.arm for each in alone]
    assert [(row, code) for row, _, code in replayed.warnings] == [
        (number, code) for number, each in enumerate(alone) for _, _, code in each.warnings
    ]
    found = logged(yard, gateway).to_pylist()
    of_replay = [each for each in found if each["request_id"] == "sim-1" and each["role"] == "answer"]
    assert [each["row"] for each in of_replay] == list(range(200))
    assert [each["prediction"] for each in of_replay] == replayed.predictions
    assert of_replay[3]["at"] == yard.clock.now() + timedelta(minutes=3)


def test_a_bad_row_of_a_replay_is_refused_alone(yard, row):
    yard.deploy()
    gateway = yard.gateway()
    table = pa.table({"temp": [1.0, None, 3.0, float("inf")], "stops": [1, 1, 1, 1]})
    answer = gateway.replay(
        "late-api", table, request_id="sim-1", routing_keys=list("abcd"), times=[yard.clock.now()] * 4
    )
    assert answer.predictions == [2.0, None, 4.0, None]
    assert answer.rejected == ((1, "missing"), (3, "not_finite"))
    assert answer.answered == 2
    assert [each["row"] for each in logged(yard, gateway).to_pylist()] == [0, 2]


def test_shadows_answer_the_same_rows_unseen(yard, row):
    yard.deploy(shadows={"challenger": (CHALLENGER, 1.0)})
    gateway = yard.gateway(companions={"late-api": {"static": CHAMPION}})
    answer = gateway.predict("late-api", rows=[row(temp=10.0), row(temp=20.0)])
    assert answer.predictions == [111.0, 121.0]
    found = {(each["arm"], each["role"], each["row"]): each for each in logged(yard, gateway).to_pylist()}
    assert found["challenger", "shadow", 1]["prediction"] == 141.0
    assert found["static", "shadow", 1]["prediction"] == 121.0
    assert found["challenger", "shadow", 1]["in.temp"] is None
    assert found["challenger", "shadow", 1]["request_id"] == answer.request_id
    assert len(found) == 6


def test_a_shadow_that_fails_is_logged_and_hurts_nobody(yard, row):
    yard.serve(CHALLENGER, type(yard.releases[CHAMPION].model)(raises_at=10.0))
    yard.deploy(shadows={"challenger": (CHALLENGER, 1.0)})
    gateway = yard.gateway()
    assert gateway.predict("late-api", rows=[row(temp=10.0), row(temp=20.0)]).predictions == [111.0, 121.0]
    shadows = [each for each in logged(yard, gateway).to_pylist() if each["role"] == "shadow"]
    assert [(each["row"], each["error"], each["prediction"]) for each in shadows] == [
        (0, "model_failed", None),
        (1, "", 121.0),
    ]


@pytest.mark.parametrize(
    ("fault", "status", "code"), [("raises_at", 500, "model_failed"), ("nan_at", 502, "model_output_invalid")]
)
def test_a_model_that_fails_fails_the_request_and_is_counted(yard, row, fault, status, code):
    yard.serve(CHAMPION, type(yard.releases[CHAMPION].model)(**{fault: 11.0}))
    yard.deploy()
    gateway = yard.gateway()
    with pytest.raises(Refusal) as refused:
        gateway.predict("late-api", rows=[row(temp=11.0), row()])
    assert (refused.value.status, refused.value.code) == (status, code)
    assert [(each["row"], each["error"], each["prediction"]) for each in logged(yard, gateway).to_pylist()] == [
        (0, code, None)
    ]


@pytest.mark.parametrize(("declared", "value"), [("baseline", 7.0), ({"value": 3}, 3.0)])
def test_the_declared_fallback_answers_when_the_model_cannot(yard, row, declared, value):
    yard.serve(CHAMPION, type(yard.releases[CHAMPION].model)(raises_at=11.0))
    yard.deploy(fallback=declared)
    gateway = yard.gateway()
    answer = gateway.predict("late-api", rows=[row(temp=11.0), row(temp=12.0)])
    assert answer.predictions == [value, 113.0]
    assert answer.warnings == [(0, "/rows/0", "fallback")]
    found = logged(yard, gateway).to_pylist()
    assert [(each["fallback"], each["error"]) for each in found] == [(True, "model_failed"), (False, "")]


def test_a_model_that_always_fails_is_not_asked_for_ever(yard, row):
    model = yard.serve(CHAMPION)
    yard.deploy()
    gateway = yard.gateway()
    model.raises_at = 10.0
    model.calls.clear()
    with pytest.raises(Refusal):
        gateway.predict("late-api", rows=[row()] * 5000)
    assert len(model.calls) < 200


def test_a_release_that_cannot_be_loaded_never_gets_traffic(yard, row):
    yard.deploy()
    gateway = yard.gateway()
    yard.deploy({"champion": ("c" * 64, 1.0)})
    gateway.refresh()
    assert gateway.predict("late-api", rows=[row()]).release == CHAMPION
    assert gateway.revision("late-api") == 1
    assert "late-api" in gateway.errors
    yard.deploy({"champion": (CHALLENGER, 1.0)})
    gateway.refresh()
    assert gateway.predict("late-api", rows=[row()]).release == CHALLENGER
    assert gateway.revision("late-api") == 3
    assert gateway.errors == {}


def test_a_model_that_fails_when_warmed_is_not_loaded(yard, row):
    yard.serve(CHALLENGER, type(yard.releases[CHAMPION].model)(raises_at=12.5))
    yard.deploy()
    gateway = yard.gateway()
    yard.deploy({"champion": (CHALLENGER, 1.0)})
    gateway.refresh()
    assert gateway.predict("late-api", rows=[row()]).release == CHAMPION


def test_a_new_process_serves_the_releases_that_it_can_load(yard, row):
    yard.deploy({"champion": (CHAMPION, 0.5), "challenger": ("c" * 64, 0.5)})
    gateway = yard.gateway()
    assert gateway.predict("late-api", rows=[row()]).release == CHAMPION
    assert gateway.revision("late-api") == 0


def test_a_rollback_needs_no_loading_while_the_old_champion_is_warm(yard, row):
    yard.deploy()
    gateway = yard.gateway()
    yard.deploy({"champion": (CHALLENGER, 1.0)}, warm=(CHAMPION,))
    gateway.refresh()
    yard.loads.clear()
    yard.deploy()
    gateway.refresh()
    assert gateway.predict("late-api", rows=[row()]).release == CHAMPION
    assert yard.loads == []


def test_a_changed_policy_is_served_too(yard, row):
    yard.deploy()
    gateway = yard.gateway()
    yard.deploy(inputs={"temp": {"max": 20}})
    gateway.refresh()
    with pytest.raises(Refusal) as refused:
        gateway.predict("late-api", rows=[row(temp=21.0)])
    assert refused.value.code == "out_of_bounds"


def test_labels_instead_of_probabilities(yard, row):
    about = {"task": "binary_classification", "classes": ["no", "yes"], "positive": "yes"}
    base = yard.releases[CHAMPION]
    yard.serve(CHAMPION, type(base.model)(signature=base.signature | about))
    yard.deploy(output="label")
    gateway = yard.gateway()
    rows = [row(temp=-10.0, stops=0, dest="PDX"), row(temp=40.0)]
    assert gateway.predict("late-api", rows=rows, request_id="x").predictions == ["no", "yes"]
    assert gateway.predict("late-api", rows=rows, request_id="x").predictions == ["no", "yes"]
    assert all(0 < each["prediction"] < 1 for each in logged(yard, gateway).to_pylist())


def test_several_classes_are_lists(yard, row):
    base = yard.releases[CHAMPION]
    about = {"task": "multiclass_classification", "classes": ["a", "b", "c"]}
    yard.serve(CHAMPION, type(base.model)(signature=base.signature | about))
    yard.deploy(fallback={"value": "b"}, inputs={"temp": {"missing": "fallback"}})
    gateway = yard.gateway()
    answer = gateway.predict("late-api", rows=[row(), row(temp=None)])
    assert np.isclose(sum(answer.predictions[0]), 1.0)
    assert answer.predictions[1] == [0.0, 1.0, 0.0]
    found = logged(yard, gateway).to_pylist()
    assert [each["predictions"] for each in found] == answer.predictions
    assert [each["prediction"] for each in found] == [None, None]


def test_the_same_request_again_gets_the_same_answer_and_is_logged_once(yard, row):
    yard.deploy()
    gateway = yard.gateway()
    first = gateway.predict("late-api", rows=[row(dest="LAX")], request_id="mine")
    yard.deploy({"champion": (CHALLENGER, 1.0)})
    gateway.refresh()
    again = gateway.predict("late-api", rows=[row(dest="LAX")], request_id="mine")
    assert again.as_json() == first.as_json()
    assert first.warnings == [(0, "/rows/0/dest", "unknown_category")]
    with pytest.raises(Refusal) as refused:
        gateway.predict("late-api", rows=[row()], request_id="mine")
    assert (refused.value.status, refused.value.code) == (409, "request_id_reused")
    assert len(logged(yard, gateway)) == 1
    assert gateway.predict("late-api", rows=[row(dest="LAX")], request_id="mine").as_json() == first.as_json()


def test_a_request_id_is_known_to_other_processes_and_after_a_restart(yard, row):
    yard.deploy()
    first, second = yard.gateway(), yard.gateway()
    answer = first.predict("late-api", rows=[row()], request_id="mine")
    assert second.predict("late-api", rows=[row()], request_id="mine").as_json() == answer.as_json()
    first.close()
    move(yard.store, "late-api")
    third = yard.gateway()
    assert third.predict("late-api", rows=[row()], request_id="mine").as_json() == answer.as_json()
    with pytest.raises(Refusal):
        third.predict("late-api", rows=[row(temp=1.0)], request_id="mine")
    assert len(logged(yard, second, third)) == 1


def test_a_replay_is_sent_once_however_often_it_is_asked_for(yard):
    yard.deploy()
    gateway = yard.gateway()
    table = pa.table({"temp": [1.0, 2.0], "stops": [1, 1]})
    for _ in range(2):
        answer = gateway.replay(
            "late-api", table, request_id="sim-1", routing_keys=["a", "b"], times=[yard.clock.now()] * 2
        )
        assert answer.predictions == [2.0, 3.0]
        move(yard.store, "late-api")
    assert len(logged(yard, gateway)) == 2
    assert len(yard.store.read(Segment)) == 1


def test_a_replay_killed_before_its_turn_ended_goes_on_with_answers_and_shadows_whole(yard):
    yard.deploy(shadows={"challenger": (CHALLENGER, 1.0)})
    table = pa.table({"temp": [1.0, 2.0], "stops": [1, 1]})
    for _ in range(2):
        gateway = yard.gateway(companions={"late-api": {"static": CHAMPION}})
        gateway.replay("late-api", table, request_id="sim-1", routing_keys=["a", "b"], times=[yard.clock.now()] * 2)
    found = [(each["arm"], each["row"]) for each in logged(yard, gateway).to_pylist()]
    assert sorted(found) == [(arm, row) for arm in ("challenger", "champion", "static") for row in (0, 1)]


def test_an_unknown_deployment_is_not_found(yard, row):
    with pytest.raises(Refusal) as refused:
        yard.gateway().predict("late-api", rows=[row()])
    assert refused.value.status == 404
