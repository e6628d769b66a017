"""The events of a simulation, grouped as a reader asks for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modelyard.ui.figures import day

Json = dict[str, Any]
SHOWN = 6


@dataclass(frozen=True)
class Group:
    """Events of one sort: `lane` names their colour in the chart, `first` are shown at once, `rest` on demand."""

    title: str
    lane: str
    note: str
    first: tuple[Json, ...]
    rest: tuple[Json, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.first) + len(self.rest)


SORTS: tuple[tuple[str, str, frozenset[str], str], ...] = (
    ("New champions", "promotion", frozenset({"promotion"}), "A release took over the answers."),
    (
        "Rolled back",
        "rollback",
        frozenset({"rollback"}),
        "The last champion answers again, or a challenger was withdrawn.",
    ),
    (
        "Canary steps",
        "canary",
        frozenset({"canary"}),
        "A challenger proves itself, first in shadow, then on some traffic.",
    ),
    (
        "Releases and approvals",
        "release",
        frozenset({"release", "refused", "approval", "rejection"}),
        "What training made, what its checks said, and who let it go live.",
    ),
    ("Retraining asked for", "retrain", frozenset({"retrain"}), "Why a trigger fired."),
    ("Alarms", "alarm", frozenset(), "What monitors found: drift, quality, upstream faults."),
)
LANES = {kind: lane for _, lane, kinds, _ in SORTS for kind in kinds}


def lane(event: Json) -> str:
    """The lane of an event; kinds that are not the life of a release are alarms."""
    return LANES.get(event["kind"], "alarm")


def groups(events: list[Json]) -> list[Group]:
    """Events by sort, in order of time; sorts without events are left out."""
    found = []
    for title, name, _, note in SORTS:
        mine = tuple(_shown(event) for event in events if lane(event) == name)
        if mine:
            found.append(Group(title, name, note, mine[:SHOWN], mine[SHOWN:]))
    return found


def _shown(event: Json) -> Json:
    return {**event, "day": day(event["at"]), "kind": event["kind"].replace("_", " ")}
