"""Facts: everything the store remembers, as plain frozen values.

Each class is one table. `project` and `env` are stamped by the store when a record is added; `id` is given by it.
`unique` names the columns that, within one project and environment, may stand only once.
Times are aware and in UTC; `dict` and `list` fields hold JSON. Each record has one room that writes it (named below).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal

State = Literal["pass", "fail", "insufficient_data"]
Level = Literal["ok", "info", "warn", "page", "insufficient_data"]
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Record:
    """Base of all facts."""

    unique: ClassVar[tuple[tuple[str, ...], ...]] = ()
    indexes: ClassVar[tuple[tuple[str, ...], ...]] = ()

    id: int | None = None
    project: str = ""
    env: str = ""


@dataclass(frozen=True, kw_only=True)
class Declaration(Record):
    """What was applied (loop): the normalised spec and, per entity, the fingerprint of each of its parts.

    `tree` is the blob tree of the project's files as they were applied, `directory` the folder they came from:
    the controller works from these, not from a checkout that somebody may be editing.
    """

    digest: str
    spec: Json
    fingerprints: Json
    directory: str = ""
    tree: str = ""
    at: datetime
    actor: str


@dataclass(frozen=True, kw_only=True)
class Version(Record):
    """An immutable, content-addressed build of a dataset, feature view or model (data, train).

    `entity` is "dataset.NAME", "feature.NAME" or "model.NAME"; `fingerprint` covers declaration and code (not data);
    `digest` covers content too. `body` by kind, see docs/architecture.md.
    """

    unique = (("entity", "number"),)
    indexes = (("entity", "digest"),)

    entity: str
    number: int
    fingerprint: str
    digest: str
    as_of: datetime
    created: datetime
    actor: str
    body: Json


@dataclass(frozen=True, kw_only=True)
class Verdict(Record):
    """The recorded result of one declared check on one version (evaluate, data)."""

    indexes = (("subject",),)

    entity: str
    subject: str
    check: str
    severity: Literal["error", "warn"]
    state: State
    says: str
    detail: Json = field(default_factory=dict)
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Run(Record):
    """One training run (train), also projected into MLflow tracking as `mlflow_id`."""

    unique = (("key",),)

    key: str
    model: str
    state: Literal["running", "done", "failed"]
    started: datetime
    ended: datetime | None = None
    as_of: datetime
    params: Json
    metrics: Json = field(default_factory=dict)
    body: Json = field(default_factory=dict)
    error: str = ""
    mlflow_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Release(Record):
    """ONE tightly coupled version (release): data + features + code + parameters + environment + artefact + verdicts.

    `body` is immutable and `digest` is the SHA-256 of its canonical JSON; only `state` moves.
    """

    unique = (("model", "number"),)
    indexes = (("digest",),)

    model: str
    number: int
    digest: str
    state: Literal["pending_approval", "approved", "rolling_out", "live", "rejected", "rolled_back", "retired"]
    created: datetime
    as_of: datetime
    author: str
    body: Json


@dataclass(frozen=True, kw_only=True)
class Alias(Record):
    """A movable name for a release (release): champion, challenger."""

    unique = (("model", "alias"),)

    model: str
    alias: str
    number: int
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Approval(Record):
    """A person's decision about a release's digest (release)."""

    unique = (("release", "actor"),)

    release: str
    actor: str
    role: str
    decision: Literal["approve", "reject"]
    reason: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Deployment(Record):
    """The routing state of one deployment (release); gateways serve exactly this, by `revision`.

    `routes`: `{"arms": [{"arm": "champion", "release": DIGEST, "weight": 0.95}, ...],
    "shadows": [{"arm": "challenger", "release": DIGEST, "share": 1.0}], "salt": "..."}`; weights sum to 1.
    `rollout`: {} when nothing is being tried, else the state of the strategy's steps.
    """

    unique = (("name",),)

    name: str
    model: str
    revision: int
    routes: Json
    rollout: Json = field(default_factory=dict)
    policy: Json = field(default_factory=dict)
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Segment(Record):
    """A closed piece of a prediction log, moved into the deployment's Delta table exactly once (serve)."""

    unique = (("deployment", "name"),)
    indexes = (("deployment", "end"),)

    deployment: str
    name: str
    rows: int
    start: datetime
    end: datetime
    table_version: int
    profile: str = ""
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Label(Record):
    """The label of one prediction (serve). A correction is a further record with a higher `sequence`.

    Addressed by `request_id` and `row`, or by the dataset's key (`key` = canonical JSON, then request_id is "").
    """

    unique = (("deployment", "request_id", "row", "key", "sequence"),)
    indexes = (("deployment", "time"),)

    deployment: str
    request_id: str = ""
    row: int = 0
    key: str = ""
    sequence: int = 0
    label: Any = None
    time: datetime
    received: datetime


