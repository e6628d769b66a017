"""The declaration as values: what `yard.yaml` says after parsing, defaults filled in. Frozen, compared by value.

These classes are the schema (`yard schema`), the input of planning, and what every room is handed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue

from modelyard.spec.alerts import Channel, Priority
from modelyard.spec.declared import Declared, LooseName, Name
from modelyard.spec.kpis import Costs, Kpi
from modelyard.spec.levels import Slo
from modelyard.spec.strategies import Short, Strategy, short
from modelyard.spec.triggers import Trigger
from modelyard.spec.values import (
    Budget,
    BudgetText,
    Duration,
    Flag,
    Free,
    MarginText,
    Scalar,
    Share,
)

Severity = Literal["error", "warn"]
Task = Literal["binary_classification", "multiclass_classification", "regression"]
ColumnType = Literal["string", "int", "float", "bool", "date", "timestamp"]


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Columns = Annotated[
    tuple[str, ...],
    BeforeValidator(_one_or_many),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class Charter(Declared):
    """The agreement about a project: who owns it, what for, how urgent its alarms are, when it is looked at again."""

    owner: str = Field(default="", description="the person or team that answers for the project")
    purpose: str = Field(default="", description="what its answers are used for")
    priority: Priority = Field(default="P3", description="how urgent its alarms are, P1 most")
    review: Duration | None = Field(default=None, description="how often the agreement is looked at again")


class Packages(Declared):
    """The environment that releases are bound to; without a lock file, what is installed is frozen."""

    lock: str | None = Field(
        default=None,
        description="path of the lock file; default: uv.lock, requirements.lock, poetry.lock or requirements.txt, if any",
    )


class TimeSql(Declared):
    """A time computed from other columns."""

    sql: str = Field(
        description="a DuckDB expression, such as make_date(y, m, d); it is no column: SQL of datasets that needs it says it again"
    )


class KnownAt(Declared):
    """Columns known later than their row: at the time in the column `at`, or `after` a delay."""

    columns: Columns = Field(description="the columns that are known later")
    at: str | None = Field(default=None, description="the column that holds the time at which they become known")
    after: Duration | None = Field(default=None, description="how long after the row's time they become known")


class Source(Declared):
    """Data somebody else owns: files, read-only."""

    uri: str = Field(description="a path or glob from the project's folder; .csv, .csv.gz, .csv.zip, .parquet")
    time: str | TimeSql | None = Field(default=None, description="the column with the row's time")
    timezone: str = Field(default="UTC", description="the zone of times that say none")
    freshness: Duration | None = Field(
        default=None, description="how old the newest row may be before the source is stale"
    )
    types: dict[str, ColumnType] = Field(default_factory=dict, description="types of columns that are not as inferred")
    nulls: tuple[str, ...] = Field(
        default=("", "NA", "NaN", "nan", "NULL", "null"), description="CSV texts that mean missing"
    )
    known_at: tuple[KnownAt, ...] = Field(default=(), description="columns known later than the row's time")


class Between(Declared):
    """A numeric range, ends included."""

    column: str = Field(description="the column that is checked")
    min: float | None = Field(default=None, description="the smallest allowed value")
    max: float | None = Field(default=None, description="the largest allowed value")


class Values(Declared):
    """The values a column may have."""

    column: str = Field(description="the column that is checked")
    allowed: tuple[Scalar, ...] = Field(description="its allowed values")


class RowCount(Declared):
    """How many rows there may be."""

    min: int | None = Field(default=None, ge=0, description="at least so many")
    max: int | None = Field(default=None, ge=0, description="at most so many")


class DataCheck(Declared):
    """One expectation on a dataset or feature view: exactly one of its keys, beside `severity`."""

    unique: Columns | None = Field(default=None, description="no two rows share these columns")
    not_null: Columns | None = Field(default=None, description="these columns have no missing values")
    between: Between | None = Field(default=None, description="a column's values lie in a range")
    values: Values | None = Field(default=None, description="a column has no other values than these")
    row_count: RowCount | None = Field(default=None, description="the number of rows lies in a range")
    freshness: Duration | None = Field(default=None, description="the newest row is at most so old")
    python: str | None = Field(
        default=None, description="module:function(frame) -> bool, or a message, or the failing rows"
    )
    severity: Severity = Field(default="error", description="an error keeps the version from being used")


class Dataset(Declared):
    """A versioned table made from sources or datasets by SQL (DuckDB) or a Python function."""

    sql: str | None = Field(default=None, description="the path of an .sql file, or the query itself")
    python: str | None = Field(
        default=None, description="module:function; receives its inputs by name, returns a table"
    )
    from_: Columns = Field(
        default=(),
        validation_alias=AliasChoices("from", "from_"),
        serialization_alias="from",
        description="inputs of `python`; those of `sql` are found in it",
    )
    key: Columns = Field(
        default=(),
        description="the columns that identify a row, by which labels can be joined; never inputs, except under a second name",
    )
    time: str | None = Field(default=None, description="the column with the row's time")
    timezone: str = Field(default="UTC", description="the zone of times that say none")
    known_at: tuple[KnownAt, ...] = Field(default=(), description="columns known later than the row's time")
    checks: tuple[DataCheck, ...] = Field(default=(), description="expectations on every version")
    was: str | None = Field(default=None, description="its former name, whose history goes on")


class FeatureView(Declared):
    """Columns of an entity, with their time; joined as they were known at the row's time."""

    entity: Columns = Field(description="the columns by which a dataset's rows are joined")
    from_: str = Field(
        validation_alias=AliasChoices("from", "from_"),
        serialization_alias="from",
        description="the source or dataset it is made from",
    )
    sql: str | None = Field(
        default=None, description="the path of an .sql file, or the query itself; default: all columns"
    )
    time: str | None = Field(
        default=None, description="the column with the row's time; default: the time of what it is made from"
    )
    timezone: str = Field(default="UTC", description="the zone of times that say none")
    ttl: Duration | None = Field(default=None, description="how old a row may be and still be joined")
    known_at: tuple[KnownAt, ...] = Field(default=(), description="columns known later than the row's time")
    checks: tuple[DataCheck, ...] = Field(default=(), description="expectations on every version")
    was: str | None = Field(default=None, description="its former name, whose history goes on")


