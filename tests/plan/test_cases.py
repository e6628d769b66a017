"""Edits of an applied project (tests/cases/plan/*.yaml), and the plans that follow (*.txt)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from modelyard.plan import Plan, explain

from .conftest import applied, change

CASES = sorted((Path(__file__).parent.parent / "cases/plan").glob("*.yaml"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_what_an_edit_leads_to(case: Path, tmp_path: Path) -> None:
    plan = change(applied(tmp_path), YAML(typ="safe", pure=True).load(case.read_text()) or {}).plan()
    expected = case.with_suffix(".txt")
    if os.environ.get("WRITE_CASES"):
        expected.write_text(told(plan))
    assert told(plan) == expected.read_text()


def told(plan: Plan) -> str:
    """A plan as text: its changes, then its steps."""
    changes = [f"{item.entity}: {item.category}, {item.action}: {item.why}" for item in plan.changes]
    return "\n".join([*changes, "--", *(explain(step) for step in plan.steps)]) + "\n"
