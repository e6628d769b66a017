"""The request's way: recall, decode, route, validate, apply the policy, predict, log, answer.

Routing comes before the policy because the policy is a release's own: its medians, its ranges, its categories. From
decoding to encoding a request is columns; each arm that answers some of its rows is a `Part`, with one predict.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

from modelyard.serve import answer as answers
from modelyard.serve import predicting
from modelyard.serve.answer import Answer
from modelyard.serve.board import Board
from modelyard.serve.call import Call, Part, place_of
from modelyard.serve.checks import EXPECTED, apply_policy, faults_of, prepare, type_faults, validate
from modelyard.serve.columns import absent
from modelyard.serve.entries import entry, log, told, write
from modelyard.serve.refusal import Fault, Refusal, of_faults
from modelyard.serve.routing import Arm
from modelyard.serve.segment import holds
from modelyard.serve.shape import decode


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


def route(call: Call) -> None:
    """Give each row its arm; a request whose rows share a routing key goes to one arm as a whole."""
    table = call.board.table
    if call.routing_keys is not None and len(call.routing_keys) != call.count:
        raise of_faults([Fault("", "wrong_shape", "one routing key per row")])
    if table.segment is not None:
        call.inside = holds(table.segment, lambda name: _values(call, name))
    if call.forced is not None:
        call.parts.append(Part(_named(call, call.forced), "forced", None, call.count))
        return
    chosen = table.assign(call.keys)
    if call.inside is not None:
        chosen = np.where(call.inside, chosen, 0)
    chosen = _standing(call, chosen)
    for number, arm in enumerate(table.arms):
        rows = np.flatnonzero(chosen == number)
        if len(rows):
            every = len(rows) == len(chosen)
            call.parts.append(Part(arm, "answer", None if every else rows, call.count if every else len(rows)))


def _standing(call: Call, chosen: np.ndarray) -> np.ndarray:
    """The arms, with those whose release is ejected replaced by the first that is not, if there is one."""
    if call.replayed or call.ejections is None or not call.ejections.any:
        return chosen
    out = np.array([call.ejections.out(arm.release) for arm in call.board.table.arms])
    return chosen if out.all() else np.where(out[chosen], np.argmin(out), chosen)


def _values(call: Call, name: str) -> pa.Array:
    """A column for the segment's condition; one that the request does not have is missing in every row."""
    column = call.known(name)
    if column is not None:
        return column.values
    return absent(call.board.kinds.get(name, "category"), call.count)


def _named(call: Call, name: str) -> Arm:
    found = call.board.table.named(name)
    if found is None:
        names = ", ".join(arm.name for arm in (*call.board.table.arms, *call.board.table.shadows))
        raise Refusal(400, "unknown_arm", f"No such arm now. There are: {names}.")
    return call.board.table.arms[found] if isinstance(found, int) else found


def predict(call: Call) -> None:
    """One predict per arm; rows that cannot be answered get the fallback where one is declared."""
    for part in call.parts:
        ejections = None if call.replayed else call.ejections
        falls = call.board.promise.fallback is not None
        out = falls and part.role == "answer" and ejections is not None and ejections.out(part.arm.release)
        ask(call, part, failed="ejected" if out else "")
        if ejections is not None and not out:
            ejections.failed(part.arm.release) if _at_fault(part) else ejections.answered([part.arm.release])


def _at_fault(part: Part) -> bool:
    """Whether the release failed on a row that there was nothing to say about."""
    assert part.outcome is not None and part.made is not None
    doubtful = {row for row, _, _ in part.outcome.warnings} | part.outcome.refused()
    wrong = {row for row, code in (part.made.errors | part.made.failed).items() if code in MODEL_FAULTS}
    return bool(wrong - doubtful)


MODEL_FAULTS = frozenset({"model_failed", "model_output_invalid"})


def ask(call: Call, part: Part, *, failed: str = "") -> None:
    """Ask the part's release; what its policy sends to the fallback and what it fails on is answered from there.

    `failed`: why the release is not asked at all.
    """
    assert part.outcome is not None
    served = call.board.loaded[part.arm.release].served
    refused: list[Fault] = []
    part.made = predicting.make(served, part.outcome, _instead(call, part, refused), failed=failed)
    if refused and part.role != "shadow" and not call.replayed:
        raise of_faults(refused)


