"""The child process of a training run: `python -m modelyard.train.child [DIRECTORY]`. It fits and saves, nothing more.

What is judged is never what lives here, but what was saved and is loaded again by the parent.
"""

from __future__ import annotations

import importlib
import json
import random
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from modelyard import models
from modelyard.engines import ahead, function
from modelyard.errors import UserCodeError, YardError
from modelyard.models.frame import polars, to_frame
from modelyard.train import job

_TAIL = 3000


def main(directory: Path) -> int:
    """Do the job in `directory`, telling each fit when it is saved; 0 in the end, 1 when `error.json` tells why not."""
    function.die_with_parent()
    task = json.loads((directory / "job.json").read_text())
    try:
        fitting = function.load(directory / "code", task["function"])
        table = job.read_rows(directory)
        for name in task["fits"]:
            _leave(directory, f"fit-{name}", _fit(name, fitting, table, task, directory))
    except YardError as error:
        _leave(directory, "error", error.as_json())
        return 1
    return 0


def _fit(
    name: str, fitting: Callable[..., Any], table: pa.Table, task: dict[str, Any], directory: Path
) -> dict[str, Any]:
    """Fit on the rows of one fit, save the model, and say how long the function took."""
    picked = np.load(directory / f"rows-{name}.npy")
    rows = table if len(picked) == len(table) else table.take(pa.array(picked))
    offered = _offered(rows, task)
    _seed(task["seed"])
    started = time.perf_counter()
    model = _call(fitting, offered, task["function"], directory)
    seconds = time.perf_counter() - started
    try:
        manifest = models.save(
            model,
            directory / f"model-{name}",
            signature=task["signature"],
            frame=task["frame"],
            code=directory / "code",
        )
    except UserCodeError as error:
        error.where = error.where or task["function"]
        raise
    return {"seconds": seconds, "manifest": manifest}


def _offered(rows: pa.Table, task: dict[str, Any]) -> dict[str, Any]:
    y = rows.column(job.TARGET).to_numpy()
    weights = rows.column(job.WEIGHTS).to_numpy() if job.WEIGHTS in rows.column_names else None
    return {
        "X": to_frame(rows, task["signature"], task["frame"]),
        "y": _labels(y, task["signature"]["target"]["name"], task["frame"]),
        "params": task["params"],
        "seed": task["seed"],
        "weights": weights,
    }


def _labels(y: np.ndarray, name: str, kind: str) -> Any:
    if kind == "polars":
        return polars().Series(name, y.tolist() if y.dtype == object else y)
    return pd.Series(y, name=name, dtype=y.dtype) if kind == "pandas" else y


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)


def _call(fitting: Callable[..., Any], offered: dict[str, Any], name: str, directory: Path) -> Any:
    try:
        return function.call(fitting, offered)
    except (YardError, KeyboardInterrupt):
        raise
    except BaseException as error:  # user code may raise anything, SystemExit too: it becomes one sentence
        traceback.print_exc()
        said = function.explain(error, directory / "code")
        hint = function.missing_package_hint(error)
        raise UserCodeError(f"the training function failed: {said[-_TAIL:]}", where=name, hint=hint) from error


def _leave(directory: Path, name: str, result: dict[str, Any]) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    job.leave(directory, name, result)


def _awaited() -> str:
    """The job of a process that was started ahead; what most functions and the saving of a model need is loaded before."""
    for name in ("skops.io", "sklearn.compose", "sklearn.ensemble", "sklearn.pipeline", "sklearn.preprocessing"):
        importlib.import_module(name)
    return ahead.awaited_job()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else _awaited())))
