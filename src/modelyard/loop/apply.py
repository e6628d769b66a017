"""Apply: carry out the steps of a plan, one by one, and record what now holds.

Steps are idempotent and content-addressed: after `kill -9` the next apply finds what was finished and goes on. One
apply works on a project and environment at a time, by lease; the records come last, so nothing half-done is visible.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Literal, assert_never

from modelyard import data, release, serve
from modelyard.digest import digest
from modelyard.errors import CheckFailed, InputError, Refused, StalePlan, UserCodeError, YardError
from modelyard.loop import faults, rival, upstream
from modelyard.loop.fitting import check_inputs
from modelyard.loop.ground import latest_declaration, latest_versions, survey
from modelyard.loop.model_step import build_model, judge_again
from modelyard.loop.rename import rename
from modelyard.loop.snapshot import snapshot
from modelyard.loop.yard import Yard
from modelyard.plan import (
    BuildDataset,
    BuildView,
    Control,
    Deploy,
    JudgeModel,
    Plan,
    RecordOnly,
    Rename,
    Retire,
    Step,
    TrainModel,
)
from modelyard.records import Declaration, Request, Version
from modelyard.store import Held

LEASE = "loop"
PATIENCE = 3600.0


@dataclass(frozen=True)
class Result:
    """What came of one step."""

    entity: str
    state: Literal["done", "failed", "skipped"]
    says: str
    error: YardError | None = None

    def as_json(self) -> dict[str, Any]:
        """The result as one JSON object."""
        return {"entity": self.entity, "state": self.state, "says": self.says}


@dataclass(frozen=True)
class Applied:
    """What an apply did; `waiting` says what people or time must still do."""

    plan: Plan
    results: tuple[Result, ...]
    waiting: tuple[str, ...] = ()
    ok: bool = True

    def as_json(self) -> dict[str, Any]:
        """The outcome as one JSON object."""
        return {
            "ok": self.ok,
            "changes": self.plan.as_json()["changes"],
            "results": [result.as_json() for result in self.results],
            "waiting": list(self.waiting),
        }


@dataclass
class Work:
    """One apply under way: what it has built, what failed, and the lease it holds."""

    yard: Yard
    parts: dict[str, dict[str, str]]
    as_of: datetime
    held: Held
    results: dict[str, Result] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)


def apply(yard: Yard, *, as_of: datetime | None = None, frozen: dict[str, Any] | None = None) -> Applied:
    """Make the declaration so, as the world was known at `as_of` (default: now).

    `frozen` is a plan made earlier: refused with StalePlan when its ground has moved.
    """
    as_of = as_of or yard.now
    with yard.store.lease(LEASE, wait=PATIENCE, tell=yard.progress) as held:
        plan, parts = survey(yard.project, yard.store, as_of=as_of)
        if frozen is not None and frozen.get("digest") != plan.digest:
            raise StalePlan(
                "the ground of this plan has moved since it was made", hint="Make a new one: yard plan --out FILE."
            )
        work = Work(yard, parts, as_of, held)
        for step in plan.steps:
            run(work, step)
        declare(work)
        roll_out(yard, held, {entity for entity in work.results if _failed(work, entity)})
    results = tuple(work.results.values())
    return Applied(plan, results, waiting(yard), ok=all(result.state == "done" for result in results))


def run(work: Work, step: Step) -> None:
    """Do one step and remember how it went; what hangs below a failed step is skipped."""
    entity = step.entity
    broken = [name for name in upstream.of(work.yard.project.spec, entity) if _failed(work, name)]
    if broken:
        work.results[entity] = Result(entity, "skipped", f"not tried, because {broken[0]} failed")
        return
    try:
        says = _do(work, step)
    except YardError as error:
        says = str(error).removeprefix(f"{entity}: ")
        work.results[entity] = Result(entity, "failed", says, error)
        work.yard.progress(f"{entity}: {says}")
        return
    work.results[entity] = Result(entity, "done", says)
    if says:
        work.yard.progress(f"{entity}: {says}")


def _failed(work: Work, entity: str) -> bool:
    result = work.results.get(entity)
    return result is not None and result.state != "done"


def _do(work: Work, step: Step) -> str:
    match step:
        case BuildDataset(name=name):
            return build_table(work, f"dataset.{name}")
        case BuildView(name=name):
            return build_table(work, f"feature.{name}")
        case TrainModel(name=name, why=why, request=request):
            return train(work, name, why, request)
        case JudgeModel(name=name):
            return judge(work, name)
        case Deploy() | Control() | RecordOnly():
            kind, _, name = step.entity.partition(".")
            if kind == "deployment" and not isinstance(step, RecordOnly):
                check_inputs(work.yard, name)
            return "recorded"
        case Rename(entity=entity, was=was):
            return rename(work.yard, entity, was, work.held)
        case Retire(entity=entity):
            return release.retire(work.yard.store, entity, actor=work.yard.actor, fence=work.held)
        case _:
            assert_never(step)


def build_table(work: Work, entity: str) -> str:
    """Build one dataset or feature view, once per apply."""
    if entity in work.fresh:
        return ""
    yard = work.yard
    kind, name = entity.split(".", 1)
    build = data.build_dataset if kind == "dataset" else data.build_view
    before = latest_versions(yard.store).get(entity)
    yard.progress(f"~building {entity}")
    try:
        version = build(
            yard.store,
            yard.project,
            name,
            as_of=work.as_of,
            fingerprint=digest(work.parts[entity]),
            actor=yard.actor,
            engine=yard.engine,
            fence=work.held,
        )
    except (InputError, CheckFailed, UserCodeError) as error:
        faults.failed(yard, entity, str(error), work.held)
        raise
    faults.mended(yard, entity, work.held)
    work.fresh.add(entity)
    doubts = faults.judged(yard, version, work.held)
    if doubts:
        yard.progress(f"{entity}: warning: {doubts}")
    rows = version.body["rows"]
    if before is not None and before.digest == version.digest:
        return f"unchanged, {rows:,} rows"
    told = before.body.get("warnings", ()) if before is not None else ()
    for warning in (each for each in version.body.get("warnings", ()) if each not in told):
        yard.progress(f"{entity}: warning: {warning}")
    return f"version {version.number}, {rows:,} rows{_against(before, version)}"


def _against(before: Version | None, version: Version) -> str:
    """How many rows more or fewer than the version before has; "" when it is the first, or holds the same."""
    if before is None or before.body["content"] == version.body["content"]:
        return ""
    more = version.body["rows"] - before.body["rows"]
    if not more:
        return ", as many as before: some have changed"
    return f", {abs(more):,} {'more' if more > 0 else 'fewer'} than before"


def train(work: Work, name: str, why: str, request: int | None) -> str:
    """Bring a model's data up to date, build the model, and close the request that asked for it."""
    yard = work.yard
    entity = f"model.{name}"
    before = rival.champion(yard.store, name)
    try:
        for table in upstream.tables(yard.project.spec, name):
            build_table(work, table)
        outcome = build_model(
            yard.store,
            yard.project,
            name,
            as_of=work.as_of,
            actor=yard.actor,
            engine=yard.engine,
            fence=work.held,
            why=why,
            request=request,
            progress=lambda text: yard.progress(f"~{entity}: {text}"),
            tracked=not yard.simulated,  # what is only played is no run of anybody's experiments
        )
    except YardError as error:
        close_requests(yard, name, "failed", str(error), work.held)
        raise
    failed = [v for v in outcome.verdicts if v.severity == "error" and v.state != "pass"]
    for verdict in (v for v in outcome.verdicts if v.severity == "warn" and v.state == "fail"):
        yard.progress(f"{entity}: warning: {verdict.says}")
    if outcome.release is None:
        says = "not released: " + "; ".join(verdict.says for verdict in failed)
        close_requests(yard, name, "refused", says, work.held)
        raise release.refusal(entity, failed)
    if before is not None and (told := _other_inputs(before.body["inputs"], outcome.release.body["inputs"])):
        yard.progress(f"{entity}: warning: its inputs are not those of {release.name(before)}: {told}")
    says = f"{name}@{outcome.release.number} {outcome.release.state.replace('_', ' ')}"
    close_requests(yard, name, "done", says, work.held)
    return says


