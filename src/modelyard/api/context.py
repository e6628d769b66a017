"""Where an operation works and for whom: the project's folder, the home of its state, the environment, the actor."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from modelyard.clock import Clock, RealClock
from modelyard.errors import InputError, NotFound
from modelyard.loop.yard import Yard
from modelyard.spec import Project, load
from modelyard.store import Store, open_store


def _silent(message: str) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Context:
    """What every operation is given first."""

    directory: Path
    home: str
    env: str = "dev"
    actor: str = ""
    clock: Clock = field(default_factory=RealClock)
    progress: Callable[[str], None] = _silent

    @classmethod
    def of(
        cls,
        directory: str | Path = ".",
        home: str | None = None,
        env: str = "dev",
        progress: Callable[[str], None] = _silent,
    ) -> Context:
        """A context from what a user said and from YARD_HOME and YARD_ACTOR."""
        folder = Path(directory)
        place = home or os.environ.get("YARD_HOME") or str(folder / ".yard")
        return cls(folder, place, env, os.environ.get("YARD_ACTOR") or _user(), progress=progress)

    def project(self, *, variables: bool = True) -> Project:
        """The declaration in the project's folder (SpecError with every mistake; variables that are not set among them)."""
        return load(self.directory, variables=variables)

    def store(self, project: Project, *, create: bool = False) -> Store:
        """The project's memory; NotFound when there is none and `create` is not asked."""
        return open_store(self.home, project=project.spec.project, env=self.env, clock=self.clock, create=create)

    def known(self, *, variables: bool = False) -> tuple[Project, Store]:
        """The project and its existing memory. Who only looks, or decides, need not have the secrets of channels at hand:
        `variables` asks for them."""
        project = self.project(variables=variables)
        try:
            return project, self.store(project)
        except NotFound as error:
            raise NotFound(f"nothing has been applied to {self.home} yet", hint="Run `yard apply` first.") from error

    def yard(self, project: Project, store: Store) -> Yard:
        """All that the loop needs to work."""
        return Yard(project, store, self.actor, progress=self.progress)


def _user() -> str:
    """The system's name for who runs this, or the number of a user without a name, as containers have them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def parse_time(text: str | None) -> datetime | None:
    """Read a time such as 2013-03-31 or 2013-03-31T12:00:00Z; without a zone it is UTC."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{text!r} is not a time", hint="Write 2013-03-31 or 2013-03-31T12:00:00Z.") from None
