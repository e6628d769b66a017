"""Rules for the environment."""

from __future__ import annotations

from modelyard.errors import InputError
from modelyard.spec.lock import environment
from modelyard.spec.look import Look


def packages(look: Look) -> None:
    """A declared lock file is there and can be read; so can one that is found."""
    try:
        environment(look.directory, look.spec.packages)
    except InputError as error:
        look.wrong(("packages", "lock"), f"{error.message}.", error.hint or "")
