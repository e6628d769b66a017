"""The child process that calls a dataset's or check's function: `python -m modelyard.data.child JOBDIR`.

In: job.json and one Arrow file per frame. Out: result.json, and result.arrow when the result is a table.
"""

from __future__ import annotations

import inspect
import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from modelyard.engines.function import call, die_with_parent, explain, load, missing_package_hint
from modelyard.errors import UserCodeError


def main(folder: Path) -> int:
    """Do the job in `folder`; 1 when the function failed, with the reason in result.json."""
    die_with_parent()
    job = json.loads((folder / "job.json").read_text())
    try:
        frames = {name: _frame(folder / file) for name, file in job["frames"].items()}
        function = load(job["code"], job["function"])
        answer = as_table(call(function, frames)) if job["kind"] == "table" else judgement(function, frames, job["key"])
    except UserCodeError as error:
        return _failed(folder, str(error.message), error.hint)
    except BaseException as error:  # whatever user code raises becomes one sentence for the parent
        traceback.print_exc()
        return _failed(folder, explain(error, job["code"]), missing_package_hint(error))
    if isinstance(answer, pa.Table):
        _write(answer, folder / "result.arrow")
        answer = {"kind": "table", "rows": answer.num_rows}
    (folder / "result.json").write_text(json.dumps(answer))
    return 0


def _failed(folder: Path, message: str, hint: str | None) -> int:
    (folder / "result.json").write_text(json.dumps({"kind": "error", "message": message, "hint": hint}))
    return 1


def _frame(path: Path) -> pd.DataFrame:
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).read_all().to_pandas()


def _write(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def as_table(result: Any) -> pa.Table:
    """A function's result as an Arrow table, from pandas, Polars or Arrow; UserCodeError when it is none of them."""
    if isinstance(result, pa.RecordBatch):
        result = pa.Table.from_batches([result])
    if isinstance(result, pd.DataFrame):
        return _from_pandas(result)
    if not isinstance(result, pa.Table) and hasattr(result, "to_arrow"):
        result = result.to_arrow()
    if not isinstance(result, pa.Table):
        raise UserCodeError(
            f"the function returned {type(result).__name__}",
            hint="Return a DataFrame (pandas, Polars) or an Arrow table.",
        )
    return result


def _from_pandas(frame: pd.DataFrame) -> pa.Table:
    unnamed = [name for name in frame.columns if not isinstance(name, str)]
    repeated = sorted(set(frame.columns[frame.columns.duplicated()]) - set(unnamed))
    if unnamed or repeated:
        which = f"a column named {unnamed[0]!r}, which is no text" if unnamed else f"two columns named {repeated[0]!r}"
        raise UserCodeError(f"the function returned a frame with {which}", hint="Rename it.")
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        said = "; ".join(str(part) for part in error.args)
        raise UserCodeError(
            f"the function returned a column that mixes types: {said}", hint="Give each column one type."
        ) from error


def judgement(function: Callable[..., Any], frames: dict[str, pd.DataFrame], key: list[str]) -> dict[str, Any]:
    """What a check's function says: `{"kind": "verdict", "ok", "says", "count", "keys"}`."""
    frame = frames["frame"]
    required = [p.name for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    offered = {required[0]: frame} if len(required) == 1 else frames
    try:
        result = call(function, offered)
    except AssertionError as error:
        return _verdict(False, str(error) or "an assertion failed")
    if isinstance(result, str):
        return _verdict(result == "", result)
    if isinstance(result, bool) or type(result).__name__ == "bool":
        return _verdict(bool(result), "")
    if result is None:
        raise UserCodeError("the function returned None", hint="Return True or False, a message, or the failing rows.")
    rows = as_table(result)
    named = [name for name in key if name in rows.column_names]
    keys = json.loads(json.dumps(rows.select(named).slice(0, 5).to_pylist() if named else [], default=str))
    return _verdict(rows.num_rows == 0, "", count=rows.num_rows, keys=keys)


def _verdict(ok: bool, says: str, *, count: int | None = None, keys: list[Any] | None = None) -> dict[str, Any]:
    return {"kind": "verdict", "ok": ok, "says": says, "count": count, "keys": keys or []}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
