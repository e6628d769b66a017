"""Declared business figures, and what training and serving cost."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from modelyard.spec.declared import Declared
from modelyard.spec.values import Duration


class Kpi(Declared):
    """A business figure: computed by SQL, or pushed (`POST /api/v1/kpis/NAME`). Each release's introduction is tested for
    what it moved."""

    sql: str | None = Field(
        default=None,
        description="a path, or the SQL itself, giving `time`, `value` and perhaps `arm`; of sources, datasets, and the log of "
        "a deployment by its name; default: values are pushed",
    )
    direction: Literal["up", "down"] = Field(description="which way is better")
    unit: str = Field(default="", description="what it is counted in")
    every: Duration = Field(default=timedelta(days=1), description="the length of a period; one value each")
    gather: Literal["mean", "sum", "last"] = Field(default="mean", description="how values of one period become one")
    deployment: str | None = Field(default=None, description="whose releases are tested; default: the only deployment")
    value_per_unit: float | None = Field(
        default=None, ge=0, description="what one unit more (or less, as is better) is worth in one period"
    )


class Costs(Declared):
    """Prices, for the return on each model."""

    cpu_hour: float = Field(default=0.0, ge=0, description="of an hour of processor time, spent in training")
    thousand_predictions: float = Field(default=0.0, ge=0, description="of serving a thousand rows")
    currency: str = Field(default="", description="what prices and values are in")
