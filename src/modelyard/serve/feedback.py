"""Labels that come back: by request and row, or by the dataset's key; each once, corrections kept beside what was said first.

Statuses per item: 200 recorded, or the same again; 202 recorded, its prediction is not known (yet); 409 another label is
recorded and the item is no declared correction; 422 the item is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from modelyard.records import Label
from modelyard.serve import keys
from modelyard.serve.columns import is_text
from modelyard.serve.ledger import Ledger
from modelyard.serve.refusal import MOST_FAULTS, Fault, Refusal, of_faults, pointer
from modelyard.serve.releases import Served
from modelyard.store import Store, Transaction

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAMES = {"request_id", "row", "key", "label", "time", "correct"}
_CHUNK = 10_000


@dataclass(frozen=True)
class FeedbackResult:
    """What became of one label; `key` is set when it came by key."""

    request_id: str
    row: int
    status: int
    key: str = ""
    code: str = ""

    def as_json(self) -> dict[str, Any]:
        """The result as an object of `results`."""
        address = {"key": self.key} if self.key else {"request_id": self.request_id, "row": self.row}
        return {**address, "status": self.status} | ({"code": self.code} if self.code else {})


def overall(results: Iterable[FeedbackResult]) -> int:
    """The status of a whole call: the worst of its items'."""
    statuses = {each.status for each in results}
    return max(statuses, default=200)


Address = tuple[str, int, str]


@dataclass(frozen=True)
class _Item:
    address: Address
    label: Any
    time: datetime
    correct: bool


def receive(
    store: Store,
    deployment: str,
    items: Sequence[Any],
    *,
    served: Served,
    ledger: Ledger,
    now: datetime,
    actor: str,
) -> list[FeedbackResult]:
    """Record labels in one transaction. Items that are wrong are a Refusal 422 that names them all; nothing is recorded then."""
    read = _read(items, served, now)
    known = _known(ledger, read)
    with store.transaction(actor=actor, action="feedback.received", subject=f"deployment.{deployment}") as transaction:
        last = _last(transaction, deployment, read)
        results, new = _decide(deployment, read, last, known, now)
        transaction.add_all(new)
        counts: dict[str, int] = {}
        for result in results:
            counts[str(result.status)] = counts.get(str(result.status), 0) + 1
        transaction.detail.update({"items": len(items), "recorded": len(new), "statuses": counts})
    return results


def _read(items: Sequence[Any], served: Served, now: datetime) -> list[_Item]:
    label_of = reader(served.signature)
    faults: list[Fault] = []
    read = []
    for number, item in enumerate(items):
        try:
            read.append(_item(item, served, label_of, now))
        except _Wrong as wrong:
            faults.append(Fault(pointer("feedback", number, *wrong.place), wrong.code, wrong.expected))
            if len(faults) >= MOST_FAULTS:
                break
    if faults:
        raise of_faults(faults)
    return read


class _Wrong(Exception):
    """One item cannot be used: where in it, why, and what was expected."""

    def __init__(self, place: tuple[str, ...], code: str, expected: str = "") -> None:
        self.place = place
        self.code = code
        self.expected = expected


def _item(item: Any, served: Served, label_of: Callable[[Any], Any], now: datetime) -> _Item:
    if not isinstance(item, Mapping):
        raise _Wrong((), "wrong_shape", "an object")
    unknown = next((name for name in item if name not in _NAMES), None)
    if unknown is not None:
        raise _Wrong((str(unknown),), "unknown_field", "request_id and row, or key; label; time; correct")
    if item.get("label") is None:
        raise _Wrong(("label",), "null_not_allowed" if "label" in item else "missing", "a label")
    correct = item.get("correct", False)
    if type(correct) is not bool:
        raise _Wrong(("correct",), "wrong_type", "true or false")
    return _Item(_address(item, served), label_of(item["label"]), _time(item.get("time"), now), correct)


def _address(item: Mapping[str, Any], served: Served) -> Address:
    if "key" in item:
        if "request_id" in item or "row" in item:
            raise _Wrong(("key",), "wrong_shape", "either a key, or request_id and row")
        if not served.key:
            raise _Wrong(("key",), "no_key", "request_id and row: the dataset declares no key")
        key = keys.of_label(item["key"], served.key)
        if key is None:
            raise _Wrong(("key",), "wrong_type", "an object of " + ", ".join(served.key))
        return "", 0, key
    request_id, row = item.get("request_id"), item.get("row", 0)
    if request_id is None:
        raise _Wrong(("request_id",), "missing", "request_id and row, or key")
    if type(request_id) is not str or not 0 < len(request_id) <= 200 or not is_text(request_id):
        raise _Wrong(("request_id",), "wrong_type", "the id of a request")
    if type(row) is not int:
        raise _Wrong(("row",), "wrong_type", "the number of a row")
    if not 0 <= row < 2**31:
        raise _Wrong(("row",), "out_of_bounds", "the number of a row, from 0")
    return request_id, row, ""


