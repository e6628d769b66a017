"""The ordinary request's way, many together: read, route, screen, predict, log, answer.

What waits when the gateway becomes free goes this way at once: one predict per arm, one write to the log, no object per
row. A request that is anything but ordinary (`Layout`), or one in a batch on which a model fails, is left to the pipeline,
which takes each by itself. So nothing here refuses or falls back: whatever it answers, the pipeline would answer too.
"""

from __future__ import annotations

import os
from asyncio import TimerHandle
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from modelyard.clock import Clock
from modelyard.serve import answer as answers
from modelyard.serve import frames, keys, layout
from modelyard.serve.board import Board
from modelyard.serve.columns import typed
from modelyard.serve.layout import Layout
from modelyard.serve.ledger import Ledger
from modelyard.serve.log import Spool
from modelyard.serve.refusal import pointer
from modelyard.serve.routing import Arm, sampled

_encode = msgspec.json.Encoder().encode


class Asked:
    """One request of a batch: its `body` and `routing` key come in, its `answer` goes out; None: left to the pipeline.

    `digest`: of what was asked, where the client chose the `id`; `held`: the id is claimed in the ledger. `trace`: its
    `traceparent` header.

    `late`: its time is over, whatever the model says; `refused`: too much waits; `unlogged`: the log failed after it was
    written, so that nobody may be told.
    """

    __slots__ = (
        "answer", "arm", "began", "body", "digest", "held", "id", "late", "refused", "routing", "tickets", "timer", "trace",
        "unlogged",
    )  # fmt: skip

    def __init__(self, body: bytes, routing: str | None, began: float, id: str = "", digest: str = "") -> None:
        self.body = body
        self.routing = routing
        self.began = began
        self.id = id
        self.digest = digest
        self.held = False
        self.arm = ""
        self.answer: bytes | None = None
        self.trace = ""
        self.timer: TimerHandle | None = None
        self.late = self.refused = self.unlogged = False
        self.tickets: list[None] = [None]

    def claim(self) -> bool:
        """Whether the caller may decide what becomes of it: the first who asks may; safe between threads."""
        try:
            self.tickets.pop()
        except IndexError:
            return False
        return True


@dataclass
class Share:
    """The rows of a batch that one arm answers: `asked` are its requests, `ends` where the rows of each end.

    `measured`: their numbers, where the policy of the arm's release changes some.
    """

    arm: Arm
    asked: list[int]
    rows: np.ndarray
    ends: np.ndarray
    values: np.ndarray | None = None
    measured: np.ndarray | None = None


@dataclass
class Batch:
    """Requests that are answered together, under one board.

    `told`: by row, what its arm's policy tells as (input, code, action); `wide`: the requests that came as columns.
    """

    board: Board
    layout: Layout
    clock: Clock
    spool: Spool
    ledger: Ledger
    asked: list[Asked]
    kept: list[int] = field(default_factory=list)
    ends: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.intp))
    measured: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    texts: list[tuple[Any, ...]] = field(default_factory=list)
    carried: list[tuple[Any, ...]] = field(default_factory=list)
    keys: list[str] | None = None
    times: list[int | None] | None = None
    shares: list[Share] = field(default_factory=list)
    wrote: tuple[str, int] = ("", 0)
    told: dict[int, list[tuple[str, str, str]]] = field(default_factory=dict)
    wide: set[int] = field(default_factory=set)


def read(batch: Batch) -> None:
    """Bodies into one matrix, and columns of texts; `kept` are the requests whose bodies are ordinary."""
    blocks: list[Any] = []
    ends: list[int] = []
    total = 0
    chosen = _first(batch)
    for number, each in enumerate(batch.asked):
        rows = None if number in chosen else batch.layout.read(each.body)
        if rows is not None:
            if type(rows) is not list:
                batch.wide.add(number)
            total += len(rows)
            batch.kept.append(number)
            blocks.append(rows)
            ends.append(total)
    batch.ends = np.array(ends, dtype=np.intp)
    wide = len(batch.layout.measured)
    if not batch.layout.texts and not batch.layout.carried:
        batch.measured = _together(blocks, wide)
        return
    none = (None,) * len(batch.layout.carried)
    tuples: list[tuple[Any, ...]] = []
    for block in blocks:
        tuples += block if type(block) is list else [(*row, *none) for row in block.tolist()]
    columns = list(zip(*tuples, strict=True))
    texts = wide + len(batch.layout.texts)
    batch.measured = np.array(columns[:wide], dtype=np.float64).reshape(wide, -1).T
    batch.texts, batch.carried = columns[wide:texts], columns[texts:]


