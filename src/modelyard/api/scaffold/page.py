"""The text of a new project's files, out of what was decided about it."""

from __future__ import annotations

from datetime import timedelta
from textwrap import wrap
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from modelyard.api.scaffold.draft import Draft
from modelyard.api.scaffold.names import scalar, scalars
from modelyard.api.scaffold.roles import Goal
from modelyard.api.scaffold.trial import Trial
from modelyard.spec.values import show_duration

CLEAR = 0.04  # a first fit this much better than the heuristic makes checks that hold again and again
NOTES, WIDTH = 43, 120
METRIC = {"binary_classification": "roc_auc", "multiclass_classification": "accuracy", "regression": "r2"}
BLIND = {"roc_auc": 0.5, "accuracy": 0.0, "r2": 0.0}
"""What guessing reaches."""


def declaration(made: Draft, uri: str, *, copied: bool, several: bool) -> str:
    """The text of yard.yaml; `uri` is where its table is, a copy of what was given or the files themselves."""
    return _template("yard.yaml.j2").render(
        d=made,
        uri=uri,
        copied=copied,
        several=several,
        data_checks=_data_checks(made),
        model_checks=_model_checks(made.goal, made.trial),
        tried=_tried(made.trial),
        quality=f"{{metric: {METRIC[made.goal.task]}, min: {_floor(made.goal, made.trial):g}}}",
        guard="mae" if made.goal.task == "regression" else "log_loss",
        words=[name for name in made.inputs if name in made.columns and made.columns[name].kind == "string"],
        excluded=made.excluded,
        plain_positive=made.goal.positive in (None, 1) or made.goal.positive is True,
    )


def sql(made: Draft) -> str:
    """The text of the dataset's SQL."""
    added = dict(made.time.derived) if made.time else {}
    if made.time and made.time.computed:
        added = {made.time.column: made.time.computed, **added}
    return _template("dataset.sql.j2").render(d=made, added=added)


def _template(name: str) -> Any:
    environment = Environment(
        loader=PackageLoader("modelyard.api.scaffold", "template"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # the output is YAML and SQL; `scalar` and quoted identifiers keep values apart from syntax
    )
    environment.filters.update(scalar=scalar, scalars=scalars, duration=_duration, comment=_comment, note=_note)
    return environment.get_template(name)


def _duration(value: timedelta) -> str:
    return show_duration(timedelta(seconds=round(value.total_seconds())))


def _comment(text: Any) -> str:
    """Text that may stand in a comment: one line."""
    return " ".join(str(text).split())


def _note(line: str, comment: Any) -> str:
    """A line of YAML with a comment behind it, or above it where that gets too long."""
    said = _comment(comment)
    if max(len(line) + 2, NOTES) + len(said) + 2 <= WIDTH:
        return f"{line}  ".ljust(NOTES) + f"# {said}"
    margin = " " * (len(line) - len(line.lstrip()))
    return "\n".join([*wrap(said, WIDTH, initial_indent=f"{margin}# ", subsequent_indent=f"{margin}# "), line])


def _data_checks(made: Draft) -> list[str]:
    """The checks of the dataset, each as one line of YAML."""
    checks = [f"{{row_count: {{min: {_fewest(made)}}}}}"]
    if made.key:
        checks.append(f"{{unique: {scalars([made.key])}}}")
    whole = [name for name in made.ranked if name in made.columns and made.columns[name].missing == 0][:6]
    always = [name for name in (made.key, made.time.column if made.time else None) if name]
    if always or whole:
        checks.append(f"{{not_null: {scalars(dict.fromkeys([*always, *whole]))}}}")
    for name in [n for n in made.ranked if n in made.columns and made.columns[n].kind in ("integer", "number")][:6]:
        low, high = _room(made.columns[name].low, made.columns[name].high)
        checks.append(f"{{between: {{column: {scalar(name)}, min: {low}, max: {high}}}, severity: warn}}")
    for name, values in made.values.items():
        checks.append(f"{{values: {{column: {scalar(name)}, allowed: {scalars(values)}}}, severity: warn}}")
    return checks


def _fewest(made: Draft) -> int:
    """Half of the rows, rounded; a tenth where rows have a time, so that a simulation may begin in the past."""
    least = max(1, next(iter(made.columns.values())).rows // (10 if made.time else 2))
    power = 10 ** max(0, len(str(least)) - 2)
    return least // power * power


def _room(low: float, high: float) -> tuple[str, str]:
    """The range with half its length of room at both ends; what was never negative stays so."""
    room = (high - low) / 2
    ends = (0.0 if low >= 0 and low - room < 0 else low - room, high + room)
    return f"{ends[0]:.4g}", f"{ends[1]:.4g}"


def _model_checks(goal: Goal, tried: Trial | None) -> list[str]:
    """The model's checks: errors where a first try leaves no doubt, else warnings."""
    metric = "rmse" if goal.task == "regression" else "log_loss"
    sanity, floor = METRIC[goal.task], _floor(goal, tried)
    clear = tried is not None and tried.margin >= CLEAR
    sane = floor > BLIND[sanity]
    warn = ", severity: warn"
    severity = "" if clear else warn
    return [
        f"{{metric: {{name: {sanity}, min: {floor:g}}}{'' if clear and sane else warn}}}",
        f"{{better_than: {{release: baseline, metric: {metric}, by: {'1%' if clear else '0%'}}}{severity}}}",
        f"{{better_than: {{release: champion, metric: {metric}, by: -2%}}}}",
    ]


def _floor(goal: Goal, tried: Trial | None) -> float:
    """Half way from what guessing reaches to what a first fit reached."""
    blind = BLIND[METRIC[goal.task]]
    return round(blind + max(0.0, tried.reached - blind) / 2, 2) if tried is not None else blind


def _tried(tried: Trial | None) -> str:
    if tried is None:
        return "no first fit was possible on a sample, so the checks only warn: look at what apply says, then set them"
    name = {"rmse": "RMSE", "log_loss": "log loss"}[tried.metric]
    said = f"a first fit on a sample reached {tried.sanity} {tried.reached:.3g}; {name} {tried.model:.4g}"
    said += f" against {tried.baseline:.4g} of the baseline"
    if tried.margin >= CLEAR:
        return said
    return f"{said}: hardly better, so the checks only warn. Add columns that tell more, then make them errors"
