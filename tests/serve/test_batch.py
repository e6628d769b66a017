"""Requests answered together are answered as each would be alone, logged the same, and only ordinary ones are."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelyard.records import Label
from modelyard.serve import batch as batches
from modelyard.serve import frames, move
from modelyard.serve.batch import Asked, Batch
from modelyard.serve.http import digest_of
from modelyard.serve.layout import Layout
from modelyard.serve.protocols.own import PLAIN
from modelyard.serve.refusal import Refusal
from modelyard.serve.routing import sampled

from .conftest import CHALLENGER, CHAMPION, SIGNATURE, Formula

TIMELESS = SIGNATURE | {"inputs": [each for each in SIGNATURE["inputs"] if each["type"] not in ("timestamp", "date")]}


LIMITED = {"temp": {"max": 38}}
CLIPPED = {
    "temp": {"min": -40, "max": 55, "out_of_range": "clip"},
    "stops": {"out_of_range": "clip"},
    "dest": {"unknown": "reject"},
}


@pytest.fixture(params=[LIMITED, CLIPPED], ids=["warned", "clipped"])
def gateway(yard, request):
    yard.serve(CHAMPION, Formula(TIMELESS))
    yard.serve(CHALLENGER, Formula(TIMELESS, scale=2.0))
    yard.deploy({"champion": (CHAMPION, 0.5), "canary": (CHALLENGER, 0.5)}, inputs=request.param, max_rows=5)
    return yard.gateway()


def together(gateway, bodies, keys=None, ids=None):
    """The answers of a batch, None where a request is left to the pipeline; `ids` are those that clients chose."""
    deployed = gateway.deployed("late-api")
    layout = Layout.of(deployed.board)
    keys, ids = (given or [None] * len(bodies) for given in (keys, ids))
    asked = [
        Asked(body, key, 0.0, name or "", digest_of(body, key, "/") if name else "")
        for body, key, name in zip(bodies, keys, ids, strict=True)
    ]
    batches.run(Batch(deployed.board, layout, gateway.clock, deployed.spool, deployed.ledger, asked))
    return asked


def alone(gateway, body, key):
    """The pipeline's answer to a body, as JSON."""
    call = gateway.call("late-api", routing_key=key)
    call.body, call.codec = body, PLAIN
    return json.loads(call.codec.write(call, gateway.run(call)).body)


def row(**changes):
    whole = {"temp": 10.0, "stops": 1, "dest": "SEA", "night": False} | changes
    return {name: value for name, value in whole.items() if value is not ...}


VALUES = {
    "temp": st.one_of(st.floats(-60, 60), st.integers(-20, 50), st.sampled_from([None, ..., "1", True, 1e300])),
    "stops": st.one_of(st.integers(-1, 5), st.sampled_from([None, ..., 1.0, 1.5, 2**70, True])),
    "dest": st.sampled_from(["SEA", "PDX", "a:b", "XXX", None, ..., 3, "é"]),
    "night": st.sampled_from([True, False, None, ..., 0, "true"]),
    "flight": st.sampled_from([..., 7, None, "x"]),
    "time_hour": st.sampled_from([..., "2013-04-01T00:00:00Z", None, "soon"]),
    "other": st.sampled_from([..., ..., ..., 1]),
}
ROWS = st.lists(st.fixed_dictionaries(VALUES), min_size=0, max_size=7)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(ROWS, st.sampled_from([None, "a", "b", "c"])), min_size=1, max_size=8))
def test_what_a_batch_answers_the_pipeline_answers_too(gateway, requests):
    bodies = [json.dumps({"rows": [row(**each) for each in rows]}).encode() for rows, _ in requests]
    keys = [key or f"own-{number}" for number, (_, key) in enumerate(requests)]
    for asked, body, key in zip(together(gateway, bodies, keys), bodies, keys, strict=True):
        if asked.answer is not None:
            answer = json.loads(asked.answer)
            assert answer == alone(gateway, body, key) | {"request_id": asked.id}