def _first(batch: Batch) -> set[int]:
    """Claim the ids that clients chose; the requests whose id is not new, which the pipeline looks at."""
    first: dict[str, int] = {}
    again: set[int] = set()
    for number, each in enumerate(batch.asked):
        if each.digest and first.setdefault(each.id, number) != number:
            again.add(number)
    new = batch.ledger.take(list(first)) if first else set()
    for request_id, number in first.items():
        batch.asked[number].held = request_id in new
    return again | {number for request_id, number in first.items() if request_id not in new}


def _together(blocks: list[Any], wide: int) -> np.ndarray:
    """Rows and matrices below each other, None as NaN."""
    if all(type(block) is list for block in blocks):
        rows = chain.from_iterable(blocks)
        try:
            return np.fromiter(chain.from_iterable(rows), np.float64).reshape(-1, wide)
        except TypeError:
            return np.array(list(chain.from_iterable(blocks)), dtype=np.float64).reshape(-1, wide)
    return np.concatenate([np.array(block, dtype=np.float64).reshape(-1, wide) for block in blocks])


def route(batch: Batch) -> None:
    """Ids, and an arm for each request."""
    fresh = os.urandom(12 * len(batch.kept)).hex()
    wanted = []
    for place, number in enumerate(batch.kept):
        each = batch.asked[number]
        each.id = each.id or fresh[24 * place : 24 * place + 24]
        wanted.append(each.id if each.routing is None else each.routing)
    arms = batch.board.table.arms
    chosen = np.zeros(len(batch.kept), dtype=np.intp) if len(arms) == 1 else batch.board.table.assign(wanted)
    starts = np.concatenate(([0], batch.ends[:-1])) if len(batch.ends) else batch.ends
    for number, arm in enumerate(arms):
        places = np.flatnonzero(chosen == number)
        if len(places):
            batch.shares.append(_share(batch, arm, places, starts))


def _share(batch: Batch, arm: Arm, places: np.ndarray, starts: np.ndarray) -> Share:
    lengths = batch.ends[places] - starts[places]
    ends = np.cumsum(lengths)
    if len(ends) == ends[-1]:
        rows = starts[places]
    else:
        rows = np.concatenate([np.arange(starts[place], batch.ends[place]) for place in places])
    return Share(arm, [batch.kept[place] for place in places.tolist()], rows, ends)


def screen(batch: Batch) -> None:
    """Apply the policy of each arm; leave out requests with a value that it refuses, or fills in."""
    for share in batch.shares:
        whole = len(share.rows) == len(batch.measured)
        measured = batch.measured if whole else batch.measured[share.rows]
        texts = [values if whole else tuple(values[row] for row in share.rows.tolist()) for values in batch.texts]
        passed = batch.layout.screens[share.arm.release].look(measured, texts)
        if passed.own:
            share.measured = passed.measured
        if passed.told:
            rows = share.rows.tolist()
            batch.told |= {rows[row]: sorted(told) for row, told in passed.told.items()}
        if not passed.fine.all():
            _leave(share, passed.fine)
    batch.shares = [share for share in batch.shares if share.asked]


def _leave(share: Share, fine: np.ndarray) -> None:
    """Keep the requests all of whose rows are `fine`."""
    starts = np.concatenate(([0], share.ends[:-1]))
    good = np.array([fine[start:end].all() for start, end in zip(starts.tolist(), share.ends.tolist(), strict=True)])
    kept = np.repeat(good, share.ends - starts)
    share.rows = share.rows[kept]
    share.measured = None if share.measured is None else share.measured[kept]
    share.values = None if share.values is None else share.values[kept]
    share.asked = [number for number, kept in zip(share.asked, good.tolist(), strict=True) if kept]
    share.ends = np.cumsum((share.ends - starts)[good])


def carry(batch: Batch) -> None:
    """The dataset's key and time of each row, where rows carry them; a request with a faulty one is left to the pipeline."""
    if not any(value is not None for values in batch.carried for value in values):
        return
    kinds: dict[str, str] = {}
    time = None
    for loaded in batch.board.loaded.values():
        kinds = kinds or dict(loaded.served.key)
        time = time or loaded.served.time
    columns = dict(zip(batch.layout.carried, batch.carried, strict=True))
    faulty: set[int] = set()
    found: dict[str, pa.Array] = {}
    for name, values in columns.items():
        column = typed(list(values), kinds.get(name, "timestamp"))
        faulty |= {row for row, _ in column.faults}
        if name in kinds:
            found[name] = column.values
        if name == time:
            batch.times = column.values.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_pylist()
    if len(found) == len(kinds) and found:
        batch.keys = keys.of_columns(found, len(batch.measured))
    if faulty:
        fine = np.ones(len(batch.measured), dtype=bool)
        fine[list(faulty)] = False
        for share in batch.shares:
            _leave(share, fine[share.rows])
        batch.shares = [share for share in batch.shares if share.asked]


