"""The controller on the real clock: a tick every few seconds, from the declaration as it was applied."""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

from modelyard.errors import LeaseLost, Unavailable, YardError
from modelyard.loop.apply import LEASE
from modelyard.loop.ground import latest_declaration
from modelyard.loop.guarding import guarding
from modelyard.loop.telling import telling
from modelyard.loop.tick import tick
from modelyard.loop.yard import Yard
from modelyard.records import Declaration
from modelyard.spec import Project, load
from modelyard.store import Store

ACTOR = "controller"
LONGEST_PAUSE = 30.0
"""Seconds between turns while the database cannot be used; each turn in vain doubles them until then."""


def run(store: Store, stop: threading.Event, *, every: float, progress: Callable[[str], None]) -> None:
    """Tick until `stop` is set; guard rollouts and tell people beside. Another controller at work is no error: this one waits."""
    with guarding(store, progress), telling(store, applied_project, progress):
        _turn_until(store, stop, every, progress)


def _turn_until(store: Store, stop: threading.Event, every: float, progress: Callable[[str], None]) -> None:
    """Turn after turn; what goes wrong in the same way in each is told once."""
    before: set[str] = set()
    now: set[str] = set()

    def tell(message: str) -> None:
        now.add(message)
        if message not in before:
            progress(message)

    pause = every
    while not stop.is_set():
        away = False
        try:
            with store.lease(LEASE, wait=0) as held:
                project = applied_project(store)
                if project is not None:
                    tick(Yard(project, store, ACTOR, progress=tell), held)
        except LeaseLost:
            pass
        except YardError as error:
            tell(str(error))
            away = isinstance(error, Unavailable)
        before = set(now)
        now.clear()
        pause = min(pause * 2, max(every, LONGEST_PAUSE)) if away else every
        stop.wait(pause)


def applied_project(store: Store) -> Project | None:
    """The project as it was applied last, rehydrated from the store; None before the first apply."""
    declaration = latest_declaration(store)
    if declaration is None:
        return None
    return load(rehydrate(store, declaration), data=Path(declaration.directory))


def rehydrate(store: Store, declaration: Declaration) -> Path:
    """The folder with the files of a declaration, checked out of the store once: whole, or not there."""
    folder = store.files / "projects" / declaration.tree
    if folder.exists():
        return folder
    part = folder.with_name(f"{declaration.tree}.{uuid.uuid4().hex}.part")
    try:
        store.blobs.checkout(declaration.tree, part)
        part.rename(folder)
    except OSError:
        # Another process may have been first: a folder that is not empty cannot be replaced.
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder
