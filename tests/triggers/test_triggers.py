"""Triggers as sentences: cases from `tests/cases/triggers/*.yaml`, and requests recorded once."""

from __future__ import annotations

import itertools
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
from modelyard.spec.triggers import Trigger
from modelyard.spec.types import Spec
from modelyard.spec.values import parse_duration
from modelyard.store import Store, open_store

CASES = Path(__file__).parent.parent / "cases" / "triggers"
NOW = datetime(2013, 4, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def seen(kind: str, level: Any, end: datetime, *, width: timedelta = DAY, **detail: Any) -> Observation:
    return Observation(
        monitor="health",
        deployment="late-api",
        model="late",
        kind=kind,
        start=end - width,
        end=end,
        level=level,
        says=f"{level} on {end:%m-%d}",
        detail=detail,
        at=end,
    )


def window(kind: str, levels: list[str], width: timedelta = DAY) -> list[Observation]:
    """One observation a day, the last of them now, each of a window of that width."""
    ends = [NOW - DAY * (len(levels) - 1 - number) for number in range(len(levels))]
    return [seen(kind, level, end, width=width) for level, end in zip(levels, ends, strict=True)]


def asked(at: datetime, state: Any = "done", key: str = "") -> Request:
    return Request(key=key or str(at), kind="retrain", subject="late", trigger="refresh", why="", state=state, at=at)


def cases() -> list[Any]:
    found = [each for path in sorted(CASES.glob("*.yaml")) for each in YAML(typ="safe").load(path)]
    return [pytest.param(each, id=each["about"]) for each in found]


@pytest.mark.parametrize("case", cases())
def test_a_trigger_decides_as_told(case: dict[str, Any]) -> None:
    more = {key: case[key] for key in ("do", "at_most") if key in case}
    declared = {"model": "late", "when": case["when"], "cooldown": case.get("cooldown", "1d"), **more}
    trigger = Trigger.model_validate(declared)
    width = parse_duration(case.get("width", "1d"))
    observations = [each for kind in ("drift", "quality", "stale") for each in window(kind, case.get(kind, []), width)]
    if "crosses" in case:
        date = case["crosses"] and (NOW + parse_duration(case["crosses"])).isoformat()
        observations.append(seen("decay", "warn", NOW, crosses=date))
    decision = triggers.decide(
        "refresh",
        trigger,
        now=NOW,
        observations=observations,
        last_trained=None if case.get("trained", 1) is None else NOW - 10 * DAY,
        requests=[asked(NOW - parse_duration(each["ago"]), each["state"]) for each in case.get("requests", [])],
        arrived=case.get("arrived"),
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


# ---- logic -----------------------------------------------------------------------------------------------------------

leaves = st.sampled_from(
    [{"drift": "health"}, {"quality": "health"}, {"schedule": "7d"}, {"data": {"dataset": "d", "rows": 5}}]
)
conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=6,
)
worlds = st.fixed_dictionaries(
    {"drift": levels, "quality": levels, "trained": st.integers(1, 14), "arrived": st.sampled_from([None, 1, 9])}
)


def holds(when: Any, world: dict[str, Any]) -> bool | None:
    trigger = Trigger.model_validate({"model": "late", "when": when, "cooldown": "0s"})
    observations = [*window("drift", world["drift"]), *window("quality", world["quality"])]
    last = NOW - world["trained"] * DAY
    arrived = {"d": world["arrived"]}
    decision = triggers.decide("t", trigger, now=NOW, observations=observations, last_trained=last, arrived=arrived)
    assert decision.fire == (decision.holds is True) and decision.why
    return decision.holds


@given(st.lists(conditions, min_size=1, max_size=3), worlds)
def test_de_morgan(parts: list[Any], world: dict[str, Any]) -> None:
    negated = [{"not": part} for part in parts]
    assert holds({"not": {"any": parts}}, world) is holds({"all": negated}, world)
    assert holds({"not": {"all": parts}}, world) is holds({"any": negated}, world)


@given(conditions, worlds)
def test_not_of_not_is_the_same_and_nothing_holds_beside_its_contrary(when: Any, world: dict[str, Any]) -> None:
    assert holds({"not": {"not": when}}, world) is holds(when, world)
    assert not (holds(when, world) and holds({"not": when}, world))


@given(conditions, worlds)
def test_lack_of_data_fires_nothing(when: Any, world: dict[str, Any]) -> None:
    """What fires with nothing known fires on the schedule alone: there it holds whatever the data would say."""
    unknown = {**world, "drift": [], "quality": [], "arrived": None}
    if holds(when, unknown):
        assert holds(when, world)


@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=60, unique=True),
    st.integers(0, 48),
    st.integers(1, 4),
    st.integers(1, 200),
)
def test_it_never_fires_within_its_cooldown_nor_more_often_than_it_may(
    hours: list[int], cooldown: int, count: int, per: int
) -> None:
    hour = timedelta(hours=1)
    trigger = Trigger.model_validate(
        {
            "model": "late",
            "when": {"drift": "health"},
            "do": "alert",
            "cooldown": f"{cooldown}h",
            "at_most": f"{count} per {per}h",
        }
    )
    fired: list[Request] = []
    for at in sorted(hours):
        now = NOW + at * hour
        observations = [seen("drift", "page", now)]
        decision = triggers.decide(
            "refresh", trigger, now=now, observations=observations, last_trained=NOW, requests=fired
        )
        if decision.fire:
            fired.append(asked(now))
    times = [each.at for each in fired]
    assert fired and times[0] == NOW + min(hours) * hour
    assert all(later - earlier >= cooldown * hour for earlier, later in itertools.pairwise(times))
    for start in times:
        assert sum(1 for at in times if start <= at < start + per * hour) <= count


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


@pytest.mark.parametrize(
    ("kind", "asks"),
    [("canary", False), ("ab_test", False), ("shadow", True), ("champion_challenger", True), ("bandit", True)],
)
def test_retraining_goes_on_where_several_are_tried_at_once(store: Store, kind: str, asks: bool) -> None:
    trained(store, NOW - 30 * DAY)
    observed(store, seen("drift", "page", NOW))
    with store.transaction(actor="release", action="rollout.started", subject="late-api") as tx:
        trial = {"kind": kind, "phase": "steps", "release": "b" * 64, "step": 0}
        tx.change(Deployment, {"name": "late-api"}, rollout=trial)
    assert bool(run(store)) is asks


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
