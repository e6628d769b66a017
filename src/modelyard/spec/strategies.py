"""How a new release takes over, as declared: one class per strategy, values only.

What a strategy decides is in `modelyard.release`; what gateways obey is the routing table that it makes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from pydantic import AliasChoices, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue

from modelyard.spec.declared import Declared
from modelyard.spec.values import Duration, MarginText, Share

_METRIC = "a metric that is a mean over rows"


class Step(Declared):
    """One step of a canary: shadow or traffic, for at least `for`."""

    shadow: Share | None = Field(default=None, description="the share of requests it sees without answering")
    traffic: Share | None = Field(default=None, description="the share of requests it answers")
    for_: Duration = Field(
        default=timedelta(0),
        validation_alias=AliasChoices("for", "for_"),
        serialization_alias="for",
        description="how long the step lasts at least",
    )


class Guard(Declared):
    """How much worse a challenger may be."""

    margin: MarginText = Field(description="2% relative, 1pp or 0.01 absolute")


class Guarded(Declared):
    """What must not get worse while a release is tried, and how sure one must be."""

    guard: dict[str, Guard] = Field(
        default_factory=lambda: {"error_rate": Guard(margin="1pp")},  # type: ignore[arg-type]
        description="error_rate, fallback_rate, warning_rate, latency_p95, output_shift, or a metric of the task that is "
        "a mean of rows",
    )
    alpha: float = Field(default=0.01, gt=0, lt=1, description="chance of a false rollback over the whole rollout")


class Replace(Declared):
    """A new release takes over at once; the last one stays warm."""


class BlueGreen(Guarded):
    """A new release is loaded beside the one that serves, then all traffic switches; back as fast."""

    within: Duration = Field(
        default=timedelta(hours=1), description="it is withdrawn when some gateway cannot load it by then"
    )
    probation: Duration = Field(
        default=timedelta(days=1),
        description="how long the old release answers everything in shadow and the guards stay on after the switch",
    )
    drill: Duration | None = Field(
        default=None, description="how often to switch to the old release and back, measured; default: never"
    )


def _default_steps() -> tuple[Step, ...]:
    return (
        Step(shadow=1.0, for_=timedelta(days=1)),
        Step(traffic=0.05, for_=timedelta(days=1)),
        Step(traffic=0.25, for_=timedelta(days=1)),
        Step(traffic=1.0),
    )


class Canary(Guarded):
    """A new release proves itself in steps, first in shadow, then on growing traffic, under guards."""

    steps: tuple[Step, ...] = Field(
        default_factory=_default_steps, description="shadow first, then growing traffic, 100% at last"
    )
    within: Duration = Field(default=timedelta(days=21), description="the canary is decided by then")
    on_inconclusive: Literal["rollback", "promote", "pause"] = Field(
        default="rollback", description="what happens when it is not"
    )
    probation: Duration = Field(
        default=timedelta(days=7), description="how long the old champion stays warm and the guards stay on afterwards"
    )


class Shadow(Declared):
    """A new release answers the same requests unseen, and its answers are compared; only a person promotes it."""

    share: Share = Field(default=1.0, description="the share of requests it answers too")
    every: Duration = Field(default=timedelta(days=1), description="how often the comparison is recorded")
    within: Duration | None = Field(
        default=None, description="it is withdrawn when nobody has promoted it by then; default: it stays"
    )


class Tested(Guarded):
    """How a test between releases is decided: by a metric on answered rows, at any time, with bounded error."""

    metric: str | None = Field(
        default=None, description=f"{_METRIC}, or label: the mean of the label itself; default: log_loss, or mae"
    )
    kpi: str | None = Field(
        default=None, description="a business figure that decides instead: its values by arm, period by period"
    )
    better: Literal["higher", "lower"] | None = Field(
        default=None, description="which way is better; needed for `metric: label`, known for all others"
    )
    significance: float = Field(default=0.05, gt=0, lt=1, description="chance of a false winner over the whole test")
    for_: Duration = Field(
        default=timedelta(0),
        validation_alias=AliasChoices("for", "for_"),
        serialization_alias="for",
        description="how long it lasts at least",
    )
    within: Duration = Field(
        default=timedelta(days=28), description="how long it lasts at most: then the champion stays"
    )
    winner: Literal["promote", "keep"] = Field(
        default="promote", description="a challenger that wins is promoted, or recorded while the champion is kept"
    )


class ABTest(Tested):
    """Two releases answer fixed shares of the traffic until one is proven better, or time is up."""

    split: Share = Field(default=0.5, description="the challenger's share of the traffic")


class Bandit(Tested):
    """Thompson sampling: each release answers as often as it is likely to be the best, never less than the floor."""

    floor: Share = Field(default=0.05, description="the least share of the traffic of every release")
    every: Duration = Field(default=timedelta(hours=1), description="how often the shares are set anew")
    most: int = Field(default=3, ge=1, le=9, description="how many challengers at once")


class ChampionChallenger(Guarded):
    """Several challengers answer the same rows in shadow and are ranked on labels as they arrive."""

    metric: str | None = Field(default=None, description=f"{_METRIC}; default: log_loss, or mae")
    by: MarginText = Field(
        default="0",
        validate_default=True,
        description="by how much the best must be better: 2% relative, 0.01 absolute",
    )
    significance: float = Field(default=0.05, gt=0, lt=1, description="chance of promoting one that is not better")
    most: int = Field(default=3, ge=1, le=9, description="how many challengers at once; a newer one replaces the last")
    share: Share = Field(default=1.0, description="the share of requests that they answer too")
    for_: Duration = Field(
        default=timedelta(days=7),
        validation_alias=AliasChoices("for", "for_"),
        serialization_alias="for",
        description="how long a challenger is compared at least",
    )
    promote: Literal["best", "by_hand"] = Field(
        default="best", description="the best is promoted once it is proven better, or a person promotes"
    )


class Only(Declared):
    """The group of requests that a strategy may touch; all others are answered by the champion."""

    segment: str = Field(description="a condition on inputs, such as country = 'PT' AND tier IN ('gold', 'silver')")


Chosen = Replace | BlueGreen | Canary | Shadow | ABTest | ChampionChallenger | Bandit
KINDS: dict[str, type[Declared]] = {
    "blue_green": BlueGreen,
    "canary": Canary,
    "shadow": Shadow,
    "ab_test": ABTest,
    "champion_challenger": ChampionChallenger,
    "bandit": Bandit,
}


class Strategy(Declared):
    """How a new release takes over: at most one of its keys beside `only`; none: replace at once."""

    blue_green: BlueGreen | None = Field(default=None, description="loaded beside it, switched at once, and back")
    canary: Canary | None = Field(default=None, description="in steps, under guards")
    shadow: Shadow | None = Field(default=None, description="compared unseen, promoted by a person")
    ab_test: ABTest | None = Field(default=None, description="a fixed split until one is proven better")
    champion_challenger: ChampionChallenger | None = Field(
        default=None, description="several, unseen, ranked on labels"
    )
    bandit: Bandit | None = Field(default=None, description="shares follow the likelihood of being the best")
    only: Only | None = Field(default=None, description="the group of requests that it is limited to; default: all")

    @property
    def kind(self) -> str:
        """The name of the declared strategy."""
        return next((kind for kind in KINDS if getattr(self, kind) is not None), "replace")

    @property
    def chosen(self) -> Chosen:
        """The declared strategy."""
        return Replace() if self.kind == "replace" else getattr(self, self.kind)


def short(value: Any) -> Any:
    """The short forms: a strategy's name alone, and `{replace: {}}`."""
    if isinstance(value, str):
        return {} if value == "replace" else {value: {}}
    if isinstance(value, dict) and "replace" in value and not value["replace"]:
        return {key: item for key, item in value.items() if key != "replace"}
    return value


class Short:
    """The schema of the short forms."""

    def __get_pydantic_json_schema__(self, core: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        replace = {"type": "object", "properties": {"replace": {}}, "required": ["replace"], "maxProperties": 1}
        return {"anyOf": [{"enum": ["replace", *KINDS]}, handler(core), replace]}
