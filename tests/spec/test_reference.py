"""The reference page is what the types say, and the metrics are those that are computed."""

from __future__ import annotations

from pathlib import Path

from modelyard.release.losses import LOSSES
from modelyard.spec import unbuilt
from modelyard.spec.metrics import METRICS, PAIRED
from modelyard.spec.reference import reference
from modelyard.spec.types import Spec
from modelyard.spec.wording import shapes
from modelyard.stats import metrics

PAGE = Path(__file__).parent.parent.parent / "docs/reference/yard-yaml.md"


def test_the_committed_page_is_the_generated_one() -> None:
    assert PAGE.read_text() == reference(), "run: python -m modelyard.spec.reference > docs/reference/yard-yaml.md"


def test_the_metrics_that_can_be_named_are_those_that_are_computed() -> None:
    for task, names in METRICS.items():
        assert set(names) == set(metrics.names(task))
        assert all(metrics.better(name) == way for name, way in names.items())


def test_the_guards_that_can_be_named_are_those_that_are_compared() -> None:
    for task, names in PAIRED.items():
        assert set(names) == {name for name, loss in LOSSES.items() if task in loss.tasks}


def test_nothing_is_listed_as_not_built_that_is() -> None:
    for pattern, names in unbuilt.KEYS.items():
        steps = tuple(step.removesuffix("[]") for step in pattern.split(".")) if pattern else ()
        models = shapes.classes(shapes.at(Spec, steps) if pattern else Spec)
        assert models, pattern
        assert not any(set(names) & set(shapes.keys(model)) for model in models), pattern
