"""Carry out what triggers ask for beside training: roll back, pause a rollout, run a command."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal

from modelyard import release, triggers
from modelyard.errors import LeaseLost, Refused, YardError
from modelyard.loop.yard import Yard
from modelyard.records import Deployment, Request
from modelyard.spec.triggers import Act
from modelyard.store import Held

TAIL = 500


def react(yard: Yard, held: Held) -> None:
    """Carry out every open request that is no training. One that was carried out and not closed is not repeated, but for
    commands: they are run again, with the same YARD_REQUEST."""
    for request in yard.store.read(Request, kind=["rollback", "pause", "run"], state="open", order="id"):
        try:
            outcome = _carry_out(yard, held, request)
        except LeaseLost:
            raise
        except Refused as error:
            _close(yard, held, request, "refused", str(error))
        except YardError as error:
            _close(yard, held, request, "failed", str(error))
        else:
            _close(yard, held, request, "done", outcome)


def _close(yard: Yard, held: Held, request: Request, state: Literal["done", "refused", "failed"], outcome: str) -> None:
    triggers.close(yard.store, request, state, outcome, now=yard.now, actor=yard.actor, fence=held)
    yard.progress(f"trigger.{request.trigger}: {request.kind}: {outcome}")


def _carry_out(yard: Yard, held: Held, request: Request) -> str:
    if request.kind == "run":
        return _run(yard, request)
    act = release.rollback if request.kind == "rollback" else release.pause
    said = []
    for name, then in request.detail.get("routes", {}).items():
        if triggers.routes(yard.store.one(Deployment, name=name)) != then:
            said.append(f"{name} does not serve what it served when this was asked for")
            continue
        why = f"trigger {request.trigger}: {request.why}"
        said.append(act(yard.store, name, actor=yard.actor, why=why, fence=held).says)
    return "; ".join(said) or "no deployment serves the model"


def _run(yard: Yard, request: Request) -> str:
    """Run a declared command in the project's folder, within its limit; its output's tail is the outcome."""
    act = _declared(yard, request)
    if act is None or act.run is None:
        raise Refused("the command is declared no more")
    told = " ".join(act.run)
    if yard.simulated:
        return f"would run: {told}"
    env = {
        "YARD_REQUEST": request.key,
        "YARD_TRIGGER": request.trigger,
        "YARD_MODEL": request.subject,
        "YARD_WHY": request.why,
    }
    with tempfile.TemporaryDirectory(prefix="yard-run-") as folder:
        log = Path(folder) / "log"
        try:
            ended = yard.engine.run(act.run, cwd=yard.project.directory, log=log, timeout=act.limit, env=env)
        except OSError as error:
            raise YardError(f"{told}: cannot be run: {error.strerror}") from None
        tail = log.read_text(errors="replace").replace("\0", "")[-TAIL:].strip()
    if not ended.ok:
        raise YardError(f"{told}: ended with {ended.status} ({ended.reason}): {tail}")
    return f"{told}: {tail}" if tail else told


def _declared(yard: Yard, request: Request) -> Act | None:
    trigger = yard.project.spec.triggers.get(request.trigger)
    place = int(request.detail.get("place", 0))
    act = trigger.do[place] if trigger is not None and place < len(trigger.do) else None
    return act if isinstance(act, Act) else None
