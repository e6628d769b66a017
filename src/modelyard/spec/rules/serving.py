"""Rules for deployments: which model, what stands in, how a new release takes over."""

from __future__ import annotations

from modelyard.errors import InputError
from modelyard.spec.document import Path
from modelyard.spec.look import Look
from modelyard.spec.metrics import PAIRED, RATES
from modelyard.spec.predicate import columns, parse
from modelyard.spec.types import Canary, Model, Step
from modelyard.spec.wording import nearest


def deployments(look: Look) -> None:
    """A deployment's model exists, and can give the declared output."""
    for name, item in look.spec.deployments.items():
        path = ("deployments", name)
        look.refer((*path, "model"), item.model, "models", what="model")
        model = look.spec.models.get(item.model)
        if model is not None and item.output == "label" and model.task == "regression":
            look.wrong((*path, "output"), "`output: label` belongs to classification, not to regression.")
        if model is not None and item.route_by is not None:
            _no_output(look, (*path, "route_by"), item.route_by, model)


def _no_output(look: Look, path: Path, column: str, model: Model) -> None:
    """A column that a request carries: no target, and excluded only when it is part of the key."""
    table = look.spec.datasets.get(model.data)
    key = table.key if table is not None else ()
    if column == model.target:
        look.wrong(path, f"`{column}` is the target: a request does not carry it.", "Name an input, or a key column.")
    elif column in model.exclude and column not in key:
        look.wrong(path, f"`{column}` is excluded from the inputs.", "Name an input, or a key column of the dataset.")


def segments(look: Look) -> None:
    """The group that a strategy is limited to is a condition on inputs, and there is a strategy to limit."""
    for name, item in look.spec.deployments.items():
        only, path = item.strategy.only, ("deployments", name, "strategy", "only")
        if only is None:
            continue
        if item.strategy.canary is None:
            look.wrong(path, "`replace` has no part of the traffic to limit.", "Declare another strategy beside it.")
        try:
            named = columns(parse(only.segment))
        except InputError as error:
            look.wrong((*path, "segment"), error.message, error.hint or "")
            continue
        model = look.spec.models.get(item.model)
        if model is not None:
            for column in sorted(named):
                _no_output(look, (*path, "segment"), column, model)


def strategies(look: Look) -> None:
    """A canary goes from shadow over growing traffic to all of it, under guards that can be computed."""
    for name, item in look.spec.deployments.items():
        canary = item.strategy.canary
        if canary is None:
            continue
        path = ("deployments", name, "strategy", "canary")
        _steps(look, path, canary)
        model = look.spec.models.get(item.model)
        if model is not None and look.fine("models", item.model, "task"):
            _guards(look, path, canary, model.task)


def _steps(look: Look, path: Path, canary: Canary) -> None:
    weight = 0.0
    for index, step in enumerate(canary.steps):
        place = (*path, "steps", index)
        given = {"shadow": step.shadow, "traffic": step.traffic}
        if not look.exactly_one(place, given, among=given, extra=" beside `for`"):
            continue
        _step(look, place, step, weight)
        weight = step.traffic or weight
    if not canary.steps or canary.steps[-1].traffic != 1:
        place = (*path, "steps", len(canary.steps) - 1) if canary.steps else (*path, "steps")
        look.wrong(place, "the last step must be {traffic: 100%}: that is what a promotion is.")


def _step(look: Look, path: Path, step: Step, weight: float) -> None:
    if step.shadow is not None and weight:
        look.wrong((*path, "shadow"), "shadow steps come before those with traffic.")
    if step.shadow == 0 or step.traffic == 0:
        look.wrong((*path, "shadow" if step.shadow == 0 else "traffic"), "expected a share above 0%.")
    if step.traffic is not None and step.traffic < weight:
        message = f"traffic must grow from step to step, and falls from {weight:.0%} to {step.traffic:.0%}."
        look.wrong((*path, "traffic"), message)


def _guards(look: Look, path: Path, canary: Canary, task: str) -> None:
    known = (*RATES, *PAIRED[task])
    for guard, rule in canary.guard.items():
        if guard not in known:
            message = f"`{guard}` cannot guard a rollout of {task}."
            look.wrong((*path, "guard", guard), message, nearest(guard, known), key=True)
        elif rule.margin.amount < 0:
            look.wrong((*path, "guard", guard, "margin"), "expected a margin of at least 0.")
