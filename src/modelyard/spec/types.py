"""The declaration as values: what `yard.yaml` says after parsing, defaults filled in. Frozen, compared by value.

These classes are the schema (`yard schema`), the input of planning, and what every room is handed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from modelyard.spec.values import (
    Budget,
    BudgetText,
    Duration,
    Flag,
    Free,
    MarginText,
    OutOfText,
    Scalar,
    Share,
)

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=63)]
LooseName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$", max_length=63)]
Severity = Literal["error", "warn"]
Task = Literal["binary_classification", "multiclass_classification", "regression"]


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Columns = Annotated[
    tuple[str, ...],
    BeforeValidator(_one_or_many),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class Declared(BaseModel):
    """Base: strict keys, frozen values."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Charter(Declared):
    """The agreement about a project: who owns it, what for, how urgent its alarms are, when it is looked at again."""

    owner: str = ""
    purpose: str = ""
    priority: Literal["P1", "P2", "P3", "P4"] = "P3"
    review: Duration | None = None


class Packages(Declared):
    """The environment that releases are bound to; without a lock file, what is installed is frozen."""

    lock: str | None = None


class TimeSql(Declared):
    """A time computed from other columns."""

    sql: str


class KnownAt(Declared):
    """Columns known later than their row: at the time in the column `at`, or `after` a delay."""

    columns: Columns
    at: str | None = None
    after: Duration | None = None


class Source(Declared):
    """Data somebody else owns: files, read-only."""

    uri: str = Field(description="a path or glob from the project's folder; .csv, .csv.gz, .csv.zip, .parquet")
    time: str | TimeSql | None = None
    timezone: str = "UTC"
    freshness: Duration | None = Field(None, description="how old the newest row may be before the source is stale")
    types: dict[str, str] = Field(default_factory=dict, description="column: string, int, float, bool, date, timestamp")
    nulls: tuple[str, ...] = Field(("", "NA", "NaN", "nan", "NULL", "null"), description="CSV texts that mean missing")
    known_at: tuple[KnownAt, ...] = ()


class Between(Declared):
    """A numeric range, ends included."""

    column: str
    min: float | None = None
    max: float | None = None


class Values(Declared):
    """The values a column may have."""

    column: str
    allowed: tuple[Scalar, ...]


class RowCount(Declared):
    """How many rows there may be."""

    min: int | None = None
    max: int | None = None


class DataCheck(Declared):
    """One expectation on a dataset or feature view: exactly one of its keys, beside `severity`."""

    unique: Columns | None = None
    not_null: Columns | None = None
    between: Between | None = None
    values: Values | None = None
    row_count: RowCount | None = None
    freshness: Duration | None = None
    python: str | None = Field(None, description="module:function(frame) -> bool, or a message, or the failing rows")
    severity: Severity = "error"


class Dataset(Declared):
    """A versioned table made from sources or datasets by SQL (DuckDB) or a Python function."""

    sql: str | None = None
    python: str | None = None
    from_: Columns = Field(
        (), validation_alias=AliasChoices("from", "from_"), serialization_alias="from", description="inputs of `python`"
    )
    key: Columns = ()
    time: str | None = None
    timezone: str = "UTC"
    known_at: tuple[KnownAt, ...] = ()
    checks: tuple[DataCheck, ...] = ()
    was: str | None = None


class FeatureView(Declared):
    """Columns of an entity, with their time; joined as they were known at the row's time."""

    entity: Columns
    from_: str = Field(validation_alias=AliasChoices("from", "from_"), serialization_alias="from")
    sql: str | None = None
    time: str | None = None
    timezone: str = "UTC"
    ttl: Duration | None = None
    known_at: tuple[KnownAt, ...] = ()
    checks: tuple[DataCheck, ...] = ()
    was: str | None = None


class Split(Declared):
    """How rows are divided for judging. `test` is a duration (by time) or a share; `mature` leaves out young rows."""

    by: Literal["time", "random"] | None = None
    test: Duration | Share | None = None
    mature: Duration | None = None
    refit: Literal["all", "none"] = "all"


class Baseline(Declared):
    """A heuristic that a model must beat: the mean (or class shares) per group."""

    by: Columns = ()


class MetricCheck(Declared):
    """A metric on the test rows within bounds."""

    name: str
    min: float | None = None
    max: float | None = None


class BetterThan(Declared):
    """Better than the heuristic or the champion, on the same rows, by at least `by` (negative: at most that worse)."""

    release: Literal["baseline", "champion"]
    metric: str | None = None
    by: MarginText = Field(default="0", validate_default=True)


class SlicesCheck(Declared):
    """A metric within bounds on every slice with at least `rows` test rows."""

    by: Columns
    metric: str | None = None
    min: float | None = None
    max: float | None = None
    rows: int = 100


class ModelCheck(Declared):
    """One expectation on a model: exactly one of its keys, beside `severity`."""

    metric: MetricCheck | None = None
    better_than: BetterThan | None = None
    slices: SlicesCheck | None = None
    severity: Severity = "error"


class ApprovalRule(Declared):
    """How many people of which roles must approve a release before it may serve."""

    required: int = 1
    roles: tuple[str, ...] = ("model_owner",)
    author_may_approve: Flag = False


class Limits(Declared):
    """What a function may use: wall time, and resident memory in megabytes."""

    time: Duration = timedelta(hours=1)
    memory: int | None = Field(None, description="megabytes")


