"""Where the two databases differ, each says so in a sentence; and what size costs."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from modelyard.clock import RealClock
from modelyard.errors import InputError
from modelyard.records import Mark
from modelyard.store import audit, open_store

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
