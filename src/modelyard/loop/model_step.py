"""Build a model: rows, cut, fit, judge, fit on all, keep, release. The same ground gives the same version, which is not fitted twice.

Facts in this order: a Run that says "running"; blobs; then the Version, its verdicts and the finished Run in one
transaction; then the release. Whatever dies in between, the next call finds what was finished and goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from modelyard import models, release, train
from modelyard.clock import cpu_seconds
from modelyard.digest import digest
from modelyard.engines.local import LocalEngine
from modelyard.errors import NotFound, UserCodeError, YardError
from modelyard.evaluate import Evidence, Scored, judge, slices
from modelyard.loop import kept, rival
from modelyard.loop.kept import Asked
from modelyard.loop.trial import Trial, content, latest, prepare
from modelyard.models import columns, compiling
from modelyard.records import Release, Run, Verdict, Version
from modelyard.spec.fingerprints import fingerprints
from modelyard.spec.load import Project
from modelyard.store import Held, Store, Transaction
from modelyard.train import baseline, tracking
from modelyard.train.fitting import Engine, answers, clear

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """A model version, how it was judged, and its release: None when a check of error severity did not pass."""

    version: Version
    verdicts: tuple[Verdict, ...]
    release: Release | None


@dataclass(frozen=True, eq=False)
class Judged:
    """What the judging found: verdicts, and the figures that the body keeps."""

    verdicts: tuple[Verdict, ...]
    metrics: dict[str, dict[str, float] | None]

    @property
    def passed(self) -> bool:
        """Whether no check of error severity stands in the way."""
        return all(verdict.state == "pass" for verdict in self.verdicts if verdict.severity == "error")

    def slices(self) -> list[dict[str, Any]]:
        """The slices that checks looked at, each with its metric."""
        return [
            {"metric": verdict.detail["metric"], **each}
            for verdict in self.verdicts
            for each in verdict.detail.get("slices", ())
        ]


@dataclass(frozen=True, eq=False)
class Built:
    """A version to be recorded, how it was judged, the files of its model (of the cut's, when it did not pass), and the
    end of what the function printed."""

    version: Version
    judged: Judged
    files: Path
    log: str


def build_model(
    store: Store,
    project: Project,
    name: str,
    *,
    as_of: datetime,
    actor: str,
    engine: Engine,
    fence: Held | None = None,
    why: str = "",
    request: int | None = None,
    progress: Progress | None = None,
    tracked: bool = True,
) -> Outcome:
    """Train, judge and release the model `name` on what was known at `as_of`, from the newest versions of its data.

    `tracked`: the run goes to MLflow too. Checks that fail raise nothing: `release` is None then. DataError when the
    rows cannot be trained on, UserCodeError when the function fails; a failed run is recorded, and the last good
    release stands.
    """
    say = progress or (lambda text: None)
    say("joining rows")
    trial = prepare(store, project.spec, name, as_of=as_of)
    body, identity = content(store, project, trial)
    known = store.one(Version, entity=trial.entity, digest=identity)
    if known is not None:
        say("nothing has changed since it was fitted")
        return _judge_known(store, engine, project, trial, known, actor=actor, fence=fence, why=why)
    run = _started(store, trial, identity, actor=actor, fence=fence, why=why, request=request)
    began = cpu_seconds()
    try:
        built = _build(store, project, trial, body, identity, engine, actor, say, tracked)
        run, version = _finished(store, _spent(run, began), built, actor=actor, fence=fence)
    except YardError as error:
        _failed(store, _spent(run, began), error, actor=actor, fence=fence)
        raise
    released = _release(store, trial, version, built.judged, actor=actor, fence=fence, why=why)
    if tracked:
        _track(store, run, version, built.files, actor=actor)
    clear(store, _job(trial, identity))
    return Outcome(version, built.judged.verdicts, released)


def judge_again(
    store: Store,
    project: Project,
    name: str,
    *,
    actor: str,
    as_of: datetime | None = None,
    engine: Engine | None = None,
    fence: Held | None = None,
) -> Outcome:
    """Judge the newest version of a model by the checks as declared now; nothing is fitted but, perhaps, the champion.

    A version that had not passed and now does is released. NotFound when there is none.
    """
    version = latest(store, f"model.{name}")
    if version is None:
        raise NotFound(f"model.{name} has not been built yet", hint="Run: yard apply")
    sources = [version.body["dataset"], *version.body["features"].values()]
    pinned = {source["entity"]: source["number"] for source in sources}
    trial = prepare(store, project.spec, name, as_of=datetime.fromisoformat(version.body["as_of"]), pinned=pinned)
    why = "the checks have changed"
    return _judge_known(store, engine or LocalEngine(), project, trial, version, actor=actor, fence=fence, why=why)


def _judge_known(
    store: Store,
    engine: Engine,
    project: Project,
    trial: Trial,
    version: Version,
    *,
    actor: str,
    fence: Held | None,
    why: str,
) -> Outcome:
    """Judge a version that is there already, record verdicts that differ, and release it if it never was."""
    cut = rival.load(store, version.body["cut"]["artefact"], version.body["signature"])
    judged, asked = _judge(store, engine, project, trial, cut, version.body, version.digest)
    before = {verdict.check: _gist(verdict) for verdict in store.read(Verdict, subject=version.digest)}
    if any(before.get(verdict.check) != _gist(verdict) for verdict in judged.verdicts):
        with store.transaction(
            actor=actor, action="model.judged", subject=trial.entity, detail={"version": version.number}, fence=fence
        ) as tx:
            tx.add_all(judged.verdicts)
    if judged.passed and "artefact" not in version.body and _known_release(store, trial, version) is None:
        body = version.body | _refitted(store, engine, trial, version, asked)
        version = replace(version, body=body)
    released = _release(store, trial, version, judged, actor=actor, fence=fence, why=why)
    return Outcome(version, judged.verdicts, released)


def _refitted(store: Store, engine: Engine, trial: Trial, version: Version, asked: Asked) -> dict[str, Any]:
    """What a release needs of a version that had not passed and now does: it was not fitted on all rows then."""
    name = _job(trial, version.digest)
    rows = {"all": np.arange(len(trial.rows))}
    fits = train.refit_on(
        store, engine, version.body, trial.fitted, rows=rows, job_name=name, signature=trial.signature
    )
    with fits as running:
        ground = kept.Ground.of(trial)
        before = kept.ahead(store, trial, asked, ground)
        released = running.take("all", ground.inputs.work)
    found = kept.complete(store, trial, asked, ground, before, released)
    clear(store, name)
    return found


def _gist(verdict: Verdict) -> tuple[Any, ...]:
    return verdict.severity, verdict.state, verdict.says


def _build(
    store: Store,
    project: Project,
    trial: Trial,
    body: dict[str, Any],
    identity: str,
    engine: Engine,
    actor: str,
    say: Progress,
    tracked: bool,
) -> Built:
    """Fit and judge; what passes is fitted on all rows, compiled and profiled. A child process fits while this one does
    what needs no more than is there: it is ended when the model of the cut does not pass."""
    say(f"fitting on {len(trial.rows):,} rows")
    rows = {"cut": trial.cut.train} | ({"all": trial.cut.all} if trial.model.split.refit == "all" else {})
    rows = {part: np.searchsorted(trial.rows, each) for part, each in rows.items()}
    fits = train.refit_on(
        store, engine, body, trial.fitted, rows=rows, job_name=_job(trial, identity), signature=trial.signature
    )
    with fits as running:
        compiling.warm()
        if tracked:
            tracking.warm()
        ground = kept.Ground.of(trial)
        released = cut = running.take("cut", ground.inputs.work)
        say(f"judging on {len(trial.cut.test):,} rows")
        judged, asked = _judge(store, engine, project, trial, cut.model(), body, identity)
        if judged.passed:
            before = kept.ahead(store, trial, asked, ground)
            released = running.take("all", ground.inputs.work) if "all" in rows else cut
        log = running.log
    body |= {"cut": {"artefact": store.blobs.put_tree(cut.directory), "native": cut.manifest["native"]}}
    if judged.passed:
        say("compiling")
        body |= kept.complete(store, trial, asked, ground, before, released)
    body |= {"metrics": judged.metrics, "slices": judged.slices()}
    last = latest(store, trial.entity)
    version = Version(
        entity=trial.entity,
        number=last.number + 1 if last else 1,
        fingerprint=digest(fingerprints(project)[trial.entity]),
        digest=identity,
        as_of=trial.as_of,
        created=store.clock.now(),
        actor=actor,
        body=body,
    )
    return Built(version, judged, released.directory, log)


def _judge(
    store: Store,
    engine: Engine,
    project: Project,
    trial: Trial,
    model: models.Model,
    body: Mapping[str, Any],
    identity: str,
) -> tuple[Judged, Asked]:
    """Score the cut's model on test rows and rows that it was fitted on, the baseline and the champion beside it."""
    function, test = trial.model.train, trial.test
    asked = Asked(model, answers(model, test, function), answers(model, trial.seen, function))
    candidate, seen = trial.scored(test, asked.test), trial.scored(trial.seen, asked.seen)
    rows = trial.table(trial.cut.train, [trial.model.target, *trial.model.baseline.by])
    heuristic = baseline.fit(rows, trial.labels(rows), by=trial.model.baseline.by, signature=trial.signature)
    simple = trial.scored(test, heuristic.predict(test))
    versus, absent = rival.compare(store, engine, project.spec, trial, body, asked.test)
    evidence = Evidence(candidate, simple, versus, absent, _slices(trial))
    verdicts = judge(trial.model, evidence, entity=trial.entity, subject=identity, at=store.clock.now())
    parts: dict[str, Scored | None] = {
        "train": seen, "test": candidate, "baseline": simple, "champion": versus.rival if versus else None,
    }  # fmt: skip
    judged = Judged(tuple(verdicts), {part: scored.all() if scored else None for part, scored in parts.items()})
    return judged, asked


def _slices(trial: Trial) -> dict[str, np.ndarray]:
    wanted = {column for check in trial.model.checks if check.slices for column in check.slices.by}
    return {column: slices.label(columns.column(trial.test, column)) for column in sorted(wanted)}


def _release(
    store: Store, trial: Trial, version: Version, judged: Judged, *, actor: str, fence: Held | None, why: str
) -> Release | None:
    """Release the version once, when its checks passed."""
    if not judged.passed:
        return None
    known = _known_release(store, trial, version)
    return known or release.create(
        store,
        model=trial.name,
        version=version,
        verdicts=judged.verdicts,
        author=actor,
        approval=trial.model.approval,
        why=why,
        fence=fence,
    )


def _known_release(store: Store, trial: Trial, version: Version) -> Release | None:
    """The release of a version."""
    found = store.read(Release, model=trial.name, order="number", descending=True)
    return next((each for each in found if each.body["version"]["digest"] == version.digest), None)


def _job(trial: Trial, identity: str) -> str:
    return f"{trial.name}-{identity[:16]}"


def _started(
    store: Store, trial: Trial, identity: str, *, actor: str, fence: Held | None, why: str, request: int | None
) -> Run:
    """Record that the run goes on; one of the same ground that failed or died is taken up again."""
    key, now = f"{trial.name}/{identity[:16]}", store.clock.now()
    detail = {"run": key, "why": why}
    with store.transaction(actor=actor, action="run.started", subject=trial.entity, detail=detail, fence=fence) as tx:
        started: dict[str, Any] = {"state": "running", "started": now, "ended": None, "error": "", "as_of": trial.as_of}
        started["body"] = {"why": why, "request": request, "digest": identity}
        if not tx.change(Run, {"key": key}, **started):
            tx.add(Run(key=key, model=trial.name, params=dict(trial.model.params), **started))
        run = tx.one(Run, key=key)
    assert run is not None
    return run


def _finished(store: Store, run: Run, built: Built, *, actor: str, fence: Held | None) -> tuple[Run, Version]:
    """Version, verdicts and the finished run, all or nothing."""
    version, judged = built.version, built.judged
    detail = {"version": version.number, "digest": version.digest, "run": run.key}
    done = replace(
        run,
        state="done",
        ended=store.clock.now(),
        metrics=judged.metrics,
        body={**run.body, "version": version.number, "log": built.log},
    )
    version = replace(version, body={**version.body, "run": run.key})
    with store.transaction(actor=actor, action="model.built", subject=version.entity, detail=detail, fence=fence) as tx:
        version = tx.add(version)
        tx.add_all(judged.verdicts)
        _note(tx, done)
    return done, version


def _spent(run: Run, began: float) -> Run:
    """The run with the processor time that it took: reading, fitting, judging."""
    return replace(run, body={**run.body, "cpu_seconds": round(cpu_seconds() - began, 3)})


def _note(tx: Transaction, run: Run) -> None:
    tx.change(
        Run, {"key": run.key}, state=run.state, ended=run.ended, metrics=run.metrics, body=run.body, error=run.error,
        mlflow_id=run.mlflow_id,
    )  # fmt: skip


def _failed(store: Store, run: Run, error: YardError, *, actor: str, fence: Held | None) -> None:
    said = {"log": error.log} if isinstance(error, UserCodeError) and error.log else {}
    done = replace(run, state="failed", ended=store.clock.now(), error=str(error), body={**run.body, **said})
    with store.transaction(
        actor=actor, action="run.failed", subject=f"model.{run.model}", detail={"run": run.key, "why": str(error)},
        fence=fence,
    ) as tx:  # fmt: skip
        _note(tx, done)


def _track(store: Store, run: Run, version: Version, files: Path, *, actor: str) -> None:
    """Project the run into MLflow; a failure there is a warning here, because our own records are complete."""
    body = version.body
    tags = {
        "modelyard.version": f"{version.entity}/{version.number}",
        "modelyard.digest": version.digest,
        "modelyard.artefact": body.get("artefact", body["cut"]["artefact"]),
        "modelyard.code": body["code"]["fingerprint"],
        "modelyard.lock": body["lock"]["digest"],
        **{
            f"modelyard.data.{each['entity']}": each["digest"] for each in [body["dataset"], *body["features"].values()]
        },
    }
    try:
        run = replace(run, mlflow_id=tracking.project(store, run, tags=tags, artefact=files))
    except Exception as error:  # whatever MLflow raises, the model is built
        run = replace(run, body={**run.body, "warnings": [f"not in MLflow: {type(error).__name__}: {error}"]})
    with store.transaction(actor=actor, action="run.tracked", subject=version.entity, detail={"run": run.key}) as tx:
        _note(tx, run)
