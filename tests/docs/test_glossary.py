"""The glossary is one file: what `yard help TERM` prints is what docs/glossary.md says."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from modelyard.cli import glossary
from modelyard.cli.main import yard
from modelyard.errors import NotFound

PAGE = Path(__file__).parents[2] / "docs" / "glossary.md"


def test_the_page_is_the_glossary_of_the_command_line() -> None:
    assert PAGE.read_text() == glossary.text(), "run: cp src/modelyard/cli/glossary.md docs/glossary.md"


def test_each_line_of_a_section_is_one_term_with_a_definition() -> None:
    lines = [line for line in glossary.text().splitlines() if line.startswith("- ")]
    assert len(lines) == len(glossary.terms())
    assert all(definition.endswith(".") for definition in glossary.terms().values())


@pytest.mark.parametrize("word", ["concept drift", "Concept Drift", "SLO", "service level", "observed loss"])
def test_a_term_is_found_in_any_case_and_by_either_of_its_names(word: str) -> None:
    assert len(glossary.lookup(word)) == 1


def test_a_part_of_a_term_finds_all_that_contain_it() -> None:
    assert {"data drift", "concept drift", "joint drift"} <= set(glossary.lookup("drift"))


def test_an_unknown_term_names_the_nearest() -> None:
    with pytest.raises(NotFound) as raised:
        glossary.lookup("champoin")
    assert raised.value.hint is not None and "champion" in raised.value.hint


def test_help_explains_a_command_a_term_and_a_command_that_is_a_term() -> None:
    def said(*topic: str) -> str:
        return CliRunner().invoke(yard, ["help", *topic]).output

    assert "Usage: yard release list" in said("release", "list")
    assert said("label", "delay").startswith("label delay: ")
    both = said("monitor")
    assert both.startswith("monitor: ") and "Usage: yard monitor" in both
    assert "Usage: yard [OPTIONS]" in said() and "label delay" in said()
