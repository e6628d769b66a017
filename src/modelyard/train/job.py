"""What passes between a training run and its child process, as files in one directory.

In: `job.json`, `rows.arrow` (inputs, `y`, `weights`), `rows-NAME.npy` per fit, `code/`. Out: `model-NAME/` and
`result.json`: `{"fits": {name: {"seconds", "manifest"}}}` or `{"error": {"message", "where", "hint"}}`.
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


def result(directory: Path) -> dict[str, Any] | None:
    """What the child left; None when it left nothing."""
    path = directory / "result.json"
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None
