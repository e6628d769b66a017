"""Plans for models: trained, trained again, judged again, put under another rule."""

from __future__ import annotations

from collections.abc import Iterator

from modelyard.digest import digest
from modelyard.plan.differences import differences, packages, some
from modelyard.plan.ground import Ground
from modelyard.plan.plan import Category, Change
from modelyard.plan.steps import Control, JudgeModel, Step, TrainModel
from modelyard.plan.tables import function_changed, missing

_PROBLEM = ("data", "task", "features", "target", "positive", "exclude")
_RECIPE = ("window", "half_life", "params", "frame", "seed", "parity", "baseline")
_STRONGEST: tuple[Category, ...] = ("incomparable", "breaking", "model")


def models(ground: Ground, before: list[tuple[Change, Step]]) -> Iterator[tuple[Change, Step]]:
    """One change per model that must be trained, or else judged again; and one if its rules changed."""
    for name in ground.spec.models:
        training = _training(ground, name)
        if training is not None:
            request = ground.request(name)
            yield training, TrainModel(name, training.why, request.id if request else None)
        elif ground.moved("checks", f"model.{name}"):
            why = differences(ground.old(f"model.{name}"), ground.new(f"model.{name}"), ["checks"])
            yield Change(f"model.{name}", "verdict", "judge again", some(why)), JudgeModel(name)
        if ground.moved("control", f"model.{name}") and ground.version(f"model.{name}") is not None:
            why = differences(ground.old(f"model.{name}"), ground.new(f"model.{name}"), ["approval", "limits"])
            yield Change(f"model.{name}", "control", "update", some(why)), Control(f"model.{name}")


def _training(ground: Ground, name: str) -> Change | None:
    entity = f"model.{name}"
    request = ground.request(name)
    asked = [f"{request.trigger or 'a request'} asked for it: {request.why}"] if request else []
    if ground.version(entity) is None:
        return Change(entity, "new", "train", some([missing(ground, entity, "trained"), *asked]))
    if not ground.current(entity):
        found = _reasons(ground, entity)
        category = next(item for item in _STRONGEST if item in {kind for kind, _ in found})
        why = some([*(phrase for _, phrase in found), *asked])
        again = "; the champion is scored again on the new split" if category == "incomparable" else ""
        return Change(entity, category, "retrain", why + again)
    if asked:
        return Change(entity, "model", "retrain", asked[0])
    if ground.unfinished(name):
        return Change(entity, "model", "retrain", "its last training did not finish: it was not released yet")
    return None


def _reasons(ground: Ground, entity: str) -> list[tuple[Category, str]]:
    """What changed in or above a model, each with its category."""
    was, now = ground.declared(entity), ground.parts[entity]
    if was is None:
        return [("model", "its last training failed or did not finish")]
    moved = {part for part in now if was.get(part) != now[part]}
    old, new = ground.old(entity) or {}, ground.new(entity)
    found: list[tuple[Category, str]] = []
    if moved & {"problem", "data", "split"}:
        found += [("incomparable", phrase) for phrase in differences(old, new, (*_PROBLEM, "split"))]
        found = [item for item in found if not _only_renamed(ground, item[1])]
    if moved & {"data", "features"}:
        found += [("breaking", f"upstream {name} is rebuilt") for name in _rebuilt_above(ground, entity)]
    if "recipe" in moved:
        found += [("model", phrase) for phrase in differences(old, new, _RECIPE)]
    if "code" in moved:
        renamed = differences(old, new, ["train"])
        found += [("model", phrase) for phrase in renamed or [function_changed(new["train"])]]
    if "packages" in moved:
        found.append(("model", packages(ground.shared("packages"), ground.parts["packages"])))
    return found or [("model", "it is not trained from this declaration yet")]


def _only_renamed(ground: Ground, phrase: str) -> bool:
    """Whether a phrase only says that a dataset has another name now."""
    return any(
        phrase == f"data {item.was} -> {name}" for name, item in ground.spec.datasets.items() if item.was is not None
    )


def _rebuilt_above(ground: Ground, entity: str) -> list[str]:
    """Tables above a model whose fingerprint is another one than when the model was declared last."""
    model = ground.spec.models[entity.partition(".")[2]]
    names = [f"dataset.{model.data}", *(f"feature.{view}" for view in model.features)]
    rebuilt = []
    for name in names:
        was = ground.declared(name)
        if not ground.current(name) or (was is not None and digest(was) != digest(ground.parts[name])):
            rebuilt.append(name)
    return rebuilt
