"""A window of the log is the same whether its rows are kept in memory or read anew, whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelyard.records import Label
from modelyard.store import Store, predictions, recent

START = datetime(2013, 4, 1, tzinfo=UTC)
NAMES = ("request_id", "row", "at", "role", "prediction", "key")

hours = st.integers(0, 12).map(lambda n: START + timedelta(hours=n))
requests = st.integers(0, 4)
rows = st.tuples(requests, st.integers(0, 1), hours, st.sampled_from(["answer", "shadow"]))
steps = st.one_of(
    st.tuples(st.just("log"), st.lists(rows, min_size=1, max_size=4)),
    st.tuples(st.just("label"), st.lists(st.tuples(requests, st.integers(0, 1), st.booleans(), hours), max_size=4)),
    st.tuples(st.just("rewrite"), st.none()),
    st.tuples(st.just("ask"), st.tuples(hours, hours, st.none() | hours, st.none() | st.just("answer"), st.booleans())),
)


def log(store: Store, deployment: str, given: list[tuple[int, int, datetime, str]]) -> None:
    """Append rows; an input comes later than the first ones."""
    table = pa.Table.from_pylist(
        [
            {
                "request_id": f"r{request}",
                "row": row,
                "at": at,
                "role": role,
                "key": f'{{"id":{request}}}',
                "prediction": 0.1 * n,
                "in.x": float(n),
            }
            for n, (request, row, at, role) in enumerate(given)
        ],
        schema=pa.schema(
            [*(predictions.COLUMNS.field(name) for name in NAMES), pa.field("in.x", pa.float64())]  # others are null
        ),
    )
    store.table(f"predictions/{deployment}").append(table)


def label(store: Store, deployment: str, given: list[tuple[int, int, bool, datetime]]) -> None:
    """Record labels by request, or by key; a repeated address is a correction."""
    with store.transaction(actor="ada", action="test", subject="d") as tx:
        for request, row, by_key, time in given:
            address = {"request_id": "" if by_key else f"r{request}", "row": 0 if by_key else row}
            address["key"] = f'{{"id":{request}}}' if by_key else ""
            before = len(tx.read(Label, deployment=deployment, **address))
            tx.add(Label(deployment=deployment, **address, sequence=before, label=before, time=time, received=time))


def same(one: pa.Table, other: pa.Table) -> bool:
    """Whether two windows hold the same rows: those alike in all by which they are ordered may change places."""

    def listed(table: pa.Table) -> list[str]:
        return sorted(map(repr, table.to_pylist()))

    return one.column_names == other.column_names and listed(one) == listed(other)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(played=st.lists(steps, max_size=10), few=st.sampled_from([2, 3, 32]))
def test_kept_rows_are_the_rows(
    store_factory: Callable[..., Store], played: list[tuple], few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "_FEW", few)
    test_kept_rows_are_the_rows.number = number = getattr(test_kept_rows_are_the_rows, "number", 0) + 1
    store, deployment = store_factory(), f"d{number}"
    end = ("ask", (START, START + timedelta(days=1), None, None, False))
    for what, how in [*played, end]:
        match what:
            case "log":
                log(store, deployment, how)
            case "label":
                label(store, deployment, how)
            case "rewrite" if store.table(f"predictions/{deployment}").exists():
                store.table(f"predictions/{deployment}").compact()
            case "ask":
                low, high, known_by, role, labelled = how
                asked = {"start": low, "end": high, "known_by": known_by, "role": role, "labelled": labelled}
                for columns in (NAMES, (*NAMES, "in.x")):
                    kept = predictions.window(store, deployment, columns=columns, **asked)
                    with monkeypatch.context() as patched:
                        patched.setattr(recent, "MOST", -1)
                        anew = predictions.window(store, deployment, columns=columns, **asked)
                    assert same(kept, anew)


def test_rows_that_come_a_few_at_a_time_are_kept_together(store_factory: Callable[..., Store]) -> None:
    store = store_factory()
    for minute in range(100):
        at = START + timedelta(minutes=minute)
        log(store, "d", [(minute, 0, at, "answer")])
        label(store, "d", [(minute, 0, False, at)])
        found = predictions.window(store, "d", start=START, end=at + timedelta(minutes=1), columns=NAMES, labelled=True)
    assert found["request_id"].to_pylist() == [f"r{minute}" for minute in range(100)]
    assert len(recent.of(store, "d", predictions.COLUMNS)._batches) < recent._FEW


def test_what_is_not_asked_for_any_more_is_dropped(
    store_factory: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "_LATELY", 3)
    store = store_factory()
    for hour in range(8):
        at = START + timedelta(hours=hour)
        log(store, "d", [(hour, 0, at, "answer")])
        label(store, "d", [(hour, 0, False, at)])
    for hour in range(8):
        for _ in range(4):
            low = START + timedelta(hours=hour)
            found = predictions.window(
                store, "d", start=low, end=low + timedelta(hours=2), columns=NAMES, labelled=True
            )
        assert len(found) == min(2, 8 - hour)
    assert max(recent.of(store, "d", predictions.COLUMNS).held) <= 3


@pytest.mark.parametrize("most", [500_000, -1])
def test_a_window_may_begin_within_a_millisecond(
    store_factory: Callable[..., Store], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Delta notes times to the millisecond; a rollout begins at a microsecond."""
    monkeypatch.setattr(recent, "MOST", most)
    store, start = store_factory(), START + timedelta(microseconds=123_400)
    for request, later in enumerate((-1, 0, 1)):
        log(store, "d", [(request, 0, start + timedelta(microseconds=later), "answer")])
        found = predictions.window(store, "d", start=start, end=start + timedelta(days=1), columns=NAMES)
    assert found["request_id"].to_pylist() == ["r1", "r2"]


@pytest.mark.parametrize("most", [500_000, -1])
@pytest.mark.parametrize("given", [[1, "late", 2.5], ["late", 1, 2.5]])
def test_labels_of_two_tasks_are_texts(
    store_factory: Callable[..., Store], most: int, given: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deployment whose model learnt numbers before, and classes now."""
    monkeypatch.setattr(recent, "MOST", most)
    store = store_factory()
    log(store, "d", [(request, 0, START, "answer") for request in range(4)])
    with store.transaction(actor="ada", action="test", subject="d") as tx:
        for request, value in enumerate(given):
            tx.add(Label(deployment="d", request_id=f"r{request}", label=value, time=START, received=START))
    found = predictions.window(store, "d", start=START, end=START + timedelta(days=1), columns=NAMES)
    assert found["label"].to_pylist() == [*map(str, given), None]


@pytest.mark.parametrize("most", [500_000, -1])
def test_a_deployment_without_a_log_has_no_rows(
    store_factory: Callable[..., Store], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "MOST", most)
    found = predictions.window(store_factory(), "d", start=START, end=START + timedelta(days=1))
    assert len(found) == 0
    assert {*predictions.COLUMNS.names, "label"} <= set(found.column_names)
