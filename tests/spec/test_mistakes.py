"""Declarations with mistakes (tests/cases/spec/*.yaml), and what is said of each, all at once (*.txt)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modelyard.errors import SpecError
from modelyard.spec import load

CASES = sorted((Path(__file__).parent.parent / "cases/spec").glob("*.yaml"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_every_mistake_is_told_with_its_place(case: Path, folder: Path) -> None:
    (folder / "yard.yaml").write_bytes(case.read_bytes())
    with pytest.raises(SpecError) as raised:
        load(folder, {"SET": "data"})
    said = "".join(f"{problem}\n" for problem in raised.value.problems)
    expected = case.with_suffix(".txt")
    if os.environ.get("WRITE_CASES"):
        expected.write_text(said)
    assert said == expected.read_text()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_no_mistake_is_told_in_the_words_of_a_library(case: Path) -> None:
    said = case.with_suffix(".txt").read_text()
    for word in ("Input should", "Value error", "valid dictionary", "literal[", "function-before", "Traceback", "None"):
        assert word not in said
