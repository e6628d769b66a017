"""Fit a declared function in a process of its own, within limits of time, memory and log; keep what it made.

The function sees nothing of ours. Its model is saved by the child and loaded again here, so that what is judged is what
will be served.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa

from modelyard import models
from modelyard.errors import ModelOutputError, UserCodeError
from modelyard.models import Model
from modelyard.train import job

if TYPE_CHECKING:  # the child process imports this package and has no use for it
    from modelyard.store import Store

CHILD, LOG = "modelyard.train.child", "log.txt"
_TAIL = 2000
_NAMED = 5


class Code(Protocol):
    """A declared function, read as text: see `spec.code.Code`."""

    @property
    def function(self) -> str: ...
    @property
    def files(self) -> dict[str, str]: ...


class Limits(Protocol):
    """What a function may use: see `spec.models.Limits`."""

    @property
    def time(self) -> timedelta: ...
    @property
    def memory(self) -> int | None: ...


class Ended(Protocol):
    """How a command ended: see `engines.local.Outcome`."""

    @property
    def reason(self) -> str: ...


class Running(Protocol):
    """A command under way: see `engines.local.Running`."""

    def wait(self) -> Ended: ...
    def until(self, ready: Callable[[], bool], meanwhile: Iterable[object]) -> bool: ...


class Engine(Protocol):
    """Where work runs: see `engines.local.LocalEngine`."""

    def running(
        self,
        argv: list[str],
        *,
        cwd: Path,
        log: Path,
        timeout: timedelta,
        memory_mb: int | None,
        env: Mapping[str, str],
    ) -> AbstractContextManager[Running]: ...


@dataclass(frozen=True)
class Fitted:
    """One fit: the saved model's manifest, the function's own seconds, and where the files are until the job is cleared."""

    manifest: dict[str, Any]
    seconds: float
    directory: Path
    signature: dict[str, Any]

    def model(self) -> Model:
        """The saved model, loaded in its native form."""
        return models.load(self.directory, signature=self.signature, compiled=False)


class Fits:
    """The fits of one child process, which goes on with the next while the last is judged here."""

    def __init__(
        self, running: Running, directory: Path, signature: dict[str, Any], failure: Callable[[Ended], UserCodeError]
    ) -> None:
        self._running, self._directory, self._signature, self._failure = running, directory, signature, failure

    @property
    def log(self) -> str:
        """The end of what the function has printed so far."""
        return said(self._directory)

    def take(self, name: str, meanwhile: Iterable[object] = ()) -> Fitted:
        """Wait for the fit `name`, and work off `meanwhile` as long as it takes. UserCodeError says what, where and what to do when the function raises, hangs, is
        killed for its memory, or returns what is no model."""
        self._running.until(lambda: job.fitted(self._directory, name) is not None, meanwhile)
        each = job.fitted(self._directory, name)
        if each is None:
            raise self._failure(self._running.wait())
        return Fitted(each["manifest"], each["seconds"], self._directory / f"model-{name}", self._signature)


@contextmanager
def fit_each(
    store: Store,
    engine: Engine,
    *,
    table: pa.Table,
    y: np.ndarray,
    weights: np.ndarray | None,
    rows: Mapping[str, np.ndarray],
    code: Code,
    params: Mapping[str, Any],
    seed: int,
    limits: Limits,
    signature: dict[str, Any],
    job_name: str,
    frame: str = "pandas",
) -> Iterator[Fits]:
    """Fit once for each named set of `rows`, one after the other in one child process (it starts and reads only once).

    `y` as `models.target.encode` gives it. `limits.time` holds for each fit. What is not taken when the block ends is not
    fitted. The files stay in the store's `jobs/JOB_NAME` until `clear`.
    """
    directory = store.files / "jobs" / job_name
    clear(store, job_name)
    task = {
        "function": code.function, "params": dict(params), "seed": seed, "frame": frame, "signature": signature,
        "fits": list(rows),
    }  # fmt: skip
    job.write(directory, task, table, y, weights, dict(rows), code.files)

    def failure(ended: Ended) -> UserCodeError:
        failed = _failure(ended.reason, job.error(directory), code.function, limits, said(directory))
        failed.hint = failed.hint or about_inputs(failed.message, table, signature)
        return _without_values(failed, table, signature)

    with engine.running(
        [sys.executable, "-P", "-m", CHILD, str(directory)],
        cwd=directory,
        log=directory / LOG,
        timeout=limits.time * len(rows),
        memory_mb=limits.memory,
        env={"PYTHONHASHSEED": str(seed % 2**32), "PYTHONDONTWRITEBYTECODE": "1"},
    ) as running:
        yield Fits(running, directory, signature, failure)


def said(directory: Path) -> str:
    """The end of a job's log."""
    log = directory / LOG
    return log.read_text(errors="replace")[-_TAIL:] if log.exists() else ""


