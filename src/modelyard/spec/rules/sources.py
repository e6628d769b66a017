"""Rules for sources: what they point to, their time, their zone."""

from __future__ import annotations

import zoneinfo
from collections.abc import Sequence

from modelyard.spec import variables as env
from modelyard.spec.document import Path
from modelyard.spec.look import Look
from modelyard.spec.tables import KnownAt
from modelyard.spec.wording import nearest

SUFFIXES = (".csv", ".csv.gz", ".csv.zip", ".parquet")
_FREE = {"sql", "params", "charter"}


def sources(look: Look) -> None:
    """A source is files of a known format; freshness needs a time."""
    for name, source in look.spec.sources.items():
        path = ("sources", name)
        _uri(look, (*path, "uri"), source.uri)
        zone(look, (*path, "timezone"), source.timezone)
        if source.freshness is not None and source.time is None:
            look.wrong((*path, "freshness"), "freshness needs the source's `time`.", "Name its time column.")
        known_at(look, path, source.known_at, timed=source.time is not None)


def _uri(look: Look, path: Path, uri: str) -> None:
    unset = look.unset(path, uri)
    if "://" in uri:
        look.wrong(path, "known, but not built yet: sources that are not local files.", f"Expected {_formats()}.")
    elif not unset and not env.expand(uri, look.env or {}).lower().endswith(SUFFIXES):
        look.wrong(path, f"expected {_formats()}.")


def _formats() -> str:
    return f"a path or glob of files that end with {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"


def zone(look: Look, path: Path, name: str) -> None:
    """A time zone must exist."""
    if name == "UTC":
        return
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        close = nearest(name, zoneinfo.available_timezones())
        look.wrong(path, f"there is no time zone called `{name}`.", close or "Write one such as UTC or Europe/Berlin.")


def known_at(look: Look, path: Path, items: Sequence[KnownAt], *, timed: bool) -> None:
    """Later-known columns: which, and when."""
    seen: set[str] = set()
    for index, item in enumerate(items):
        place = (*path, "known_at", index)
        given = {"at": item.at, "after": item.after}
        look.exactly_one(place, given, among=given)
        if not item.columns:
            look.wrong((*place, "columns"), "expected at least one column.")
        for column in item.columns:
            if column in seen:
                look.wrong((*place, "columns"), f"`{column}` stands in two entries, and becomes known once.")
        seen.update(item.columns)
        if item.at is not None and item.at in item.columns:
            message = f"`{item.at}` cannot name the time at which it becomes known itself."
            look.wrong((*place, "columns", item.columns.index(item.at)), message)
        if item.after is not None and not timed:
            look.wrong((*place, "after"), "`after` counts from the row's time, and no `time` is declared.")


def variables(look: Look) -> None:
    """`${NAME}` is read in URIs, webhooks and credentials only; elsewhere it would be taken literally, which nobody means."""
    for path, node in look.document.root.walk():
        if not isinstance(node.value, str) or not env.names(node.value):
            continue
        if path[-1:] == ("uri",) or _FREE & set(path) or _credential(path):
            continue
        look.wrong(path, "`${...}` is read in URIs, webhooks and credentials only.", "Write the value out.")


def _credential(path: Path) -> bool:
    """Whether a place is a webhook or holds what gives access to one."""
    if path[:1] == ("triggers",) and path[2:3] == ("do",):
        return bool({"webhook", "headers"} & set(path[3:]))
    return path[:1] == ("alerts",) and len(path) > 2 and path[2] in ("webhook", "slack", "email", "headers", "plugin")
