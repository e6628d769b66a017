"""What passes between a training run and its child process, as files in one directory.

In: `job.json`, `rows.arrow` (inputs, `y`, `weights`), `rows-NAME.npy` per fit, `code/`. Out, as soon as it is there:
`model-NAME/`, then `fit-NAME.json`: `{"seconds", "manifest"}`; or `error.json`: `{"message", "where", "hint"}`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

TARGET, WEIGHTS = "__y", "__weights"


def write(
    directory: Path,
    job: dict[str, Any],
    table: pa.Table,
    y: np.ndarray,
    weights: np.ndarray | None,
    rows: dict[str, np.ndarray],
    files: dict[str, str],
) -> None:
    """Lay out the directory of a job."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "job.json").write_text(json.dumps(job))
    names = [item["name"] for item in job["signature"]["inputs"]]
    whole = table.select(names).append_column(TARGET, pa.array(y.tolist() if y.dtype == object else y))
    if weights is not None:
        whole = whole.append_column(WEIGHTS, pa.array(weights))
    with pa.OSFile(str(directory / "rows.arrow"), "wb") as sink, pa.ipc.new_file(sink, whole.schema) as writer:
        writer.write_table(whole)
    for name, indices in rows.items():
        np.save(directory / f"rows-{name}.npy", indices)
    for name, text in files.items():
        path = directory / "code" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def read_rows(directory: Path) -> pa.Table:
    """The rows, mapped from the file."""
    with pa.memory_map(str(directory / "rows.arrow")) as source:
        return pa.ipc.open_file(source).read_all()


def leave(directory: Path, name: str, result: dict[str, Any]) -> None:
    """Leave a result, whole or not at all."""
    part = directory / f"{name}.part"
    part.write_text(json.dumps(result))
    part.replace(directory / f"{name}.json")


def fitted(directory: Path, name: str) -> dict[str, Any] | None:
    """What the child left of one fit; None as long as it is not done."""
    return _left(directory / f"fit-{name}.json")


def error(directory: Path) -> dict[str, Any] | None:
    """What the child says went wrong."""
    return _left(directory / "error.json")


def _left(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
