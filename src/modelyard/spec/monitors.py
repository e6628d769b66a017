"""Declared monitors: what is watched of a deployment, and when it alarms."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import AliasChoices, Field

from modelyard.spec.declared import Declared
from modelyard.spec.values import Budget, BudgetText, Columns, Duration, Flag, MarginText, Share


class Drift(Declared):
    """Input and prediction drift: on unless `enabled: false`; `warn` and `page` are effect sizes (debiased PSI)."""

    enabled: Flag = Field(default=True, description="whether drift is watched")
    false_alarms: BudgetText = Field(
        default=Budget(1, timedelta(days=90)), description="false pages of the deployment, over all columns and windows"
    )
    warn: float = Field(default=0.05, gt=0, description="effect size of a warning")
    page: float = Field(default=0.25, gt=0, description="effect size of a page")
    columns: tuple[str, ...] | None = Field(default=None, description="only these inputs; default: all")
    joint: Flag = Field(default=True, description="whether columns are also looked at together, by a classifier")


class Quality(Declared):
    """A metric on mature labels within bounds."""

    metric: str = Field(description="the metric")
    min: float | None = Field(default=None, description="at least this")
    max: float | None = Field(default=None, description="at most this")
    tolerance: MarginText | None = Field(
        default=None, description="at most so much worse than on the release's own test rows: 5% relative, 1pp or 0.01"
    )


class Concept(Declared):
    """Concept drift on labels: a loss that the inputs cannot explain, by a sequential test with bounded false alarms."""

    enabled: Flag = Field(default=True, description="whether it is watched; it needs labels")
    tolerance: float = Field(
        default=0.005, ge=0, lt=1, description="a rise of the mean loss (0 to 1) by less is no harm"
    )


class Calibration(Declared):
    """Whether probabilities still are the frequencies that they were at release."""

    enabled: Flag = Field(default=True, description="whether it is watched; it needs labels")
    warn: float = Field(
        default=0.03, gt=0, lt=1, description="mean distance of probability and frequency, beyond chance"
    )
    page: float = Field(default=0.10, gt=0, lt=1, description="the same, for a page")


class SliceWatch(Declared):
    """Loss by slices of the answers."""

    enabled: Flag = Field(default=True, description="whether slices are watched; it needs labels")
    by: Columns = Field(default=(), description="input columns; default: those that the model leans on most")
    tolerance: float = Field(
        default=0.05, gt=0, lt=1, description="how much more a slice's mean loss (0 to 1) may rise"
    )


class EstimateWatch(Declared):
    """The metric before labels come, estimated from the answers (CBPE, DLE); blind to concept change."""

    enabled: Flag = Field(default=True, description="whether the metric is estimated")


class DecayWatch(Declared):
    """The date at which the metric will leave its bounds, from its trend."""

    enabled: Flag = Field(default=True, description="whether it is forecast; it needs `quality` with bounds")


class Software(Declared):
    """How the deployment serves; without bounds, against its own past windows."""

    enabled: Flag = Field(default=True, description="whether it is watched")
    latency_p95: Duration | None = Field(
        default=None, description="the 95th percentile of latency is at most this: 0.2s"
    )
    error_rate: Share | None = Field(default=None, description="at most this share of rows has no answer")


class Upstream(Declared):
    """Faults of the data before the model."""

    freshness: Flag = Field(default=True, description="sources that are older than they declare")
    schema_: Flag = Field(
        default=True,
        validation_alias=AliasChoices("schema", "schema_"),
        serialization_alias="schema",
        description="columns that appear, vanish or change their type",
    )
    missing: Flag = Field(default=True, description="shares of missing values that rise")
    duplicates: Flag = Field(default=True, description="rows that come again")
    units: Flag = Field(default=True, description="columns whose unit seems changed")
    volume: Flag = Field(default=True, description="fewer or more rows than is usual for these hours of the week")


class Monitor(Declared):
    """What is watched of one deployment, how often, over which window."""

    deployment: str = Field(description="the deployment that is watched")
    every: Duration = Field(default=timedelta(days=1), description="how often it is looked at")
    window: Duration = Field(default=timedelta(days=7), description="how much of its log each look takes in")
    reference: Literal["seasonal", "training"] = Field(
        default="seasonal",
        description="the same hours of the week, in the training data and the release's first calm weeks, once there are four; or all training data",
    )
    min_rows: int = Field(default=200, ge=1, description="fewer rows (or labels) in a window are insufficient data")
    drift: Drift = Field(default=Drift(), description="inputs and predictions against the reference")
    quality: Quality | None = Field(default=None, description="a metric on labels, once they are mature")
    concept: Concept = Field(default=Concept(), description="loss that inputs cannot explain, on mature labels")
    calibration: Calibration = Field(default=Calibration(), description="probabilities against frequencies")
    slices: SliceWatch = Field(default=SliceWatch(), description="loss by slices of the answers")
    estimate: EstimateWatch = Field(default=EstimateWatch(), description="the metric before labels come")
    decay: DecayWatch = Field(default=DecayWatch(), description="when the metric will leave its bounds")
    kpis: Columns = Field(default=(), description="business figures that alarm when they move the worse way")
    software: Software = Field(default=Software(), description="latency, errors and throughput")
    upstream: Upstream = Field(default=Upstream(), description="faults of the data before the model")