def _other_inputs(before: Sequence[str], now: Sequence[str]) -> str:
    """Which inputs are new, and which are gone: who asks the model must know."""
    new, gone = [each for each in now if each not in before], [each for each in before if each not in now]
    parts = [f"{', '.join(names)} {word}" for names, word in ((new, "new"), (gone, "gone")) if names]
    return "; ".join(parts)


def judge(work: Work, name: str) -> str:
    """Judge the newest version of a model by the checks as they are declared now."""
    yard = work.yard
    outcome = judge_again(yard.store, yard.project, name, actor=yard.actor, fence=work.held, as_of=work.as_of)
    failed = [v for v in outcome.verdicts if v.severity == "error" and v.state != "pass"]
    if failed:
        raise release.refusal(f"model.{name}", failed)
    return "judged again: passes"


def close_requests(yard: Yard, model: str, state: str, outcome: str, held: Held) -> None:
    """Close the open requests to retrain `model`: what was asked for has been tried."""
    if not yard.store.read(Request, kind="retrain", subject=model, state="open"):
        return
    with yard.store.transaction(
        actor=yard.actor, action=f"request.{state}", subject=f"model.{model}", detail={"why": outcome}, fence=held
    ) as tx:
        tx.change(
            Request,
            {"kind": "retrain", "subject": model, "state": "open"},
            state=state,
            outcome=outcome[:2000],
            done_at=yard.now,
        )


