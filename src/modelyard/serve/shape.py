"""From a body, or from Python values, to the columns of a request."""

from __future__ import annotations

from itertools import islice

import pyarrow as pa

from modelyard.serve.call import Call, place_of
from modelyard.serve.refusal import MOST_FAULTS, Fault, Refusal, of_faults


def decode(call: Call) -> None:
    """Read the body into columns, or turn what was given in Python into them."""
    if call.codec is not None:
        call.codec.read(call)
    if call.form == "rows":
        _from_rows(call)
    else:
        _from_columns(call)


def _limit(call: Call, count: int) -> None:
    if count > call.board.promise.max_rows and not call.replayed:
        raise Refusal(413, "too_many_rows", f"At most {call.board.promise.max_rows} rows in one request.")
    call.count = count


def _from_rows(call: Call) -> None:
    rows = call.rows
    if not isinstance(rows, list) or not rows:
        raise _shape(call, "a list of at least one object")
    wrong = (
        [number for number, row in enumerate(rows) if type(row) is not dict] if set(map(type, rows)) != {dict} else []
    )
    if wrong:
        raise of_faults([Fault(place_of(call, row, None), "wrong_shape", "an object") for row in wrong[:MOST_FAULTS]])
    _limit(call, len(rows))
    names = set().union(*rows)
    extra = names - call.board.names
    # Only known names become columns: a hostile body may name a million.
    call.columns = {name: [row.get(name) for row in rows] for name in names - extra}
    if extra:
        found = ((number, name) for number, row in enumerate(rows) for name in row.keys() & extra)
        call.unknown = [(row, name, place_of(call, row, name)) for row, name in islice(found, MOST_FAULTS)]


def _from_columns(call: Call) -> None:
    if not isinstance(call.columns, dict):
        raise _shape(call, "an object of lists")
    raws = call.columns
    wrong = [name for name, raw in raws.items() if not isinstance(raw, list | pa.Array | pa.ChunkedArray)]
    if wrong:
        raise of_faults([Fault(place_of(call, None, name), "wrong_shape", "a list") for name in wrong[:MOST_FAULTS]])
    lengths = {len(raw) for raw in raws.values()}
    if len(lengths) != 1 or lengths == {0}:
        raise _shape(call, "lists of one length, at least 1")
    _limit(call, lengths.pop())
    extra = raws.keys() - call.board.names
    if extra:
        call.unknown = [(0, name, place_of(call, None, name)) for name in sorted(extra)[:MOST_FAULTS]]


def _shape(call: Call, expected: str) -> Refusal:
    return of_faults([Fault(place_of(call, None, None), "wrong_shape", expected)])
