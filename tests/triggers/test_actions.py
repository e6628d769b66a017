"""What a trigger does when it fires: roll back, pause, tell, run, post; once, with its reason, and never about what came later."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from modelyard import triggers
from modelyard.clock import SimulatedClock
from modelyard.loop.react import react
from modelyard.loop.tell import channel
from modelyard.loop.yard import Yard
from modelyard.records import Alert, Audit, Deployment, Message, Observation, Release, Request, Version
from modelyard.spec.load import Project
from modelyard.spec.triggers import Act
from modelyard.spec.types import Spec
from modelyard.store import Store, open_store

NOW = datetime(2024, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
OLD, NEW, NEXT = "a" * 64, "b" * 64, "c" * 64


class World:
    """A deployment whose champion has a warm predecessor, and a controller that only decides and reacts."""

    def __init__(self, store: Store, folder: Path, do: Any, **more: Any) -> None:
        self.store, self.folder = store, folder
        trigger = {"model": "late", "when": {"drift": "health"}, "do": do, "cooldown": "1d", **more}
        self.spec = Spec.model_validate(
            {
                "project": "flights",
                "deployments": {"late-api": {"model": "late", "strategy": "canary"}},
                "monitors": {"health": {"deployment": "late-api"}},
                "alerts": {"ops": {"webhook": "https://example.org/x"}},
                "triggers": {"guard": trigger},
            }
        )
        with store.transaction(actor="t", action="release.made", subject="model.late") as tx:
            for number, (digest, state) in enumerate(((OLD, "retired"), (NEW, "live"), (NEXT, "rolling_out")), 1):
                tx.add(
                    Release(
                        model="late",
                        number=number,
                        digest=digest,
                        state=state,  # type: ignore[arg-type]
                        created=NOW,
                        as_of=NOW - 9 * DAY,
                        author="t",
                        body={},
                    )
                )
            arms = [{"arm": "champion", "release": NEW, "weight": 1.0}]
            routes = {"arms": arms, "shadows": [], "warm": [OLD], "salt": "s"}
            tx.add(Deployment(name="late-api", model="late", revision=1, routes=routes, at=NOW))

    def canary(self) -> None:
        """Let late@3 be tried."""
        rollout = {
            "release": NEXT,
            "champion": NEW,
            "phase": "steps",
            "step": 0,
            "started": NOW.isoformat(),
            "entries": [NOW.isoformat()],
        }
        with self.store.transaction(actor="t", action="t.t", subject="deployment.late-api") as tx:
            tx.change(Deployment, {"name": "late-api"}, rollout=rollout)

    def see(self, level: Any) -> None:
        now = self.store.clock.now()
        about = {"deployment": "late-api", "model": "late", "kind": "drift", "says": f"drift {level}"}
        with self.store.transaction(actor="m", action="monitor.observed", subject="monitor.health") as tx:
            tx.add(Observation(monitor="health", start=now - DAY, end=now, level=level, at=now, **about))

    def decide(self) -> list[Request]:
        return triggers.run(self.store, self.spec, now=self.store.clock.now(), actor="controller")

    def react(self, **more: Any) -> None:
        yard = Yard(Project(self.folder, self.spec, "", self.folder), self.store, "controller", **more)
        with self.store.lease("loop") as held:
            react(yard, held)

    def later(self, by: timedelta = DAY) -> None:
        self.store.clock.set(self.store.clock.now() + by)  # type: ignore[attr-defined]

    @property
    def champion(self) -> str:
        deployment = self.store.one(Deployment, name="late-api")
        assert deployment is not None
        return str(deployment.routes["arms"][0]["release"])

    @property
    def request(self) -> Request:
        (found,) = self.store.read(Request)
        return found


@pytest.fixture
def store(home: str) -> Iterator[Store]:
    with open_store(home, project="flights", clock=SimulatedClock(NOW)) as opened:
        yield opened


def test_a_rollback_goes_through_release_with_its_reason(store: Store, tmp_path: Path) -> None:
    world = World(store, tmp_path, "rollback")
    world.see("page")
    world.decide()
    world.react()
    assert world.champion == OLD and (world.request.kind, world.request.state) == ("rollback", "done")
    actions = [entry.action for entry in store.read(Audit)]
    assert actions[-3:] == ["request.rollback", "rollout.rolled_back", "reaction.done"]
    (entry,) = store.read(Audit, action="rollout.rolled_back")
    assert entry.detail["why"].endswith("trigger guard: drift of health: drift page")


def test_what_serves_by_then_is_not_rolled_back_for_what_served_before(store: Store, tmp_path: Path) -> None:
    """As after a kill between the rollback and its closing: the request is still open, and the routes have moved."""
    world = World(store, tmp_path, "rollback")
    world.see("page")
    (request,) = world.decide()
    world.react()
    with store.transaction(actor="t", action="t.t", subject="t") as tx:
        tx.change(Request, {"key": request.key}, state="open")
    world.react()
    assert world.champion == OLD
    assert world.request.outcome == "late-api does not serve what it served when this was asked for"


def test_a_rollback_with_nothing_to_go_back_to_is_refused_and_people_are_told(store: Store, tmp_path: Path) -> None:
    world = World(store, tmp_path, "rollback")
    with store.transaction(actor="t", action="t.t", subject="t") as tx:
        arms = [{"arm": "champion", "release": NEW, "weight": 1.0}]
        tx.change(Deployment, {"name": "late-api"}, routes={"arms": arms, "shadows": [], "warm": [], "salt": "s"})
    world.see("page")
    world.decide()
    world.react()
    assert world.request.state == "refused" and "nothing to roll back to" in world.request.outcome
    triggers.notice(store, world.spec, now=NOW, actor="c")
    assert "trigger_failed" in [alert.kind for alert in store.read(Alert)]


def test_a_candidate_that_is_tried_is_paused_and_not_rolled_back(store: Store, tmp_path: Path) -> None:
    for do, state in (("rollback", None), ("pause", "done")):
        with open_store(tmp_path / do, project="flights", clock=SimulatedClock(NOW)) as own:
            world = World(own, tmp_path, do)
            world.canary()
            world.see("page")
            world.decide()
            world.react()
            if state is None:
                assert own.read(Request) == []
                continue
            deployment = own.one(Deployment, name="late-api")
            assert deployment is not None and deployment.rollout["phase"] == "paused"
            assert world.request.state == state and len(own.read(Audit, action="rollout.paused")) == 1


def test_an_alert_rises_with_its_request_and_ends_with_its_condition(store: Store, tmp_path: Path) -> None:
    world = World(store, tmp_path, "alert")
    world.see("page")
    world.decide()
    assert world.request.state == "done"
    (alert,) = store.read(Alert)
    assert (alert.kind, alert.subject, alert.state, alert.level) == ("trigger", "trigger.guard", "open", "page")
    world.later()
    world.see("page")
    world.decide()
    assert len(store.read(Request)) == 2 and len(store.read(Alert)) == 1, "what stands is not told again"
    for _ in range(3):
        world.later()
        world.see("ok")
        world.decide()
    assert [alert.state for alert in store.read(Alert)] == ["resolved"]
    assert [message.event for message in store.read(Message)] == ["opened", "resolved"]


def test_several_actions_are_asked_for_together_or_not_at_all(store: Store, tmp_path: Path) -> None:
    world = World(
        store, tmp_path, ["rollback", "alert", {"webhook": "https://example.org/${X}", "headers": {"A": "b"}}]
    )
    world.see("page")
    assert [each.kind for each in world.decide()] == ["rollback", "alert", "webhook"]
    assert world.decide() == []
    assert len(store.read(Audit, action="request.rollback")) == 1
    fired = [message for message in store.read(Message) if message.event == "fired"]
    assert [message.channel for message in fired] == ["trigger.guard.2"]
    assert fired[0].body["says"] == "drift of health: drift page"
    found = channel(world.spec, "trigger.guard.2")
    assert found is not None and (found.webhook, found.headers) == ("https://example.org/${X}", {"A": "b"})
    assert channel(world.spec, "trigger.guard.1") is None and channel(world.spec, "trigger.gone.0") is None


SCRIPT = """\
import json, os, sys
print(json.dumps({"words": sys.argv[1:], **{k: v for k, v in os.environ.items() if k.startswith("YARD_")}}))
sys.exit(int(sys.argv[2]))
"""


def test_a_command_is_run_in_the_project_without_a_shell(store: Store, tmp_path: Path) -> None:
    (tmp_path / "tell.py").write_text(SCRIPT)
    world = World(store, tmp_path, {"run": [sys.executable, "tell.py", "$(touch hacked); `id`", "0"]})
    world.see("page")
    world.decide()
    world.react()
    said = json.loads(world.request.outcome[world.request.outcome.index("{") :])
    assert said["words"][0] == "$(touch hacked); `id`" and not (tmp_path / "hacked").exists()
    assert (said["YARD_REQUEST"], said["YARD_MODEL"]) == (world.request.key, "late")
    assert world.request.state == "done"


@pytest.mark.parametrize(
    ("run", "says"),
    [
        ([sys.executable, "-c", "raise SystemExit(3)"], "ended with 3"),
        (["/nowhere/at/all"], "cannot be run"),
        ([sys.executable, "-c", "import time; time.sleep(60)"], "timeout"),
    ],
)
def test_a_command_that_fails_has_failed(store: Store, tmp_path: Path, run: list[str], says: str) -> None:
    world = World(store, tmp_path, {"run": run, "limit": "0.5s"})
    world.see("page")
    world.decide()
    world.react()
    assert world.request.state == "failed" and says in world.request.outcome


def test_in_a_simulation_no_command_is_run(store: Store, tmp_path: Path) -> None:
    world = World(store, tmp_path, {"run": "touch ran"})
    world.see("page")
    world.decide()
    world.react(simulated=True)
    assert world.request.outcome == "would run: touch ran" and not (tmp_path / "ran").exists()


def test_words_of_a_command_are_split_as_people_write_them() -> None:
    assert Act.model_validate({"run": "python tell.py 'two words'"}).run == ("python", "tell.py", "two words")


def test_new_rows_are_those_since_the_last_training(store: Store, tmp_path: Path) -> None:
    world = World(store, tmp_path, "alert", when={"data": {"dataset": "departures", "rows": 100}})

    def built(rows: int, at: datetime) -> None:
        number = len(store.read(Version)) + 1
        about: dict[str, Any] = {
            "entity": "dataset.departures",
            "fingerprint": "f",
            "digest": str(number),
            "actor": "t",
        }
        with store.transaction(actor="t", action="dataset.built", subject="dataset.departures") as tx:
            tx.add(Version(number=number, as_of=at, created=at, body={"rows": rows}, **about))

    assert "is not known" in triggers.look(store, world.spec, "guard", now=NOW).why
    built(1000, NOW - 9 * DAY)
    built(1099, NOW - DAY)
    assert "99 rows of departures arrived" in triggers.look(store, world.spec, "guard", now=NOW).why
    built(1100, NOW)
    assert len(world.decide()) == 1
