"""From what was seen to what people are told: on a real store, to a real receiver, on simulated time."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from modelyard import triggers
from modelyard.clock import RealClock
from modelyard.errors import NotFound, Refused
from modelyard.loop.tell import tell
from modelyard.loop.telling import LEASE, once, telling
from modelyard.loop.yard import Yard
from modelyard.records import Alert, Audit, Declaration, Message, Observation
from modelyard.spec.load import Project
from modelyard.spec.types import Spec
from modelyard.store import Store

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
numbers = itertools.count(1)


def spec_of(url: str, **channels: Any) -> Spec:
    """A project with a channel "ops" to `url`, or the channels that are given."""
    declared = channels or {"ops": {}}
    alerts = {name: {"webhook": url, "allow_private": "true", **each} for name, each in declared.items()}
    return Spec.model_validate(
        {
            "project": "flights",
            "charter": {"priority": "P2"},
            "deployments": {"late-api": {"model": "late"}},
            "monitors": {"health": {"deployment": "late-api"}, "other": {"deployment": "late-api"}},
            "alerts": alerts,
        }
    )


class World:
    """A store, a declaration, and a controller that only looks and tells."""

    def __init__(self, store: Store, spec: Spec) -> None:
        self.store, self.spec = store, spec

    def yard(self, **more: Any) -> Yard:
        return Yard(Project(Path(), self.spec, "", Path()), self.store, "controller", **more)

    def look(self, level: Any, *, kind: str = "drift", monitor: str = "health", **detail: Any) -> None:
        """A monitor sees something now."""
        now = self.store.clock.now() + timedelta(microseconds=next(numbers))
        with self.store.transaction(actor="m", action="monitor.observed", subject=f"monitor.{monitor}") as tx:
            tx.add(
                Observation(
                    monitor=monitor,
                    deployment="late-api",
                    model="late",
                    kind=kind,
                    start=now - DAY,
                    end=now,
                    level=level,
                    says=f"{kind} is {level}",
                    detail=detail,
                    at=self.store.clock.now(),
                )
            )

    def turn(self, *, after: timedelta = timedelta(0), simulated: bool = False) -> None:
        """Notice and tell, a while later."""
        clock = self.store.clock
        clock.set(clock.now() + after)  # type: ignore[attr-defined]
        with self.store.lease("loop") as held:
            triggers.notice(self.store, self.spec, now=clock.now(), actor="controller", fence=held)
            tell(self.yard(simulated=simulated), held)

    @property
    def alerts(self) -> list[tuple[str, str, str]]:
        return [(each.cause, each.level, each.state) for each in self.store.read(Alert)]


@pytest.fixture
def world(store: Store, web: Any) -> World:
    return World(store, spec_of(web.url))


CAUSE = "drift:deployment.late-api"


def test_one_cause_is_one_message_and_one_that_it_is_over(world: World, web: Any) -> None:
    for level in ("page", "page", "warn", "page", "ok", "page", "ok", "ok", "ok", "ok"):
        world.look(level)
        world.turn(after=DAY)
    assert web.events == ["opened", "resolved"] and len(set(web.keys)) == 2
    assert world.alerts == [(CAUSE, "page", "resolved")]
    body = web.got[0]
    assert (body["kind"], body["priority"], body["says"]) == ("drift", "P2", "drift is page")
    assert body["id"] == world.store.read(Alert)[0].id


def test_two_monitors_and_many_windows_at_once_are_one_message(world: World, web: Any) -> None:
    for monitor in ("health", "other", "health"):
        world.look("page", monitor=monitor)
    world.turn()
    assert web.events == ["opened"]


def test_a_warning_is_recorded_and_told_to_who_asks_for_warnings(store: Store, web: Any) -> None:
    world = World(store, spec_of(web.url, pages={}, warnings={"level": "warn"}))
    world.look("warn")
    world.turn()
    assert world.alerts == [(CAUSE, "warn", "open")] and web.events == ["opened"]
    world.look("page")
    world.turn()
    told = [(each.channel, each.event) for each in store.read(Message)]
    assert told == [("warnings", "opened"), ("pages", "opened"), ("warnings", "worsened")]


@pytest.mark.parametrize(
    ("asks", "told"),
    [
        ({}, 1),
        ({"priority": "P2"}, 1),
        ({"priority": "P1"}, 0),
        ({"kinds": ["drift"]}, 1),
        ({"kinds": ["quality"]}, 0),
        ({"kinds": ["drift"], "priority": ["P1", "P3"]}, 0),
    ],
)
def test_priority_and_kind_must_both_hold(store: Store, web: Any, asks: dict[str, Any], told: int) -> None:
    world = World(store, spec_of(web.url, ops=asks))
    world.look("page")
    world.turn()
    assert len(web.got) == told and len(world.alerts) == 1


def test_a_model_with_a_charter_of_its_own_has_its_own_priority(store: Store, web: Any) -> None:
    known = spec_of(web.url)
    late = {"task": "regression", "data": "d", "target": "y", "train": "m:f", "charter": {"priority": "P1"}}
    spec = Spec.model_validate({**known.model_dump(by_alias=True, exclude_unset=True), "models": {"late": late}})
    world = World(store, spec)
    world.look("page")
    world.turn()
    assert [alert.priority for alert in store.read(Alert)] == ["P1"]
    assert spec.agreement("another").priority == spec.agreement("").priority == "P2"


def test_a_failed_delivery_is_tried_again_later_under_the_same_key(world: World, web: Any) -> None:
    web.status = 503
    world.look("page")
    world.turn()
    world.turn(after=timedelta(seconds=29))
    assert len(web.got) == 1
    world.turn(after=timedelta(seconds=1))
    world.turn(after=timedelta(seconds=59))
    assert len(web.got) == 2
    (message,) = world.store.read(Message)
    assert message.state == "waiting" and message.outcome == "it answered 503"
    web.status = 200
    world.turn(after=HOUR)
    assert len(web.got) == 3 and len(set(web.keys)) == 1
    assert [entry.action for entry in world.store.read(Audit, subject="alert.ops")] == [
        "message.delayed",
        "message.delayed",
        "message.sent",
    ]


def test_after_three_days_a_message_has_failed_and_says_so(world: World, web: Any) -> None:
    web.status = 500
    world.look("page")
    for _ in range(20):
        world.turn(after=4 * HOUR)
    (message,) = world.store.read(Message)
    assert message.state == "failed" and message.outcome.startswith("given up after")
    from modelyard.api.alerting import standing

    assert standing(world.store)[0]["undelivered"] == ["ops"]


def test_that_it_is_over_does_not_overtake_that_it_rose(world: World, web: Any) -> None:
    web.status = 500
    world.look("page")
    world.turn()
    for _ in range(3):
        world.look("ok")
    world.turn()
    assert web.events == ["opened"]
    web.status = 200
    world.turn(after=HOUR)
    world.turn(after=HOUR)
    assert web.events == ["opened", "opened", "resolved"]


def test_a_broken_channel_does_not_keep_others_from_being_told(store: Store, web: Any) -> None:
    world = World(store, spec_of(web.url, broken={"webhook": "http://127.0.0.1:1/"}, ops={}))
    world.look("page")
    world.look("page", kind="quality")
    world.turn()
    assert [each["kind"] for each in web.got] == ["drift", "quality"]
    assert [each.attempts for each in store.read(Message, channel="broken")] == [1, 0]


def test_a_receiver_that_never_ends_does_not_stop_the_controller(
    world: World, web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()
    web.before = ended.wait
    monkeypatch.setattr("modelyard.loop.tell.DEADLINE", 0.05)
    try:
        world.look("page")
        world.turn()
        (message,) = world.store.read(Message)
        assert (message.state, message.attempts) == ("waiting", 1) and "no answer within" in message.outcome
    finally:
        ended.set()


def test_channels_are_told_at_the_same_time(store: Store, web: Any) -> None:
    """Each receiver waits for the other one: one after the other neither would answer."""
    world = World(store, spec_of(web.url, one={}, two={}))
    both = threading.Barrier(2, timeout=10)
    web.before = both.wait
    world.look("page")
    world.turn()
    assert [each.state for each in store.read(Message)] == ["sent", "sent"] and not both.broken


def test_people_are_told_while_a_turn_is_at_work(world: World, web: Any) -> None:
    """A turn may train for an hour. A guard's rollback, a look from elsewhere, what must be tried again: told meanwhile."""
    came = threading.Event()
    web.before = came.set
    with world.store.transaction(actor="t", action="project.applied", subject="flights") as tx:
        tx.add(Declaration(digest="d", spec={}, fingerprints={}, at=world.store.clock.now(), actor="t"))
    project = world.yard().project
    said: list[str] = []
    with world.store.lease("loop"), telling(world.store, lambda _: project, said.append, every=0.01):
        with world.store.transaction(
            actor="c", action="rollout.rolled_back", subject="deployment.late-api", detail={"why": "errors"}
        ):
            pass
        assert came.wait(10)
    assert [each["kind"] for each in web.got] == ["rollback"] and not said