def test_ordinary_requests_are_answered_together_and_others_left(gateway):
    good = [
        {"rows": [row()]},
        {"rows": [row(temp=1), row(temp=2)]},
        {"rows": [row(flight=7, time_hour="2013-04-01T00:00:00Z")]},
        {"rows": [row(temp=-12.5), row(stops=7)]},
    ]
    left = [
        {"rows": [row(temp=99.0)]}, {"rows": [row(temp=-99.0, dest="\0")]}, {"rows": [row(temp=None)]},
        {"rows": [row(temp=...)]}, {"rows": [row(more=1)]}, {"rows": []}, {"rows": [row()] * 6}, {"rows": [row(flight="x")]},
        {"rows": [row(temp="1")]}, {"columns": {"temp": [1.0]}}, [], {"rows": [row(time_hour="soon")]},
    ]  # fmt: skip
    asked = together(gateway, [json.dumps(each).encode() for each in good + left])
    assert [each.answer is not None for each in asked] == [True] * len(good) + [False] * len(left)
    twice = [
        b'{"rows":[{"temp":1,"temp":2,"stops":1,"dest":"SEA","night":true}]}',
        b'{"rows":[],"rows":[{"temp":1,"stops":1}]}',
    ]
    assert all(each.answer is None for each in together(gateway, twice))


def test_they_are_logged_as_if_each_had_come_alone(gateway):
    bodies = [
        json.dumps({"rows": [row(temp=float(number), flight=number, stops=number)] * (1 + number % 2)}).encode()
        for number in range(6)
    ]
    keys = [f"k{number}" for number in range(6)]
    deployed = gateway.deployed("late-api")

    def logged():
        gateway.rotate()
        (path,) = sorted(deployed.spool.place.glob("*.log"))
        table = frames.table(each.frame for each in frames.read(path))
        path.unlink()
        ids = table["request_id"].unique().to_pylist()
        unnamed = pa.array([ids.index(each) for each in table["request_id"].to_pylist()])
        free = ["request_id", "latency_ms", "at"]
        rows = table.drop_columns(free).append_column("request", unnamed).to_pylist()
        return sorted(
            (each | {"request": each["routing"]} for each in rows), key=lambda each: (each["routing"], each["row"])
        )

    assert all(each.answer for each in together(gateway, bodies, keys))
    first = logged()
    for body, key in zip(bodies, keys, strict=True):
        alone(gateway, body, key)
    assert logged() == first
    assert {each["arm"] for each in first} == {"champion", "canary"}
    assert {each["warnings"] != "[]" for each in first} == {True, False}


def test_an_id_that_a_client_chose_is_answered_once_and_known_again(gateway):
    body, other = (json.dumps({"rows": [row(temp=temp, stops=9)]}).encode() for temp in (1.0, 2.0))
    deployed = gateway.deployed("late-api")
    first, twice, unlike = together(gateway, [body, body, other], ids=['mi"ne', 'mi"ne', "unlike"])
    assert (first.held, unlike.held, twice.answer) == (True, True, None)
    assert json.loads(first.answer)["request_id"] == 'mi"ne'
    deployed.ledger.release(first.id, unlike.id)
    (again,) = together(gateway, [body], ids=['mi"ne'])
    assert (again.answer, again.held) == (None, False)  # the pipeline finds what was answered
    for _ in range(2):
        call = gateway.call("late-api", request_id='mi"ne')
        call.body, call.codec, call.digest = body, PLAIN, digest_of(body, None, "/")
        assert json.loads(PLAIN.write(call, gateway.run(call)).body) == json.loads(first.answer)
        gateway.rotate()
        move(gateway.store, "late-api")
    call = gateway.call("late-api", request_id='mi"ne')
    call.body, call.codec, call.digest = other, PLAIN, digest_of(other, None, "/")
    with pytest.raises(Refusal, match="another request"):
        gateway.run(call)


