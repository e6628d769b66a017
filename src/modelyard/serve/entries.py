"""What is written down about a request before it is answered: one entry of the log per part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.serve import keys
from modelyard.serve.call import Call, Part, place_of
from modelyard.serve.frames import Entry
from modelyard.serve.refusal import Refusal

Told: TypeAlias = tuple[int, str, str, str]


def log(call: Call) -> None:
    """Write every row (of the sample) down before it is answered; a row that failed is written too, for the guards."""
    if not call.claim():
        raise Refusal(504, "deadline_exceeded")  # answered already, without what comes too late
    if not call.logged:
        return
    carry(call)
    call.at = int(call.clock.now().timestamp() * 1_000_000)
    milliseconds = (call.clock.monotonic() - call.began) * 1000
    entries = [entry(call, part, milliseconds) for part in call.parts]
    write(call, [each for each in entries if each is not None])


def write(call: Call, entries: list[Entry]) -> None:
    """Append entries and remember them; a call that holds them back gets them in hand."""
    if call.held is not None:
        call.held += entries
        return
    shapes = {each.release: call.board.loaded[each.release].served.inputs for each in entries}
    segment, _ = call.spool.write(entries, shapes)
    if segment:
        call.ledger.add(entries, segment)


def entry(call: Call, part: Part, milliseconds: float) -> Entry | None:
    """A part as a frame of the log, or None when it has nothing to log."""
    assert part.outcome is not None and part.made is not None
    made, numbers = part.made, _logged(call, part)
    if not len(numbers):
        return None
    every = len(numbers) == part.count
    warnings = told(call, part)
    place = range(part.count) if every else {int(row): number for number, row in enumerate(numbers)}
    table = part.outcome.table if every else part.outcome.table.take(pa.array(numbers))
    own = numbers if part.rows is None else part.rows[numbers]
    whole = every and part.rows is None
    return Entry(
        id=call.request_id,
        n=len(numbers),
        arm=part.arm.name,
        release=part.arm.release,
        at=call.at if call.times is None else call.times[own].tolist(),
        role=part.role,
        body=call.digest if call.chosen and (call.replayed or not made.errors) else "",
        rows=None if whole else own.tolist(),
        time=_of(call.row_times, own, whole),
        key=_of(call.row_keys, own, whole),
        routing=call.keys[0] if len(call.keys) == 1 else _of(call.keys, own, whole) or "",
        propensity=_propensity(call, part, own),
        values=None if made.many else made.listed(numbers),
        many=made.listed(numbers) if made.many else None,
        fallback=[place[row] for row in np.flatnonzero(made.fallback).tolist() if row in place],
        warnings=[(place[row], at, code) for row, at, code, _ in warnings if row in place],
        named=[name for row, _, _, name in warnings if row in place],
        errors=[(place[row], code) for row, code in (made.errors | made.failed).items() if row in place],
        ms=round(milliseconds, 3),
        inputs=_inputs(table) if part.role != "shadow" else None,
        weight=1.0 if call.replayed else 1 / call.board.promise.sample,
    )


def _propensity(call: Call, part: Part, rows: np.ndarray) -> float | list[float | None] | None:
    """With which probability the routes give these rows (of the request) this arm; None where they had no say."""
    if part.role != "answer":
        return None
    if call.inside is None:
        return part.arm.weight
    return [part.arm.weight if inside else None for inside in call.inside[rows].tolist()]


def _logged(call: Call, part: Part) -> np.ndarray:
    """Rows of a part that are logged: those answered or failed; of a request that fails as a whole, those that failed."""
    assert part.outcome is not None and part.made is not None
    rows = np.arange(part.count)
    if part.role == "shadow":
        return rows
    if part.made.errors and not call.replayed:
        return np.array(sorted(part.made.errors), dtype=np.intp)
    refused = part.outcome.refused()
    return np.array([row for row in rows.tolist() if row not in refused], dtype=np.intp) if refused else rows


def told(call: Call, part: Part) -> list[Told]:
    """Warnings about a part as (row within it, pointer, code, input); the input is "" where all of the row is meant."""
    if part.told is None:
        part.told = _told(call, part)
    return part.told


def _told(call: Call, part: Part) -> list[Told]:
    assert part.outcome is not None and part.made is not None
    found = [
        (row, place_of(call, part.number(row), name), code, name) for row, name, code in sorted(part.outcome.warnings)
    ]
    fallen = np.flatnonzero(part.made.fallback).tolist()
    found += [(row, place_of(call, part.number(row), None), "fallback", "") for row in fallen]
    if call.ignored:
        own = {part.number(row): row for row in range(part.count)}
        found += [(own[row], place, "unknown_feature", "") for row, place in call.ignored if row in own]
    return found


def carry(call: Call) -> None:
    """Read the columns that are logged and no inputs, once for all parts: the dataset's key and time."""
    served = [each.served for each in call.board.loaded.values()]
    kinds = next((each.key for each in served if each.key), {})
    columns = {name: call.column(name, kind) for name, kind in kinds.items()}
    present = {name: column.values for name, column in columns.items() if column is not None}
    call.row_keys = keys.of_columns(present, call.count) if len(present) == len(kinds) else None
    name = next((each.time for each in served if each.time), None)
    column = call.column(name, "timestamp") if name is not None else None
    call.row_times = None if column is None else column.values.cast(pa.int64()).to_pylist()


def _of(values: Sequence[Any] | None, rows: np.ndarray, whole: bool) -> list[Any] | None:
    """The values of some rows of the request, or None where it has none."""
    if values is None:
        return None
    return list(values) if whole else [values[row] for row in rows.tolist()]


def _inputs(table: pa.Table) -> list[list[Any]]:
    return [_plain(table.column(name)) for name in table.column_names]


def _plain(column: pa.ChunkedArray) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.int64()).to_pylist()
    if pa.types.is_date(column.type):
        return column.cast(pa.int32()).to_pylist()
    if pa.types.is_floating(column.type) and pc.any(pc.is_nan(column)).as_py():
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return column.to_pylist()
