"""What the values of a request must be: of the right type, of known names, and as the input policy wants them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from modelyard.serve import policy
from modelyard.serve.call import Call, Part, place_of
from modelyard.serve.columns import Column
from modelyard.serve.refusal import MOST_FAULTS, Fault, of_faults


def validate(call: Call) -> None:
    """Every value of the type that the answering release's inputs have; no column that no release knows, unless such
    are declared to be ignored."""
    faults = []
    if call.board.promise.extra == "ignore":
        call.ignored = list({name: (row, place) for row, name, place in reversed(call.unknown)}.values())
    else:
        faults = [Fault(place, _misnamed(name), "an input of the model") for _, name, place in call.unknown]
    for name, kind in _carried(call).items():
        faults += _at(call, name, kind, (call.column(name, kind) or _NOTHING).faults)
    if faults:
        raise of_faults(sorted(faults, key=lambda fault: fault.pointer.count("/")))
    for part in call.parts:
        inputs = call.board.loaded[part.arm.release].served.inputs
        part.faults = type_faults(call, part, inputs)


_NOTHING = Column(pa.nulls(0))


def _misnamed(name: str) -> str:
    return "unknown_feature" if name.isprintable() else "invalid_string"


def _carried(call: Call) -> dict[str, str]:
    """Columns that are logged and no inputs: the dataset's key and time."""
    kinds: dict[str, str] = {}
    for each in call.board.loaded.values():
        kinds |= {name: kind for name, kind in each.served.key.items() if name not in each.served.inputs}
        if each.served.time and each.served.time not in each.served.inputs:
            kinds[each.served.time] = "timestamp"
    return {} if call.replayed else {name: kind for name, kind in kinds.items() if name in call.columns}


def type_faults(call: Call, part: Part, inputs: dict[str, str]) -> list[tuple[int, str, str]]:
    within = None if part.rows is None else {int(row): place for place, row in enumerate(part.rows)}
    found = []
    for name, kind in inputs.items():
        for row, code in (call.column(name, kind) or _NOTHING).faults:
            if within is None or row in within:
                found.append((row if within is None else within[row], name, code))
    return found


def _at(call: Call, name: str, kind: str, faults: Sequence[tuple[int, str]]) -> list[Fault]:
    return [Fault(place_of(call, row, name), code, EXPECTED.get(code, kind)) for row, code in faults]


EXPECTED = {
    "not_finite": "a finite number",
    "out_of_bounds": "a value within the declared bounds and 64 bits",
    "invalid_string": "a text without NUL and lone surrogates",
    "missing": "a value",
    "null_not_allowed": "a value",
    "unknown_category": "a category seen in training",
    "out_of_range": "a value within the range of training",
}


def apply_policy(call: Call) -> None:
    """Fill, clip, warn or refuse as declared; a request is refused as a whole, with all its faults."""
    faults: list[Fault] = []
    for part in call.parts:
        prepare(call, part)
        if not call.replayed:
            faults += faults_of(call, part)
    if faults:
        raise of_faults(faults)


def prepare(call: Call, part: Part) -> None:
    """Apply the policy of the part's release to its rows."""
    loaded = call.board.loaded[part.arm.release]
    columns = {}
    for name, kind in loaded.served.inputs.items():
        column = call.column(name, kind)
        if column is not None:
            columns[name] = column.values if part.rows is None else column.values.take(pa.array(part.rows))
    part.outcome = policy.apply(loaded.policy, columns, part.count, whole=call.form == "columns")
    _coerced(call, part)
    wrong = {(row, name) for row, name, _ in part.faults}
    # A value of the wrong type is null by now: it is told as that, not as missing.
    part.outcome.faults = part.faults + [each for each in part.outcome.faults if each[:2] not in wrong]


def _coerced(call: Call, part: Part) -> None:
    """Say which values were read from texts; where all are (a table in CSV), that goes without saying."""
    assert part.outcome is not None
    if call.textual:
        return
    within = None if part.rows is None else {int(row): place for place, row in enumerate(part.rows)}
    for rule in call.board.loaded[part.arm.release].policy.rules:
        column = call.column(rule.name, rule.kind)
        if column is not None and column.coerced:
            rows = column.coerced if within is None else [within[row] for row in column.coerced if row in within]
            part.outcome.act(rule, "coerced", "coerce", np.array(rows, dtype=np.intp))


def faults_of(call: Call, part: Part) -> list[Fault]:
    """What the policy of the part's release refuses, with its places in the request."""
    assert part.outcome is not None
    kinds = call.board.loaded[part.arm.release].served.inputs
    faults = []
    for row, name, code in sorted(part.outcome.faults)[:MOST_FAULTS]:
        place = place_of(call, part.number(row), name)
        if code == "missing":
            if name not in call.columns and call.form == "columns":
                place = place_of(call, None, name)
            elif call.rows is None or name in call.rows[part.number(row)]:
                code = "null_not_allowed"
        faults.append(Fault(place, code, EXPECTED.get(code, kinds[name])))
    return faults
