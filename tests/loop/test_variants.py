"""A variant is the declaration with other values, and held to the same rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelyard.errors import InputError
from modelyard.loop.variants import vary
from modelyard.spec import Project, load

YAML = """
project: shop
sources: {raw: {uri: raw.csv, time: at}}
datasets: {rows: {sql: SELECT * FROM raw, key: [id], time: at}}
models:
  late:
    task: binary_classification
    data: rows
    target: y
    train: train:fit
    params: {max_iter: 100, solver: lbfgs}
    window: 30d
    checks: [{metric: {name: roc_auc, min: 0.6}}]
deployments: {late-api: {model: late, strategy: {canary: {guard: {log_loss: {margin: 2%}}}}}}
monitors: {health: {deployment: late-api}}
triggers: {refresh: {model: late, when: {any: [{schedule: 28d}, {drift: health, windows: 2 of 3}]}}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "yard.yaml").write_text(YAML)
    (tmp_path / "train.py").write_text("def fit(X, y, *, params): ...\n")
    return load(tmp_path)


def test_without_choices_it_is_the_project(project: Project) -> None:
    assert list(vary(project, ())) == [("policy", project)]


def test_each_combination_is_a_project(project: Project) -> None:
    choices = (("models.late.window", ("90d", "none")), ("models.late.params.max_iter", ("50",)))
    made = {name: each.spec.models["late"] for name, each in vary(project, choices)}
    assert list(made) == [f"models.late.window={window}, models.late.params.max_iter=50" for window in ("90d", "none")]
    assert [each.window and each.window.days for each in made.values()] == [90, None]
    assert all(each.params == {"max_iter": 50, "solver": "lbfgs"} for each in made.values())


def test_what_is_not_changed_stays_as_it_is(project: Project) -> None:
    ((_, made),) = vary(project, (("models.late.window", ("30d",)),))
    assert made == project


def test_what_was_not_declared_can_be_set(project: Project) -> None:
    choices = (("models.late.split.mature", ("2d",)), ("models.late.approval.required", ("2",)))
    ((_, made),) = vary(project, choices)
    assert made.spec.models["late"].split.mature.days == 2 and made.spec.models["late"].approval.required == 2


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("modls.late.window", "9d", "there is no 'modls' in the declaration. Did you mean models?"),
        ("models.late.window", "soon", "models.late.window: expected a duration such as 90s"),
        ("models.late.widow", "9d", "models.late.widow: unknown key `widow`. Did you mean `window`?"),
        ("models.late", "9d", "models.late: expected {task: ..."),
        ("models.late.data", "row", "there is no dataset called `row`. Did you mean `rows`?"),
        ("deployments.late-api.model", "nope", "there is no model called `nope`"),
        ("monitors.health.every", "0s", "monitors.health.every: expected a duration above zero."),
        ("models.late.tune", "{}", "known, but not built yet: `tune`"),
    ],
)
def test_a_variant_that_cannot_be_is_one_sentence(project: Project, path: str, value: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        list(vary(project, ((path, (value,)),)))
    assert says in str(caught.value) and str(caught.value).startswith(f"--vary {path}")
