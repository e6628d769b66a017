"""Rules for the input policy of a deployment: every rule is of an input, and what it asks for can be given."""

from __future__ import annotations

from typing import Any

from modelyard.spec.deployments import DeploymentSpec, FixedValue, InputRule
from modelyard.spec.document import Path
from modelyard.spec.look import Look
from modelyard.spec.models import Model
from modelyard.spec.rules.checks import bounds
from modelyard.spec.strategies import Strategy


def input_policies(look: Look) -> None:
    """What stands in for values, and what answers when a model cannot."""
    for name, item in look.spec.deployments.items():
        path = ("deployments", name)
        model = look.spec.models.get(item.model)
        _fallback(look, (*path, "fallback"), item, model)
        for column, rule in item.inputs.items():
            place = (*path, "inputs", column)
            if model is not None:
                _named(look, place, column, model)
            _input(look, place, rule, item)


def _fallback(look: Look, path: Path, item: DeploymentSpec, model: Model | None) -> None:
    if item.fallback == "champion" and item.strategy == Strategy():
        message = "with `replace` the champion is all that answers, so it cannot stand in for another."
        look.wrong(path, message, "Use fallback: baseline, or a strategy with a challenger.")
    if isinstance(item.fallback, FixedValue) and model is not None:
        expected = _unfit(item.fallback.value, model.task)
        if expected:
            look.wrong((*path, "value"), f"expected {expected}, as answers of {model.task} are.")


def _unfit(value: Any, task: str) -> str:
    """What a fixed prediction should be, if it is not."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if task == "regression":
        return "" if number else "a number"
    if task == "binary_classification":
        good = isinstance(value, str) or (number and 0 <= value <= 1)
        return "" if good else "a probability, between 0 and 1, or the name of a class"
    return "the name of a class" if value is None else ""


def _named(look: Look, path: Path, column: str, model: Model) -> None:
    """The name is not that of a column which is no input."""
    data = look.spec.datasets.get(model.data)
    later = {name for item in data.known_at for name in item.columns} if data is not None else set()
    why = (
        ("the target", column == model.target),
        ("excluded", column in model.exclude),
        ("a column of the key", data is not None and column in data.key),
        ("the row's time", data is not None and column == data.time),
        ("known later than its row", column in later),
    )
    found = next((what for what, holds in why if holds), None)
    if found is not None:
        look.wrong(path, f"`{column}` is {found}, no input of the model.", "Rules are for its inputs.", key=True)


def _input(look: Look, path: Path, rule: InputRule, item: DeploymentSpec) -> None:
    if rule.min is not None or rule.max is not None:
        bounds(look, path, rule)
    for key in ("missing", "out_of_range", "unknown"):
        if getattr(rule, key) == "fallback" and item.fallback is None:
            message = "this falls back, and the deployment has no `fallback`."
            look.wrong((*path, key), message, "Add fallback: baseline, or fallback: {value: ...}.")
    if isinstance(rule.missing, FixedValue):
        _stand_in(look, (*path, "missing", "value"), rule)
    if isinstance(rule.unknown, FixedValue) and not isinstance(rule.unknown.value, str):
        look.wrong((*path, "unknown", "value"), "expected a text: the category that stands in.", "Quote it.")


def _stand_in(look: Look, path: Path, rule: InputRule) -> None:
    assert isinstance(rule.missing, FixedValue)
    value = rule.missing.value
    if value is None:
        look.wrong(path, "nothing cannot stand in for a missing value.", "Use missing: keep.")
    elif isinstance(value, int | float):
        low, high = rule.min, rule.max
        if (low is not None and value < low) or (high is not None and value > high):
            look.wrong(path, f"{value:g} lies outside the hard bounds of this very input.")
