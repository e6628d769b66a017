"""Drift as words for a person at a terminal: what is wrong first, a sentence each; what is well in one line."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path
from typing import Any

import click

Json = dict[str, Any]
STYLES: dict[str, dict[str, Any]] = {
    "page": {"fg": "red", "bold": True},
    "warn": {"fg": "yellow", "bold": True},
    "info": {"fg": "cyan"},
    "insufficient data": {"dim": True},
}
NARROWEST, WIDEST = 60, 120
_LONGEST = 24


def drifted(value: Json, page: Path | None) -> None:
    """Rows, then every column that is not well by severity, then the others by name, then the sum."""
    columns = value["columns"]
    rows = value["rows"]
    click.echo(f"{rows['reference']:,} rows in the reference, {rows['current']:,} now\n")
    worst = [item for level in STYLES for item in columns if item["verdict"] == level]
    width = min(max(shutil.get_terminal_size((100, 20)).columns, NARROWEST), WIDEST)
    names = min(max((len(item["column"]) for item in worst), default=0), _LONGEST)
    for item in worst:
        _line(item, names, width)
    well = [item["column"] for item in columns if item["verdict"] == "ok"]
    if well:
        click.echo(textwrap.fill(", ".join(well), width, initial_indent=f"{'ok':<6}", subsequent_indent=" " * 6))
    click.echo(f"\n{_sum(columns)}")
    if page is not None:
        click.echo(f"pictures: {page}")


def _line(item: Json, names: int, width: int) -> None:
    verdict = "?" if item["verdict"] == "insufficient data" else item["verdict"]
    name = item["column"] if len(item["column"]) <= names else item["column"][: names - 1] + "…"
    says = item["says"].removeprefix(f"{item['column']}: ")
    wrapped = textwrap.wrap(says, width - names - 8) or [""]
    click.echo(f"{click.style(f'{verdict:<6}', **STYLES[item['verdict']])}{name:<{names}}  {wrapped[0]}")
    for line in wrapped[1:]:
        click.echo(" " * (8 + names) + line)


def _sum(columns: list[Json]) -> str:
    counts = {level: sum(item["verdict"] == level for item in columns) for level in ("page", "warn", "info")}
    unknown = sum(item["verdict"] == "insufficient data" for item in columns)
    if unknown == len(columns):
        return "Too little data to say anything."
    parts = [f"{n} {level}" for level, n in counts.items() if n]
    parts += [f"{unknown} not judged"] if unknown else []
    return f"{', '.join(parts)}, of {len(columns)}." if parts else f"Nothing has drifted in {len(columns)} columns."
