"""What may be declared and will not do what it says: told as warnings, which keep nothing from being applied."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from modelyard.spec.deployments import DeploymentSpec
from modelyard.spec.metrics import PAIRED
from modelyard.spec.models import Model
from modelyard.spec.strategies import Canary, Guarded, Tested
from modelyard.spec.types import Spec
from modelyard.spec.values import show_duration


def advice(spec: Spec) -> Iterator[str]:
    """One sentence per place of a valid declaration."""
    for name, item in spec.deployments.items():
        model = spec.models[item.model]
        yield from _too_short(f"deployments.{name}.strategy.{item.strategy.kind}", item, model, _wait(spec, model))


def _wait(spec: Spec, model: Model) -> timedelta:
    """How long labels need at least before they count, as far as it is declared."""
    known = [each.after for each in spec.datasets[model.data].known_at if model.target in each.columns]
    return max((each for each in (model.split.mature, *known) if each is not None), default=timedelta(0))


def _too_short(path: str, item: DeploymentSpec, model: Model, wait: timedelta) -> Iterator[str]:
    """A trial that must be decided by labels before the first of them counts."""
    declared = item.strategy.chosen
    if not isinstance(declared, Canary | Tested) or wait < declared.within:
        return
    asked = list(declared.guard) if isinstance(declared, Guarded) else []
    labelled = [guard for guard in asked if guard in PAIRED[model.task]]
    if isinstance(declared, Tested) and declared.kpi is None:
        labelled.append(declared.metric or "its metric")
    if labelled:
        yield (
            f"{path}.within: {show_duration(declared.within)} are over before a label counts, which takes "
            f"{show_duration(wait)}: {', '.join(dict.fromkeys(labelled))} can never be judged in time. Raise `within`, or "
            "go by what needs no labels."
        )