class Model(Declared):
    """A declared training problem."""

    task: Task
    data: str
    features: tuple[str, ...] = ()
    target: str
    positive: Scalar = None
    exclude: Columns = ()
    window: Duration | None = None
    half_life: Duration | None = None
    split: Split = Split()
    train: str
    params: dict[str, Free] = Field(default_factory=dict)
    frame: Literal["pandas", "polars", "numpy"] = "pandas"
    seed: int = 7
    limits: Limits = Limits()
    parity: float = Field(1e-4, description="largest difference at which the compiled form is kept")
    baseline: Baseline = Baseline()
    checks: tuple[ModelCheck, ...] = ()
    approval: ApprovalRule | None = None
    was: str | None = None


class FixedValue(Declared):
    """A constant that stands in."""

    value: Scalar


class InputRule(Declared):
    """What happens to a missing, out-of-range or unknown value of one input; undeclared: as in the training data."""

    missing: Literal["reject", "keep", "median", "mode", "fallback"] | FixedValue | None = None
    out_of_range: Literal["warn", "clip", "reject", "fallback"] | None = None
    unknown: Literal["accept", "reject", "fallback"] | None = None
    min: float | None = Field(None, description="hard bound: below it a request is rejected")
    max: float | None = Field(None, description="hard bound: above it a request is rejected")


class Log(Declared):
    """How durable an acknowledged prediction is."""

    durability: Literal["best_effort", "process", "disk"] = "process"


class Step(Declared):
    """One step of a canary: shadow or traffic, for at least `for`."""

    shadow: Share | None = None
    traffic: Share | None = None
    for_: Duration = Field(
        timedelta(0), validation_alias=AliasChoices("for", "for_"), serialization_alias="for"
    )


class Guard(Declared):
    """How much worse a challenger may be."""

    margin: MarginText


def _default_steps() -> tuple[Step, ...]:
    return (
        Step(shadow=1.0, for_=timedelta(days=1)),
        Step(traffic=0.05, for_=timedelta(days=1)),
        Step(traffic=0.25, for_=timedelta(days=1)),
        Step(traffic=1.0),
    )


class Canary(Declared):
    """A new release proves itself in steps, first in shadow, then on growing traffic, under guards."""

    steps: tuple[Step, ...] = Field(default_factory=_default_steps)
    guard: dict[str, Guard] = Field(
        default_factory=lambda: {"error_rate": Guard(margin="1pp")},  # type: ignore[arg-type]
        description="error_rate, latency_p95, or a metric of the task",
    )
    alpha: float = 0.01
    within: Duration = timedelta(days=21)
    on_inconclusive: Literal["rollback", "promote", "pause"] = "rollback"
    probation: Duration = timedelta(days=7)


class Strategy(Declared):
    """How a new release takes over."""

    canary: Canary | None = None


def _strategy(value: Any) -> Any:
    if isinstance(value, str):
        return {} if value == "replace" else {value: {}}
    if isinstance(value, dict) and set(value) == {"replace"}:
        return {}
    return value


class DeploymentSpec(Declared):
    """Where a model answers."""

    model: str
    type: Literal["endpoint"] = "endpoint"
    inputs: dict[str, InputRule] = Field(default_factory=dict)
    fallback: Literal["baseline"] | FixedValue | None = None
    output: Literal["probability", "label"] = "probability"
    log: Log = Log()
    max_rows: int = Field(10_000, description="rows in one request")
    strategy: Annotated[Strategy, BeforeValidator(_strategy)] = Field(
        Strategy(), json_schema_extra={"examples": ["replace", {"canary": {}}]}
    )
    was: str | None = None


class Drift(Declared):
    """Input and prediction drift: on unless `enabled: false`; `warn` and `page` are effect sizes (debiased PSI)."""

    enabled: Flag = True
    false_alarms: BudgetText = Budget(1, timedelta(days=90))
    warn: float = 0.05
    page: float = 0.25
    columns: tuple[str, ...] | None = None


class Quality(Declared):
    """A metric on mature labels within bounds."""

    metric: str
    min: float | None = None
    max: float | None = None


class Upstream(Declared):
    """Faults of the data before the model."""

    freshness: Flag = True
    schema_: Flag = Field(True, validation_alias=AliasChoices("schema", "schema_"), serialization_alias="schema")
    missing: Flag = True
    duplicates: Flag = True


class Monitor(Declared):
    """What is watched of one deployment, how often, over which window."""

    deployment: str
    every: Duration = timedelta(days=1)
    window: Duration = timedelta(days=7)
    reference: Literal["training"] = "training"
    min_rows: int = Field(200, description="fewer rows (or labels) in a window are insufficient data")
    drift: Drift = Drift()
    quality: Quality | None = None
    upstream: Upstream = Upstream()


class When(Declared):
    """A condition: exactly one of its keys (`windows` goes with drift or quality). See DESIGN: policies are sentences."""

    any: tuple[When, ...] | None = None
    all: tuple[When, ...] | None = None
    schedule: Duration | None = None
    drift: str | None = None
    quality: str | None = None
    windows: OutOfText | None = None


class Trigger(Declared):
    """A condition on schedule or observations, and the model that is retrained when it holds."""

    model: str
    when: When
    cooldown: Duration = timedelta(days=1)


class Simulate(Declared):
    """How a simulation plays what people do."""

    approve_after: Duration | None = None


class Spec(Declared):
    """One project."""

    project: Name
    charter: Charter = Charter()
    packages: Packages = Packages()
    sources: dict[Name, Source] = Field(default_factory=dict)
    datasets: dict[Name, Dataset] = Field(default_factory=dict)
    features: dict[Name, FeatureView] = Field(default_factory=dict)
    models: dict[Name, Model] = Field(default_factory=dict)
    deployments: dict[LooseName, DeploymentSpec] = Field(default_factory=dict)
    monitors: dict[LooseName, Monitor] = Field(default_factory=dict)
    triggers: dict[LooseName, Trigger] = Field(default_factory=dict)
    simulate: Simulate = Simulate()
