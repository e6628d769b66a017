"""The request's way: decode, recall, route, validate, apply the policy, predict, log, answer.

Routing comes before the policy because the policy is a release's own: its medians, its ranges, its categories. From
decoding to encoding a request is columns; each arm that answers some of its rows is a `Part`, with one predict.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.clock import Clock
from modelyard.serve import answer as answers
from modelyard.serve import decode as json_body
from modelyard.serve import keys, policy, predicting
from modelyard.serve.answer import Answer
from modelyard.serve.board import Board
from modelyard.serve.columns import Column, Raw, typed
from modelyard.serve.frames import Entry
from modelyard.serve.ledger import Ledger
from modelyard.serve.log import Spool
from modelyard.serve.refusal import MOST_FAULTS, Fault, Refusal, of_faults, pointer
from modelyard.serve.routing import Arm

Form = Literal["rows", "columns", "replay"]


@dataclass
class Part:
    """The rows (numbers in the request; None = all) that one arm answers, and what became of them."""

    arm: Arm
    role: Literal["answer", "shadow"]
    rows: np.ndarray | None
    count: int
    outcome: policy.Outcome | None = None
    made: predicting.Made | None = None
    faults: list[tuple[int, str, str]] = field(default_factory=list)

    def number(self, row: int) -> int:
        """The row's number in the request."""
        return row if self.rows is None else int(self.rows[row])


@dataclass
class Call:
    """One request on its way. `chosen`: the client chose the id; `digest` of the body tells a repeat from a reuse."""

    board: Board
    clock: Clock
    spool: Spool
    ledger: Ledger
    request_id: str
    chosen: bool = False
    digest: str = ""
    body: bytes | None = None
    routing_key: str | None = None
    routing_keys: Sequence[str] | None = None
    times: np.ndarray | None = None
    at: int = 0
    began: float = 0.0
    form: Form = "rows"
    rows: list[dict[str, Any]] | None = None
    unknown: list[tuple[str, str]] = field(default_factory=list)
    columns: dict[str, Raw] = field(default_factory=dict)
    count: int = 0
    claimed: bool = False
    row_keys: list[str] | None = None
    row_times: list[int | None] | None = None
    parts: list[Part] = field(default_factory=list)
    typed: dict[tuple[str, str], Column] = field(default_factory=dict)
    answer: Answer | None = None

    @property
    def replayed(self) -> bool:
        """Whether each row is a request of its own."""
        return self.form == "replay"

    def column(self, name: str, kind: str) -> Column | None:
        """A typed column of the request, or None when it has none of that name."""
        if (name, kind) not in self.typed:
            raw = self.columns.get(name)
            if raw is None:
                return None
            self.typed[name, kind] = typed(raw, kind)
        return self.typed[name, kind]

    def keys(self) -> Sequence[str]:
        """The routing keys: one per row, or one for all."""
        if self.routing_keys is not None:
            return self.routing_keys
        return [self.routing_key if self.routing_key is not None else self.request_id]


def recall(call: Call) -> None:
    """A repeated request gets the answer it got before; its id with another body is refused."""
    if not call.chosen:
        return
    seen = call.ledger.claim(call.request_id)
    if seen is None:
        call.claimed = True
        return
    if seen.body != call.digest:
        raise Refusal(409, "request_id_reused", "This request id was used for another request a moment ago.")
    answer = answers.of_log(call.request_id, call.ledger.answered(call.request_id, seen))
    call.answer = shown(answer, call.board)


def decode(call: Call) -> None:
    """Read the body into columns, or turn what was given in Python into them."""
    if call.body is not None:
        document = json_body.read(call.body)
        if not isinstance(document, dict) or len(document) != 1 or not document.keys() & {"rows", "columns"}:
            raise _shape("", "an object with either rows or columns")
        call.rows, given = document.get("rows"), document.get("columns")
        call.form = "rows" if "rows" in document else "columns"
        call.columns = given if call.form == "columns" else {}
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
        raise _shape("/rows", "a list of at least one object")
    wrong = [number for number, row in enumerate(rows) if type(row) is not dict] if set(map(type, rows)) != {dict} else []
    if wrong:
        raise of_faults([Fault(pointer("rows", row), "wrong_shape", "an object") for row in wrong[:MOST_FAULTS]])
    _limit(call, len(rows))
    names = set().union(*rows)
    extra = names - call.board.names
    # Only known names become columns: a hostile body may name a million.
    call.columns = {name: [row.get(name) for row in rows] for name in names - extra}
    if extra:
        places = ((pointer("rows", number, name), name) for number, row in enumerate(rows) for name in row.keys() & extra)
        call.unknown = list(islice(places, MOST_FAULTS))


