"""How the command line speaks: results on standard output, progress and errors on standard error."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

import click

from modelyard.errors import YardError


def emit(value: Any) -> None:
    """Print one JSON document on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def table(rows: Iterable[Sequence[Any]], headers: Sequence[str]) -> None:
    """Print aligned columns; nothing but the headers' absence tells an empty list."""
    texts = [[_cell(cell) for cell in row] for row in rows]
    if not texts:
        return
    widths = [max(len(row[i]) for row in [list(headers), *texts]) for i in range(len(headers))]
    for row in [list(headers), *texts]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "-"
    return str(value)


class Progress:
    """Progress lines on standard error: one that rewrites itself on a terminal, plain lines elsewhere."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._live = sys.stderr.isatty()
        self._started = time.monotonic()
        self._open = False

    def __call__(self, message: str) -> None:
        """Say where the work is. A message that begins with "~" is passing: the next one replaces it."""
        if self._quiet:
            return
        passing = message.startswith("~")
        if passing and not self._live:
            return
        self.close()
        text = f"{time.monotonic() - self._started:6.1f}s  {message.lstrip('~')}"
        click.echo(text[:160] if passing else text, err=True, nl=not passing)
        self._open = passing

    def close(self) -> None:
        """End a passing line, so that what follows starts clean."""
        if self._open:
            click.echo("\r\033[K", err=True, nl=False)
            self._open = False


def fail(error: YardError, *, as_json: bool) -> None:
    """Print an expected error: as JSON on standard output when asked, else as sentences on standard error."""
    problems = getattr(error, "problems", None)
    if as_json:
        if problems is not None:
            emit({"errors": [vars(problem) for problem in problems]})
        else:
            faults = [fault.as_json() for fault in getattr(error, "faults", ())]
            emit({"errors": [YardError.as_json(error) | ({"faults": faults} if faults else {})]})
        return
    if problems is not None:
        for problem in problems:
            click.echo(str(problem), err=True)
        count = len(problems)
        click.echo(f"{count} mistake{'s' if count != 1 else ''} in the declaration", err=True)
        return
    click.echo(f"error: {error}", err=True)
    for fault in getattr(error, "faults", ()):
        click.echo(f"  {fault.pointer}: {fault.code}; {fault.expected} is expected", err=True)
    log = getattr(error, "log", "")
    if log:
        click.echo("--- the function's output ends with ---", err=True)
        click.echo(log.rstrip(), err=True)
