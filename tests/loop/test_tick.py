"""What fails in a turn is told, and keeps nothing else from being done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from modelyard.clock import RealClock
from modelyard.errors import DataError, LeaseLost, Unavailable
from modelyard.loop.tick import TICK, Turn, decide, inform, react
from modelyard.loop.yard import Yard
from modelyard.spec import Project
from modelyard.spec.types import Spec
from modelyard.store import Held, open_store


@pytest.fixture
def told() -> list[str]:
    return []


def turn(tmp_path: Path, told: list[str], *, simulated: bool = False) -> Turn:
    project = Project(tmp_path, Spec(project="shop"), "", tmp_path)
    store = open_store(tmp_path / "home", project="shop", clock=RealClock())
    return Turn(Yard(project, store, "ada", progress=told.append, simulated=simulated), Held("loop", 1, "here"))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (DataError("there is no column 'a'", where="rows"), "monitor.b: rows: there is no column 'a'"),
        (KeyError("a"), "monitor.b: internal error: KeyError: 'a' (test_tick.py line "),
    ],
)
def test_one_that_fails_is_told_and_the_others_are_done(
    tmp_path: Path, told: list[str], error: Exception, says: str
) -> None:
    done = []

    def look(name: str) -> None:
        if name == "b":
            raise error
        done.append(name)

    turn(tmp_path, told).each("monitor", ["a", "b", "c"], look)
    assert done == ["a", "c"]
    assert len(told) == 1 and told[0].startswith(says)


@pytest.mark.parametrize("error", [LeaseLost("taken"), Unavailable("away")])
def test_without_lease_or_database_the_turn_ends(tmp_path: Path, told: list[str], error: Exception) -> None:
    def look(name: str) -> None:
        raise error

    with pytest.raises(type(error)):
        turn(tmp_path, told).each("monitor", ["a", "b"], look)
    assert not told


def test_who_asked_is_told_by_the_error(tmp_path: Path, told: list[str]) -> None:
    def look(name: str) -> None:
        raise DataError(name)

    with pytest.raises(DataError):
        replace(turn(tmp_path, told), asked=True).each("monitor", ["a"], look)


def test_a_defect_ends_a_simulation(tmp_path: Path, told: list[str]) -> None:
    def look(name: str) -> None:
        raise KeyError(name)

    with pytest.raises(KeyError):
        turn(tmp_path, told, simulated=True).each("monitor", ["a"], look)


def test_what_was_decided_is_told_before_a_training_begins() -> None:
    """A rollback that is told after a training of an hour comes an hour late, or never: its release ends the alert."""
    assert TICK.index(decide) < TICK.index(inform) < TICK.index(react) and TICK[-1] is inform
