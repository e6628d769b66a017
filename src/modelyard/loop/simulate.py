"""Simulate: play a policy over recorded history with the code that runs in production, on a simulated clock.

Each variant of the policy has a memory of its own below the home, named by everything that its result depends on: the
same question finds its answer there, and an interrupted simulation goes on from its last finished step.
"""

from __future__ import annotations

import functools
import gc
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from modelyard import __version__, release, train
from modelyard.clock import SimulatedClock
from modelyard.digest import digest
from modelyard.engines import AheadEngine, LocalEngine
from modelyard.errors import InputError, Refused
from modelyard.loop import apply as applying
from modelyard.loop import parallel, replay, scoreboard, story
from modelyard.loop.tick import tick
from modelyard.loop.variants import vary
from modelyard.loop.yard import Yard
from modelyard.records import Mark, Release
from modelyard.serve import Gateway, discard
from modelyard.spec import Project
from modelyard.spec.fingerprints import fingerprints
from modelyard.spec.sources import digests
from modelyard.store import Store, open_store

ENV = "simulation"
ACTOR = "simulation"
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Question:
    """What is to be simulated: `project` from `start` to `end`, one controller turn each `step`."""

    project: Project
    start: datetime
    end: datetime
    step: timedelta

    @property
    def grain(self) -> timedelta:
        """A day where steps and the windows of all monitors are whole days, so that no window begins within one, and no
        monitor compares hours of the week."""
        watched = self.project.spec.monitors.values()
        parts = [self.step, self.end - self.start, *(each.window for each in watched)]
        hourly = any(each % _DAY for each in parts) or any(each.reference == "seasonal" for each in watched)
        return _HOUR if hourly else _DAY

    def identity(self) -> str:
        """A digest of everything that the answer depends on."""
        sources = digests(self.project.data, self.project.spec.sources)
        return digest(
            {
                "modelyard": __version__,
                "spec": self.project.spec.model_dump(mode="json", by_alias=True),
                "fingerprints": fingerprints(self.project),
                "sources": sources,
                "span": [self.start.isoformat(), self.end.isoformat(), self.step.total_seconds()],
            }
        )[:16]