def test_one_tells_at_a_time(world: World, web: Any) -> None:
    world.look("page")
    with world.store.lease(LEASE):
        once(world.yard())
        assert not web.got
    once(world.yard())
    once(world.yard())
    assert web.events == ["opened"]


def test_a_milder_look_does_not_take_the_words_of_the_page(world: World, web: Any) -> None:
    """Two monitors in one turn, the one that only warns last: what is told as a page says why it pages."""
    world.look("warn", monitor="other", message="only a little")
    world.turn()
    world.look("page", message="all of it")
    world.look("warn", monitor="other", message="only a little")
    world.turn()
    (alert,) = world.store.read(Alert)
    assert (alert.level, alert.says) == ("page", "all of it")


NIGHT = {"quiet": {"from": "22:00", "to": "07:00"}}


def test_in_quiet_hours_messages_wait_and_what_is_over_by_then_is_not_told(store: Store, web: Any) -> None:
    world = World(store, spec_of(web.url, ops=NIGHT))
    world.turn(after=11 * HOUR)
    world.look("page", kind="drift")
    world.look("page", kind="stale", sources={"a": {}}, stale=["a"])
    world.turn()
    world.look("ok", kind="stale", sources={"a": {}}, stale=[])
    world.turn(after=7 * HOUR)
    assert web.got == []
    world.turn(after=HOUR)
    assert [(each["kind"], each["event"]) for each in web.got] == [("drift", "opened")]
    assert [each.outcome for each in store.read(Message, state="dropped")] == ["it was over before it was due"]


