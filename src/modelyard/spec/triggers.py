"""Declared triggers: a condition, as a sentence of named conditions, and what is done when it holds."""

from __future__ import annotations

import shlex
from datetime import timedelta
from typing import Annotated, Any, Literal, get_args

from pydantic import AliasChoices, BeforeValidator, Field, WithJsonSchema

from modelyard.spec.declared import Declared, LooseName, Name
from modelyard.spec.values import BudgetText, Duration, Flag, OutOfText


def _words(value: Any) -> Any:
    return shlex.split(value) if isinstance(value, str) else value


Command = Annotated[
    tuple[str, ...],
    BeforeValidator(_words),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
Word = Literal["retrain", "rollback", "pause", "alert"]


class Decay(Declared):
    """A forecast: the metric leaves its bounds soon."""

    before: Duration = Field(description="the forecast date is at most so far away")
    monitor: LooseName | None = Field(
        default=None, description="the monitor that forecasts; default: any of the model's"
    )


class Arrived(Declared):
    """New rows since the last training."""

    dataset: Name = Field(description="the dataset that grew")
    rows: int = Field(ge=1, description="by at least so many rows")


class Figure(Declared):
    """A business figure beyond a bound, on average over the last while."""

    name: Name = Field(description="the KPI")
    below: float | None = Field(default=None, description="it is lower than this")
    above: float | None = Field(default=None, description="it is higher than this")
    over: Duration = Field(default=timedelta(days=7), description="how much of it is averaged")


class When(Declared):
    """A condition: exactly one of its keys; `windows` goes with those that name a monitor.

    What is not known (nothing observed, insufficient data) holds neither itself nor under `not`.
    """

    any: tuple[When, ...] | None = Field(default=None, description="one of these holds")
    all: tuple[When, ...] | None = Field(default=None, description="all of these hold")
    not_: When | None = Field(
        default=None,
        validation_alias=AliasChoices("not", "not_"),
        serialization_alias="not",
        description="this does not hold, and that is known",
    )
    schedule: Duration | None = Field(default=None, description="the last training is at least so long ago")
    drift: str | None = Field(default=None, description="the monitor that sees drift")
    joint: str | None = Field(default=None, description="the monitor that sees columns change together")
    quality: str | None = Field(default=None, description="the monitor that sees quality out of bounds")
    concept: str | None = Field(default=None, description="the monitor that sees the same inputs come out otherwise")
    calibration: str | None = Field(default=None, description="the monitor that sees probabilities go wrong")
    slices: str | None = Field(default=None, description="the monitor that sees a slice lose more than the rest")
    kpis: str | None = Field(default=None, description="the monitor that sees a business figure move the worse way")
    estimate: str | None = Field(default=None, description="the monitor that estimates quality before labels come")
    missing: str | None = Field(default=None, description="the monitor that sees more missing values")
    units: str | None = Field(default=None, description="the monitor that sees a column in another unit")
    schema_: str | None = Field(
        default=None,
        validation_alias=AliasChoices("schema", "schema_"),
        serialization_alias="schema",
        description="the monitor that sees columns appear, vanish or change their type",
    )
    duplicates: str | None = Field(default=None, description="the monitor that sees rows come again")
    software: str | None = Field(default=None, description="the monitor that sees latency and errors")
    cost: str | None = Field(default=None, description="the monitor that sees training take longer")
    volume: str | None = Field(default=None, description="the monitor that sees traffic grow thin or swell")
    stale: str | None = Field(default=None, description="the monitor that sees sources older than they may be")
    windows: OutOfText | None = Field(
        default=None,
        description="in so many of the last windows that do not overlap; default: the last one pages, or 2 of 3 warn",
    )
    decay: Decay | None = Field(default=None, description="the metric is forecast to leave its bounds soon")
    data: Arrived | None = Field(default=None, description="so many rows have arrived since the last training")
    kpi: Figure | None = Field(default=None, description="a business figure lies beyond a bound")


class Act(Declared):
    """A command or a webhook."""

    run: Command | None = Field(
        default=None, description="a command and its words, run in the project's folder, without a shell"
    )
    limit: Duration = Field(default=timedelta(minutes=10), description="after this the command is stopped")
    webhook: str | None = Field(default=None, description='a URL that takes JSON by POST, such as "${DEPLOY_HOOK}"')
    headers: dict[str, str] = Field(default_factory=dict, description="sent with `webhook`; values may hold ${NAME}")
    allow_private: Flag = Field(
        default=False, description="whether `webhook` may lead to this machine or a private network"
    )


def _one_or_many(value: Any) -> Any:
    many = value if isinstance(value, list | tuple) else [value]
    if any(isinstance(each, str) and each not in get_args(Word) for each in many):
        raise ValueError("expected retrain, rollback, pause, alert, {run: ...}, {webhook: ...}, or a list of them")
    return many


Do = Annotated[
    tuple[Word | Act, ...],
    BeforeValidator(_one_or_many),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": ["retrain", "rollback", "pause", "alert"]},
                {"type": "object"},
                {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "object"}]}},
            ]
        }
    ),
]


class Trigger(Declared):
    """A condition, and what is done when it holds."""

    model: str = Field(description="the model that it is about")
    when: When = Field(description="the condition")
    do: Do = Field(
        default=("retrain",),
        description="`retrain`, `rollback`, `pause` (the rollout), `alert`, {run: …}, {webhook: …}, or several of them",
    )
    deployment: str | None = Field(
        default=None, description="the deployment that is rolled back or paused; default: every one of the model"
    )
    cooldown: Duration = Field(default=timedelta(days=1), description="how long it rests after it fired")
    at_most: BudgetText | None = Field(default=None, description="it fires at most so often, such as `3 per 30d`")
