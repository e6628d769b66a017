"""Rules for deployments: which model, what stands in, how a new release takes over."""

from __future__ import annotations

import re

from modelyard.errors import InputError
from modelyard.spec.document import Path
from modelyard.spec.look import Look
from modelyard.spec.metrics import PAIRED, RATES
from modelyard.spec.models import Model
from modelyard.spec.predicate import columns, parse
from modelyard.spec.sql import read_sql
from modelyard.spec.strategies import (
    KINDS,
    ABTest,
    Bandit,
    Canary,
    ChampionChallenger,
    Chosen,
    Guarded,
    Shadow,
    Step,
    Tested,
)
from modelyard.spec.values import show_duration
from modelyard.spec.wording import nearest


def deployments(look: Look) -> None:
    """A deployment's model exists, and can give the declared output."""
    for name, item in look.spec.deployments.items():
        path = ("deployments", name)
        look.refer((*path, "model"), item.model, "models", what="model")
        model = look.spec.models.get(item.model)
        if model is not None and item.output == "label" and model.task == "regression":
            look.wrong((*path, "output"), "`output: label` belongs to classification, not to regression.")
        if item.replicas is not None and item.replicas.max < item.replicas.min:
            look.wrong((*path, "replicas", "max"), "`max` is less than `min`.", "Declare at least as many as `min`.")
        if item.log.sample < 1 and look.spec.costs.thousand_predictions:
            message = "`costs.thousand_predictions` counts the rows of the log, and only a sample of them is logged."
            look.wrong((*path, "log", "sample"), message, "Log all rows, or leave that price out.")
        if item.slo is not None and not list(item.slo.objectives()) and look.whole(*path, "slo"):
            look.wrong((*path, "slo"), "it promises nothing.", "Name latency_p95, latency_p99 or availability.")
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
        if item.strategy.kind in ("replace", "blue_green"):
            message = f"`{item.strategy.kind}` switches all of the traffic and cannot be limited to a part of it."
            look.wrong(path, message, "Declare another strategy, or leave `only` out.")
        try:
            named = columns(parse(only.segment))
        except InputError as error:
            look.wrong((*path, "segment"), f"{error.message}.", error.hint or "")
            continue
        model = look.spec.models.get(item.model)
        if model is not None:
            for column in sorted(named):
                _no_output(look, (*path, "segment"), column, model)


def strategies(look: Look) -> None:
    """At most one strategy, whose shares, steps and times make sense, with guards and metrics that can be computed."""
    for name, item in look.spec.deployments.items():
        given = [kind for kind in KINDS if getattr(item.strategy, kind) is not None]
        path: Path = ("deployments", name, "strategy")
        if len(given) > 1:
            look.wrong(path, f"expected one strategy; {' and '.join(f'`{kind}`' for kind in given)} are given.")
            continue
        declared, path = item.strategy.chosen, (*path, item.strategy.kind)
        model = look.spec.models.get(item.model)
        task = model.task if model is not None and look.fine("models", item.model, "task") else None
        if isinstance(declared, Canary):
            _steps(look, path, declared)
        if isinstance(declared, Guarded) and task is not None:
            _guards(look, path, declared, task)
        if isinstance(declared, Tested) and declared.kpi is not None:
            _figure(look, path, name, declared)
        elif isinstance(declared, Tested | ChampionChallenger):
            _metric(look, path, declared, task)
        if isinstance(declared, Tested) and declared.for_ > declared.within:
            message = (
                f"it cannot last at least {show_duration(declared.for_)} and at most {show_duration(declared.within)}."
            )
            look.wrong((*path, "within"), message)
        _shares(look, path, declared)


def _shares(look: Look, path: Path, declared: Chosen) -> None:
    match declared:
        case ABTest(split=split) if not 0 < split < 1:
            look.wrong((*path, "split"), "expected a share between 0% and 100%, both excluded.")
        case Shadow(share=0) | ChampionChallenger(share=0):
            look.wrong((*path, "share"), "expected a share above 0%.")
        case Bandit(floor=floor, most=most) if not 0 < floor * (most + 1) < 1:
            message = (
                f"a floor of {floor:.0%} for each of {most + 1} releases (champion and `most`) leaves nothing to learn."
            )
            look.wrong((*path, "floor"), message, "Expected a share above 0% that leaves room.")


def _figure(look: Look, path: Path, name: str, declared: Tested) -> None:
    """A figure that decides a test has values by arm, is of this deployment, and no other metric decides beside it."""
    place = (*path, "kpi")
    for key in ("metric", "better"):
        if getattr(declared, key) is not None:
            look.wrong(
                (*path, key), "a test is decided by one thing, and `kpi` is declared.", "Leave it out.", key=True
            )
    look.refer(place, declared.kpi or "", "kpis", what="kpi")
    kpi = look.spec.kpis.get(declared.kpi or "")
    if kpi is None:
        return
    if kpi.deployment not in (None, name):
        look.wrong(place, f"`{declared.kpi}` is a figure of {kpi.deployment}.", "Name one of this deployment.")
    if kpi.sql is not None and not re.search(r"\barm\b", _text(look, kpi.sql)):
        look.wrong(place, f"the values of `{declared.kpi}` have no arm.", "Let its SQL give `arm` beside them.")
    if isinstance(declared, Bandit) and kpi.gather == "sum":
        message = f"`{declared.kpi}` sums up: an arm with more traffic would seem better."
        look.wrong(place, message, "Declare `gather: mean`, of values per row or per customer.")


def _text(look: Look, sql: str) -> str:
    try:
        return read_sql(look.directory, sql)
    except InputError:
        return "arm"  # it is told where the figure is declared


def _metric(look: Look, path: Path, declared: Tested | ChampionChallenger, task: str | None) -> None:
    """The metric is a mean over rows; which way is better is known for all but the label itself."""
    way = declared.better if isinstance(declared, Tested) else None
    label = isinstance(declared, Tested) and declared.metric == "label"
    if label and way is None:
        hint = "Add better: higher, or better: lower."
        look.wrong((*path, "metric"), "which way the mean of the label is better must be said.", hint)
    if not label and way is not None:
        look.wrong((*path, "better"), "it is known which way this metric is better.", "Leave `better` out.", key=True)
    if task is None or declared.metric is None:
        return
    own = ("label",) if isinstance(declared, Tested) and task != "multiclass_classification" else ()
    known = (*own, *PAIRED[task])
    if declared.metric not in known:
        message = f"`{declared.metric}` cannot decide between releases of {task}: it is no mean over rows."
        look.wrong((*path, "metric"), message, nearest(declared.metric, known))


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


def _guards(look: Look, path: Path, declared: Guarded, task: str) -> None:
    known = (*RATES, *PAIRED[task])
    for guard, rule in declared.guard.items():
        if guard not in known:
            message = f"`{guard}` cannot guard a rollout of {task}."
            look.wrong((*path, "guard", guard), message, nearest(guard, known), key=True)
        elif rule.margin.amount < 0:
            look.wrong((*path, "guard", guard, "margin"), "expected a margin of at least 0.")
