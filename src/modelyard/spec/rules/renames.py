"""Rules for `was`: the former name of an entity."""

from __future__ import annotations

from modelyard.spec.look import Look


def renames(look: Look) -> None:
    """A former name is free, and one entity's only."""
    for section in ("datasets", "features", "models"):
        taken: dict[str, str] = {}
        for name, item in getattr(look.spec, section).items():
            if item.was is None:
                continue
            path = (section, name, "was")
            if item.was in look.names(section):
                message = f"`{item.was}` is still declared, so `{name}` cannot be it under a new name."
                look.wrong(path, message, "Remove `was`, or the entity under its old name.")
            elif item.was in taken:
                look.wrong(path, f"`{taken[item.was]}` says already that it was `{item.was}`.", "Remove one of them.")
            taken.setdefault(item.was, name)