def simulate(
    project: Project,
    home: Path,
    *,
    start: datetime,
    end: datetime,
    step: timedelta,
    variants: tuple[tuple[str, tuple[str, ...]], ...] = (),
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Play the declared policy, or one variant per value of `variants` (`("models.late.window", ("90d", "365d"))`).

    What is installed may move meanwhile: the environment is taken as it is at the beginning, so that it is never a reason
    to retrain. The result is the JSON of `yard simulate`: summary, windows, events; `variants` has one such block for each.
    """
    if not project.spec.deployments:
        raise InputError("the project declares no deployment, so there is nothing to simulate", hint="Declare one.")
    if end <= start:
        raise InputError(f"--to {end:%Y-%m-%d} is not after --from {start:%Y-%m-%d}")
    began = time.monotonic()
    project = replace(project, lock=project.environment())
    root = home / "simulations"
    if variants:
        parts = [Part(name, Question(varied, start, end, step), root) for name, varied in vary(project, variants)]
        blocks = parallel.each(play_part, parts, progress)
    else:
        blocks = [play(Question(project, start, end, step), root, progress)]
    first = blocks[0]
    result = {key: first[key] for key in ("summary", "windows", "events", "deployments")}
    result["project"] = project.spec.project
    result["span"] = {"from": start.isoformat(), "to": end.isoformat(), "step_seconds": step.total_seconds()}
    result["summary"]["seconds"] = round(time.monotonic() - began, 1)
    if variants:
        result["variants"] = blocks
    return result


@dataclass(frozen=True)
class Part:
    """One variant of a simulation: its name, its question, and where its memory is."""

    name: str
    question: Question
    root: Path


def play_part(part: Part, progress: Callable[[str], None]) -> dict[str, Any]:
    """Play one variant; what it tells begins with its name."""

    def tell(message: str) -> None:
        mark = "~" if message.startswith("~") else ""
        progress(f"{mark}[{part.name}] {message.lstrip('~')}")

    return {"name": part.name, **play(part.question, part.root, tell)}


def play(question: Question, root: Path, progress: Callable[[str], None]) -> dict[str, Any]:
    """Answer one question, from what an earlier run of it left."""
    home = root / question.identity()
    answered = home / "result.json"
    if answered.exists():
        progress("this simulation has run before: its result is unchanged")
        return json.loads(answered.read_text(encoding="utf-8"))
    with AheadEngine([train.CHILD]) as engine:
        result = _play(question, root, home, engine, progress)
    temporary = answered.with_suffix(".part")
    temporary.write_text(json.dumps(result, ensure_ascii=False), encoding="utf-8")
    temporary.replace(answered)
    return result


def _play(
    question: Question, root: Path, home: Path, engine: LocalEngine, progress: Callable[[str], None]
) -> dict[str, Any]:
    progress("~reading the history")
    histories = replay.load(question.project, root / "history", until=question.end, actor=ACTOR, engine=engine)
    clock = SimulatedClock(question.start)
    store = open_store(home, project=question.project.spec.project, env=ENV, clock=clock)
    rows = functools.partial(replay.arrived, question.project.spec, histories)
    yard = Yard(question.project, store, ACTOR, engine, progress, simulated=True, rows=rows, grain=question.grain)
    with store.lease("simulate") as held:
        started = time.monotonic()
        first = begin(yard)
        with _settled():
            turn_all(question, yard, clock, histories, first, held)
        result = board(question, yard)
        result["summary"]["seconds"] = round(time.monotonic() - started, 1)
    return result


@contextmanager
def _settled() -> Iterator[None]:
    """What is loaded by now stays until the end: the garbage collector does not look through it time and again."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def begin(yard: Yard) -> dict[str, str]:
    """Put the first releases in place, as an apply at the simulation's start would; deployment -> digest."""
    mark = yard.store.one(Mark, name="first")
    if mark is not None:
        return mark.value
    outcome = applying.apply(yard)
    failed = [result.says for result in outcome.results if result.state != "done"]
    if failed:
        raise Refused("nothing can be simulated before a first release passes: " + "; ".join(failed))
    with yard.store.lease(applying.LEASE, wait=applying.PATIENCE) as held:
        release.auto_approve(yard.store, yard.project.spec, now=yard.now, after=timedelta(0), fence=held)
        applying.roll_out(yard, held)
        first = {}
        for name, deployment in yard.project.spec.deployments.items():
            first[name] = release.find(yard.store, f"{deployment.model}@champion").digest
        with yard.store.transaction(actor=ACTOR, action="simulation.began", subject=yard.store.project) as tx:
            tx.add(Mark(name="first", value=first, at=yard.now))
    return first


def intervals(start: datetime, end: datetime, step: timedelta) -> Iterator[tuple[int, datetime, datetime]]:
    """Number, start and end of every step."""
    number, low = 0, start
    while low < end:
        high = min(low + step, end)
        yield number, low, high
        number, low = number + 1, high


def turn_all(
    question: Question,
    yard: Yard,
    clock: SimulatedClock,
    histories: dict[str, replay.History],
    first: dict[str, str],
    held: Any,
) -> None:
    """Traffic, labels and one turn of the controller per step, from the step after the last finished one."""
    store = yard.store
    gateway = Gateway(
        store, clock=clock, companions={name: {scoreboard.STATIC: digest} for name, digest in first.items()}
    )
    mark = store.one(Mark, name="step")
    finished = mark.value["finished"] if mark is not None else 0
    for name in histories:
        discard(store, name)
    sent: dict[str, list[tuple[str, slice]]] = {name: [] for name in histories}
    steps = list(intervals(question.start, question.end, question.step))
    try:
        for number, low, high in steps:
            for name, history in histories.items():
                sent[name].append((f"sim-{number}", history.rows(low, high)))
            if number < finished:
                continue
            clock.set(low)
            gateway.refresh()
            yard.progress(f"~{low:%Y-%m-%d}  step {number + 1} of {len(steps)}")
            for name, history in histories.items():
                replay.send(gateway, name, history, f"sim-{number}", low, high)
                replay.answer(gateway, name, history, sent[name], low, high)
            gateway.rotate()
            clock.set(high)
            with store.lease(applying.LEASE, wait=applying.PATIENCE) as turn_held:
                tick(yard, turn_held)
                remember(store, number + 1, turn_held)
    finally:
        gateway.close()


def remember(store: Store, finished: int, held: Any) -> None:
    """Move the simulation's cursor."""
    now = store.clock.now()
    with store.transaction(actor=ACTOR, action="simulation.stepped", subject=store.project, fence=held) as tx:
        if not tx.change(Mark, {"name": "step"}, value={"finished": finished}, at=now):
            tx.add(Mark(name="step", value={"finished": finished}, at=now))


def board(question: Question, yard: Yard) -> dict[str, Any]:
    """The figures of every deployment, and the story of what happened."""
    store = yard.store
    names = {item.digest: f"{item.model}@{item.number}" for item in store.read(Release)}
    deployments = {}
    for name, deployment in yard.project.spec.deployments.items():
        model = yard.project.spec.models[deployment.model]
        champion = release.find(store, f"{deployment.model}@champion")
        classes = champion.body["classes"]
        metric = scoreboard.primary(model)
        table = scoreboard.read(store, name, question.start, question.end)
        deployments[name] = {
            "metric": metric,
            "better": scoreboard.metrics.better(metric),
            **scoreboard.figures(table, model, metric, classes),
            "windows": scoreboard.by_window(table, model, metric, classes, question.start, question.end, names),
        }
    events = story.events(store)
    first = next(iter(deployments.values()))
    return {
        "summary": {
            "metric": first["metric"],
            "better": first["better"],
            "policy": first["policy"],
            "static": first["static"],
            "rows": first["rows"],
            "windows": len(first["windows"]),
            **story.counts(events),
        },
        "windows": first["windows"],
        "events": events,
        "deployments": deployments,
    }