def _from_columns(call: Call) -> None:
    if not isinstance(call.columns, dict):
        raise _shape("/columns", "an object of lists")
    raws = call.columns
    wrong = [name for name, raw in raws.items() if not isinstance(raw, list | pa.Array | pa.ChunkedArray)]
    if wrong:
        raise of_faults([Fault(pointer("columns", name), "wrong_shape", "a list") for name in wrong[:MOST_FAULTS]])
    lengths = {len(raw) for raw in raws.values()}
    if len(lengths) != 1 or lengths == {0}:
        raise _shape("/columns", "lists of one length, at least 1")
    _limit(call, lengths.pop())
    extra = raws.keys() - call.board.names
    if extra:
        call.unknown = [(pointer("columns", name), name) for name in sorted(extra)[:MOST_FAULTS]]


def _shape(place: str, expected: str) -> Refusal:
    return of_faults([Fault(place, "wrong_shape", expected)])


def route(call: Call) -> None:
    """Give each row its arm; a request without keys per row goes to one arm as a whole."""
    given = call.keys()
    if call.routing_keys is not None and len(given) != call.count:
        raise _shape("", "one routing key per row")
    chosen = call.board.table.assign(given)
    for number, arm in enumerate(call.board.table.arms):
        rows = np.flatnonzero(chosen == number)
        if len(rows):
            every = call.routing_keys is None or len(rows) == call.count
            call.parts.append(Part(arm, "answer", None if every else rows, call.count if every else len(rows)))


def validate(call: Call) -> None:
    """Every value of the type that the answering release's inputs have; no column that no release knows."""
    faults = [Fault(place, _misnamed(name), "an input of the model") for place, name in call.unknown]
    for name, kind in _carried(call).items():
        faults += _at(call, name, kind, (call.column(name, kind) or _NOTHING).faults)
    if faults:
        raise of_faults(sorted(faults, key=lambda fault: fault.pointer.count("/")))
    for part in call.parts:
        inputs = call.board.loaded[part.arm.release].served.inputs
        part.faults = _type_faults(call, part, inputs)


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


def _type_faults(call: Call, part: Part, inputs: dict[str, str]) -> list[tuple[int, str, str]]:
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


def place_of(call: Call, row: int, name: str) -> str:
    """The pointer to one value."""
    return pointer("columns", name, row) if call.form == "columns" else pointer("rows", row, name)


def apply_policy(call: Call) -> None:
    """Fill, clip, warn or refuse as declared; a request is refused as a whole, with all its faults."""
    faults: list[Fault] = []
    for part in call.parts:
        prepare(call, part)
        if not call.replayed:
            faults += _told(call, part)
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
    part.outcome = policy.apply(loaded.rules, columns, part.count, whole=call.form == "columns")
    wrong = {(row, name) for row, name, _ in part.faults}
    # A value of the wrong type is null by now: it is told as that, not as missing.
    part.outcome.faults = part.faults + [each for each in part.outcome.faults if each[:2] not in wrong]


def _told(call: Call, part: Part) -> list[Fault]:
    assert part.outcome is not None
    kinds = call.board.loaded[part.arm.release].served.inputs
    faults = []
    for row, name, code in sorted(part.outcome.faults)[:MOST_FAULTS]:
        place = place_of(call, part.number(row), name)
        if code == "missing":
            if name not in call.columns and call.form == "columns":
                place = pointer("columns", name)
            elif call.rows is None or name in call.rows[part.number(row)]:
                code = "null_not_allowed"
        faults.append(Fault(place, code, EXPECTED.get(code, kinds[name])))
    return faults


def predict(call: Call) -> None:
    """One predict per arm; rows that cannot be answered get the fallback where one is declared."""
    for part in call.parts:
        ask(call, part)


def ask(call: Call, part: Part) -> None:
    """Ask the part's release, and take what its policy sends to the fallback from there."""
    assert part.outcome is not None
    served = call.board.loaded[part.arm.release].served
    part.made = predicting.make(served, part.outcome, call.board.promise.fallback)


def log(call: Call) -> None:
    """Write every row down before it is answered; a row that failed is written too, for the guards."""
    carry(call)
    call.at = int(call.clock.now().timestamp() * 1_000_000)
    milliseconds = (call.clock.monotonic() - call.began) * 1000
    entries = [entry(call, part, milliseconds) for part in call.parts]
    write(call, [each for each in entries if each is not None])


def write(call: Call, entries: list[Entry]) -> None:
    """Append entries and remember them."""
    shapes = {each.release: call.board.loaded[each.release].served.inputs for each in entries}
    segment, _ = call.spool.write(entries, shapes)
    call.ledger.add(entries, segment)


