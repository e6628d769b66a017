"""Rules for checks: one expectation each, bounds that make sense, metrics that exist for the task."""

from __future__ import annotations

from typing import Any

from modelyard.spec.document import Path
from modelyard.spec.look import Look
from modelyard.spec.metrics import METRICS
from modelyard.spec.models import Model, ModelCheck
from modelyard.spec.tables import DataCheck
from modelyard.spec.wording import nearest

_DATA = tuple(name for name in DataCheck.model_fields if name != "severity")
_MODEL = tuple(name for name in ModelCheck.model_fields if name != "severity")


def data_checks(look: Look) -> None:
    """Expectations on datasets and feature views."""
    for section, tables in (("datasets", look.spec.datasets), ("features", look.spec.features)):
        for name, table in tables.items():
            for index, check in enumerate(table.checks):
                path = (section, name, "checks", index)
                given = {key: getattr(check, key) for key in _DATA}
                if look.exactly_one(path, given, among=_DATA, extra=" beside `severity`"):
                    _data_check(look, path, check, timed=section == "features" or table.time is not None)


def _data_check(look: Look, path: Path, check: DataCheck, *, timed: bool) -> None:
    if check.between is not None:
        bounds(look, (*path, "between"), check.between)
    if check.row_count is not None:
        bounds(look, (*path, "row_count"), check.row_count)
    if check.values is not None and not check.values.allowed:
        look.wrong((*path, "values", "allowed"), "expected at least one allowed value.")
    if check.freshness is not None and not timed:
        look.wrong((*path, "freshness"), "freshness needs the dataset's `time`.", "Name its time column.")
    for key in ("unique", "not_null"):
        if getattr(check, key) == ():
            look.wrong((*path, key), "expected at least one column.")


def bounds(look: Look, path: Path, item: Any) -> None:
    """At least one of `min` and `max`, in their order."""
    if item.min is None and item.max is None:
        if look.fine(*path, "min") and look.fine(*path, "max"):
            look.wrong(path, "expected `min` or `max` or both.")
    elif item.min is not None and item.max is not None and item.min > item.max:
        look.wrong((*path, "min"), f"`min` {item.min:g} is above `max` {item.max:g}.")


def model_checks(look: Look) -> None:
    """Expectations on models."""
    for name, model in look.spec.models.items():
        for index, check in enumerate(model.checks):
            path = ("models", name, "checks", index)
            given = {key: getattr(check, key) for key in _MODEL}
            if look.exactly_one(path, given, among=_MODEL, extra=" beside `severity`"):
                _model_check(look, path, name, model, check)


def _model_check(look: Look, path: Path, name: str, model: Model, check: ModelCheck) -> None:
    if check.metric is not None:
        metric(look, (*path, "metric", "name"), check.metric.name, name, model)
        bounds(look, (*path, "metric"), check.metric)
    if check.better_than is not None and check.better_than.metric is not None:
        metric(look, (*path, "better_than", "metric"), check.better_than.metric, name, model)
    if check.slices is not None:
        if check.slices.metric is not None:
            metric(look, (*path, "slices", "metric"), check.slices.metric, name, model)
        bounds(look, (*path, "slices"), check.slices)
        if not check.slices.by:
            look.wrong((*path, "slices", "by"), "expected at least one column.")


def metric(look: Look, path: Path, metric_name: str, model_name: str, model: Model) -> None:
    """A metric must exist for the task of its model."""
    if not look.fine("models", model_name, "task"):
        return
    known = METRICS[model.task]
    if metric_name not in known:
        message = f"there is no metric called `{metric_name}` for {model.task}."
        look.wrong(path, message, nearest(metric_name, known))