class Split(Declared):
    """How rows are divided for judging. `test` is a duration (by time) or a share; `mature` leaves out young rows."""

    by: Literal["time", "random"] | None = Field(
        default=None, description="the newest rows judge, or random ones; default: by time where rows have one"
    )
    test: Duration | Share | None = Field(default=None, description="how much is held back to judge; default 20%")
    mature: Duration | None = Field(
        default=None, description="leave out younger rows; default: the 95th percentile of the label's delay"
    )
    refit: Literal["all", "none"] = Field(
        default="all", description="what is released is fitted on all rows, or only on those that did not judge"
    )


class Baseline(Declared):
    """A heuristic that a model must beat: the mean (or class shares) per group."""

    by: Columns = Field(default=(), description="the groups; default: none, one mean for all")


class MetricCheck(Declared):
    """A metric on the test rows within bounds."""

    name: str = Field(description="the metric")
    min: float | None = Field(default=None, description="at least this")
    max: float | None = Field(default=None, description="at most this")


class BetterThan(Declared):
    """Better than the heuristic or the champion, on the same rows, by at least `by` (negative: at most that worse)."""

    release: Literal["baseline", "champion"] = Field(description="what it is compared with")
    metric: str | None = Field(default=None, description="default: log_loss, or rmse for regression")
    by: MarginText = Field(
        default="0", validate_default=True, description="by how much: 2% relative, 1pp or 0.01 absolute"
    )


class SlicesCheck(Declared):
    """A metric within bounds on every slice with at least `rows` test rows."""

    by: Columns = Field(description="one slice per value of these columns")
    metric: str | None = Field(default=None, description="default: log_loss, or rmse for regression")
    min: float | None = Field(default=None, description="at least this")
    max: float | None = Field(default=None, description="at most this")
    rows: int = Field(default=100, ge=1, description="smaller slices are not judged")


class ModelCheck(Declared):
    """One expectation on a model: exactly one of its keys, beside `severity`."""

    metric: MetricCheck | None = Field(default=None, description="a metric lies within bounds")
    better_than: BetterThan | None = Field(default=None, description="it beats the baseline or the champion")
    slices: SlicesCheck | None = Field(default=None, description="a metric lies within bounds on every slice")
    severity: Severity = Field(default="error", description="an error keeps the model from being released")


class ApprovalRule(Declared):
    """How many people of which roles must approve a release before it may serve."""

    required: int = Field(default=1, ge=1, description="how many people")
    roles: tuple[str, ...] = Field(default=("model_owner",), description="roles that may approve")
    author_may_approve: Flag = Field(default=False, description="whether who made it may approve it")


