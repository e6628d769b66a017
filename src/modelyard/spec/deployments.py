"""Declared deployments: where a model answers, and what it does with input that it should not get."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from modelyard.spec.declared import Declared
from modelyard.spec.levels import Slo
from modelyard.spec.strategies import Short, Strategy, short
from modelyard.spec.values import Duration, Flag, Scalar, Share


class FixedValue(Declared):
    """A constant that stands in."""

    value: Scalar = Field(description="the constant")


class InputRule(Declared):
    """What happens to a missing, out-of-range or unknown value of one input; undeclared: as in the training data."""

    missing: Literal["reject", "keep", "median", "mode", "fallback"] | FixedValue | None = Field(
        default=None, description="when there is no value"
    )
    out_of_range: Literal["warn", "clip", "reject", "fallback"] | None = Field(
        default=None, description="when it lies outside the training data's range"
    )
    unknown: Literal["accept", "other", "reject", "fallback"] | FixedValue | None = Field(
        default=None,
        description="when the training data had no such category; `other`: take the category that training calls so, else none",
    )
    normalize: Literal["NFC", "NFD", "NFKC", "NFKD"] | None = Field(
        default=None,
        description="categories that are the same text in this Unicode form are the same; default: as they are",
    )
    coerce: Flag | None = Field(
        default=None, description="whether texts are read as numbers or booleans; default: as for all inputs"
    )
    min: float | None = Field(default=None, description="hard bound: below it a request is rejected")
    max: float | None = Field(default=None, description="hard bound: above it a request is rejected")


class Log(Declared):
    """How durable an acknowledged prediction is."""

    durability: Literal["best_effort", "process", "disk"] = Field(
        default="process", description="`process` survives the gateway's death, `disk` a power cut"
    )
    when_full: Literal["refuse", "answer"] = Field(
        default="refuse",
        description="when the log cannot be written: refuse requests (503), or answer them unlogged, which is counted",
    )
    sample: Share = Field(
        default=1.0, gt=0, description="the share of the requests that is logged; each row then stands for 1/share rows"
    )


class Replicas(Declared):
    """How many gateway workers `yard up` runs; between the two the load decides. All workers serve all deployments."""

    min: int = Field(default=1, ge=1, le=256, description="at least so many")
    max: int = Field(default=1, ge=1, le=256, description="at most so many")


class DeploymentSpec(Declared):
    """Where a model answers."""

    model: str = Field(description="the model whose champion answers")
    type: Literal["endpoint"] = Field(default="endpoint", description="over HTTP")
    inputs: dict[str, InputRule] = Field(default_factory=dict, description="rules for single inputs")
    coerce: Flag = Field(default=False, description='whether texts are read as numbers or booleans: "1.5" as 1.5')
    extra: Literal["reject", "ignore"] = Field(default="reject", description="columns of a request that are no inputs")
    fallback: Literal["baseline", "champion"] | FixedValue | None = Field(
        default=None, description="what answers when the model cannot; default: an error"
    )
    output: Literal["probability", "label"] = Field(default="probability", description="what classification answers")
    log: Log = Field(default=Log(), description="the prediction log")
    max_rows: int = Field(default=10_000, ge=1, description="rows in one request")
    replicas: Replicas | None = Field(default=None, description="how many gateway workers; default: one")
    deadline: Duration = Field(
        default=timedelta(seconds=10),
        gt=timedelta(0),
        description="later than this the fallback answers, or a request is refused (504)",
    )
    slo: Slo | None = Field(
        default=None,
        description="the service levels that are promised",
        examples=[{"latency_p95": "50ms", "availability": "99.9%"}],
    )
    route_by: str | None = Field(
        default=None, description="the input, or key column, whose value keeps its arm; default: X-Routing-Key"
    )
    strategy: Annotated[Strategy, BeforeValidator(short), Short()] = Field(
        default=Strategy(), description="how a new release takes over", examples=["replace", {"canary": {}}]
    )