def test_who_does_not_take_it_over_is_passed_by(store: Store, web: Any) -> None:
    chain = {
        "ops": {"escalate": {"after": "30m", "to": "boss"}},
        "boss": {"priority": "P1", "escalate": {"after": "1h", "to": "ceo"}},
        "ceo": {"kinds": ["rollback"]},
    }
    world = World(store, spec_of(web.url, **chain))
    world.look("page")
    for _ in range(20):
        world.turn(after=timedelta(minutes=10))
    told = [(each.channel, each.event, each.at - world.store.read(Message)[0].at) for each in store.read(Message)]
    minutes = timedelta(minutes=1)
    assert told == [
        ("ops", "opened", 0 * minutes),
        ("boss", "escalated", 30 * minutes),
        ("ceo", "escalated", 90 * minutes),
    ]


def test_a_channel_that_cannot_be_reached_is_passed_by_too(store: Store, web: Any) -> None:
    """What escalation is for: each attempt that fails moves the next one, and must not move who is told instead."""
    web.status = 500
    world = World(store, spec_of(web.url, ops={"escalate": {"after": "30m", "to": "boss"}}, boss={"priority": "P1"}))
    world.look("page")
    for _ in range(7):
        world.turn(after=timedelta(minutes=5))
    assert [(each.channel, each.event, each.state) for each in store.read(Message)] == [
        ("ops", "opened", "waiting"),
        ("boss", "escalated", "waiting"),
    ]