def late(call: Call) -> None:
    """In place of `predict`, when there is no time left for it: the fallback answers, where one is declared."""
    for part in call.parts:
        if call.ejections is not None:
            call.ejections.failed(part.arm.release)
        ask(call, part, failed="deadline_exceeded")


def _instead(call: Call, part: Part, refused: list[Fault]) -> predicting.Instead | None:
    """What stands in for the part's release; `refused` takes what the champion's own policy has against rows."""
    assert part.outcome is not None
    promise, arm, outcome = call.board.promise, call.board.table.champion, part.outcome
    served = call.board.loaded[part.arm.release].served
    if promise.fallback != "champion":
        return predicting.stand_in(served, outcome, promise.fallback)
    if arm is None or arm.release == part.arm.release:
        return None

    def champion(rows: np.ndarray) -> np.ndarray:
        loaded = call.board.loaded[arm.release].served
        other = Part(arm, part.role, rows if part.rows is None else part.rows[rows], len(rows))
        other.faults = type_faults(call, other, loaded.inputs)
        prepare(call, other)
        assert other.outcome is not None
        other.outcome.faults = [each for each in other.outcome.faults if outcome.fallback[rows[each[0]]]]
        refused.extend(faults_of(call, other))
        return predicting.make(loaded, other.outcome, None).values

    return champion


def answer(call: Call) -> None:
    """Put the parts together; a row without a prediction fails a request, and only itself in a replay."""
    failed = [code for part in call.parts if part.made is not None for code in part.made.errors.values()]
    if failed and not call.replayed:
        _excuse(call)
        raise next(
            (Refusal(status, code) for code, status in FAILURES.items() if code in failed), Refusal(500, failed[0])
        )
    call.answer = shown(_assembled(call), call.board)


FAILURES = {"model_output_invalid": 502, "deadline_exceeded": 504}


def _excuse(call: Call) -> None:
    """Refuse rows that the model failed on and the policy had let pass with a warning: it is the input that is wrong."""
    faults: list[Fault] = []
    for part in call.parts:
        assert part.outcome is not None and part.made is not None
        doubtful = {row for row, _, code in part.outcome.warnings if code in EXPECTED}
        if not part.made.errors.keys() <= doubtful or {*part.made.errors.values()} - {"model_failed"}:
            return
        wrong = [each for each in part.outcome.warnings if each[0] in part.made.errors and each[2] in EXPECTED]
        faults += [Fault(place_of(call, part.number(row), name), code, EXPECTED[code]) for row, name, code in wrong]
    raise of_faults(faults)


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
        warnings += [(numbers[row], at, code) for row, at, code, _ in told(call, part) if row not in refused]
    warnings.sort(key=itemgetter(0))
    return Answer(call.request_id, released[0], arms[0], values, warnings, arms, released, tuple(sorted(set(rejected))))


def shown(answer: Answer, board: Board) -> Answer:
    """The answer with labels instead of probabilities where the deployment says so."""
    if not board.promise.label:
        return answer
    signature = board.first().signature
    return Answer(**{**vars(answer), "predictions": answers.labels(answer.predictions, signature)})


STEPS: tuple[Callable[[Call], None], ...] = (recall, decode, route, validate, apply_policy, predict, log, answer)
TOO_LATE: tuple[Callable[[Call], None], ...] = (decode, route, validate, apply_policy, late, log, answer)


def run(call: Call, steps: tuple[Callable[[Call], None], ...] = STEPS) -> Answer:
    """Take a request all its way. Refusal when it is not answered; what was logged by then stays."""
    try:
        for step in steps:
            step(call)
            if call.answer is not None:
                break
    finally:
        if call.claimed:
            call.ledger.release(call.request_id)
    assert call.answer is not None
    return call.answer


def shadow(call: Call) -> None:
    """What nobody waits for: the releases in shadow answer the same rows and are logged beside them.

    Nothing for a request that was answered before: its shadows were computed then.
    """
    if not call.parts or call.forced is not None or not call.logged:
        return
    for part in _shadows(call):
        began = call.clock.monotonic()
        part.faults = type_faults(call, part, call.board.loaded[part.arm.release].served.inputs)
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
        wanted = answered & call.board.table.shadowed(arm, call.keys)
        if arm not in call.board.companions:
            wanted &= releases != arm.release  # it answered these itself
            if call.inside is not None:
                wanted &= call.inside
        rows = np.flatnonzero(wanted)
        if len(rows):
            parts.append(Part(arm, "shadow", None if len(rows) == call.count else rows, len(rows)))
    return parts
