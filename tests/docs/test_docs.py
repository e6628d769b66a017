"""Documentation is a test subject: its commands parse, its links lead somewhere, its JSON and YAML are such."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import click
import pytest

from modelyard.cli.main import yard
from modelyard.spec import load

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
IDS = [str(page.relative_to(ROOT)) for page in PAGES]
COMMAND = re.compile(r"(?:^|\s|`)yard (?=[a-z-])")


def blocks(page: Path) -> list[str]:
    """The shell blocks of a page, continued lines joined."""
    found = re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    return [block.replace("\\\n", " ") for block in found]


def commands(page: Path) -> list[str]:
    """Every `yard ...` command of a page: lines of shell blocks, and code in sentences that holds arguments."""
    text = page.read_text(encoding="utf-8")
    lines = [line.strip() for block in blocks(page) for line in block.splitlines()]
    shell = [
        re.sub(r"^.*?\byard ", "yard ", line) for line in lines if re.match(r"(?:\w+=\S+ |\$ )*(?:\S*/)?yard ", line)
    ]
    outside = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    return [*shell, *(code for code in re.findall(r"`(yard [^`…]+)`", outside))]


def resolve(words: list[str]) -> tuple[click.Command, click.Context, list[str]]:
    """The command that words name, with what is left of them."""
    command: click.Command = yard
    context = click.Context(yard, info_name="yard")
    while isinstance(command, click.Group):
        rest = command.make_parser(context).parse_args(list(words))[1] if words and words[0].startswith("-") else words
        if not rest:
            return command, context, []
        name, words = rest[0], rest[1:]
        found = command.get_command(context, name)
        assert found is not None, f"there is no command {name!r}"
        command, context = found, click.Context(found, parent=context, info_name=name)
    return command, context, words


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_command_shown_parses(page):
    for line in commands(page):
        words = shlex.split(line, comments=True)[1:]
        command, context, rest = resolve(words)
        if not rest and "`" not in line and f"`{line}`" in page.read_text(encoding="utf-8"):
            continue  # a command named in a sentence, without its arguments
        command.make_parser(context).parse_args(list(rest))
        with context:
            for name in (word for word in rest if word.startswith("--")):
                known = [option for parameter in command.params for option in parameter.opts]
                assert name.partition("=")[0] in known, f"{line}: there is no option {name}"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_link_leads_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+://|#", link):
            assert (page.parent / link.partition("#")[0]).exists(), f"{page.name}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_json_in_requests_is_json(page):
    for block in blocks(page):
        for body in re.findall(r"-d '(\{.*?\})'", block, re.S):
            json.loads(body)


def test_the_readme_names_the_commands_of_make():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert {"demo", "test"} <= targets
    for target in re.findall(r"\bmake ([a-z]+)\b", "\n".join(blocks(ROOT / "README.md"))):
        assert target in targets


def test_the_example_is_a_valid_declaration(tmp_path):
    for path in (ROOT / "examples/flights").rglob("*"):
        place = tmp_path / path.relative_to(ROOT / "examples/flights")
        if path.is_file() and not {"data", ".yard"} & set(path.relative_to(ROOT / "examples/flights").parts):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
    (tmp_path / "data").mkdir()
    for table in ("flights", "weather", "planes"):
        (tmp_path / "data" / f"{table}.parquet").touch()
    assert load(tmp_path).spec.project == "flights"


def test_every_decision_record_has_its_three_parts():
    for page in (ROOT / "docs/adr").glob("[0-9]*.md"):
        text = page.read_text(encoding="utf-8")
        number, _, _ = page.name.partition("-")
        assert text.startswith(f"# {int(number)}. "), page.name
        assert all(f"**{part}.**" in text for part in ("Context", "Decision", "Consequences")), page.name