def declare(work: Work) -> None:
    """Record the declaration as it now holds; what failed is left out, so that the next plan tries it again.

    A model that was built and did not pass its checks is recorded: it is tried again when something changes.
    """
    yard = work.yard
    last = latest_declaration(yard.store)
    tried = {
        entity: parts for entity, parts in work.parts.items() if not _failed(work, entity) or _judged(work, entity)
    }
    spec = yard.project.spec.model_dump(mode="json", by_alias=True)
    tree = snapshot(yard.project, yard.store.blobs)
    directory = str(yard.project.data.resolve())
    identity = digest({"spec": spec, "fingerprints": tried, "tree": tree, "directory": directory})
    if last is not None and last.digest == identity:
        return
    with yard.store.transaction(
        actor=yard.actor, action="declaration.applied", subject=yard.project.spec.project, fence=work.held
    ) as tx:
        tx.add(
            Declaration(
                digest=identity,
                spec=spec,
                fingerprints=tried,
                directory=directory,
                tree=tree,
                at=yard.now,
                actor=yard.actor,
            )
        )


def _judged(work: Work, entity: str) -> bool:
    result = work.results[entity]
    return isinstance(result.error, Refused) and entity.startswith("model.")


def roll_out(yard: Yard, held: Held, broken: Collection[str] = ()) -> None:
    """Move every deployment that is not `broken` (an entity) as far as its strategy allows now."""
    for name in yard.project.spec.deployments:
        if f"deployment.{name}" not in broken:
            move(yard, held, name)


def move(yard: Yard, held: Held, name: str) -> None:
    """Move a deployment as far as its strategy allows now."""
    decision = release.tick(
        yard.store,
        name,
        yard.project.spec.deployments[name],
        now=yard.now,
        actor=yard.actor,
        fence=held,
        simulated=yard.simulated,
        running=None if yard.simulated else partial(serve.running, yard.store, name),
    )
    if decision.acts:
        yard.progress(f"deployment.{name}: {decision.says}")


def waiting(yard: Yard) -> tuple[str, ...]:
    """What the project still waits for: approvals, a canary that takes its time."""
    return tuple(release.pending(yard.store, set(yard.project.spec.deployments), set(yard.project.spec.models)))
