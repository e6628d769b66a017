"""Drift as words for a person at a terminal: what is wrong first, a sentence each; what is well in one line."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path
from typing import Any

import click

from modelyard.stats.category import shown

Json = dict[str, Any]
STYLES: dict[str, dict[str, Any]] = {
    "page": {"fg": "red", "bold": True},
    "warn": {"fg": "yellow", "bold": True},
    "info": {"fg": "cyan"},
    "insufficient data": {"dim": True},
}
NARROWEST, WIDEST = 60, 120
_LONGEST = 24
_MOST = 100
"""Names of columns of one verdict that are listed: more are read by nobody."""


def drifted(value: Json, page: Path | None) -> None:
    """Rows, then every column that is not well by severity, then the others by name, then the sum."""
    columns = value["columns"]
    rows = value["rows"]
    click.echo(f"{rows['reference']:,} rows in the reference, {rows['current']:,} now\n")
    worst = [item for level in STYLES for item in columns if item["verdict"] == level and not _few(item)]
    width = min(max(shutil.get_terminal_size((100, 20)).columns, NARROWEST), WIDEST)
    names = min(max((len(shown(item["column"])) for item in worst), default=0), _LONGEST)
    for item in worst:
        _line(item, names, width)
    _together("?", few := [item for item in columns if _few(item)], width)
    if few:
        click.echo(" " * 6 + few[0]["says"].removeprefix(f"{few[0]['column']}: "))
    _together("ok", [item for item in columns if item["verdict"] == "ok"], width)
    click.echo(f"\n{_sum(columns)}")
    if page is not None:
        click.echo(f"pictures: {page}")


def _few(item: Json) -> bool:
    """Whether a column is not judged for lack of rows: there are as many such columns as the table has."""
    return item["verdict"] == "insufficient data" and "rows" in item["to"]


def _together(verdict: str, items: list[Json], width: int) -> None:
    """Columns of which there is no more to say, in one paragraph."""
    if items:
        names = ", ".join(shown(item["column"]) for item in items[:_MOST])
        more = f" and {len(items) - _MOST:,} more" if len(items) > _MOST else ""
        click.echo(textwrap.fill(names + more, width, initial_indent=f"{verdict:<6}", subsequent_indent=" " * 6))


def _line(item: Json, names: int, width: int) -> None:
    verdict = "?" if item["verdict"] == "insufficient data" else item["verdict"]
    name = shown(item["column"])
    name = name if len(name) <= names else name[: names - 1] + "…"
    says = shown(item["says"].removeprefix(f"{item['column']}: "))
    wrapped = textwrap.wrap(says, width - names - 8) or [""]
    click.echo(f"{click.style(f'{verdict:<6}', **STYLES[item['verdict']])}{name:<{names}}  {wrapped[0]}")
    for line in wrapped[1:]:
        click.echo(" " * (8 + names) + line)


def _sum(columns: list[Json]) -> str:
    counts = {level: sum(item["verdict"] == level for item in columns) for level in ("page", "warn", "info")}
    unknown = sum(item["verdict"] == "insufficient data" for item in columns)
    if unknown == len(columns):
        return "Too little data to say anything."
    size = sum(not item["column"].startswith("(") for item in columns)
    parts = [f"{n} {level}" for level, n in counts.items() if n]
    told = f"{', '.join(parts)}," if parts else "Nothing has drifted"
    of = f" in {size} column{'s' if size != 1 else ''}"
    return told + of + (f"; {unknown} not judged." if unknown else ".")
