"""Our gateway in the bench: a store with releases, a canary between them, and one worker over it."""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from peers import Server, Started
from problem import NAMES, fit, table

from modelyard import models
from modelyard.clock import RealClock
from modelyard.digest import canonical, digest
from modelyard.models import compiling
from modelyard.models import signature as signatures
from modelyard.records import Deployment, Release
from modelyard.spec.deployments import DeploymentSpec
from modelyard.stats import Profile
from modelyard.store import Store, open_store

RULES = {name: {"missing": "median", "out_of_range": "clip"} for name in NAMES}
ON = {"inputs": RULES, "fallback": "baseline", "log": {"durability": "process"}}
OFF = {"log": {"durability": "best_effort"}}


@cache
def saved(kind: str, compiled: bool) -> tuple[Path, dict, models.Baseline, str]:
    """A fitted model as an artefact, its signature and heuristic, and what compiling it said; made once a run."""
    rows = table()
    signature = signatures.infer(rows, NAMES, "y", "binary_classification", True)
    directory = Path(tempfile.mkdtemp(prefix="yard-bench-model-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    models.save(fit(kind), directory, signature=signature)
    says = "native"
    if compiled:
        loaded = models.load(directory, signature=signature)
        says = compiling.compile(loaded, directory, rows, signature, 1e-4)["says"]
    return directory, signature, models.Baseline.of(rows, np.asarray(rows["y"]).astype(int), [], signature), says


def release(store: Store, kind: str, number: int, compiled: bool, watched: bool) -> str:
    """Record release `number` of a model `kind`, with the profile of its training rows if it is `watched`; its digest."""
    at = datetime.now(UTC)
    # The canary is the same model under another digest: every answer can be compared with the one right answer.
    directory, signature, baseline, says = saved(kind, compiled)
    body = {
        "signature": store.blobs.put(canonical(signature)), "artefact": store.blobs.put_tree(directory),
        "baseline": store.blobs.put(baseline.to_json()), "number": number, "says": says,
    }  # fmt: skip
    if watched:
        answers = pa.array(models.load(directory, signature=signature).predict(table()))
        known = Profile.of(table().select(NAMES).append_column("prediction", answers), computed=["prediction"])
        body["reference"] = store.blobs.put(canonical(known.to_json()))
    with store.transaction(actor="bench", action="release.created", subject="late") as transaction:
        transaction.add(
            Release(
                model="late", number=number, digest=digest(body), state="live", created=at, as_of=at, author="bench",
                body=body,
            )
        )  # fmt: skip
    return digest(body)


def deploy(store: Store, routes: dict, policy: dict) -> None:
    """Route the deployment `late` so."""
    at = datetime.now(UTC)
    declared = DeploymentSpec(model="late", **policy).model_dump(mode="json", by_alias=True)
    with store.transaction(actor="bench", action="rollout.replaced", subject="late") as transaction:
        before = transaction.one(Deployment, name="late")
        if before is None:
            transaction.add(Deployment(name="late", model="late", revision=1, routes=routes, policy=declared, at=at))
        else:
            transaction.change(
                Deployment, {"name": "late"}, routes=routes, policy=declared, revision=before.revision + 1, at=at
            )


def routes(champion: str, canary: str = "", shadow: str = "") -> dict:
    """Champion alone, or with 10% for a canary and all rows for a shadow."""
    arms = [{"arm": "champion", "release": champion, "weight": 0.9 if canary else 1.0}]
    arms += [{"arm": "canary", "release": canary, "weight": 0.1}] if canary else []
    shadows = [{"arm": "shadow", "release": shadow, "share": 1.0}] if shadow else []
    return {"arms": arms, "shadows": shadows, "warm": [], "salt": "bench"}


def make(
    home: Path, kind: str, *, compiled: bool = True, on: bool = True, shadow: bool = False, watched: bool = False
) -> None:
    """A home whose deployment `late` serves `kind`."""
    with open_store(home, project="bench", clock=RealClock()) as store:
        first = release(store, kind, 1, compiled, watched)
        second = release(store, kind, 2, compiled, watched) if on else ""
        third = release(store, kind, 3, compiled, watched) if shadow else ""
        deploy(store, routes(first, second, third), ON if on else OFF)


def _start(**how: bool) -> Callable[[Path, str, int, Path], Started]:
    def start(place: Path, kind: str, port: int, work: Path) -> Started:
        home = work / ("ours-" + "-".join([kind, *(f"{name}{value:d}" for name, value in sorted(how.items()))]))
        if not home.exists():
            make(home, kind, **how)
        command = [sys.executable, "-m", "modelyard.serve.worker", "--home", str(home), "--project", "bench"]
        return Started([*command, "--port", str(port)])

    return start


def body(rows: np.ndarray) -> dict:
    """Few rows as objects, many as columns: the two forms of the gateway's own protocol."""
    if len(rows) == 1:
        return {"rows": [dict(zip(NAMES, rows[0].tolist(), strict=True))]}
    return {"columns": {name: rows[:, place].tolist() for place, name in enumerate(NAMES)}}


def _server(name: str, **how: bool) -> Server:
    return Server(
        name, (), _start(**how), "/deployments/late/predict", body, lambda answer: answer["predictions"], True
    )


OURS = (
    _server("ours"),
    _server("ours native", compiled=False),
    _server("ours off", on=False),
    _server("ours shadow", shadow=True),
)
