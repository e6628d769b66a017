"""Labels that come back: by request and row, or by the dataset's key; each once, corrections kept beside what was said first.

Statuses per item: 200 recorded, or the same again; 202 recorded, its prediction is not known (yet); 409 another label is
recorded and the item is no declared correction; 422 the item is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from modelyard.records import Label
from modelyard.serve import keys
from modelyard.serve.columns import is_text
from modelyard.serve.ledger import Ledger
from modelyard.serve.refusal import MOST_FAULTS, Fault, Refusal, of_faults, pointer
from modelyard.serve.releases import Served
from modelyard.serve.routing import sampled
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
class Labels:
    """Labels as columns of one length: the label of place i is that of row `row[i]` of request `request_id[i]`, or of
    the prediction with `key[i]` (then request_id is "" and row 0). `correct`: the places of declared corrections."""

    request_id: Sequence[str]
    row: Sequence[int]
    key: Sequence[str]
    label: Sequence[Any]
    time: Sequence[datetime]
    correct: frozenset[int] = frozenset()

    @property
    def addresses(self) -> Iterator[Address]:
        """What is labelled, in order."""
        return zip(self.request_id, self.row, self.key, strict=True)

    @classmethod
    def of_rows(
        cls,
        request_id: Sequence[str],
        row: Sequence[int],
        labels: Iterable[Any],
        time: Sequence[datetime],
        served: Served,
    ) -> Labels:
        """Labels of requests' rows, as the model `served` reads them. Refusal 422 names those that it cannot read."""
        label_of = reader(served.signature)
        return cls(request_id, row, [""] * len(row), _every(labels, label_of), time)

    @classmethod
    def of_keys(cls, key: Sequence[str], labels: Iterable[Any], time: Sequence[datetime], served: Served) -> Labels:
        """Labels of the predictions with these keys (canonical JSON); as `of_rows`."""
        label_of = reader(served.signature)
        return cls([""] * len(key), [0] * len(key), key, _every(labels, label_of), time)


def receive(
    store: Store, deployment: str, labels: Labels, *, ledger: Ledger, now: datetime, actor: str, rate: float = 1.0
) -> list[FeedbackResult]:
    """Record labels in one transaction; what became of each, in order. `rate`: the share of requests that is logged."""
    known = _known(ledger, labels)
    aside = _aside(labels, deployment, rate, known)
    with store.transaction(actor=actor, action="feedback.received", subject=f"deployment.{deployment}") as transaction:
        statuses, new, sequences = _decide(labels, _recorded(transaction, deployment, labels), known, aside)
        transaction.add_columns(
            Label,
            {
                "deployment": [deployment] * len(new),
                **{name: [getattr(labels, name)[place] for place in new] for name in _COLUMNS},
                "sequence": sequences,
                "received": [now] * len(new),
            },
        )
        counts = {str(status): number for status, number in sorted(Counter(statuses).items())}
        transaction.detail.update({"items": len(statuses), "recorded": len(new), "statuses": counts})
    return [
        FeedbackResult(request_id, row, status, key, _code(status, place in aside))
        for place, ((request_id, row, key), status) in enumerate(zip(labels.addresses, statuses, strict=True))
    ]


_COLUMNS = ("request_id", "row", "key", "label", "time")


def read(items: Sequence[Any], served: Served, now: datetime) -> Labels:
    """Labels from the objects of a request's body. Refusal 422 names all that are wrong; nothing is recorded then."""
    label_of = reader(served.signature)
    found = _every(items, lambda item: _item(item, served, label_of, now))
    ids, rows, names = zip(*(each.address for each in found), strict=True) if found else ((), (), ())
    correct = frozenset(place for place, each in enumerate(found) if each.correct)
    return Labels(ids, rows, names, [each.label for each in found], [each.time for each in found], correct)


def _every(items: Iterable[Any], read: Callable[[Any], Any]) -> list[Any]:
    """What `read` makes of each item; a Refusal with all faults when it cannot."""
    faults: list[Fault] = []
    found = []
    for number, item in enumerate(items):
        try:
            found.append(read(item))
        except _Wrong as wrong:
            faults.append(Fault(pointer("feedback", number, *wrong.place), wrong.code, wrong.expected))
            if len(faults) >= MOST_FAULTS:
                break
    if faults:
        raise of_faults(faults)
    return found


@dataclass(frozen=True, slots=True)
class _Item:
    address: Address
    label: Any
    time: datetime
    correct: bool


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


def _known(ledger: Ledger, labels: Labels) -> Callable[[Address], bool]:
    """Whether the prediction of an address is in the log."""
    rows = ledger.known_rows(list(set(labels.request_id) - {""}))
    found = ledger.known_keys(list(set(labels.key) - {""}))
    return lambda address: address[2] in found if address[2] else address[1] < rows.get(address[0], 0)


def _aside(labels: Labels, deployment: str, rate: float, known: Callable[[Address], bool]) -> set[int]:
    """The places of labels whose request is not in the sample that is logged, and of which nothing is known."""
    if rate >= 1:
        return set()
    logged = sampled(labels.request_id, deployment, rate)
    return {
        place
        for place, address in enumerate(labels.addresses)
        if address[0] and not logged[place] and not known(address)
    }


def _code(status: int, aside: bool) -> str:
    return "not_sampled" if aside else "label_recorded" if status == 409 else ""


def _recorded(transaction: Transaction, deployment: str, labels: Labels) -> dict[Address, tuple[int, Any]]:
    """The latest label recorded for each address, with its sequence."""
    names = ("request_id", "row", "key", "sequence", "label")
    found: list[tuple[Any, ...]] = []
    for some in _chunks(sorted(set(labels.request_id) - {""})):
        found += transaction.read_columns(Label, names, deployment=deployment, request_id=some)
    for some in _chunks(sorted(set(labels.key) - {""})):
        found += transaction.read_columns(Label, names, deployment=deployment, request_id="", row=0, key=some)
    last: dict[Address, tuple[int, Any]] = {}
    for request_id, row, key, sequence, label in found:
        address = request_id, row, key
        if address not in last or last[address][0] < sequence:
            last[address] = sequence, label
    return last


def _chunks(values: list[str]) -> Iterator[list[str]]:
    return (values[first : first + _CHUNK] for first in range(0, len(values), _CHUNK))


def _decide(
    labels: Labels,
    recorded: dict[Address, tuple[int, Any]],
    known: Callable[[Address], bool],
    aside: Collection[int] = (),
) -> tuple[list[int], list[int], list[int]]:
    """The status of each label, in order; the places of those to record, and their sequences. `recorded` follows."""
    statuses: list[int] = []
    new: list[int] = []
    sequences: list[int] = []
    for place, (address, label) in enumerate(zip(labels.addresses, labels.label, strict=True)):
        if place in aside:
            statuses.append(200)
            continue
        sequence, before = recorded.get(address, (-1, None))
        differs = sequence < 0 or before != label
        if differs and sequence >= 0 and place not in labels.correct:
            statuses.append(409)
            continue
        statuses.append(200 if known(address) else 202)
        if differs:
            new.append(place)
            sequences.append(sequence + 1)
            recorded[address] = sequence + 1, label
    return statuses, new, sequences


def too_many(items: Any, most: int) -> Refusal | None:
    """The refusal of a body whose `feedback` is no list of at most `most` items, if it is not."""
    if not isinstance(items, list):
        return of_faults([Fault("/feedback", "wrong_shape", "a list of labels")])
    if len(items) > most:
        return Refusal(413, "too_many_rows", f"At most {most} labels in one request.")
    return None