def _time(value: Any, now: datetime) -> datetime:
    """When the label became known: ISO 8601, a datetime, or microseconds since 1970; now when it is not said."""
    try:
        if value is None:
            return now
        if type(value) is str:
            value = datetime.fromisoformat(value)
        elif type(value) is int:
            value = _EPOCH + timedelta(microseconds=value)
        if isinstance(value, datetime):
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise _Wrong(("time",), "wrong_type", "a time as ISO 8601") from None
    raise _Wrong(("time",), "wrong_type", "a time as ISO 8601")


def reader(signature: Mapping[str, Any]) -> Callable[[Any], Any]:
    """How labels of a model are read: a number (regression), 0 or 1 (binary), or the class as text (multiclass)."""
    task = signature["task"]
    if task == "regression":
        return _number
    if task == "binary_classification":
        return _binary(signature)
    return _class(signature)


def _number(label: Any) -> float:
    if type(label) not in (int, float):
        raise _Wrong(("label",), "wrong_type", "a number")
    if label != label or abs(label) > 1.7976931348623157e308:
        raise _Wrong(("label",), "not_finite", "a finite number")
    return float(label)


def _binary(signature: Mapping[str, Any]) -> Callable[[Any], int]:
    classes = [each for each in signature.get("classes") or () if each is not None]
    positive = signature.get("positive")
    # Told apart by type too: True and 1 are equal, and either may be the class that the other is not.
    meanings: dict[tuple[type, Any], int] = {(int, 0): 0, (int, 1): 1, (bool, False): 0, (bool, True): 1}
    for each in classes:
        meanings[type(each), each] = int(each == positive and type(each) is type(positive))
    expected = "0 or 1, true or false" + ", or one of the classes" * bool(classes)

    def read(label: Any) -> int:
        if type(label) is float and label.is_integer():
            label = int(label)
        try:
            return meanings[type(label), label]
        except (KeyError, TypeError):
            raise _Wrong(("label",), "wrong_label", expected) from None

    return read


def _class(signature: Mapping[str, Any]) -> Callable[[Any], str]:
    names = {(type(each), each): str(each) for each in signature.get("classes") or ()}

    def read(label: Any) -> str:
        if isinstance(label, datetime):
            label = label.isoformat()
        if type(label) is float and label.is_integer() and (float, label) not in names:
            label = int(label)
        try:
            return names[type(label), label]
        except (KeyError, TypeError):
            raise _Wrong(("label",), "wrong_label", "one of the classes") from None

    return read


def _known(ledger: Ledger, items: Sequence[_Item]) -> Callable[[Address], bool]:
    rows = ledger.known_rows(list({each.address[0] for each in items if each.address[0]}))
    found = ledger.known_keys(list({each.address[2] for each in items if each.address[2]}))
    return lambda address: address[2] in found if address[2] else address[1] < rows.get(address[0], 0)


def _last(transaction: Transaction, deployment: str, items: Sequence[_Item]) -> dict[Address, Label]:
    """The latest label recorded for each address."""
    last: dict[Address, Label] = {}
    ids = sorted({each.address[0] for each in items if each.address[0]})
    for some in _chunks(ids):
        for label in transaction.read(Label, order="sequence", deployment=deployment, request_id=some):
            last[label.request_id, label.row, label.key] = label
    for some in _chunks(sorted({each.address[2] for each in items if each.address[2]})):
        for label in transaction.read(Label, order="sequence", deployment=deployment, request_id="", row=0, key=some):
            last["", 0, label.key] = label
    return last


def _chunks(values: list[str]) -> Iterator[list[str]]:
    return (values[first : first + _CHUNK] for first in range(0, len(values), _CHUNK))


def _decide(
    deployment: str, items: Sequence[_Item], last: dict[Address, Label], known: Callable[[Address], bool], now: datetime
) -> tuple[list[FeedbackResult], list[Label]]:
    """What becomes of each item, in order, and the labels to record; `last` follows."""
    results: list[FeedbackResult] = []
    new: list[Label] = []
    for item in items:
        before = last.get(item.address)
        request_id, row, key = item.address
        result = FeedbackResult(request_id, row, 200 if known(item.address) else 202, key)
        if before is not None and before.label != item.label and not item.correct:
            results.append(replace(result, status=409, code="label_recorded"))
            continue
        results.append(result)
        if before is None or before.label != item.label:
            label = Label(
                deployment=deployment,
                request_id=request_id,
                row=row,
                key=key,
                sequence=0 if before is None else before.sequence + 1,
                label=item.label,
                time=item.time,
                received=now,
            )
            last[item.address] = label
            new.append(label)
    return results, new


def too_many(items: Any, most: int) -> Refusal | None:
    """The refusal of a body whose `feedback` is no list of at most `most` items, if it is not."""
    if not isinstance(items, list):
        return of_faults([Fault("/feedback", "wrong_shape", "a list of labels")])
    if len(items) > most:
        return Refusal(413, "too_many_rows", f"At most {most} labels in one request.")
    return None
