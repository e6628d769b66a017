"""What is declared and will not do what it says is told, and keeps nothing from being applied."""

from __future__ import annotations

from typing import Any

import pytest

from modelyard.spec.advice import advice
from modelyard.spec.types import Spec


def declared(strategy: Any, *, mature: str | None = None, after: str | None = None, task: str = "regression") -> Spec:
    known_at = [{"columns": ["y"], "after": after}] if after else []
    model = {
        "task": task,
        "data": "rows",
        "target": "y",
        "train": "m:fit",
        "split": {"mature": mature} if mature else {},
    }
    return Spec.model_validate(
        {
            "project": "shop",
            "datasets": {"rows": {"sql": "SELECT 1", "time": "t", "known_at": known_at}},
            "models": {"late": model},
            "deployments": {"api": {"model": "late", "strategy": strategy}},
        }
    )


def canary(guard: str, within: str) -> Any:
    return {"canary": {"guard": {guard: {"margin": "2%"}}, "within": within}}


@pytest.mark.parametrize(
    ("strategy", "wait"),
    [
        (canary("mae", "7d"), {"mature": "7d"}),
        (canary("mae", "7d"), {"after": "8d"}),
        ({"ab_test": {"within": "7d"}}, {"mature": "2d", "after": "8d"}),
        ({"bandit": {"within": "7d", "metric": "mae"}}, {"mature": "30d"}),
    ],
)
def test_a_trial_that_ends_before_a_label_counts_is_told(strategy: Any, wait: dict[str, str]) -> None:
    (said,) = advice(declared(strategy, **wait))
    (kind,) = strategy
    assert said.startswith(f"deployments.api.strategy.{kind}.within: 7d are over before a label counts")
    assert "never be judged in time" in said


@pytest.mark.parametrize(
    ("strategy", "wait"),
    [
        ("replace", {"mature": "30d"}),
        ("shadow", {"mature": "30d"}),
        (canary("error_rate", "7d"), {"mature": "30d"}),
        (canary("mae", "7d"), {"mature": "6d"}),
        (canary("mae", "7d"), {}),
        ({"ab_test": {"within": "7d", "kpi": "sales"}}, {"mature": "30d"}),
    ],
)
def test_a_trial_that_can_be_decided_is_not(strategy: Any, wait: dict[str, str]) -> None:
    assert not list(advice(declared(strategy, **wait)))
