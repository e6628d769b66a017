"""Plans for datasets and feature views: built anew, rebuilt, appended to, judged again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from modelyard.plan.differences import differences, some
from modelyard.plan.ground import Ground
from modelyard.plan.plan import Change
from modelyard.plan.steps import BuildDataset, BuildView, Step
from modelyard.spec.fingerprints import build_order, parents, sources_of

_SHAPE = ("key", "entity", "time", "timezone", "ttl", "known_at", "from")


def tables(ground: Ground, before: list[tuple[Change, Step]]) -> Iterator[tuple[Change, Step]]:
    """One change per dataset or feature view that is not as declared, or has new rows."""
    growing: set[str] = set()
    for entity in build_order(ground.spec):
        if entity.startswith("model."):
            continue
        change = _change(ground, entity, growing)
        if change is None:
            continue
        if change.category != "verdict":
            growing.add(entity)
        name = entity.partition(".")[2]
        yield change, BuildDataset(name) if entity.startswith("dataset.") else BuildView(name)


def _change(ground: Ground, entity: str, growing: set[str]) -> Change | None:
    if ground.version(entity) is None:
        return Change(entity, "new", "build", missing(ground, entity, "built"))
    if not ground.current(entity):
        return Change(entity, "breaking", "rebuild", some(reasons(ground, entity)))
    if ground.moved("checks", entity):
        why = differences(ground.old(entity), ground.new(entity), ["checks"])
        return Change(entity, "verdict", "judge again", some(why) or "a check's function changed")
    grown = [*_new_rows(ground, entity), *_above_grown(ground, entity, growing)]
    return Change(entity, "data", "append", some(grown)) if grown else None


def missing(ground: Ground, entity: str, built: str) -> str:
    """Why there is no version of an entity."""
    if ground.old(entity) is None:
        return f"declared, and not {built} yet"
    return f"declared, and not {built} yet: the last attempt failed or did not finish"


def reasons(ground: Ground, entity: str) -> list[str]:
    """What changed in a table's declaration, code, or above it."""
    was, now = ground.declared(entity), ground.parts[entity]
    if was is None:
        return ["its last build failed or did not finish"]
    moved = {part for part in {*was, *now} if was.get(part) != now.get(part)}
    old, new = ground.old(entity) or {}, ground.new(entity)
    said: list[str] = []
    if moved & {"sql", "code"}:
        said += _body(old, new)
    if "shape" in moved:
        said += differences(old, new, _SHAPE)
    if "upstream" in moved:
        said += _above_changed(ground, entity)
    return said or ["it is not built from this declaration yet"]


def _body(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What changed in the SQL or the function."""
    said = differences(old, new, ("sql", "python"))
    if said:
        return said
    if new.get("python"):
        return [function_changed(new["python"])]
    return [f"{new['sql']} changed" if str(new["sql"]).endswith(".sql") else "its SQL changed"]


def function_changed(function: str) -> str:
    """That a function is another one."""
    return f"function {function} changed, or something it calls"


def _above_changed(ground: Ground, entity: str) -> list[str]:
    said = [f"upstream {name} is rebuilt" for name in parents(ground.spec, entity) if not ground.current(name)]
    for name in sources_of(ground.spec, entity):
        source = f"source.{name}"
        keys = [key for key in ground.new(source) if key != "freshness"]
        phrases = differences(ground.old(source), ground.new(source), keys)
        said += [f"source {name}: {phrase}" for phrase in phrases]
    return said or differences(ground.old(entity), ground.new(entity), ["from"])


def _new_rows(ground: Ground, entity: str) -> Iterator[str]:
    """Sources whose files moved since the version was built, and rows that were hidden then."""
    version = ground.version(entity)
    if version is None:
        return
    recorded = version.body.get("sources", {})
    for name in sources_of(ground.spec, entity):
        seen = recorded.get(name, {})
        if name in ground.sources and seen.get("digest") != ground.sources[name]:
            yield f"source {name} has new or changed files"
        elif ground.as_of > version.as_of and _hidden(seen, version.as_of, ground.as_of):
            yield f"rows of source {name} after {version.as_of:%Y-%m-%d %H:%M} are known by now"
    if version.body.get("next") and _time(version.body["next"]) <= ground.as_of:
        yield f"rows after {version.as_of:%Y-%m-%d %H:%M} are known by now"


def _hidden(seen: dict[str, Any], then: datetime, now: datetime) -> bool:
    """Whether a source that was read as of `then` has rows that are known `now`.

    A version may record the time of the first row it did not see (`next`, null when there was none); without that, any
    source with rows later than `then` is looked at again.
    """
    if "next" in seen:
        return seen["next"] is not None and _time(seen["next"]) <= now
    newest = seen.get("time_max")
    return newest is not None and _time(newest) > then


def _time(value: Any) -> datetime:
    time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _above_grown(ground: Ground, entity: str, growing: set[str]) -> Iterator[str]:
    version = ground.version(entity)
    built_from = version.body.get("inputs", {}) if version else {}
    for name in parents(ground.spec, entity):
        above = ground.version(name)
        former = ground.former(name)
        if name in growing:
            yield f"upstream {name} may have new rows"
        elif above is not None and built_from.get(name, built_from.get(former)) != above.digest:
            yield f"upstream {name} has new rows"
