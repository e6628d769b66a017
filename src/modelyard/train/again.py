"""Fit again from what the store holds alone: a recipe, as a model version's body keeps it.

The recipe is code, parameters, seed, limits, half-life, split and frame: see `recipe`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from modelyard.errors import DataError
from modelyard.models import target
from modelyard.train import weights
from modelyard.train.cut import Frame, split
from modelyard.train.fitting import Engine, Fits, Fitted, fit_each

if TYPE_CHECKING:  # the child process imports this package and has no use for them
    from modelyard.spec.models import Model
    from modelyard.store import Store


@dataclass(frozen=True)
class Limits:
    """What a function may use."""

    time: timedelta
    memory: int | None


@dataclass(frozen=True)
class Split:
    """How rows are divided."""

    by: str | None
    test: timedelta | float | None
    mature: timedelta | None


def recipe(model: Model) -> dict[str, Any]:
    """What of a declaration a fit depends on, beside code, parameters and seed, as JSON for a version's body."""
    test = model.split.test
    return {
        "frame": model.frame,
        "refit": model.split.refit,
        "half_life_seconds": model.half_life.total_seconds() if model.half_life else None,
        "limits": {"time_seconds": model.limits.time.total_seconds(), "memory": model.limits.memory},
        "split": {
            "by": model.split.by,
            "test_seconds": test.total_seconds() if isinstance(test, timedelta) else None,
            "test_share": None if isinstance(test, timedelta) else test,
            "mature_seconds": model.split.mature.total_seconds() if model.split.mature is not None else None,
        },
    }


def _split(kept: Mapping[str, Any]) -> Split:
    seconds, mature = kept["test_seconds"], kept["mature_seconds"]
    test = kept["test_share"] if seconds is None else timedelta(seconds=seconds)
    return Split(kept["by"], test, None if mature is None else timedelta(seconds=mature))


def _limits(kept: Mapping[str, Any]) -> Limits:
    return Limits(timedelta(seconds=kept["time_seconds"]), kept["memory"])


@dataclass(frozen=True)
class StoredCode:
    """A function and the files it reached, as they were when the version was made."""

    function: str
    files: dict[str, str]

    @classmethod
    def of(cls, store: Store, code: Mapping[str, Any]) -> StoredCode:
        """Read it from the body's `code`: {"function", "blob"}."""
        tree = store.blobs.manifest(code["blob"])
        return cls(code["function"], {name: store.blobs.get(each).decode() for name, each in tree.items()})


def refit(store: Store, engine: Engine, body: Mapping[str, Any], frame: Frame, *, job_name: str) -> Fitted:
    """Rebuild the released artefact from a release's (or version's) body and the frame of its dataset versions.

    The frame must be that of `data.training_frame` with the body's dataset versions, `as_of` and `window`. DataError
    when it has other rows than the body tells. Compare `manifest["native"]` with the body's to tell whether the
    artefact is identical.
    """
    as_of = datetime.fromisoformat(body["as_of"])
    cut = split(frame, _split(body["recipe"]["split"]), as_of=as_of, seed=body["seed"])
    rows = cut.all if body["recipe"]["refit"] == "all" else cut.train
    expected = body["fitted_rows"]
    if len(rows) != expected:
        raise DataError(f"the data gives {len(rows):,} rows to fit on, the release was fitted on {expected:,}")
    with refit_on(store, engine, body, frame, rows={"all": rows}, job_name=job_name) as fits:
        return fits.take("all")


def refit_on(
    store: Store,
    engine: Engine,
    body: Mapping[str, Any],
    frame: Frame,
    *,
    rows: Mapping[str, np.ndarray],
    job_name: str,
    signature: dict[str, Any] | None = None,
) -> AbstractContextManager[Fits]:
    """Fit the recipe of `body` on other `rows` of a frame, see `fit_each`; `signature` when the frame's differs from the
    body's."""
    kept = body["recipe"]
    signature = signature or json.loads(store.blobs.get(body["signature"]))
    used = np.zeros(len(frame.table), dtype=bool)
    for each in rows.values():
        used[each] = True
    table = frame.table if used.all() else frame.table.filter(pa.array(used))
    places = np.cumsum(used) - 1
    half_life = kept["half_life_seconds"]
    aged = None
    if half_life is not None and frame.time is not None:
        aged = weights.by_age(table.column(frame.time), timedelta(seconds=half_life))
    return fit_each(
        store, engine, table=table, y=target.encode(table, signature), weights=aged,
        rows={name: places[each] for name, each in rows.items()},
        code=StoredCode.of(store, body["code"]), params=body["params"], seed=body["seed"],
        limits=_limits(kept["limits"]), signature=signature, job_name=job_name, frame=kept["frame"],
    )  # fmt: skip
