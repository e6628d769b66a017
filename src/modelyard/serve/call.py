"""One request on its way: what came, what is known of it so far, and the parts that its arms answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
import pyarrow as pa

from modelyard.clock import Clock
from modelyard.serve import policy, predicting
from modelyard.serve.answer import Answer
from modelyard.serve.board import Board
from modelyard.serve.columns import Column, Raw, typed
from modelyard.serve.ejection import Ejections
from modelyard.serve.frames import Entry
from modelyard.serve.http import Response
from modelyard.serve.ledger import Ledger
from modelyard.serve.log import Spool
from modelyard.serve.refusal import pointer
from modelyard.serve.routing import Arm, sampled

Form = Literal["rows", "columns", "replay"]
Role = Literal["answer", "shadow", "forced"]
"""Why an arm answers: by the routes, unseen beside them, or because the request named it (which no statistic counts)."""


@dataclass
class Part:
    """The rows (numbers in the request; None = all) that one arm answers, and what became of them."""

    arm: Arm
    role: Role
    rows: np.ndarray | None
    count: int
    outcome: policy.Outcome | None = None
    made: predicting.Made | None = None
    faults: list[tuple[int, str, str]] = field(default_factory=list)
    told: list[tuple[int, str, str, str]] | None = None

    def number(self, row: int) -> int:
        """The row's number in the request."""
        return row if self.rows is None else int(self.rows[row])


class Codec(Protocol):
    """A protocol's two directions."""

    def read(self, call: Call) -> None:
        """Fill in the call's rows or columns from its body. Refusal when they cannot be read."""
        ...

    def write(self, call: Call, answer: Answer) -> Response:
        """The answer as it is sent."""
        ...


@dataclass
class Call:
    """One request on its way. `codec` reads its `body` and writes its answer; `textual` says that its values are texts by
    nature, `places` where in the body a value (row, input) stands, if not where our own protocol has it. `chosen`: the client chose the id; `digest` of the body tells a repeat from a reuse.

    `forced` names the arm that must answer. `inside`: which rows the deployment's segment holds; None = all.

    `held` takes the entries of a call that writes answers and shadows at once; None when each is written by itself.
    """

    board: Board
    clock: Clock
    spool: Spool
    ledger: Ledger
    request_id: str
    ejections: Ejections | None = None
    chosen: bool = False
    digest: str = ""
    body: bytes | None = None
    codec: Codec | None = None
    routing_key: str | None = None
    routing_keys: Sequence[str] | None = None
    forced: str | None = None
    inside: np.ndarray | None = None
    times: np.ndarray | None = None
    at: int = 0
    began: float = 0.0
    form: Form = "rows"
    textual: bool = False
    places: Callable[[int | None, str | None], str] | None = None
    rows: list[dict[str, Any]] | None = None
    unknown: list[tuple[int, str, str]] = field(default_factory=list)
    ignored: list[tuple[int, str]] = field(default_factory=list)
    columns: dict[str, Raw] = field(default_factory=dict)
    count: int = 0
    claimed: bool = False
    row_keys: list[str] | None = None
    row_times: list[int | None] | None = None
    parts: list[Part] = field(default_factory=list)
    typed: dict[tuple[str, str], Column] = field(default_factory=dict)
    answer: Answer | None = None
    held: list[Entry] | None = None
    tickets: list[None] = field(default_factory=lambda: [None])

    def claim(self) -> bool:
        """Whether the caller may decide what becomes of the call: the first who asks may; safe between threads."""
        try:
            self.tickets.pop()
        except IndexError:
            return False
        return True

    @property
    def replayed(self) -> bool:
        """Whether each row is a request of its own."""
        return self.form == "replay"

    @cached_property
    def logged(self) -> bool:
        """Whether the request is in the sample that is logged; a replay is whole."""
        rate = self.board.promise.sample
        return self.replayed or rate >= 1 or bool(sampled([self.request_id], self.board.name, rate)[0])

    def column(self, name: str, kind: str) -> Column | None:
        """A typed column of the request, or None when it has none of that name."""
        if (name, kind) not in self.typed:
            raw = self.columns.get(name)
            if raw is None:
                return None
            self.typed[name, kind] = typed(raw, kind, coerce=self.textual or self.board.promise.coerces(name))
        return self.typed[name, kind]

    def known(self, name: str) -> Column | None:
        """A column in the type that the releases here give it (their inputs, or their dataset's key), if it is there."""
        kind = self.board.kinds.get(name)
        return None if kind is None else self.column(name, kind)

    @cached_property
    def keys(self) -> Sequence[str]:
        """The routing keys, one per row or one for all: the column that is routed by, else what the request said."""
        given = self.routing_keys
        if given is None:
            given = [self.routing_key if self.routing_key is not None else self.request_id]
        name = self.board.table.route_by
        column = None if name is None else self.known(name)
        if column is None:
            return given
        own = column.values.cast(pa.string()).to_pylist()
        instead = given if len(given) == len(own) else [given[0]] * len(own)
        return [other if value is None else value for value, other in zip(own, instead, strict=True)]


def place_of(call: Call, row: int | None, name: str | None) -> str:
    """The pointer to one value of the body; to a whole column (no row), a whole row (no name)."""
    if call.places is not None:
        return call.places(row, name)
    parts = ("columns", name, None if name is None else row) if call.form == "columns" else ("rows", row, name)
    return pointer(*(part for part in parts if part is not None))
