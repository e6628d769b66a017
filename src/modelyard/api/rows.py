"""Operations on rows in files: predictions and labels in bulk."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from modelyard.api.context import Context
from modelyard.api.tables import read
from modelyard.errors import DataError, InputError, NotFound
from modelyard.records import Deployment, Release, Version
from modelyard.serve import Gateway, Refusal
from modelyard.store import Store

Json = dict[str, Any]
WRITERS = {".csv": "(format csv, header)", ".parquet": "(format parquet)"}


def predict(context: Context, deployment: str, source: Path, out: Path) -> Json:
    """Answer every row of a file, through the deployment's own path, and write the rows with their prediction.

    Beside it the release that gave it, and `request_id` and `row`, by which `feedback` finds the answer again.
    """
    if out.suffix not in WRITERS:
        raise InputError(f"{out.name}: cannot write this kind of file", hint="Give a .csv or .parquet file.")
    table = read(source)
    _, store = context.known()
    gateway, spec = _gateway(store, deployment)
    part = out.with_name(f"{out.name}.part")
    part.touch()  # a place that cannot be written is told before anything is answered and logged
    asked = table.drop_columns(_passed_over(store, spec, table.column_names))
    size = int(spec.policy.get("max_rows", 10_000))
    request = f"file-{uuid.uuid4().hex}"
    answers: list[Any] = []
    added: dict[str, list[Any]] = {"release": [], "request_id": [], "row": []}
    warnings = 0
    try:
        for number, start in enumerate(range(0, len(table), size)):
            context.progress(f"~{start:,} of {len(table):,} rows")
            batch = asked.slice(start, size)
            answer = gateway.predict(deployment, columns=batch.to_pydict(), request_id=f"{request}-{number}").as_json()
            answers.extend(answer["predictions"])
            added["release"] += [answer["release"]] * len(batch)
            added["request_id"] += [answer["request_id"]] * len(batch)
            added["row"] += range(len(batch))
            warnings += len(answer["warnings"])
        written = table.append_column("prediction", pa.array(answers))
        for name, values in added.items():
            written = written if name in table.column_names else written.append_column(name, pa.array(values))
        _write(written, part, WRITERS[out.suffix])
        part.replace(out)
    except Refusal as refusal:
        refusal.where, refusal.hint = str(source), f"Rows are asked as the dataset of {spec.model} makes them."
        raise
    finally:
        part.unlink(missing_ok=True)
        gateway.close()
    return {"rows": len(table), "request_id": request, "warnings": warnings, "out": str(out)}


def _write(table: pa.Table, path: Path, how: str) -> None:
    with duckdb.connect() as connection:
        connection.register("written", table)
        try:
            connection.execute(f"copy written to '{str(path).replace(chr(39), chr(39) * 2)}' {how}")
        except duckdb.IOException as error:
            said = str(error).splitlines()[0]
            raise InputError(f"the answers cannot be written: {said}", where=str(path)) from error


def _passed_over(store: Store, deployment: Deployment, names: list[str]) -> list[str]:
    """Columns of the release's dataset that it takes no input from (its target, later-known, excluded), so that rows of
    that dataset can be asked as they are. Any other column is the gateway's to judge."""
    champion = next((arm["release"] for arm in deployment.routes["arms"] if arm["arm"] == "champion"), None)
    release = store.one(Release, digest=champion)
    if release is None:
        return []
    made = release.body["dataset"]
    # The same rows from files that changed are a version of their own with the same digest.
    same = store.read(Version, entity=made["entity"], digest=made["digest"], order="number", descending=True, limit=1)
    signature = release.body["signature"]
    if isinstance(signature, str):
        signature = json.loads(store.blobs.get(signature))
    if not same:
        return []
    body = same[0].body
    taken = {each["name"] for each in signature["inputs"]} | {*body["key"], body["time"]}
    return [name for name in names if name in body["columns"] and name not in taken]


def feedback(context: Context, deployment: str, source: Path) -> Json:
    """Give labels from a file: columns request_id, row, label, or the dataset's key columns and label; time optional."""
    table = read(source)
    if "label" not in table.column_names:
        raise DataError("has no column `label`", where=str(source), hint="Name the column with the label `label`.")
    _, store = context.known()
    gateway, _ = _gateway(store, deployment)
    own = {"request_id", "row", "label", "time", "correct"}
    items = []
    for row in table.to_pylist():
        item = {name: value for name, value in row.items() if name in own and value is not None}
        if "request_id" not in row:
            item["key"] = {name: value for name, value in row.items() if name not in own}
        items.append(item)
    try:
        results = gateway.feedback(deployment, items)
    finally:
        gateway.close()
    counts: dict[str, int] = {}
    for result in results:
        counts[str(result.status)] = counts.get(str(result.status), 0) + 1
    return {"rows": len(items), "statuses": counts}


def _gateway(store: Store, name: str) -> tuple[Gateway, Deployment]:
    spec = store.one(Deployment, name=name)
    if spec is None:
        there = ", ".join(item.name for item in store.read(Deployment)) or "none yet"
        raise NotFound(f"no deployment called {name!r} serves", hint=f"There are: {there}.")
    gateway = Gateway(store, clock=store.clock)
    gateway.refresh()
    return gateway, spec
