"""Calls a declared function in a process of its own, with tables in and a table or a judgement out."""

from __future__ import annotations

import json
import shutil
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from modelyard.engines import LocalEngine, Outcome
from modelyard.engines.log import tail
from modelyard.errors import UserCodeError
from modelyard.spec.models import Limits
from modelyard.spec.values import show_duration


@dataclass(frozen=True)
class Caller:
    """Where functions run: `engine`, the project's folder `code`, and the folder `jobs` for what goes in and out."""

    engine: LocalEngine
    code: Path
    jobs: Path
    limits: Limits = field(default_factory=lambda: Limits.model_validate({}))

    def table(self, function: str, frames: Mapping[str, pa.Table], *, where: str) -> pa.Table:
        """The table that `function` makes of `frames`, passed by parameter name as pandas.

        UserCodeError when it raises, breaks a limit, or returns no table.
        """
        return self._run("table", function, frames, key=(), where=where)

    def judge(self, function: str, frame: pa.Table, key: Sequence[str], *, where: str) -> dict[str, Any]:
        """What a check's `function` says about `frame`: `{"ok", "says", "count", "keys"}`; UserCodeError as above."""
        return self._run("verdict", function, {"frame": frame}, key=key, where=where)

    def _run(
        self,
        kind: Literal["table", "verdict"],
        function: str,
        frames: Mapping[str, pa.Table],
        *,
        key: Sequence[str],
        where: str,
    ) -> Any:
        folder = self.jobs / f"data-{uuid.uuid4().hex}"
        folder.mkdir(parents=True)
        try:
            files = {name: f"{i}.arrow" for i, name in enumerate(frames)}
            for name, frame in frames.items():
                _write(frame, folder / files[name])
            job = {"kind": kind, "code": str(self.code), "function": function, "frames": files, "key": list(key)}
            (folder / "job.json").write_text(json.dumps(job))
            # -P: modules of the project must not hide those that the child itself imports.
            argv = [sys.executable, "-P", "-m", "modelyard.data.child", str(folder)]
            outcome = self.engine.run(
                argv,
                cwd=self.code,
                log=folder / "log",
                timeout=self.limits.time,
                memory_mb=self.limits.memory,
            )
            answer = self._answer(outcome, folder, where=f"{where}, {function}")
            return _read(folder / "result.arrow") if answer["kind"] == "table" else answer
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _answer(self, outcome: Outcome, folder: Path, *, where: str) -> dict[str, Any]:
        log = tail(folder / "log")
        if outcome.reason == "timeout":
            raise UserCodeError(
                f"ran longer than {show_duration(self.limits.time)} and was ended", where=where, log=log
            )
        if outcome.reason == "memory":
            raise UserCodeError(f"took more than {self.limits.memory} MB and was ended", where=where, log=log)
        if not (folder / "result.json").exists():
            raise UserCodeError(
                f"the process ended with status {outcome.status} before it had a result", where=where, log=log
            )
        answer: dict[str, Any] = json.loads((folder / "result.json").read_text())
        if answer["kind"] == "error":
            raise UserCodeError(answer["message"], where=where, hint=answer["hint"], log=log)
        if not outcome.ok:
            raise UserCodeError(f"the process ended with status {outcome.status}", where=where, log=log)
        return answer


def _write(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def _read(path: Path) -> pa.Table:
    # Read into memory, not mapped: the job's folder is about to go.
    with pa.OSFile(str(path), "rb") as file:
        return pa.ipc.open_file(file).read_all()
