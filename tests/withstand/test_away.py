"""While the database is away the controller goes on trying, ever less often, and says so once."""

from __future__ import annotations

import threading
from typing import Any

from modelyard.api.crew import _soon
from modelyard.errors import Unavailable
from modelyard.loop import controller, guarding


class Away:
    """A store whose database cannot be reached."""

    def __init__(self) -> None:
        self.asked = 0
        self.often = threading.Event()

    def _fail(self) -> Any:
        self.asked += 1
        if self.asked > 3:
            self.often.set()
        raise Unavailable("the database cannot be used: gone.")

    def read(self, *_: Any, **__: Any) -> Any:
        return self._fail()

    def lease(self, *_: Any, **__: Any) -> Any:
        return self._fail()


class Turns(threading.Event):
    """Ends after some turns, and notes how long each was to wait."""

    def __init__(self, turns: int) -> None:
        super().__init__()
        self.left, self.waited = turns, []

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout)
        if len(self.waited) == self.left:
            self.set()
        return self.is_set()


def test_each_turn_in_vain_waits_longer_and_the_trouble_is_told_once() -> None:
    told: list[str] = []
    turns = Turns(6)
    controller._turn_until(Away(), turns, 2.0, told.append)  # type: ignore[arg-type]
    assert turns.waited == [4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert told == ["the database cannot be used: gone."]


def test_guards_tell_it_once_too() -> None:
    told: list[str] = []
    store = Away()
    with guarding.guarding(store, told.append, every=0.001):  # type: ignore[arg-type]
        assert store.often.wait(60)
    assert told == ["guards: the database cannot be used: gone."]


def test_the_control_api_gives_a_database_up_soon() -> None:
    assert _soon("state") == "state"
    assert _soon("postgresql://h/d") == "postgresql://h/d?connect_timeout=2"
    assert _soon("postgresql://h/d?files=x") == "postgresql://h/d?files=x&connect_timeout=2"
    assert _soon("postgresql://h/d?connect_timeout=9") == "postgresql://h/d?connect_timeout=9"
