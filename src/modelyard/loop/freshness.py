"""How new the sources are: the time of the newest row that is visible now."""

from __future__ import annotations

from datetime import datetime

from modelyard import data
from modelyard.errors import DataError
from modelyard.loop.yard import Yard


def newest(yard: Yard) -> dict[str, datetime | None]:
    """Per source that has a time: that of its newest visible row, None when it cannot be read."""
    found: dict[str, datetime | None] = {}
    for name, source in yard.project.spec.sources.items():
        if source.time is None:
            continue
        try:
            found[name] = data.newest(yard.project, name, as_of=yard.now, cache=yard.store.files / "cache")
        except DataError as error:
            yard.progress(f"source.{name}: {error}")
            found[name] = None
    return found
