"""Where the two databases differ, each says so in a sentence; and what size costs."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from modelyard.clock import RealClock
from modelyard.errors import InputError
from modelyard.records import Mark
from modelyard.store import Store, audit, open_store

WHO = {"actor": "ada", "action": "test.done", "subject": "thing"}


def test_an_identity_too_long_for_postgresql_is_an_input_error(postgres_url: str) -> None:
    with open_store(postgres_url, project="shop", clock=RealClock()) as store, store.transaction(**WHO) as tx:
        with pytest.raises(InputError, match="identifies it is too long"):
            tx.add(Mark(name=secrets.token_hex(50_000), value={}, at=datetime.now(UTC)))
        tx.add(Mark(name="short", value={"long": "x" * 100_000}, at=datetime.now(UTC)))


def test_records_cost_little(tmp_path: Path) -> None:
    """A generous multiple of what was measured (in processor time): it fails when a mechanism is lost, not on a slow day."""
    with open_store(tmp_path, project="shop", clock=RealClock()) as store:
        start = time.process_time()
        for number in range(100):
            with store.transaction(**WHO) as tx:
                tx.add(Mark(name=str(number), value={}, at=datetime.now(UTC)))
        assert (time.process_time() - start) / 100 < 0.010
        start = time.process_time()
        for number in range(100):
            assert store.one(Mark, name=str(number)) is not None
        assert (time.process_time() - start) / 100 < 0.003
        start = time.process_time()
        assert audit.verify(store) is None
        assert (time.process_time() - start) / 100 < 0.001


def test_what_came_after_a_record_costs_the_same_however_much_came_before(tmp_path: Path) -> None:
    with open_store(tmp_path, project="shop", clock=RealClock()) as store:
        few = _steps_to_read_the_last_of(10, store)
        assert _steps_to_read_the_last_of(1_000, store) < 2 * few


def _steps_to_read_the_last_of(count: int, store: Store) -> int:
    """How many instructions SQLite runs to read what came after the last but one of so many records."""
    with store.transaction(**WHO) as tx:
        tx.add_all(Mark(name=f"{count}, {number}", value={}, at=datetime.now(UTC)) for number in range(count))
    (last,) = store.read(Mark, descending=True, limit=1)
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    with store.database.reading() as connection:
        connection.connection.driver_connection.set_progress_handler(step, 1)
    assert last.id is not None
    assert store.read(Mark, id__gt=last.id - 1) == [last]
    with store.database.reading() as connection:
        connection.connection.driver_connection.set_progress_handler(None, 1)
    assert steps, "the reading went by that connection"
    return steps


def test_a_table_with_many_versions_is_read_from_a_late_checkpoint(tmp_path: Path) -> None:
    """A handle keeps every commit that it has read on, and each append goes through them all."""
    with open_store(tmp_path, project="shop", clock=RealClock()) as store:
        table = store.table("a")
        for number in range(25):
            assert table.append(pa.table({"n": [number]}), once=str(number)) == number
        assert table._latest is not None
        assert table._latest.version >= 10
        assert len(table.files()) == 25
        assert table.append(pa.table({"n": [0]}), once="0") == 24, "a piece is known however long ago it came"
