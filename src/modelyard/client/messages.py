"""What is sent and what comes back, as values: no network here.

Rows (a list of mappings) and columns (a mapping of lists) go as JSON; tables of pandas, polars and Arrow as an Arrow
stream. A float NaN, None and a null of any table are a missing value.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx
import msgspec

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

JSON, ARROW = "application/json", "application/vnd.apache.arrow.stream"
Rows: TypeAlias = (
    "Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]] | pandas.DataFrame | polars.DataFrame | pyarrow.Table"
)


@dataclass(frozen=True)
class Warned:
    """Something the input policy did or saw: the row, a JSON pointer into the request, a code."""

    row: int
    pointer: str
    code: str


@dataclass(frozen=True)
class Prediction:
    """The answer to one request: one value per row, a number, a label, or a list in the order of the classes."""

    request_id: str
    release: str
    arm: str
    predictions: tuple[Any, ...]
    warnings: tuple[Warned, ...] = ()


@dataclass(frozen=True)
class Label:
    """The truth about one row: by request id and row, or by the dataset's `key`. `correct` changes an earlier label."""

    label: Any
    request_id: str | None = None
    row: int = 0
    key: Mapping[str, Any] | None = None
    time: datetime | None = None
    correct: bool = False

    def as_json(self) -> dict[str, Any]:
        """As the gateway takes it."""
        said: dict[str, Any] = {"label": self.label}
        if self.key is not None:
            said["key"] = dict(self.key)
        else:
            said |= {"request_id": self.request_id, "row": self.row}
        if self.time is not None:
            said["time"] = self.time
        return said | {"correct": True} if self.correct else said


@dataclass(frozen=True)
class Recorded:
    """What became of one label: 200 recorded, 202 kept until its prediction is known, 409 another one is known."""

    status: int
    request_id: str | None = None
    row: int | None = None


def body_of(data: Rows) -> tuple[bytes, str]:
    """The body of a request to predict, and its content type. TypeError for what is no table."""
    if isinstance(data, Mapping):
        return encode({"columns": {name: _listed(values) for name, values in data.items()}}), JSON
    if hasattr(data, "__arrow_c_stream__"):
        return _stream(data), ARROW
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return encode({"rows": [dict(row) for row in data]}), JSON
    raise TypeError(f"{type(data).__name__} is no table: give rows, columns, or a data frame.")


def _listed(values: Any) -> list[Any]:
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _stream(data: Any) -> bytes:
    import pyarrow as pa

    table = pa.Table.from_pandas(data, preserve_index=False) if hasattr(data, "iloc") else pa.table(data)
    flat = pa.table([_plain(column) for column in table.columns], table.column_names)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, flat.schema) as writer:
        writer.write_table(flat)
    return bytes(sink.getvalue().to_pybytes())


def _plain(column: Any) -> Any:
    """The column as the gateway takes it: texts that data frames keep as views, or by number, are written out."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        words = [_plain(chunk.dictionary).take(chunk.indices) for chunk in column.chunks]
        return pa.chunked_array(words, _plain(pa.array([], column.type.value_type)).type)
    return column.cast(pa.large_string()) if pa.types.is_string_view(column.type) else column


def encode(document: Any) -> bytes:
    """JSON. ValueError for an infinite number, which JSON cannot say; NaN is null."""
    if _infinite(document):
        raise ValueError("an infinite number cannot be asked about.")
    return msgspec.json.encode(document, enc_hook=_of_numpy)


def _of_numpy(value: Any) -> Any:
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"a {type(value).__name__} has no form in JSON.")


def _infinite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isinf(value)
    parts: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_infinite(part) for part in parts)


def prediction(response: httpx.Response) -> Prediction:
    """Read the answer to a request to predict."""
    said = msgspec.json.decode(response.content)
    warnings = tuple(Warned(each["row"], each["pointer"], each["code"]) for each in said["warnings"])
    return Prediction(said["request_id"], said["release"], said["arm"], tuple(said["predictions"]), warnings)


def recorded(response: httpx.Response) -> list[Recorded]:
    """Read the answer to labels: one result each, in order."""
    results = msgspec.json.decode(response.content)["results"]
    return [Recorded(each["status"], each.get("request_id"), each.get("row")) for each in results]
