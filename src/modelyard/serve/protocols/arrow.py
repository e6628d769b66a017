"""Our own protocol in Arrow: an IPC stream of the inputs in, an IPC stream of the predictions out, for bulk.

The answer has one row per row asked: `prediction`, and `warnings` as a list of {pointer, code}; request id, release and arm
are metadata of its schema. Bytes from outside are checked in full before anything looks at them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from modelyard.serve.answer import Answer
from modelyard.serve.call import Call
from modelyard.serve.columns import outside_calendar
from modelyard.serve.http import Response
from modelyard.serve.refusal import MOST_FAULTS, Fault, Refusal, of_faults, pointer

STREAM = "application/vnd.apache.arrow.stream"
MAX_TEXT = 64 << 20
"""Bytes that a column of repeated texts (a dictionary) may unfold to."""
WARNINGS = pa.list_(pa.struct([("pointer", pa.string()), ("code", pa.string())]))
_RECORD_BATCH, _DICTIONARY_BATCH = 3, 2


def read(call: Call) -> None:
    """Take columns from the stream. Refusal 400 when it is none, 415 when it is compressed, 422 for other types."""
    table = _table(call)
    names = table.column_names
    if len(set(names)) != len(names):
        raise Refusal(400, "duplicate_key", "The schema names a column twice.")
    wrong = [name for name in names if name in call.board.names and not _holds(table[name].type)]
    if wrong:
        expected = "numbers, booleans, texts, timestamps or dates"
        raise of_faults([Fault(pointer("columns", name), "wrong_type", expected) for name in wrong[:MOST_FAULTS]])
    call.form = "columns"
    call.columns = {name: _plain(table[name], name) for name in names if name in call.board.names}
    call.columns |= {name: pa.nulls(table.num_rows) for name in names if name not in call.board.names}


def write(answer: Answer) -> Response:
    """The answer as a stream of one batch."""
    told: list[list[dict[str, str]]] = [[] for _ in answer.predictions]
    for row, place, code in answer.warnings:
        told[row].append({"pointer": place, "code": code})
    said = {"request_id": answer.request_id, "release": answer.release, "arm": answer.arm}
    columns = {"prediction": _predictions(answer.predictions), "warnings": pa.array(told, WARNINGS)}
    table = pa.table(columns).replace_schema_metadata(said)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return Response(200, sink.getvalue().to_pybytes(), STREAM)


def _predictions(values: Sequence[Any]) -> pa.Array:
    """Numbers, lists of numbers, or labels; labels of several kinds as texts."""
    try:
        return pa.array(values)
    except pa.ArrowException:
        return pa.array([str(value) for value in values])


def _table(call: Call) -> pa.Table:
    body = call.body or b""
    _refuse_compression(body)
    most = call.board.promise.max_rows
    batches: list[pa.RecordBatch] = []
    rows = 0
    try:
        with pa.ipc.open_stream(pa.py_buffer(body)) as stream:
            schema = stream.schema
            for batch in stream:
                rows += batch.num_rows
                if rows > most:
                    raise Refusal(413, "too_many_rows", f"At most {most} rows in one request.")
                batch.validate(full=True)
                batches.append(batch)
        return pa.Table.from_batches(batches, schema)
    except (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError):
        raise Refusal(400, "invalid_arrow", "The body is no valid Arrow IPC stream.") from None


def _holds(kind: pa.DataType) -> bool:
    """Whether a column of this type may hold an input: flat values that are spelt out."""
    is_type = pa.types
    if is_type.is_dictionary(kind):
        return bool(is_type.is_string(kind.value_type) or is_type.is_large_string(kind.value_type))
    tests = (is_type.is_integer, is_type.is_floating, is_type.is_boolean, is_type.is_string, is_type.is_large_string,
             is_type.is_timestamp, is_type.is_date32, is_type.is_null)  # fmt: skip
    return any(test(kind) for test in tests)


def _plain(column: pa.ChunkedArray, name: str) -> pa.Array | list[Any]:
    """The column as one array, texts spelt out, times that no calendar has refused."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        lengths = (pc.binary_length(chunk.dictionary).take(chunk.indices) for chunk in column.chunks)
        if sum(pc.sum(each).as_py() or 0 for each in lengths) > MAX_TEXT:
            raise Refusal(413, "body_too_large", f"Texts of one column may be {MAX_TEXT} bytes together.")
        column = column.cast(kind.value_type)
    elif pa.types.is_float16(kind):
        column = column.cast(pa.float32())
    elif pa.types.is_timestamp(kind) or pa.types.is_date32(kind):
        outside = outside_calendar(column)
        if len(outside):
            raise of_faults(
                [Fault(pointer("columns", name, row), "out_of_bounds", "a time of our calendar") for row in outside]
            )
    return column.combine_chunks()


def _refuse_compression(body: bytes) -> None:
    """Refusal 415 when any message holds compressed buffers: a few bytes would become gigabytes.

    A message is a marker, the length of its metadata, the metadata (a flatbuffer), and its body. What is not so is left
    to the reader, which refuses it.
    """
    position = 0
    try:
        while position + 8 <= len(body):
            marker, size = struct.unpack_from("<II", body, position)
            if marker != 0xFFFFFFFF:
                marker, size, position = 0xFFFFFFFF, marker, position - 4  # the form before 0.15: no marker
            if not size:
                return
            metadata = memoryview(body)[position + 8 : position + 8 + size]
            message = _root(metadata)
            if _is_compressed(metadata, message):
                raise Refusal(415, "unsupported_encoding", "Send the stream with uncompressed buffers.")
            length = _field(metadata, message, 3)
            position += 8 + size + (struct.unpack_from("<q", metadata, length)[0] if length else 0)
            if position < 8:
                return
    except (struct.error, IndexError):
        return


def _is_compressed(metadata: memoryview, message: int) -> bool:
    """Whether a message is a batch that has the table `BodyCompression`."""
    kind, header = _field(metadata, message, 1), _field(metadata, message, 2)
    if not kind or not header:
        return False
    table = _table_at(metadata, header)
    if metadata[kind] == _DICTIONARY_BATCH:
        data = _field(metadata, table, 1)
        return bool(data) and bool(_field(metadata, _table_at(metadata, data), 3))
    return metadata[kind] == _RECORD_BATCH and bool(_field(metadata, table, 3))


def _root(buffer: memoryview) -> int:
    return int(struct.unpack_from("<I", buffer, 0)[0])


def _table_at(buffer: memoryview, place: int) -> int:
    return place + int(struct.unpack_from("<I", buffer, place)[0])


def _field(buffer: memoryview, table: int, number: int) -> int:
    """Where a field of a flatbuffer's table stands, 0 where it has none."""
    vtable = table - struct.unpack_from("<i", buffer, table)[0]
    slot = 4 + 2 * number
    if slot >= struct.unpack_from("<H", buffer, vtable)[0]:
        return 0
    offset = struct.unpack_from("<H", buffer, vtable + slot)[0]
    return table + int(offset) if offset else 0