def clear(store: Store, job_name: str) -> None:
    """Remove the files of a job; what counts of it is in blobs by then."""
    shutil.rmtree(store.files / "jobs" / job_name, ignore_errors=True)


def answers(model: Model, table: pa.Table, function: str) -> np.ndarray:
    """Ask a model that was just fitted; what is no prediction becomes a UserCodeError about its function."""
    try:
        return model.predict(table)
    except ModelOutputError as error:
        raise UserCodeError(error.message, where=function, hint=error.hint) from error
    except Exception as error:  # a model may fail on rows in as many ways as it likes
        says = f"the fitted model cannot answer for its own rows: {type(error).__name__}: {error}"
        hint = "Columns that `fit` makes or changes must be made in a step of the model: a scikit-learn Pipeline."
        raise UserCodeError(says[:_TAIL], where=function, hint=hint) from error


def about_inputs(message: str, table: pa.Table, signature: Mapping[str, Any]) -> str | None:
    """What many functions stumble over: a key that they take for an input."""
    names = [item["name"] for item in signature["inputs"]]
    asked = re.search(r"KeyError: '([^']+)'", message)
    if asked and asked[1] in table.column_names and asked[1] not in names:
        return (
            f"{asked[1]!r} is a column, but no input: key, time, target and `exclude` are none. To learn from it,"
            f" give it a second name in the dataset's SQL: {asked[1]} AS the_{asked[1]}."
        )
    return None


def _without_values(failure: UserCodeError, table: pa.Table, signature: Mapping[str, Any]) -> UserCodeError:
    """The failure, after the inputs without any value, which many functions cannot bear."""
    names = [item["name"] for item in signature["inputs"]]
    empty = [name for name in names if table.column(name).null_count == len(table)]
    if not empty:
        return failure
    listed = ", ".join(map(repr, empty[:_NAMED])) + (f" and {len(empty) - _NAMED} more" if len(empty) > _NAMED else "")
    many = "inputs" if len(empty) > 1 else "input"
    return UserCodeError(
        f"no row has a value of the {many} {listed}, and {failure.message.partition(chr(10))[0]}",
        where=failure.where,
        hint=failure.hint or "Exclude it, or mend its source; a function that is to bear it must fill it.",
        log=failure.log,
    )


def _failure(reason: str, error: dict[str, Any] | None, function: str, limits: Limits, log: str) -> UserCodeError:
    if error is not None:
        return UserCodeError(error["message"], where=error["where"] or function, hint=error["hint"], log=log)
    if reason == "timeout":
        seconds = limits.time.total_seconds()
        message, hint = f"the training function took longer than {seconds:g} s", "Raise `limits.time`, or fit faster."
    elif reason == "memory":
        message = f"the training function used more than {limits.memory} MB"
        hint = "Raise `limits.memory`, or train on fewer rows or columns."
    else:
        last = log.strip().splitlines()[-1:] or ["it said nothing"]
        message, hint = f"the training process ended by itself; its last words: {last[0]}", "Its log says more."
    return UserCodeError(message, where=function, hint=hint, log=log)