def test_only_the_sample_is_logged_whatever_way_a_request_goes_and_labels_of_others_are_told_so(yard):
    yard.serve(CHAMPION, Formula(TIMELESS))
    yard.serve(CHALLENGER, Formula(TIMELESS, scale=2.0))
    yard.deploy(shadows={"next": (CHALLENGER, 1.0)}, log={"sample": "30%"})
    gateway = yard.gateway()
    ids = [f"request-{number}" for number in range(60)]
    asked = together(gateway, [json.dumps({"rows": [row(), row()]}).encode()] * 60, ids=ids)
    deployed = gateway.deployed("late-api")
    deployed.ledger.release(*ids)
    assert all(each.answer for each in asked)
    wanted = [each for each, logged in zip(ids, sampled(ids, "late-api", 0.3).tolist(), strict=True) if logged]
    assert 8 < len(wanted) < 30
    for number in range(60, 70):
        gateway.predict("late-api", rows=[row()], request_id=f"request-{number}")
    more = [f"request-{number}" for number in range(60, 70)]
    wanted += [each for each, logged in zip(more, sampled(more, "late-api", 0.3).tolist(), strict=True) if logged]
    gateway.rotate()
    found = frames.table(each.frame for path in deployed.spool.place.glob("*.log") for each in frames.read(path))
    answers = found.filter(pa.compute.equal(found["role"], "answer"))
    assert set(answers["request_id"].to_pylist()) == set(wanted)
    assert set(found["request_id"].to_pylist()) == set(wanted)
    assert set(answers["weight"].to_pylist()) == {1 / 0.3}
    results = gateway.feedback("late-api", [{"request_id": each, "label": 1.0} for each in [*ids, "never-asked"]])
    told = {each.request_id: (each.status, each.code) for each in results}
    assert all(told[each] == ((200, "") if each in wanted else (200, "not_sampled")) for each in ids)
    assert len(yard.store.read(Label)) == sum(each in wanted for each in ids) + (told["never-asked"][1] == "")


def test_labels_find_them(gateway):
    (asked,) = together(gateway, [json.dumps({"rows": [row(), row()]}).encode()])
    assert gateway.deployed("late-api").ledger.known_rows([asked.id]) == {asked.id: 2}


def test_columns_of_numbers_are_read_as_a_matrix(yard):
    numbers = SIGNATURE | {"inputs": [SIGNATURE["inputs"][0], replace_name(SIGNATURE["inputs"][0], "hum")]}
    model = Formula(numbers)
    model.predict = lambda table: np.asarray(table["temp"]) + np.asarray(table["hum"])
    yard.serve(CHAMPION, model)
    yard.deploy()
    gateway = yard.gateway()
    body = json.dumps({"columns": {"hum": [1, 2, 3], "temp": [10.0, 20.0, 30.5]}}).encode()
    asked, uneven, twice = together(
        gateway, [body, body.replace(b"[1, 2, 3]", b"[1]"), b'{"columns":{"hum":[1],"temp":[1],"temp":[2]}}']
    )
    assert json.loads(asked.answer)["predictions"] == [11.0, 22.0, 33.5]
    assert uneven.answer is None and twice.answer is None


def replace_name(item, name):
    return item | {"name": name}


def test_a_model_that_fails_leaves_its_requests_to_the_pipeline(yard):
    yard.serve(CHAMPION, Formula(TIMELESS, raises_at=3.0))
    yard.deploy()
    gateway = yard.gateway()
    asked = together(gateway, [json.dumps({"rows": [row(temp=temp)]}).encode() for temp in (1.0, 3.0)])
    assert [each.answer for each in asked] == [None, None]
    assert not list(gateway.deployed("late-api").spool.place.glob("*.log"))


def test_a_board_that_looks_at_values_has_no_layout(yard):
    yard.serve(CHAMPION, Formula(TIMELESS))
    yard.deploy()
    board = yard.gateway().board("late-api")
    assert Layout.of(board) is not None
    assert Layout.of(replace(board, table=replace(board.table, route_by="dest"))) is None
    yard.serve(CHAMPION, Formula())  # with times
    yard.deploy()
    assert Layout.of(yard.gateway().board("late-api")) is None
