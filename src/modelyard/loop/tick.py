"""One turn of the controller: observe, decide, act. The same on the real clock and on a simulated one.

Level-triggered: each function of `TICK` reads the records, computes what is still to do, and does it. After `kill -9`
the next tick simply goes on.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from modelyard import monitor, release, serve, triggers
from modelyard.errors import LeaseLost, Unavailable, YardError
from modelyard.loop import apply as applying
from modelyard.loop import telling, upstream
from modelyard.loop.freshness import arrivals, newest
from modelyard.loop.ground import survey
from modelyard.loop.kpis import measure as compute
from modelyard.loop.react import react as carry_out
from modelyard.loop.refresh import refresh
from modelyard.loop.yard import Yard
from modelyard.plan import Step, TrainModel
from modelyard.records import Request
from modelyard.store import Held


@dataclass(frozen=True)
class Turn:
    """What one tick knows: the yard, and the lease under which it acts; `asked`: somebody waits for it and is told what
    fails, by its error."""

    yard: Yard
    held: Held
    asked: bool = False

    def attempt(self, what: str, act: Callable[[], None]) -> None:
        """Do one thing; that it fails is told and keeps no other from being done.

        LeaseLost and Unavailable end the turn: without the lease, or without the database, nothing can be done. In a
        simulation a defect of ours ends it; here it must not end the watch over everything else.
        """
        try:
            act()
        except (LeaseLost, Unavailable):
            raise
        except YardError as error:
            if self.asked:
                raise
            self.yard.progress(f"{what}: {error}")
        except Exception as error:
            if self.asked or self.yard.simulated:
                raise
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name} line {place.lineno}"
            self.yard.progress(f"{what}: internal error: {type(error).__name__}: {error} ({where})")

    def each(self, kind: str, names: Iterable[str], act: Callable[[str], None]) -> None:
        """Do the same for each of several, whatever becomes of the others."""
        for name in names:
            self.attempt(f"{kind}.{name}", partial(act, name))


def collect(turn: Turn) -> None:
    """Move what gateways have logged into tables, and profile what is new."""

    def take(name: str) -> None:
        serve.move(turn.yard.store, name, fence=turn.held)
        monitor.profile_segments(turn.yard.store, name, grain=turn.yard.grain, fence=turn.held)

    turn.each("deployment", turn.yard.project.spec.deployments, take)


def take_in(turn: Turn) -> None:
    """Append what is new in the sources, and take the labels among it. A simulation brings both itself."""
    if not turn.yard.simulated:
        refresh(turn.yard, turn.held)


def observe(turn: Turn, *, now_or_never: bool = False) -> None:
    """Let every monitor that is due look at its window; all of them with `now_or_never`. A simulation has no service levels."""
    yard = turn.yard

    def levels() -> None:
        monitor.watch(
            yard.store, yard.project.spec, now=yard.now, actor=yard.actor, fence=turn.held, force=now_or_never
        )

    def see(name: str) -> None:
        monitor.observe(
            yard.store,
            yard.project.spec,
            name,
            now=yard.now,
            actor=yard.actor,
            fence=turn.held,
            source_times=lambda: newest(yard),
            arrived=lambda since: arrivals(yard, since),
            memory=None if yard.simulated else lambda: serve.memory(yard.store),
            force=now_or_never,
            simulated=yard.simulated,
        )

    if not yard.simulated:
        turn.attempt("service levels", levels)
    turn.each("monitor", yard.project.spec.monitors, see)


def measure(turn: Turn) -> None:
    """Compute the business figures that are declared by SQL."""
    compute(turn.yard, turn.held)


def decide(turn: Turn) -> None:
    """Let triggers turn schedule, observations and data into requests; what is no training is done at once."""
    yard = turn.yard
    triggers.run(yard.store, yard.project.spec, now=yard.now, actor=yard.actor, fence=turn.held, rows=yard.rows)
    carry_out(yard, turn.held)


def react(turn: Turn) -> None:
    """Carry out open requests by the plan that they cause: the code path of `yard apply`."""
    yard = turn.yard
    if not yard.store.read(Request, kind="retrain", state="open", limit=1):
        return
    plan, parts = survey(yard.project, yard.store, as_of=yard.now)
    work = applying.Work(yard, parts, yard.now, turn.held)
    for step in wanted(plan.steps, yard):
        applying.run(work, step)


def wanted(steps: tuple[Step, ...], yard: Yard) -> list[Step]:
    """The steps that requests need: training, and the tables above it. Other changes wait for `yard apply`."""
    trained = [step for step in steps if isinstance(step, TrainModel) and step.request is not None]
    needed = {step.entity for step in trained}
    for step in trained:
        needed.update(upstream.of(yard.project.spec, step.entity))
    return [step for step in steps if step.entity in needed]


def approve(turn: Turn) -> None:
    """In a simulation, play the people who approve."""
    yard = turn.yard
    after = yard.project.spec.simulate.approve_after
    if yard.simulated and after is not None:
        release.auto_approve(yard.store, yard.project.spec, now=yard.now, after=after, fence=turn.held)


def roll_out(turn: Turn) -> None:
    """Move every deployment as far as its strategy allows now."""
    turn.each("deployment", turn.yard.project.spec.deployments, partial(applying.move, turn.yard, turn.held))


def inform(turn: Turn) -> None:
    """Tell people what they must know, unless somebody is at it already: a controller tells beside its turns, too."""
    if turn.yard.simulated:
        telling.alone(turn.yard, turn.held)
    else:
        telling.once(turn.yard)


TICK: tuple[Callable[[Turn], None], ...] = (
    collect, take_in, observe, measure, decide, inform, react, approve, roll_out, inform,
)  # fmt: skip
"""What was seen and decided is told before a training begins: it may take an hour, and its release end what was to be told."""


def look(yard: Yard, held: Held) -> None:
    """Let every monitor look now, whether it is due or not; figures are brought up to date, and what must be is told."""
    turn = Turn(yard, held, asked=True)
    collect(turn)
    take_in(turn)
    observe(turn, now_or_never=True)
    measure(turn)
    inform(turn)


def tick(yard: Yard, held: Held) -> None:
    """Turn once. A failing part is told and does not keep the others from their work: see `Turn.attempt`."""
    turn = Turn(yard, held)
    for part in TICK:
        turn.attempt(part.__name__, partial(part, turn))
