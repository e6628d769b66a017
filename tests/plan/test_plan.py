"""Plans as values: what they depend on, how they travel, and that what is applied leaves nothing to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from modelyard.plan import Plan, Recorded, RecordOnly, Step, explain
from modelyard.plan.differences import differences
from modelyard.plan.plan import Category
from modelyard.plan.steps import KINDS

from .conftest import APPLIED, World, applied, change

TABLE = {"breaking", "model", "incomparable", "verdict", "control", "data", "remove", "none", "new"}
PARAMS = {"edits": [{"file": "yard.yaml", "replace": "max_iter: 150", "by": "max_iter: 200"}]}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return applied(tmp_path)


def test_the_categories_are_those_of_the_design() -> None:
    assert set(get_args(Category)) == TABLE


def test_every_kind_of_step_is_explained_and_travels() -> None:
    assert set(KINDS.values()) == set(get_args(Step))
    for kind in KINDS.values():
        step = RecordOnly() if kind is RecordOnly else kind(*["model.a"] * (2 if kind.__name__ == "Rename" else 1))
        assert explain(step)
        plan = Plan((), (step,), "d")
        assert Plan.from_json(plan.as_json()) == plan


def test_a_plan_goes_through_json_and_back(world: World) -> None:
    plan = change(world, PARAMS).plan()
    assert plan.steps
    assert Plan.from_json(plan.as_json()) == plan


def test_the_same_ground_gives_the_same_plan_at_another_time(world: World) -> None:
    world = change(world, PARAMS)
    later = replace(world, as_of=APPLIED - timedelta(days=1))
    assert world.plan() == later.plan()


@pytest.mark.parametrize(
    "moved",
    [
        {"sources": {"flights": "other"}},
        {"as_of": datetime(2013, 5, 1, tzinfo=UTC)},
        {"edits": [{"file": "flights/tools.py", "replace": "2", "by": "4"}]},
        {"edits": [{"file": "yard.yaml", "replace": "owner: ops", "by": "owner: you"}]},
        {"requests": [{"id": 1, "subject": "late", "trigger": "refresh", "why": "drift"}]},
        {"recorded": {"without": ["model.busy"]}},
        {"recorded": {"state": "rejected"}},
        {"recorded": {"deployments": []}},
    ],
    ids=str,
)
def test_the_digest_moves_with_the_ground(world: World, moved: dict) -> None:
    before = world.plan().digest
    assert change(world, moved).plan().digest != before


def test_the_digest_covers_what_leads_to_no_step_too(world: World) -> None:
    comment = {"edits": [{"file": "yard.yaml", "replace": "# The", "by": "# A"}]}
    both = {"edits": [*comment["edits"], *PARAMS["edits"]]}
    one = change(world, PARAMS).plan()
    again = change(applied(world.project.directory), both).plan()
    assert one.changes == again.changes
    assert one.digest != again.digest


def test_nothing_recorded_is_everything_new(world: World) -> None:
    plan = replace(world, recorded=Recorded()).plan()
    assert {item.category for item in plan.changes} == {"new"}


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": None}, {"a": {"b": 1}}, ["a none -> {b: 1}"]),
        ({"a": ["x", "y"]}, {"a": ["y", "z"]}, ["a: + z, - x"]),
        ({"a": ["x", "y"]}, {"a": ["y", "x"]}, ["a: another order"]),
        ({"a": [{"m": 1}]}, {"a": [{"m": 2}, {"n": 3}]}, ["a[0].m 1 -> 2", "a[1] added: {n: 3}"]),
        ({"a": [{"m": 1}]}, {"a": []}, ["a[0] removed: {m: 1}"]),
        ({"a": True, "b": "x"}, {"a": False}, ["a true -> false", "b x -> none"]),
    ],
)
def test_differences_in_plain_words(before: dict, after: dict, says: list[str]) -> None:
    assert differences(before, after) == says
