"""A release that only fails is not asked for a while; one that is late is not waited for."""

from __future__ import annotations

import threading

import pytest

from modelyard.serve.app import create
from modelyard.serve.refusal import Refusal

from .conftest import CHALLENGER, CHAMPION, Client, Formula

ROW = {"temp": 3.0, "stops": 1}


def test_a_release_that_fails_five_times_in_a_row_is_left_out_for_half_a_minute(yard):
    yard.serve(CHALLENGER, broken := Formula(raises_at=3.0))
    yard.deploy({"champion": (CHAMPION, 0.5), "canary": (CHALLENGER, 0.5)})
    gateway = yard.gateway()
    for _ in range(40):
        try:
            gateway.predict("late-api", rows=[ROW])
        except Refusal as refusal:
            assert refusal.status == 500
    asked = len(broken.calls)
    assert asked == 1 + 5  # once to warm it
    assert {gateway.predict("late-api", rows=[ROW]).arm for _ in range(20)} == {"champion"}
    ejections = gateway.deployed("late-api").ejections
    ejections._monotonic = lambda: yard.clock.monotonic() + 31
    broken.raises_at = None
    assert {gateway.predict("late-api", rows=[ROW]).arm for _ in range(20)} == {"champion", "canary"}


def test_the_only_release_is_asked_as_long_as_nothing_stands_in(yard):
    yard.serve(CHAMPION, Formula(raises_at=3.0))
    yard.deploy()
    gateway = yard.gateway()
    for _ in range(8):
        with pytest.raises(Refusal) as refused:
            gateway.predict("late-api", rows=[ROW])
        assert refused.value.code == "model_failed"
    assert gateway.predict("late-api", rows=[ROW | {"temp": 4.0}]).predictions == [5.0]


def test_while_the_only_release_is_out_its_fallback_answers(yard):
    yard.serve(CHAMPION, broken := Formula(raises_at=3.0))
    yard.deploy(fallback="baseline")
    gateway = yard.gateway()
    for _ in range(10):
        assert gateway.predict("late-api", rows=[ROW]).predictions == [7.0]
    assert len(broken.calls) == 1 + 5


def test_a_request_is_answered_once_whoever_comes_first(yard):
    yard.deploy()
    gateway = yard.gateway()
    call = gateway.call("late-api")
    won = [call.claim() for _ in range(3)]
    assert won == [True, False, False]
    call.rows = [ROW]
    with pytest.raises(Refusal) as refused:
        gateway.run(call)
    assert (refused.value.status, refused.value.code) == (504, "deadline_exceeded")


def test_late_is_told_by_the_fallback_or_as_504(yard):
    yard.deploy(fallback="baseline")
    gateway = yard.gateway()
    call = gateway.call("late-api")
    call.rows = [ROW]
    answer = gateway.run(call, late=True)
    assert answer.predictions == [7.0] and [code for _, _, code in answer.warnings] == ["fallback"]
    yard.deploy()
    gateway.refresh()
    call = gateway.call("late-api")
    call.rows = [ROW]
    with pytest.raises(Refusal) as refused:
        gateway.run(call, late=True)
    assert refused.value.status == 504


def test_a_model_that_does_not_come_back_costs_the_deadline_and_no_more(yard):
    release = threading.Event()
    hung = Formula()
    yard.serve(CHAMPION, hung)
    yard.deploy(deadline="50ms")
    client = Client(create(yard.gateway()))
    hung.predict = lambda table: release.wait(20)
    answer = client.post({"rows": [ROW]})
    release.set()
    assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
    client.app.close()
