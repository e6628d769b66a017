"""Within `asking_once` the same question has the same answer, until the thread that asks writes itself."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from modelyard.records import Mark


def write(store, name):
    with store.transaction(actor="test", action="test.marked", subject=name) as transaction:
        transaction.add(Mark(name=name, value={}, at=datetime(2024, 1, 1, tzinfo=UTC)))


def names(store, **where):
    return [each.name for each in store.read(Mark, **where)]


def test_a_question_is_asked_once_until_the_thread_writes(store_factory):
    store = store_factory()
    write(store, "one")
    with store.asking_once():
        assert names(store) == ["one"]
        other = threading.Thread(target=write, args=(store, "two"))
        other.start()
        other.join()
        assert names(store) == ["one"]
        assert names(store, name="two") == ["two"]  # another question
        write(store, "three")
        assert names(store) == ["one", "two", "three"]
    write(store, "four")
    assert names(store) == ["one", "two", "three", "four"]


def test_what_is_done_to_an_answer_is_not_done_to_the_next(store_factory):
    store = store_factory()
    write(store, "one")
    with store.asking_once():
        store.read(Mark).clear()
        assert names(store) == ["one"]