def predict(batch: Batch) -> None:
    """One predict per arm; a model that fails, or answers what is no prediction, leaves its requests to the pipeline."""
    for share in batch.shares:
        served = batch.board.loaded[share.arm.release].served
        whole = len(share.rows) == len(batch.measured)
        measured = share.measured
        if measured is None:
            measured = batch.measured if whole else batch.measured[share.rows]
        matrix = getattr(served.model, "predict_matrix", None)
        try:
            if matrix is not None and not batch.layout.texts:
                values = matrix(measured)
            else:
                texts = [each if whole else tuple(each[row] for row in share.rows.tolist()) for each in batch.texts]
                values = served.model.predict(layout.table(batch.layout, measured, texts))
            values = np.asarray(values, dtype=np.float64)
        except Exception:  # whatever a model raises: the pipeline asks again, request by request, and tells it
            continue
        wide = served.signature["task"] == "multiclass_classification"
        shape = (len(share.rows), len(served.signature["classes"])) if wide else (len(share.rows),)
        if values.shape == shape and np.isfinite(values).all():
            share.values = values
    batch.shares = [share for share in batch.shares if share.values is not None]


def log(batch: Batch) -> None:
    """One entry per arm, in one write; not of those whose time was over meanwhile."""
    for share in batch.shares:
        mine = np.array([batch.asked[number].claim() for number in share.asked])
        if not mine.all():
            _leave(share, np.repeat(mine, np.diff(share.ends, prepend=0)))
    batch.shares = [share for share in batch.shares if share.asked]
    if not batch.shares:
        return
    now, at = batch.clock.monotonic(), int(batch.clock.now().timestamp() * 1_000_000)
    entries = [_entry(batch, share, now, at) for share in map(partial(_sampled, batch), batch.shares) if share.asked]
    if not entries:
        return
    shapes = {share.arm.release: batch.board.loaded[share.arm.release].served.inputs for share in batch.shares}
    batch.wrote = batch.spool.write(entries, shapes, sync=False)
    if batch.wrote[0]:
        batch.ledger.add(entries, batch.wrote[0])


def _sampled(batch: Batch, share: Share) -> Share:
    """What is logged of a share: all of it, or the requests of the declared sample."""
    rate = batch.board.promise.sample
    if rate >= 1:
        return share
    mine = sampled([batch.asked[number].id for number in share.asked], batch.board.name, rate)
    logged = replace(share)
    _leave(logged, np.repeat(mine, np.diff(share.ends, prepend=0)))
    return logged


def _entry(batch: Batch, share: Share, now: float, at: int, unseen: float | None = None) -> frames.Many:
    assert share.values is not None
    asked = [batch.asked[number] for number in share.asked]
    single = len(asked) == len(share.rows)
    rows = share.rows.tolist()
    keyed = any(each.routing is not None for each in asked)
    warnings = _warnings(batch, share) if batch.told else []
    return frames.Many(
        ids=[each.id for each in asked],
        n=len(rows),
        ends=None if single else share.ends.tolist(),
        arm=share.arm.name,
        release=share.arm.release,
        at=at,
        time=None if batch.times is None else [batch.times[row] for row in rows],
        key=None if batch.keys is None else [batch.keys[row] for row in rows],
        routing=[each.id if each.routing is None else each.routing for each in asked] if keyed else None,
        values=share.values.tobytes(),
        width=share.values.shape[1] if share.values.ndim == 2 else 0,
        ms=[round((now - each.began if unseen is None else unseen) * 1000, 3) for each in asked],
        role="answer" if unseen is None else "shadow",
        propensity=share.arm.weight if unseen is None else None,
        inputs=_inputs(batch, share) if unseen is None else None,
        bodies=[each.digest for each in asked] if unseen is None and any(each.digest for each in asked) else None,
        warnings=[(row, place, code) for row, place, code, _ in warnings],
        named=[name for *_, name in warnings],
        weight=1 / batch.board.promise.sample,
    )


