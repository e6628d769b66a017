"""The page about asking a gateway knows every code that the gateway can answer with."""

from __future__ import annotations

import ast
from pathlib import Path

from modelyard.serve.codes import REFUSALS, WARNINGS, tables

ROOT = Path(__file__).resolve().parents[2]
CODE_OF = {"Refusal": 1, "Fault": 1, "BadValue": 0, "act": 1}
"""Calls that carry a code, and where."""


def used() -> set[str]:
    """Every code that is written out in a call of the serving room."""
    found = set()
    for file in (ROOT / "src/modelyard/serve").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call):
                continue
            place = CODE_OF.get(getattr(node.func, "id", getattr(node.func, "attr", "")))
            if place is not None and len(node.args) > place and isinstance(node.args[place], ast.Constant):
                found.add(node.args[place].value)
    return found


def test_the_page_has_the_tables_of_the_codes() -> None:
    says = "python -m modelyard.serve.codes prints what belongs there"
    assert tables() in (ROOT / "docs/serving.md").read_text(), says


def test_every_code_is_explained() -> None:
    known = {code for _, code, _ in REFUSALS} | {code for code, _ in WARNINGS}
    assert len(used()) > 30
    assert used() - known == set(), "explain it in modelyard/serve/codes.py"
