"""Rules for models: what they learn from, what they learn, and how they are judged."""

from __future__ import annotations

from datetime import timedelta

from modelyard.spec.document import Path
from modelyard.spec.look import Look
from modelyard.spec.models import Model, Window
from modelyard.spec.rules.tables import time_of
from modelyard.spec.tables import Dataset


def models(look: Look) -> None:
    """A model's data and features exist; its target is no input, key or time."""
    for name, model in look.spec.models.items():
        path = ("models", name)
        look.refer((*path, "data"), model.data, "datasets", what="dataset")
        for index, view in enumerate(model.features):
            look.refer((*path, "features", index), view, "features", what="feature view")
            if view in model.features[:index]:
                look.wrong((*path, "features", index), f"`{view}` stands twice among the features.")
        _target(look, path, model)
        _times(look, path, model)
        if model.positive is not None and model.task != "binary_classification" and look.fine(*path, "task"):
            look.wrong((*path, "positive"), f"`positive` belongs to binary_classification, not to {model.task}.")
        if model.approval is not None and not model.approval.roles:
            look.wrong((*path, "approval", "roles"), "expected at least one role that may approve.")


def _target(look: Look, path: Path, model: Model) -> None:
    for written in (model.target, f"{model.data}.{model.target}"):
        if written in model.exclude:
            place = (*path, "exclude", model.exclude.index(written))
            message = f"`{written}` is the target, which is never an input."
            look.wrong(place, message, "Remove it from `exclude`.")
    dataset = look.spec.datasets.get(model.data)
    if dataset is None or not look.fine(*path, "target"):
        return
    for key, columns in (("key", dataset.key), ("time", (dataset.time,))):
        if model.target in columns:
            message = f"`{model.target}` is the {key} of `{model.data}`, so it cannot be the target."
            look.wrong((*path, "target"), message)


def _times(look: Look, path: Path, model: Model) -> None:
    dataset = look.spec.datasets.get(model.data)
    if dataset is None or dataset.time is not None or not look.fine("datasets", model.data, "time"):
        return
    for key in ("window", "half_life"):
        if getattr(model, key) is not None:
            look.wrong((*path, key), *_needs_time(key, model))
    for index, name in enumerate(model.features):
        view = look.spec.features.get(name)
        if view is not None and name not in model.features[:index] and time_of(look.spec, view):
            message = f"`{name}` has a time, so the rows of `{model.data}` need one to be joined as known then."
            look.wrong((*path, "features", index), message, f"Declare datasets.{model.data}.time.")


def windows(look: Look) -> None:
    """A window says how far back; a change is only known where something is watched."""
    for name, item in look.spec.models.items():
        if not isinstance(item.window, Window):
            continue
        path = ("models", name, "window")
        if item.window.last is None and item.window.since is None:
            look.wrong(path, "`min_rows` goes with `last` or `since`.", "Write {last: 90d, min_rows: 1000}.")
        if item.window.last is not None and item.window.last.total_seconds() <= 0:
            look.wrong((*path, "last"), "expected a duration above zero.")
        watched = {each.deployment for each in look.spec.monitors.values()}
        served = {each for each, deployment in look.spec.deployments.items() if deployment.model == name}
        if item.window.since is not None and not watched & served:
            message = f"nothing watches `{name}`, so no change is ever known."
            look.wrong(path, message, "Declare a monitor of one of its deployments.")


def _needs_time(key: str, model: Model) -> tuple[str, str]:
    return f"`{key}` needs the time of `{model.data}`.", f"Declare datasets.{model.data}.time."


def splits(look: Look) -> None:
    """A split by time needs a time; a duration is cut off by time only."""
    for name, model in look.spec.models.items():
        path = ("models", name, "split")
        dataset = look.spec.datasets.get(model.data)
        if dataset is not None and dataset.time is None and look.fine("datasets", model.data, "time"):
            _untimed(look, path, model)
        _test(look, path, model, dataset)


def _untimed(look: Look, path: Path, model: Model) -> None:
    if model.split.by == "time":
        look.wrong((*path, "by"), *_needs_time("by: time", model))
    if model.split.mature is not None:
        look.wrong((*path, "mature"), *_needs_time("mature", model))


def _test(look: Look, path: Path, model: Model, dataset: Dataset | None) -> None:
    test = model.split.test
    if isinstance(test, timedelta):
        by_chance = model.split.by == "random" or (model.split.by is None and dataset and dataset.time is None)
        if by_chance:
            message = "a duration is cut off by time, and this split is random."
            look.wrong((*path, "test"), message, "Write a share such as 20%.")
        elif test <= timedelta(0):
            look.wrong((*path, "test"), "expected a duration above zero.")
    elif test is not None and not 0 < test < 1:
        look.wrong((*path, "test"), "expected a share between 0% and 100%, both excluded.")