def test_what_grew_worse_after_somebody_took_it_over_has_its_own_time_to_be_answered(store: Store, web: Any) -> None:
    ops = {"level": "warn", "escalate": {"after": "30m", "to": "boss"}}
    world = World(store, spec_of(web.url, ops=ops, boss={"priority": "P1"}))
    world.look("warn")
    world.turn()
    triggers.acknowledge(store, store.read(Alert)[0].id or 0, actor="ann")
    world.turn(after=5 * HOUR)
    world.look("page")
    world.turn()
    world.turn(after=timedelta(minutes=20))
    assert web.events == ["opened", "worsened"] and store.read(Alert)[0].state == "open"
    world.turn(after=timedelta(minutes=20))
    assert web.events == ["opened", "worsened", "escalated"]


def test_to_whom_it_was_escalated_is_told_that_it_is_worse(store: Store, web: Any) -> None:
    ops = {"level": "warn", "escalate": {"after": "30m", "to": "boss"}}
    world = World(store, spec_of(web.url, ops=ops, boss={"priority": "P1"}))
    world.look("warn")
    world.turn()
    world.turn(after=HOUR)
    world.look("page")
    world.turn()
    told = [(each.channel, each.event) for each in store.read(Message)]
    assert told == [("ops", "opened"), ("boss", "escalated"), ("ops", "worsened"), ("boss", "worsened")]


def test_what_failed_before_quiet_hours_is_not_tried_again_within_them(store: Store, web: Any) -> None:
    world = World(store, spec_of(web.url, ops=NIGHT))
    web.status = 500
    world.turn(after=9 * HOUR + timedelta(minutes=59))
    world.look("page")
    world.turn()
    web.status = 200
    for _ in range(17):
        world.turn(after=timedelta(minutes=30))
    assert web.events == ["opened"], "at 21:59"
    world.turn(after=timedelta(minutes=35))
    assert web.events == ["opened", "opened"] and len(set(web.keys)) == 1, "at 07:04"


def test_who_takes_it_over_ends_the_escalation(store: Store, web: Any) -> None:
    world = World(store, spec_of(web.url, ops={"escalate": {"after": "30m", "to": "boss"}}, boss={"priority": "P1"}))
    world.look("page")
    world.turn()
    (alert,) = store.read(Alert)
    triggers.acknowledge(store, alert.id or 0, actor="ann", note="looking")
    world.turn(after=DAY)
    assert web.events == ["opened"]
    (after,) = store.read(Alert)
    assert (after.state, after.by, after.note) == ("acknowledged", "ann", "looking")
    (entry,) = store.read(Audit, action="alert.acknowledged")
    assert (entry.actor, entry.detail["cause"]) == ("ann", CAUSE)


def test_who_was_told_is_told_when_a_person_ends_it_and_it_may_rise_again(world: World, web: Any) -> None:
    world.look("page")
    world.turn()
    (alert,) = world.store.read(Alert)
    triggers.resolve(world.store, world.spec, alert.id or 0, actor="ann", note="a test")
    world.turn()
    assert web.events == ["opened", "resolved"]
    assert web.got[1]["says"] == "ann said that it is over: a test. It was: drift is page"
    with pytest.raises(Refused, match="is over since"):
        triggers.acknowledge(world.store, alert.id or 0, actor="ann")
    with pytest.raises(NotFound):
        triggers.resolve(world.store, world.spec, 999, actor="ann")
    world.look("page")
    world.turn()
    assert web.events == ["opened", "resolved", "opened"] and len(set(web.keys)) == 3


