"""Declared training problems: what is learnt from what, by which function, and what it must pass to be released."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue

from modelyard.spec.charter import Charter
from modelyard.spec.declared import Declared
from modelyard.spec.tables import Severity
from modelyard.spec.values import Columns, Duration, Flag, Free, MarginText, Scalar, Share

Task = Literal["binary_classification", "multiclass_classification", "regression"]


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
