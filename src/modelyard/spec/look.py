"""What the rules of a declaration look at, and how they say what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from modelyard.errors import Problem
from modelyard.spec import variables
from modelyard.spec.document import Document
from modelyard.spec.document import Path as Place
from modelyard.spec.types import Spec
from modelyard.spec.wording import nearest


@dataclass
class Look:
    """A declaration under examination. Mistakes at or below a place that is wrong already are not told again.

    `env` is None where variables are not asked for: nothing is read by them, or sent, now.
    """

    document: Document
    spec: Spec
    directory: Path
    env: Mapping[str, str] | None
    broken: frozenset[Place]
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, path: Place, message: str, hint: str = "", *, key: bool = False) -> None:
        """Note a mistake."""
        if any(path[: len(place)] == place for place in self.broken):
            return
        self.problems.append(self.document.problem(path, message, hint, key=key))

    def unset(self, path: Place, text: str) -> bool:
        """Whether a text reads variables that are not set, or not asked for; the former are mistakes."""
        missing = [name for name in variables.names(text) if self.env is None or name not in self.env]
        for name in missing if self.env is not None else ():
            self.wrong(path, f"the environment variable {name} is not set.", f"Set it: export {name}=...")
        return bool(missing)

    def names(self, *sections: str) -> list[str]:
        """Every declared name of some sections, also of entities that are wrong otherwise."""
        found: list[str] = []
        for section in sections:
            node = self.document.find((section,))
            if node is not None and isinstance(node.value, dict):
                found.extend(node.value)
        return found

    def refer(self, path: Place, name: str, *sections: str, what: str) -> bool:
        """Whether `name` is declared in one of the sections; a mistake is noted when it is not."""
        known = self.names(*sections)
        if name in known:
            return True
        where = " or ".join(sections)
        hint = nearest(name, known) if known else f"Nothing is declared under {where} yet."
        self.wrong(path, f"there is no {what} called `{name}`.", hint)
        return False

    def fine(self, *path: str | int) -> bool:
        """Whether nothing is wrong at a place or above it."""
        return not any(path[: len(place)] == place for place in self.broken)

    def whole(self, *path: str | int) -> bool:
        """Whether nothing is wrong at a place or below it."""
        return not any(place[: len(path)] == path for place in self.broken)

    def exactly_one(self, path: Place, given: Mapping[str, object], *, among: Iterable[str], extra: str = "") -> bool:
        """Whether exactly one of the keys has a value."""
        keys = list(among)
        present = [key for key in keys if given[key] is not None]
        if len(present) == 1:
            return True
        if any(place[: len(path)] == path for place in self.broken):
            return False
        said = f"both {' and '.join(f'`{key}`' for key in present)} are" if present else "none is"
        self.wrong(path, f"expected exactly one of {', '.join(keys)}{extra}; {said} given.")
        return False