def test_what_happens_to_releases_is_told(world: World, web: Any) -> None:
    why = {"release": "late@3", "why": "log_loss was worse"}
    for action in ("rollout.rolled_back", "rollout.promoted"):
        with world.store.transaction(actor="x", action=action, subject="deployment.late-api", detail=why):
            pass
        world.turn()
    assert [(each["kind"], each["event"], each["says"], each["model"]) for each in web.got] == [
        ("rollback", "opened", "log_loss was worse", "late"),
        ("rollback", "resolved", "log_loss was worse", "late"),
    ]


def test_nothing_new_writes_nothing(world: World, web: Any) -> None:
    world.look("page")
    world.turn()
    before = len(world.store.read(Audit))
    for _ in range(3):
        world.turn()
    assert len(world.store.read(Audit)) == before


def test_in_a_simulation_nothing_is_sent_and_what_would_be_is_an_event(world: World, web: Any) -> None:
    from modelyard.loop.story import counts, events

    world.look("page")
    world.turn(simulated=True)
    assert web.got == []
    (event,) = [each for each in events(world.store) if each["kind"] == "message"]
    assert event["subject"] == "alert.ops" and event["why"] == "would tell ops (opened): drift is page"
    assert counts(events(world.store))["alerts"] == 0
    world.look("page", kind="quality", message="quality: " + "all of it, " * 40)
    world.turn(simulated=True)
    assert max(len(each["why"]) for each in events(world.store) if each["kind"] == "message") < 150, "a line"


def test_a_channel_that_is_declared_no_more_gets_nothing(world: World, web: Any) -> None:
    world.look("page")
    triggers.notice(world.store, world.spec, now=world.store.clock.now(), actor="c")
    world.spec = spec_of(web.url, other={})
    world.turn()
    assert web.got == [] and world.store.read(Message)[0].state == "dropped"


def test_secrets_of_the_environment_are_sent_and_never_stored(
    store: Store, web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", web.url)
    monkeypatch.setenv("TOKEN", "s3cret-token")
    headers = {"Authorization": "Bearer ${TOKEN}"}
    world = World(store, spec_of("${HOOK}", ops={"headers": headers}, broken={"headers": {"X": "${UNSET_ONE}"}}))
    said: list[str] = []
    world.look("page")
    with store.lease("loop") as held:
        triggers.notice(store, world.spec, now=store.clock.now(), actor="c", fence=held)
        tell(world.yard(progress=said.append), held)
    assert web.headers[0]["Authorization"] == "Bearer s3cret-token"
    kept = repr([*store.read(Audit), *store.read(Message), *store.read(Alert)]) + repr(said)
    assert "s3cret-token" not in kept and web.url not in kept
    assert "UNSET_ONE is not set" in kept


KILLED = """
import os, signal, sys
from pathlib import Path
from modelyard import triggers
from modelyard.clock import RealClock
from modelyard.loop.tell import tell
from modelyard.loop.yard import Yard
from modelyard.spec.load import Project
from modelyard.spec.types import Spec
from modelyard.store import open_store

store = open_store(sys.argv[1], project="flights", clock=RealClock())
spec = Spec.model_validate_json(sys.argv[2])
triggers.notice(store, spec, now=store.clock.now(), actor="c")
triggers.settle = lambda *words, **named: os.kill(os.getpid(), signal.SIGKILL)
with store.lease("killed") as held:
    tell(Yard(Project(Path(), spec, "", Path()), store, "c"), held)
"""


def test_killed_between_sending_and_saying_so_it_is_sent_again_under_the_same_key(
    home: str, world: World, web: Any
) -> None:
    world.look("page")
    words = [sys.executable, "-c", KILLED, home, world.spec.model_dump_json(by_alias=True)]
    process = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert web.events == ["opened"] and world.store.read(Message)[0].state == "waiting"
    world.store.clock.set(RealClock().now())
    world.turn(after=timedelta(minutes=1))
    assert web.events == ["opened", "opened"] and len(set(web.keys)) == 1
    world.turn()
    assert len(web.got) == 2 and world.store.read(Message)[0].state == "sent"
