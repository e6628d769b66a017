"""Service levels, all the way: a gateway counts, its minutes are read, the budget burns, people are told, and it ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from modelyard import monitor, triggers
from modelyard.records import Alert, Observation
from modelyard.spec.levels import Slo, watcher
from modelyard.spec.types import Spec
from modelyard.store import minutes

from .conftest import CHAMPION, Formula

PROMISED = {"latency_p95": "1h", "availability": "99.9%"}
SPEC = Spec.model_validate(
    {
        "project": "flights",
        "datasets": {"d": {"sql": "SELECT 1"}},
        "models": {"late": {"task": "regression", "data": "d", "target": "y", "train": "m:fit"}},
        "deployments": {"late-api": {"model": "late", "slo": PROMISED}},
    }
)
HOUR = timedelta(hours=1)


def look(yard) -> list[Observation]:
    """What a turn of the controller does about service levels: observe, and tell."""
    found = monitor.watch(yard.store, SPEC, now=yard.clock.now(), actor="test", force=True)
    triggers.notice(yard.store, SPEC, now=yard.clock.now(), actor="test")
    return found


def test_failures_burn_the_budget_raise_one_alert_and_it_ends_when_they_do(yard):
    yard.serve(CHAMPION, Formula(raises_at=-5.0))
    yard.deploy(slo=PROMISED)
    client = yard.client()

    def ask(times: int, temp: float) -> None:
        for _ in range(times):
            client.post({"rows": [{"temp": temp, "stops": 1}]})

    def pass_by(time: timedelta) -> None:
        yard.clock.set(yard.clock.now() + time)
        client.app.levels.write()

    assert look(yard)[0].level == "insufficient_data"
    ask(7, 10.0)
    ask(4, -5.0)  # 500, by the model's fault
    client.post({"rows": [{"temp": "x"}]})  # 422, by the client's: counts for nothing
    pass_by(timedelta(minutes=1))
    (seen,) = look(yard)
    assert seen.level == "page"
    by_name = {each["objective"]: each for each in seen.detail["objectives"]}
    assert (by_name["availability"]["requests"], by_name["availability"]["bad"]) == (11, 4)
    assert (by_name["latency_p95"]["requests"], by_name["latency_p95"]["bad"]) == (7, 0)
    assert by_name["latency_p95"]["left"] == 1 and by_name["availability"]["left"] < 0
    (alert,) = yard.store.read(Alert)
    assert (alert.kind, alert.subject, alert.state) == ("slo", "deployment.late-api", "open")
    assert look(yard) == []  # the same minute again is no news

    pass_by(7 * HOUR)
    ask(3, 10.0)
    pass_by(timedelta(minutes=1))
    assert look(yard)[0].level == "ok"
    assert yard.store.one(Alert).state == "resolved"
    assert [each["left"] < 0 for each in monitor.standing(yard.store, "late-api")] == [True, False]
    text = client.send("GET", "/metrics").text
    assert 'modelyard_slo_bad_total{deployment="late-api",objective="availability"} 4' in text
    assert 'modelyard_slo_requests_total{deployment="late-api",objective="availability"} 14' in text


def test_slow_answers_count_and_requests_that_are_turned_away(yard):
    yard.deploy(slo={"latency_p95": "50ms", "availability": "99%"})
    app = yard.client().app
    board = app.gateway.board("late-api")
    app.levels.count(board, [0.01] * 90 + [0.2] * 10)
    app.levels.count(board, (), failed=5)
    app.levels.write(every=True)
    (found,) = minutes.read(yard.store, yard.clock.now() - HOUR, yard.clock.now() + HOUR)
    assert (found.n, found.failed, found.slow) == (105, 5, {"latency_p95": 10})


def test_what_cannot_be_written_is_written_later_and_a_torn_line_is_left_out(yard, monkeypatch):
    yard.deploy(slo=PROMISED)
    app = yard.client().app
    app.levels.count(app.gateway.board("late-api"), [0.1])
    with monkeypatch.context() as broken:
        broken.setattr(minutes, "append", lambda *_: (_ for _ in ()).throw(OSError("full")))
        app.levels.write(every=True)
    app.levels.write(every=True)
    path = next((yard.store.files / "minutes").rglob("*.jsonl"))
    path.write_bytes(path.read_bytes() + b'{"deployment":"late')
    now = yard.clock.now()
    assert [each.n for each in minutes.read(yard.store, now - HOUR, now + HOUR)] == [1]


def test_without_a_promise_nothing_is_counted_and_nobody_looks(yard):
    yard.deploy()
    client = yard.client()
    client.post({"rows": [{"temp": 1.0, "stops": 1}]})
    client.app.levels.write(every=True)
    assert not (yard.store.files / "minutes").exists()
    nothing = Spec.model_validate({**SPEC.model_dump(mode="json"), "deployments": {"late-api": {"model": "late"}}})
    assert monitor.watch(yard.store, nothing, now=yard.clock.now(), actor="test") == []
    assert yard.store.read(Observation, monitor=watcher("late-api")) == []


@pytest.mark.parametrize(
    "wrong", [{"availability": "100%"}, {"availability": "20%"}, {"latency_p95": "0s"}, {"window": "1d", **PROMISED}]
)
def test_promises_that_cannot_be_kept_or_say_nothing_are_refused(wrong):
    with pytest.raises(ValidationError):
        Slo.model_validate(wrong)


def test_requests_that_fit_no_model_are_counted_by_what_was_wrong_and_told(yard):
    """A client that changed a type is refused, and its rows never reach the log: of that alone it looks like less traffic."""
    yard.deploy()
    client = yard.client()
    for _ in range(40):
        assert client.post({"rows": [{"temp": "warm", "stops": 1}]}).status_code == 422
    client.post({"rows": [{"temp": 1.0, "stops": 1, "a secret of the sender": 1}]})
    client.post({"rows": [{"temp": 1.0, "stops": 1}]})
    yard.clock.set(yard.clock.now() + timedelta(minutes=1))
    client.app.levels.write()
    now = yard.clock.now()
    (counted,) = minutes.refused(yard.store, "late-api", now - HOUR, now)
    assert (counted.refused, counted.wrong) == (41, {"temp wrong_type": 40, "unknown_feature": 1})
    assert counted.n == 0, "no service level is declared"
    assert list(minutes.refused(yard.store, "other", now - HOUR, now)) == []
    health = Spec.model_validate(SPEC.model_dump(by_alias=True) | {"monitors": {"health": {"deployment": "late-api"}}})
    seen = {each.kind: each for each in monitor.observe(yard.store, health, "health", now=now, actor="test")}
    assert seen["schema"].level == "page"
    assert "temp wrong type (40)" in seen["schema"].says and "requests were refused" in seen["schema"].says
    triggers.notice(yard.store, health, now=now, actor="test")
    (alert,) = yard.store.read(Alert)
    assert alert.kind == "schema" and "What helps: ask the callers" in alert.says
