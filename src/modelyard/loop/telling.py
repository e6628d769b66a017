"""Who tells people: the controller, a few times a minute beside its turns, or whoever has just looked by hand.

A turn may train for an hour. What guards did meanwhile, what must be tried again and what nobody took over is told all the
same, and a receiver that hangs holds no turn up. One tells at a time, by a lease of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from modelyard import triggers
from modelyard.errors import LeaseLost
from modelyard.loop.beside import beside
from modelyard.loop.ground import latest_declaration
from modelyard.loop.tell import tell
from modelyard.loop.yard import Yard
from modelyard.spec import Project
from modelyard.store import Held, Store

LEASE = "telling"
EVERY = 3.0
ACTOR = "controller"


def once(yard: Yard) -> None:
    """Write what people must know into the outbox, and send what is due there; nothing when somebody is at it."""
    if not triggers.pending(yard.store, yard.project.spec, yard.now):
        return
    try:
        with yard.store.lease(LEASE, wait=0) as held:
            alone(yard, held)
    except LeaseLost:
        return


def alone(yard: Yard, held: Held) -> None:
    """The same for whom nobody else can be at it, such as a simulation: under the lease that is held."""
    triggers.notice(yard.store, yard.project.spec, now=yard.now, actor=yard.actor, fence=held)
    tell(yard, held)


class Teller:
    """Tells of one project, as it was applied last; `load` reads it from the store."""

    def __init__(self, store: Store, load: Callable[[Store], Project | None], progress: Callable[[str], None]) -> None:
        self._store, self._load, self._progress = store, load, progress
        self._number: int | None = None
        self._project: Project | None = None

    def look(self) -> None:
        """Tell what there is to tell, if there is."""
        declaration = latest_declaration(self._store)
        if declaration is None:
            return
        if self._project is None or declaration.id != self._number:
            self._number, self._project = declaration.id, self._load(self._store)
        if self._project is None:
            return
        once(Yard(self._project, self._store, ACTOR, progress=self._progress))


def telling(
    store: Store,
    load: Callable[[Store], Project | None],
    progress: Callable[[str], None],
    *,
    every: float = EVERY,
) -> AbstractContextManager[None]:
    """Within the block a thread tells `every` so many seconds."""
    return beside("telling", Teller(store, load, progress).look, progress, every=every)
