"""The page about the command line says what the command line does."""

from __future__ import annotations

from pathlib import Path

from modelyard.cli.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"


def test_the_page_is_what_the_commands_say() -> None:
    assert PAGE.read_text() == reference(), "run: python -m modelyard.cli.reference > docs/reference/cli.md"
