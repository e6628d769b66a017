"""What was acknowledged survives `kill -9`, nothing half-done shows, and who slept past a lease is refused."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa

from modelyard.clock import RealClock
from modelyard.errors import LeaseLost, Unavailable
from modelyard.records import Audit, Mark
from modelyard.store import Store, audit, open_store

WRITE_FOR_EVER = """
import pyarrow as pa
from modelyard.records import Mark
store, n = opened(), 0
while True:
    digest = store.blobs.put(str(n).encode() * 1000)
    with store.transaction(actor="ada", action="test.done", subject=str(n)) as tx:
        for part in ("first", "second"):
            tx.add(Mark(name=f"{part} {n}", value={"blob": digest}, at=datetime.now(UTC)))
    store.table("t").append(pa.table({"n": [n]}), once=str(n))
    say(n)
    n += 1
"""

HOLD_AND_WRITE_WHEN_TOLD = """
from modelyard.errors import LeaseLost
store = opened()
with store.lease("apply", ttl=0.5) as held:
    say(held.token)
    input()
    try:
        with store.transaction(actor="sleeper", action="test.done", subject="late", fence=held):
            pass
        say("written")
    except LeaseLost:
        say("refused")
"""


def test_what_was_acknowledged_survives_kill_9(
    home: str, store_factory: Callable[..., Store], python: Callable[[str, str], Any]
) -> None:
    process = python(home, WRITE_FOR_EVER)
    while int(process.line()) < 12:
        pass
    process.popen.kill()
    rest = [int(text) for text in process.popen.stdout.read().split()]
    done = max([12, *rest])

    store = store_factory()
    marks = {mark.name: mark for mark in store.read(Mark)}
    assert {f"{part} {n}" for n in range(done + 1) for part in ("first", "second")} <= set(marks)
    assert len(marks) % 2 == 0, "a transaction is whole or not there"
    assert len(store.read(Audit)) == len(marks) // 2
    assert audit.verify(store) is None
    assert all(store.blobs.get(mark.value["blob"]) for mark in marks.values())
    numbers = [n for (n,) in duckdb.sql(f"SELECT n FROM {store.table('t').scan()} ORDER BY n").fetchall()]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > done


def test_a_killed_holder_makes_room(
    home: str, store_factory: Callable[..., Store], python: Callable[[str, str], Any]
) -> None:
    process = python(home, HOLD_AND_WRITE_WHEN_TOLD)
    assert process.line() == "1"
    store = store_factory()
    with pytest.raises(LeaseLost), store.lease("apply"):
        pass
    process.end()
    with store.lease("apply", wait=10) as held:
        assert held.token == 2


def test_a_sleeper_that_wakes_up_late_is_refused(postgres_url: str, python: Callable[[str, str], Any]) -> None:
    process = python(postgres_url, HOLD_AND_WRITE_WHEN_TOLD)
    assert process.line() == "1"
    process.popen.send_signal(signal.SIGSTOP)
    with open_store(postgres_url, project="shop", clock=RealClock()) as store:
        with store.lease("apply", wait=10) as held:
            assert held.token == 2
            process.popen.send_signal(signal.SIGCONT)
            process.tell()
            assert process.line() == "refused"
            with store.transaction(actor="ada", action="test.done", subject="in time", fence=held):
                pass
        assert [entry.actor for entry in store.read(Audit)] == ["ada"]


def test_a_holder_that_lives_keeps_its_lease_beyond_the_first_term(postgres_url: str) -> None:
    with (
        open_store(postgres_url, project="shop", clock=RealClock()) as store,
        store.lease("apply", ttl=0.3) as held,
    ):
        with pytest.raises(LeaseLost), store.lease("apply", wait=0.7):
            pass
        assert not held.lost
        with store.transaction(actor="ada", action="test.done", subject="thing", fence=held):
            pass


def test_a_busy_holder_is_not_waited_for(postgres_url: str) -> None:
    """Whoever asks for a lease while its holder is inside a fenced transaction gets an answer at once."""
    with open_store(postgres_url, project="shop", clock=RealClock()) as store:
        other = open_store(postgres_url, project="shop", clock=RealClock())
        with (
            store.lease("apply", ttl=0.1) as held,
            store.transaction(actor="ada", action="test.done", subject="thing", fence=held),
            pytest.raises(LeaseLost, match="working on it"),
            other.lease("apply", wait=0.3),
        ):
            pass
        other.close()


def test_a_server_that_hangs_is_given_up_and_found_again(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from modelyard.store.patience import Patient

    with open_store(postgres_url, project="shop", clock=RealClock()) as store:
        monkeypatch.setattr(Patient, "patience", 0.2)
        with pytest.raises(Unavailable, match=r"has not answered for 0\.2 s"), store.database.reading() as connection:
            connection.execute(sa.text("SELECT pg_sleep(60)"))
        monkeypatch.undo()
        assert store.read(Audit) == []