@dataclass(frozen=True, kw_only=True)
class Observation(Record):
    """What a monitor saw in one window (monitor). `kind`: drift, quality, stale, schema, missing, ..."""

    unique = (("monitor", "kind", "start", "end"),)
    indexes = (("monitor", "end"),)

    monitor: str
    deployment: str
    model: str
    kind: str
    start: datetime
    end: datetime
    level: Level
    says: str
    detail: Json = field(default_factory=dict)
    at: datetime


@dataclass(frozen=True, kw_only=True)
class KpiValue(Record):
    """One value of a business figure (monitor); for a period's start when computed. A correction has a higher `sequence`.

    `arm` is "" for the figure as a whole.
    """

    unique = (("kpi", "time", "arm", "sequence"),)

    kpi: str
    time: datetime
    arm: str = ""
    sequence: int = 0
    value: float
    source: Literal["sql", "push"]
    received: datetime
    by: str


@dataclass(frozen=True, kw_only=True)
class Request(Record):
    """What a trigger, or a person, asks for (triggers); the next plan reads it."""

    unique = (("key",),)
    indexes = (("subject", "state"),)

    key: str
    kind: Literal["retrain", "rollback", "pause", "alert", "run", "webhook"]
    subject: str
    trigger: str
    why: str
    state: Literal["open", "done", "refused", "failed"] = "open"
    outcome: str = ""
    at: datetime
    done_at: datetime | None = None
    detail: Json = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Alert(Record):
    """Something that people must know, from its rise to its end (triggers): one cause, one alert at a time.

    `cause` is "KIND:SUBJECT", such as "drift:deployment.late-api"; `key` adds a number. `level` is the worst so far.
    `watched`: what each monitor that saw it saw last, `{monitor: {"level", "calm": looks without it}}`.
    """

    unique = (("key",),)
    indexes = (("state",), ("cause", "state"))

    key: str
    cause: str
    kind: str
    subject: str
    model: str = ""
    level: Literal["warn", "page"]
    priority: Literal["P1", "P2", "P3", "P4"]
    state: Literal["open", "acknowledged", "resolved"] = "open"
    says: str
    watched: Json = field(default_factory=dict)
    at: datetime
    by: str = ""
    note: str = ""
    changed: datetime


@dataclass(frozen=True, kw_only=True)
class Message(Record):
    """The outbox: what a channel is to be told, written with its cause in one transaction, sent afterwards (triggers).

    `key` is the idempotency key: it is the same at every attempt. `due` is when it may be sent at the earliest.
    """

    unique = (("key",),)
    indexes = (("state", "due"), ("alert",))

    key: str
    alert: str = ""
    channel: str
    event: Literal["opened", "worsened", "escalated", "resolved", "fired"]
    body: Json
    state: Literal["waiting", "sent", "dropped", "failed"] = "waiting"
    at: datetime
    due: datetime
    attempts: int = 0
    outcome: str = ""
    done_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Mark(Record):
    """A named cursor of the loop: the last tick, a simulation's progress (loop)."""

    unique = (("name",),)

    name: str
    value: Json
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Lease(Record):
    """Who may work on `name` now; `token` grows with each holder and fences the sleepers (store)."""

    unique = (("name",),)

    name: str
    token: int
    holder: str
    expires: datetime


@dataclass(frozen=True, kw_only=True)
class Audit(Record):
    """One entry of the hash-chained audit trail, written in the same transaction as its effect (store).

    `action` is "room.verb", such as release.created, rollout.promoted, request.retrain.
    """

    unique = (("sequence",),)
    indexes = (("action", "at"),)

    sequence: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: Json = field(default_factory=dict)
    previous: str
    hash: str
