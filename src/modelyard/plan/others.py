"""Plans for what has no versions: deployments, policies, what is removed or renamed, and the project itself."""

from __future__ import annotations

from collections.abc import Iterator

from modelyard.plan.differences import differences, some
from modelyard.plan.ground import SECTIONS, Ground
from modelyard.plan.plan import Change
from modelyard.plan.steps import Control, Deploy, JudgeModel, RecordOnly, Rename, Retire, Step, TrainModel

Moves = list[tuple[Change, Step]]
ACTIONS = {"monitor": "watch", "trigger": "arm", "kpi": "measure", "alert": "tell"}
"""What happens to a policy that is new."""


def deployments(ground: Ground, before: Moves) -> Iterator[tuple[Change, Step]]:
    """A deployment that does not answer yet though it could, or whose policy changed."""
    coming = {step.name for _, step in before if isinstance(step, TrainModel | JudgeModel)}
    serving = {item.name for item in ground.recorded.deployments}
    for name, item in ground.spec.deployments.items():
        entity = f"deployment.{name}"
        declared, possible = ground.declared(entity), bool(ground.servable(item.model))
        if declared is None and name not in serving:
            if possible or item.model in coming:
                yield Change(entity, "new", "deploy", "declared, and not answering yet"), Deploy(name)
        elif declared != ground.parts[entity]:
            why = some(differences(ground.old(entity), ground.new(entity))) or "its last update did not finish"
            yield Change(entity, "control", "update", why), Control(entity)
        elif name not in serving and possible:
            release = f"{item.model}@{max(ground.servable(item.model))}"
            yield Change(entity, "new", "deploy", f"{release} may answer, and nothing does yet"), Deploy(name)


def policies(ground: Ground, before: Moves) -> Iterator[tuple[Change, Step]]:
    """Monitors, triggers, channels and what is watched of sources: new or changed."""
    for entity, parts in ground.parts.items():
        kind = entity.partition(".")[0]
        if kind not in ("source", *ACTIONS):
            continue
        declared = ground.declared(entity)
        if declared is None and kind != "source":
            yield Change(entity, "new", ACTIONS[kind], "declared, and not recorded yet"), Control(entity)
        elif declared is not None and declared != parts:
            keys = ["freshness"] if kind == "source" else None
            why = some(differences(ground.old(entity), ground.new(entity), keys)) or "its SQL changed"
            yield Change(entity, "control", "update", why), Control(entity)


def renamed(ground: Ground, before: Moves) -> Iterator[tuple[Change, Step]]:
    """Entities that are declared to have had another name, under which they are recorded."""
    for kind in ("dataset", "feature", "model"):
        for name in ground.now[SECTIONS[kind]]:
            entity = f"{kind}.{name}"
            was = ground.former(entity)
            if was != entity:
                yield Change(entity, "remove", "rename", f"it was {was}; its history goes on"), Rename(entity, was)


def removed(ground: Ground, before: Moves) -> Iterator[tuple[Change, Step]]:
    """Entities that the declaration applied last named, and this one does not."""
    carried = {step.was for _, step in before if isinstance(step, Rename)}
    for kind in ("alert", "kpi", "trigger", "monitor", "deployment", "model", "feature", "dataset"):
        for name in ground.before.get(SECTIONS[kind]) or {}:
            entity = f"{kind}.{name}"
            if ground.entity(ground.now, entity) is None and entity not in carried:
                yield Change(entity, "remove", "retire", "no longer declared; its history is kept"), Retire(entity)


def about(ground: Ground, before: Moves) -> Iterator[tuple[Change, Step]]:
    """What follows from nothing but is recorded: the charter, comments, formatting."""
    was = ground.shared("project")
    if not was:
        return
    for name in ("charter", "simulate", "costs"):
        if name in was and was.get(name) != ground.parts["project"][name]:
            why = some(differences(ground.before.get(name), ground.now[name]))
            yield Change(name, "none", "record only", why), RecordOnly()
            before = [*before, (Change(name, "none", "record only", why), RecordOnly())]
    if not before and was.get("text") != ground.parts["project"]["text"]:
        why = "comments or formatting of yard.yaml changed"
        yield Change("project", "none", "record only", why), RecordOnly()
