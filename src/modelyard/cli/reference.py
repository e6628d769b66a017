"""The reference of the command line, written from the commands themselves.

python -m modelyard.cli.reference > docs/reference/cli.md
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from modelyard.cli.main import yard

COMMON = ("project", "home", "env", "as_json", "json", "help", "version")


def reference() -> str:
    """The page as Markdown: every command with its words, what it does, and its own options."""
    lines = ["# The command line", "", "Written by `python -m modelyard.cli.reference`; do not edit.", ""]
    lines += [_paragraphs(yard.help or ""), "", "## Options of every command", ""]
    lines += [*_options(yard, everywhere=True), ""]
    for path, command in _commands(yard, "yard"):
        arguments = " ".join(item.make_metavar(click.Context(command)) for item in _arguments(command))
        lines += [f"## `{path}{' ' + arguments if arguments else ''}`", "", _paragraphs(command.help or ""), ""]
        options = list(_options(command, everywhere=False))
        lines += [*options, ""] if options else []
    return "\n".join(lines).rstrip() + "\n"


def _commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _arguments(command: click.Command) -> list[click.Argument]:
    return [item for item in command.params if isinstance(item, click.Argument)]


def _options(command: click.Command, *, everywhere: bool) -> Iterator[str]:
    for item in command.params:
        if isinstance(item, click.Option) and (item.name in COMMON) == everywhere:
            shown = "" if item.is_flag else f" {item.metavar or item.make_metavar(click.Context(command))}"
            yield f"- `{', '.join(item.opts)}{shown}`: {item.help or ''}".rstrip(": ")


def _paragraphs(text: str) -> str:
    """A help text as Markdown: what stands behind a \\b is kept as it is."""
    parts = []
    for part in text.strip("\n ").split("\n\n"):
        kept = part.lstrip(" ").startswith("\b")
        body = part.lstrip(" ").removeprefix("\b\n")
        parts.append(f"```text\n{body}\n```" if kept else " ".join(line.strip() for line in body.splitlines()))
    return "\n\n".join(parts)


if __name__ == "__main__":
    print(reference(), end="")