class Limits(Declared):
    """What a function may use: wall time, and resident memory in megabytes."""

    time: Duration = Field(default=timedelta(hours=1), description="after this it is stopped")
    memory: int | None = Field(default=None, ge=1, description="megabytes; above them it is stopped")


class Window(Declared):
    """How far back rows are trained on: `last` so long, or `since` the world changed."""

    last: Duration | None = Field(default=None, description="the last so long; with `since`: while that is too little")
    since: Literal["change"] | None = Field(
        default=None, description="only rows since the change that monitors saw last, once there are enough"
    )
    min_rows: int | None = Field(
        default=None,
        ge=1,
        description="at least so many rows: `last` reaches farther back, `since` waits; default 1000",
    )


def _window(value: Any) -> Any:
    if isinstance(value, str):
        return {"since_change": {"since": "change"}, "all": None}.get(value, value)
    return value


class _ShortWindow:
    """The schema of the short forms."""

    def __get_pydantic_json_schema__(self, core: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"enum": ["since_change", "all"]}, handler(core)]}


class Model(Declared):
    """A declared training problem."""

    task: Task = Field(description="what is learned")
    data: str = Field(description="the dataset whose rows it learns from")
    features: tuple[str, ...] = Field(default=(), description="feature views joined to them")
    target: str = Field(description="the column that is predicted")
    positive: Scalar = Field(default=None, description="the positive class; needed unless it is 1 or true")
    exclude: Columns = Field(
        default=(), description="columns that are no inputs; `view.column` where tables share a name"
    )
    window: Annotated[Duration | Window | None, BeforeValidator(_window), _ShortWindow()] = Field(
        default=None,
        description="which rows it is trained on: `90d`, `since_change`, {last: …, min_rows: …}; default: `all`",
    )
    half_life: Duration | None = Field(
        default=None, description="rows of this age weigh half; the function must take `weights`"
    )
    split: Split = Field(default=Split(), description="how rows are divided for judging")
    train: str = Field(description="module:function(X, y, *, params, seed, weights) -> anything with `predict`")
    params: dict[str, Free] = Field(default_factory=dict, description="handed to the function as `params`")
    frame: Literal["pandas", "polars", "numpy"] = Field(default="pandas", description="what X and y are")
    seed: int = Field(default=7, ge=0, le=2**32 - 1, description="handed to the function, and used for random splits")
    limits: Limits = Field(default=Limits(), description="what training may use")
    parity: float = Field(default=1e-4, ge=0, description="largest difference at which the compiled form is kept")
    baseline: Baseline = Field(default=Baseline(), description="the heuristic it is compared with")
    checks: tuple[ModelCheck, ...] = Field(default=(), description="what it must pass to be released")
    approval: ApprovalRule | None = Field(default=None, description="who must approve; default: nobody")
    charter: Charter | None = Field(default=None, description="the agreement about this model; default: the project's")
    was: str | None = Field(default=None, description="its former name, whose history goes on")


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


class Simulate(Declared):
    """How a simulation plays what people do."""

    approve_after: Duration | None = Field(
        default=None, description="releases are approved after so long; default: they wait for ever"
    )


class Spec(Declared):
    """One project."""

    project: Name = Field(description="the project's name")
    charter: Charter = Field(default=Charter(), description="the agreement about it")
    packages: Packages = Field(default=Packages(), description="the environment that releases are bound to")
    sources: dict[Name, Source] = Field(default_factory=dict, description="data that somebody else owns")
    datasets: dict[Name, Dataset] = Field(default_factory=dict, description="versioned tables made from them")
    features: dict[Name, FeatureView] = Field(default_factory=dict, description="columns of an entity, joined by time")
    models: dict[Name, Model] = Field(default_factory=dict, description="what is learned, and judged by what")
    deployments: dict[LooseName, DeploymentSpec] = Field(default_factory=dict, description="where models answer")
    monitors: dict[LooseName, Monitor] = Field(default_factory=dict, description="what is watched of deployments")
    triggers: dict[LooseName, Trigger] = Field(default_factory=dict, description="when models are retrained")
    kpis: dict[Name, Kpi] = Field(default_factory=dict, description="business figures that releases are to move")
    costs: Costs = Field(default=Costs(), description="prices, for the return on each model")
    alerts: dict[LooseName, Channel] = Field(default_factory=dict, description="who is told when something is wrong")
    simulate: Simulate = Field(default=Simulate(), description="how simulations play people")

    def agreement(self, model: str) -> Charter:
        """The charter of a model: its own, else the project's."""
        own = self.models[model].charter if model in self.models else None
        return own or self.charter
