"""Triggers as sentences: cases from `tests/cases/triggers/*.yaml`, and requests recorded once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from modelyard import triggers
from modelyard.clock import SimulatedClock
from modelyard.records import Audit, Deployment, Observation, Request, Version
from modelyard.spec.types import Spec, Trigger
from modelyard.spec.values import parse_duration
from modelyard.store import Store, open_store

CASES = Path(__file__).parent.parent / "cases" / "triggers"
NOW = datetime(2013, 4, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def seen(kind: str, level: Any, end: datetime, **detail: Any) -> Observation:
    return Observation(
        monitor="health",
        deployment="late-api",
        model="late",
        kind=kind,
        start=end - 7 * DAY,
        end=end,
        level=level,
        says=f"{level} on {end:%m-%d}",
        detail=detail,
        at=end,
    )


def window(kind: str, levels: list[str]) -> list[Observation]:
    """One observation a day, the last of them now."""
    return [seen(kind, level, NOW - DAY * (len(levels) - 1 - number)) for number, level in enumerate(levels)]


def asked(at: datetime, state: Any = "done", key: str = "") -> Request:
    return Request(key=key or str(at), kind="retrain", subject="late", trigger="refresh", why="", state=state, at=at)


def cases() -> list[Any]:
    found = [each for path in sorted(CASES.glob("*.yaml")) for each in YAML(typ="safe").load(path)]
    return [pytest.param(each, id=each["about"]) for each in found]


@pytest.mark.parametrize("case", cases())
def test_a_trigger_decides_as_told(case: dict[str, Any]) -> None:
    trigger = Trigger.model_validate({"model": "late", "when": case["when"], "cooldown": case.get("cooldown", "1d")})
    decision = triggers.decide(
        "refresh",
        trigger,
        now=NOW,
        observations=[*window("drift", case.get("drift", [])), *window("quality", case.get("quality", []))],
        last_trained=None if case.get("trained", 1) is None else NOW - 10 * DAY,
        requests=[asked(NOW - parse_duration(each["ago"]), each["state"]) for each in case.get("requests", [])],
    )
    assert decision.fire == case["fire"], decision.why
    assert case.get("says", "") in decision.why
    assert decision.why and all(reason.says for reason in decision.reasons)


levels = st.lists(st.sampled_from(["ok", "info", "warn", "page", "insufficient_data"]), max_size=6)
worse = {"ok": "warn", "info": "warn", "warn": "page", "page": "page", "insufficient_data": "page"}


@given(levels, st.integers(0, 5), st.sampled_from([None, "1 of 1", "2 of 3", "3 of 5"]))
def test_a_worse_window_never_silences_a_trigger(before: list[str], where: int, windows: str | None) -> None:
    when = {"drift": "health"} | ({"windows": windows} if windows else {})
    trigger = Trigger.model_validate({"model": "late", "when": when})

    def fires(observed: list[str]) -> bool:
        made = window("drift", observed)
        return triggers.decide("t", trigger, now=NOW, observations=made, last_trained=NOW - 10 * DAY).fire

    after = [worse[level] if number == where else level for number, level in enumerate(before)]
    assert not fires(before) or fires(after)
    if not set(before) & {"warn", "page"}:
        assert not fires(before)


# ---- on a store ------------------------------------------------------------------------------------------------------

SPEC = Spec.model_validate(
    {
        "project": "flights",
        "deployments": {"late-api": {"model": "late"}},
        "monitors": {"health": {"deployment": "late-api"}},
        "triggers": {
            "refresh": {"model": "late", "when": {"any": [{"schedule": "28d"}, {"drift": "health"}]}, "cooldown": "7d"}
        },
    }
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "yard", project="flights", clock=SimulatedClock(NOW)) as opened:
        yield opened


def trained(store: Store, at: datetime, champion: str = "a" * 64) -> None:
    """A model version of `at`, whose release went live then."""
    store.clock.set(at)  # type: ignore[attr-defined]
    number = len(store.read(Version)) + 1
    version = Version(
        entity="model.late",
        number=number,
        fingerprint="f",
        digest=champion,
        as_of=at,
        created=at,
        actor="ann",
        body={},
    )
    arms = {"arms": [{"arm": "champion", "release": champion, "weight": 1.0}], "shadows": []}
    with store.transaction(
        actor="ann", action="rollout.promoted", subject="deployment.late-api", detail={"swapped": True}
    ) as tx:
        tx.add(version)
        if not tx.change(Deployment, {"name": "late-api"}, routes=arms):
            tx.add(Deployment(name="late-api", model="late", revision=1, routes=arms, at=at))
    store.clock.set(NOW)  # type: ignore[attr-defined]


def observed(store: Store, *observations: Observation) -> None:
    with store.transaction(actor="monitor", action="monitor.observed", subject="monitor.health") as tx:
        tx.add_all(observations)


def run(store: Store, now: datetime = NOW) -> list[Request]:
    store.clock.set(now)  # type: ignore[attr-defined]
    return triggers.run(store, SPEC, now=now, actor="controller")


def test_what_fires_is_asked_for_once_with_its_reason(store: Store) -> None:
    trained(store, NOW - 10 * DAY)
    observed(store, seen("drift", "page", NOW))
    (request,) = run(store)
    assert (request.subject, request.trigger, request.state) == ("late", "refresh", "open")
    assert "page on 04-01" in request.why
    assert run(store) == []
    entries = store.read(Audit, action="request.retrain")
    assert [(entry.subject, entry.detail["why"]) for entry in entries] == [("model.late", request.why)]


def test_after_the_cooldown_it_may_ask_again(store: Store) -> None:
    trained(store, NOW - 10 * DAY)
    observed(store, seen("drift", "page", NOW), seen("drift", "page", NOW + 7 * DAY))
    run(store)
    with store.transaction(actor="loop", action="request.done", subject="model.late") as tx:
        tx.change(Request, {"subject": "late"}, state="done")
    assert run(store, NOW + 6 * DAY) == []
    assert len(run(store, NOW + 7 * DAY)) == 1


def test_a_candidate_that_is_being_tried_is_decided_before_the_next_is_asked_for(store: Store) -> None:
    trained(store, NOW - 30 * DAY)
    observed(store, seen("drift", "page", NOW))

    def rollout(**state: str) -> None:
        with store.transaction(actor="ann", action="rollout.stepped", subject="deployment.late-api") as tx:
            tx.change(Deployment, {"name": "late-api"}, rollout=state)

    rollout(phase="steps", release="b" * 64)
    assert run(store) == []
    assert "bbbbbbbbbbbb is being tried" in triggers.look(store, SPEC, "refresh", now=NOW).why
    rollout(phase="paused", release="b" * 64)
    assert len(run(store)) == 1


def test_drift_of_the_release_before_does_not_ask_again_after_retraining(store: Store) -> None:
    trained(store, NOW - 30 * DAY)
    observed(store, seen("drift", "page", NOW - 10 * DAY), seen("drift", "page", NOW - 9 * DAY))
    trained(store, NOW - 8 * DAY, champion="b" * 64)
    decision = triggers.look(store, SPEC, "refresh", now=NOW)
    assert not decision.fire and "nothing was observed yet of the release that serves" in decision.why


def test_a_window_that_names_another_release_does_not_count(store: Store) -> None:
    trained(store, NOW - 10 * DAY)
    observed(store, seen("drift", "page", NOW, release="b" * 64))
    assert run(store) == []


def test_observations_of_the_future_do_not_count(store: Store) -> None:
    trained(store, NOW - 10 * DAY)
    observed(store, seen("drift", "page", NOW + DAY))
    assert run(store) == []


def test_nothing_fires_before_the_first_training(store: Store) -> None:
    assert run(store) == []


def test_two_controllers_ask_once(store: Store) -> None:
    from concurrent.futures import ThreadPoolExecutor

    trained(store, NOW - 40 * DAY)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: run(store), range(16)))
    assert sum(map(len, made)) == 1
    assert len(store.read(Audit, action="request.retrain")) == 1