def _warnings(batch: Batch, share: Share) -> list[tuple[int, str, str, str]]:
    """What is told of a share's rows as (row within it, pointer, code, input)."""
    found = []
    start = 0
    rows = share.rows.tolist()
    for number, end in zip(share.asked, share.ends.tolist(), strict=True):
        for row in range(start, end):
            for name, code, _ in batch.told.get(rows[row], ()):
                parts = ("columns", name, row - start) if number in batch.wide else ("rows", row - start, name)
                found.append((row, pointer(*parts), code, name))
        start = end
    return found


def _inputs(batch: Batch, share: Share) -> list[bytes | list[Any]]:
    """The columns in the order of the release's inputs: numbers as bytes, others as lists."""
    where = {name: place for place, name in enumerate(batch.layout.measured)}
    strings = {name: place for place, name in enumerate(batch.layout.texts)}
    rows = share.rows
    columns = np.ascontiguousarray((batch.measured[rows] if share.measured is None else share.measured).T)
    found: list[bytes | list[Any]] = []
    for name, kind in batch.layout.inputs.items():
        if kind == "category":
            values = batch.texts[strings[name]]
            found.append([values[row] for row in rows.tolist()])
        elif kind == "number":
            found.append(columns[where[name]].tobytes())
        else:
            whole = bool if kind == "boolean" else int
            found.append([None if value != value else whole(value) for value in columns[where[name]].tolist()])
    return found


def answer(batch: Batch) -> None:
    """Each request's answer as JSON."""
    for share in batch.shares:
        assert share.values is not None
        listed: list[Any] = share.values.tolist()
        if batch.board.promise.label:
            listed = answers.labels(listed, batch.board.first().signature)
        head = f',"release":{_text(share.arm.release)},"arm":{_text(share.arm.name)},"predictions":'.encode()
        told = _by_row(_warnings(batch, share)) if batch.told else {}
        start = 0
        for number, end in zip(share.asked, share.ends.tolist(), strict=True):
            each = batch.asked[number]
            each.arm = share.arm.name
            says = b"[]"
            if told:
                says = _encode([{**one, "row": row - start} for row in range(start, end) for one in told.get(row, ())])
            each.answer = b'{"request_id":%b%b%b,"warnings":%b}' % (
                _encode(each.id), head, _encode(listed[start:end]), says,
            )  # fmt: skip
            start = end


def _by_row(warnings: list[tuple[int, str, str, str]]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for row, place, code, _ in warnings:
        found.setdefault(row, []).append({"row": row, "pointer": place, "code": code})
    return found


def _text(value: str) -> str:
    return _encode(value).decode()


STEPS: tuple[Callable[[Batch], None], ...] = (read, route, screen, carry, predict, log, answer)


def run(batch: Batch, steps: tuple[Callable[[Batch], None], ...] = STEPS) -> None:
    """Take a batch all its way. Refusal 503 when the log cannot be written: then nothing may be answered."""
    for step in steps:
        step(batch)
        if not batch.kept:
            break


def shadow(batch: Batch) -> None:
    """What nobody waits for: the releases in shadow answer the same rows and are logged beside them.

    A row that a shadow's policy refuses or fills in is none of its comparison, nor one that is not in the sample.
    """
    table = batch.board.table
    starts = np.concatenate(([0], batch.ends[:-1])) if len(batch.ends) else batch.ends
    place_of = {number: place for place, number in enumerate(batch.kept)}
    answered = {number: share.arm.release for share in batch.shares for number in share.asked}
    for arm in table.shadows:
        asked = [number for number in answered if answered[number] != arm.release]
        if batch.board.promise.sample < 1:
            ids = [batch.asked[number].id for number in asked]
            mine = sampled(ids, batch.board.name, batch.board.promise.sample)
            asked = [number for number, each in zip(asked, mine.tolist(), strict=True) if each]
        names = [batch.asked[number].routing or batch.asked[number].id for number in asked]
        wanted = table.shadowed(arm, names)
        places = np.array([place_of[number] for number, each in zip(asked, wanted.tolist(), strict=True) if each])
        if not len(places):
            continue
        beside = replace(batch, shares=[_share(batch, arm, places, starts)], told={})
        began = batch.clock.monotonic()
        for step in (screen, predict):
            step(beside)
        now, at = batch.clock.monotonic(), int(batch.clock.now().timestamp() * 1_000_000)
        entries = [_entry(beside, share, now, at, unseen=now - began) for share in beside.shares]
        if entries:
            shapes = {arm.release: batch.board.loaded[arm.release].served.inputs}
            batch.spool.write(entries, shapes, sync=False)