def entry(call: Call, part: Part, milliseconds: float) -> Entry | None:
    """A part as a frame of the log, or None when it has nothing to log."""
    assert part.outcome is not None and part.made is not None
    made, numbers = part.made, _logged(call, part)
    if not len(numbers):
        return None
    every = len(numbers) == part.count
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
        routing=_of(call.routing_keys, own, whole) or call.keys()[0],
        values=None if made.many else made.listed(numbers),
        many=made.listed(numbers) if made.many else None,
        fallback=[place[row] for row in np.flatnonzero(made.fallback).tolist() if row in place],
        warnings=[(place[row], at, code) for row, at, code in told(call, part) if row in place],
        errors=[(place[row], code) for row, code in (made.errors | made.failed).items() if row in place],
        ms=round(milliseconds, 3),
        inputs=_inputs(table) if part.role == "answer" else None,
    )


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


def told(call: Call, part: Part) -> list[tuple[int, str, str]]:
    """Warnings about a part as (row within it, pointer, code)."""
    assert part.outcome is not None and part.made is not None
    warnings = [
        (row, place_of(call, part.number(row), name), code) for row, name, code in sorted(part.outcome.warnings)
    ]
    form = "columns" if call.form == "columns" else "rows"
    return warnings + [(row, pointer(form, part.number(row)) if form == "rows" else "/columns", "fallback")
                       for row in np.flatnonzero(part.made.fallback).tolist()]  # fmt: skip


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


def answer(call: Call) -> None:
    """Put the parts together; a row without a prediction fails a request, and only itself in a replay."""
    failed = [code for part in call.parts if part.made is not None for code in part.made.errors.values()]
    if failed and not call.replayed:
        raise Refusal(502 if "model_output_invalid" in failed else 500, failed[0])
    call.answer = shown(_assembled(call), call.board)


def _assembled(call: Call) -> Answer:
    values: list[Any] = [None] * call.count
    arms, released = [""] * call.count, [""] * call.count
    warnings: list[tuple[int, str, str]] = []
    rejected: list[tuple[int, str]] = []
    for part in call.parts:
        assert part.outcome is not None and part.made is not None
        numbers = range(call.count) if part.rows is None else part.rows.tolist()
        refused = part.outcome.refused()
        for row, value in zip(numbers, part.made.listed(np.arange(part.count)), strict=True):
            values[row], arms[row], released[row] = value, part.arm.name, part.arm.release
        rejected += [(numbers[row], code) for row, _, code in part.outcome.faults]
        rejected += [(numbers[row], code) for row, code in part.made.errors.items() if row not in refused]
        warnings += [(numbers[row], at, code) for row, at, code in told(call, part) if row not in refused]
    warnings.sort(key=itemgetter(0))
    return Answer(call.request_id, released[0], arms[0], values, warnings, arms, released, tuple(sorted(set(rejected))))


def shown(answer: Answer, board: Board) -> Answer:
    """The answer with labels instead of probabilities where the deployment says so."""
    if not board.promise.label:
        return answer
    signature = board.first().signature
    return Answer(**{**vars(answer), "predictions": answers.labels(answer.predictions, signature)})


STEPS: tuple[Callable[[Call], None], ...] = (recall, decode, route, validate, apply_policy, predict, log, answer)


def run(call: Call) -> Answer:
    """Take a request all its way. Refusal when it is not answered; what was logged by then stays."""
    try:
        for step in STEPS:
            step(call)
            if call.answer is not None:
                break
    finally:
        if call.claimed:
            call.ledger.release(call.request_id)
    assert call.answer is not None
    return call.answer


def shadow(call: Call) -> None:
    """What nobody waits for: the releases in shadow answer the same rows and are logged beside them."""
    for part in _shadows(call):
        began = call.clock.monotonic()
        part.faults = _type_faults(call, part, call.board.loaded[part.arm.release].served.inputs)
        prepare(call, part)
        ask(call, part)
        logged = entry(call, part, (call.clock.monotonic() - began) * 1000)
        if logged is not None:
            write(call, [logged])


def _shadows(call: Call) -> list[Part]:
    answered = np.zeros(call.count, dtype=bool)
    releases = np.empty(call.count, dtype=object)
    for part in call.parts:
        assert part.outcome is not None
        rows = np.arange(call.count) if part.rows is None else part.rows
        refused = part.outcome.refused()
        answered[[row for place, row in enumerate(rows.tolist()) if place not in refused] if refused else rows] = True
        releases[rows] = part.arm.release
    parts = []
    for arm in (*call.board.table.shadows, *call.board.companions):
        wanted = answered & call.board.table.shadowed(arm, call.keys())
        if arm not in call.board.companions:
            wanted &= releases != arm.release  # it answered these itself
        rows = np.flatnonzero(wanted)
        if len(rows):
            parts.append(Part(arm, "shadow", None if len(rows) == call.count else rows, len(rows)))
    return parts
