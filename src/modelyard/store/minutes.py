"""What gateways counted of their requests, minute by minute: for service levels and refusals, which the prediction log cannot
say.

The log has what was answered; a service level is also about what was not, and so are requests that fit no model. Each process appends a line for each minute and
deployment to a file of its own and day; files older than `KEPT_DAYS` are dropped.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from modelyard.store import durable
from modelyard.store.store import Store

KEPT_DAYS = 100


class Minute(msgspec.Struct, omit_defaults=True):
    """One deployment's requests of one minute (since 1970): `n` that counted for its service levels, `failed` of them without
    an answer, and of the answered ones those that were slower than an objective allows, by its name. Beside them `refused`,
    which were wrong, and how many of these by what was (`wrong`: "COLUMN CODE")."""

    deployment: str
    minute: int
    n: int = 0
    failed: int = 0
    slow: dict[str, int] = {}
    refused: int = 0
    wrong: dict[str, int] = {}


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Minute).decode


def append(store: Store, name: str, minutes: Iterable[Minute]) -> None:
    """Add lines to the file of the process `name`; raises OSError when that cannot be done."""
    place = _place(store)
    durable.make_directory(place)
    by_day: dict[str, bytes] = {}
    for each in minutes:
        day = f"{datetime.fromtimestamp(60 * each.minute, UTC):%Y%m%d}"
        by_day[day] = by_day.get(day, b"") + _encode(each) + b"\n"
    for day, lines in by_day.items():
        path = place / f"{day}-{name}.jsonl"
        if not path.exists():
            _forget(place, store.clock.now())
        with path.open("ab") as file:
            file.write(lines)


def read(store: Store, start: datetime, end: datetime) -> Iterator[Minute]:
    """The minutes in [start, end) of all processes and deployments, in no order; a torn line is left out."""
    for lines in _written(store, start, end):
        yield from _within(lines.splitlines(), start, end)


def refused(store: Store, deployment: str, start: datetime, end: datetime) -> Iterator[Minute]:
    """The minutes in [start, end) in which a deployment refused something; no other line is read."""
    for lines in _written(store, start, end):
        if _REFUSED in lines:
            found = (line for line in lines.splitlines() if _REFUSED in line)
            yield from (each for each in _within(found, start, end) if each.deployment == deployment and each.refused)


_REFUSED = b'"refused":'


def _written(store: Store, start: datetime, end: datetime) -> Iterator[bytes]:
    """The files of the days from `start` to `end`."""
    for path in _files(_place(store)):
        if f"{start:%Y%m%d}" <= path.name[:8] <= f"{end:%Y%m%d}":
            with suppress(FileNotFoundError):
                yield path.read_bytes()


def _within(lines: Iterable[bytes], start: datetime, end: datetime) -> Iterator[Minute]:
    first, last = int(start.timestamp()) // 60, int(end.timestamp()) // 60
    for line in lines:
        with suppress(msgspec.DecodeError):
            found = _decode(line)
            if first <= found.minute < last:
                yield found


def _place(store: Store) -> Path:
    return store.files / "minutes" / store.project / store.env


def _files(place: Path) -> list[Path]:
    return sorted(place.glob("*.jsonl"))


def _forget(place: Path, now: datetime) -> None:
    oldest = f"{now - timedelta(days=KEPT_DAYS):%Y%m%d}"
    for path in _files(place):
        if path.name[:8] < oldest:
            with suppress(FileNotFoundError):
                os.unlink(path)
