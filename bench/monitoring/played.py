"""A deployment played from a table of rows with times and labels: the real store, log, profiles and monitor; no gateway.

The model is logistic regression on the numbers and frequent categories, fitted on the training rows with the same
reference, sample and record of quality as any release; answers and labels (a day late) go where serve would leave them.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelyard import monitor
from modelyard.clock import SimulatedClock
from modelyard.digest import canonical
from modelyard.records import Audit, Deployment, Label, Observation, Release, Segment, Version
from modelyard.spec.types import Spec
from modelyard.store import Store, open_store
from modelyard.store.predictions import COLUMNS
from modelyard.train import reference, worth

DAY = timedelta(days=1)
CHAMPION = "c" * 64
TARGET, TIME = "y", "time"
WORDS = 12


@dataclass(frozen=True)
class Told:
    """An alarm that was told: when, its level, its kinds, what it said, and its first changed columns as described."""

    at: datetime
    level: str
    kind: str
    says: str
    changed: tuple[dict[str, Any], ...] = ()
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass
class Played:
    """What a monitor said over `days` looks."""

    days: float = 0.0
    told: list[Told] = field(default_factory=list)
    last: list[Observation] = field(default_factory=list)

    @property
    def pages(self) -> list[Told]:
        """The messages that paged."""
        return [each for each in self.told if each.level == "page"]


def declared(**health: object) -> Spec:
    """The smallest declaration that watches: a monitor with every default."""
    return Spec.model_validate(
        {
            "project": "quiet",
            "sources": {"rows": {"uri": "rows.csv", "time": "time"}},
            "datasets": {"rows_clean": {"sql": "SELECT 1"}},
            "models": {
                "one": {
                    "task": "binary_classification",
                    "data": "rows_clean",
                    "target": TARGET,
                    "train": "one:fit",
                    "split": {"mature": DAY},
                }
            },
            "deployments": {"api": {"model": "one"}},
            "monitors": {"health": {"deployment": "api", **health}},
        }
    )


def play(
    training: pa.Table,
    watched: pa.Table,
    *,
    tables: Mapping[str, Sequence[str]] | None = None,
    learner: Callable[[], Any] | None = None,
    **health: object,
) -> Played:
    """Train on one table, serve the other day by day, and look every day. Both have `time` (UTC, increasing) and `y`.

    `tables`: the columns that come from each source; `learner` makes another classifier than logistic regression; `health`:
    keys of the monitor."""
    begin = watched[TIME][0].as_py().replace(hour=0, minute=0, second=0, microsecond=0)
    spec, played = declared(**health), Played()
    with _store(begin) as (store, clock):
        model = _release(store, training, begin, tables or {}, learner)
        days = pc.cast(
            pc.floor(pc.divide(pc.cast(_since(watched, begin), pa.float64()), 86_400e6)), pa.int64()
        ).to_numpy()
        for day in range(int(days[-1]) + 1):
            rows = watched.filter(pa.array(days == day))
            now = begin + DAY * (day + 1)
            clock.set(now)
            if rows.num_rows:
                _serve(store, rows, model.predict(rows), now, f"day-{day}")
            monitor.profile_segments(store, "api")
            played.last = monitor.observe(store, spec, "health", now=now, actor="bench", source_times={}) or played.last
        played.days = float(days[-1] + 1)
        for each in store.read(Audit, action="monitor.alarmed", order="id"):
            told = [seen for seen in store.read(Observation, monitor="health", end=each.at) if "message" in seen.detail]
            first = {**told[0].detail} if told else {}
            changed = tuple(first.get("changed") or ())
            played.told.append(
                Told(each.at, each.detail["level"], each.detail["kind"], each.detail["why"], changed, first)
            )
    return played


@contextmanager
def _store(begin: datetime) -> Iterator[tuple[Store, SimulatedClock]]:
    home, clock = Path(tempfile.mkdtemp(prefix="quiet-")), SimulatedClock(begin)
    try:
        with open_store(home / "home", project="quiet", clock=clock) as store:
            yield store, clock
    finally:
        shutil.rmtree(home)


class Model:
    """Logistic regression on numbers (missing ones by their median) and the training rows' most frequent words."""

    def __init__(self, table: pa.Table, learner: Callable[[], Any] | None = None) -> None:
        self.inputs = [name for name in table.column_names if name not in (TARGET, TIME)]
        self.words, self.medians = {}, {}
        for name in self.inputs:
            if _is_text(table[name].type):
                counts = pc.value_counts(table[name].combine_chunks())
                order = np.argsort(-counts.field("counts").to_numpy(), kind="stable")[:WORDS]
                self.words[name] = counts.field("values").take(pa.array(order))
            else:
                values = table[name].cast(pa.float64()).to_numpy()
                self.medians[name] = float(np.nanmedian(values)) if np.isfinite(values).any() else 0.0
        self.model = learner() if learner else make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300))
        self.model.fit(self._matrix(table), table[TARGET].to_numpy())

    def _matrix(self, table: pa.Table) -> np.ndarray:
        columns = []
        for name in self.inputs:
            if name in self.words:
                codes = pc.fill_null(pc.index_in(table[name], self.words[name]), len(self.words[name])).to_numpy()
                columns += [codes == place for place in range(len(self.words[name]))]
            else:
                values = table[name].cast(pa.float64()).to_numpy()
                columns.append(np.where(np.isfinite(values), values, self.medians[name]))
        return np.column_stack(columns).astype(float)

    def predict(self, table: pa.Table) -> np.ndarray:
        """The probability of the positive class."""
        return np.asarray(self.model.predict_proba(self._matrix(table))[:, 1])


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _release(
    store: Store,
    training: pa.Table,
    begin: datetime,
    tables: Mapping[str, Sequence[str]],
    learner: Callable[[], Any] | None,
) -> Model:
    """Fitted on all rows, judged on the last quarter of them by a model that has not seen it, as a training does."""
    cut = training.num_rows * 3 // 4
    before, test = training.slice(0, cut), training.slice(cut)
    first, model = Model(before, learner), Model(training, learner)
    given, unseen = model.predict(training), first.predict(test)
    own = given[cut:]
    given = reference.as_unseen(given, own, unseen)
    profile = reference.profile(reference.Inputs(training, model.inputs, TIME), given, None, test[TIME], unseen, own)
    known = worth.performance(
        "binary_classification",
        test,
        test[TARGET].to_numpy(),
        unseen,
        first.predict,
        inputs=model.inputs,
        time=TIME,
        seen=(before, before[TARGET].to_numpy(), first.predict(before)),
    ).fitted_again(unseen, own)
    rows = monitor.sample(reference.watched(training, given, model.inputs, None), training[TIME])
    body = {
        "reference": store.blobs.put(canonical(profile.to_json())),
        "performance": store.blobs.put(canonical(known.to_json())),
        "sample": store.blobs.put(rows),
        "inputs": model.inputs,
        "features": {name: {"entity": f"feature.{name}", "number": 1} for name in tables},
    }
    with store.transaction(actor="bench", action="release.created", subject="one@1") as transaction:
        moments = {"created": begin, "as_of": begin}
        for name, columns in tables.items():
            made = {
                "fingerprint": name,
                "digest": name,
                "actor": "bench",
                "body": {"sources": {name: {}}, "columns": columns},
            }
            transaction.add(Version(entity=f"feature.{name}", number=1, **made, **moments))
        transaction.add(
            Release(model="one", number=1, digest=CHAMPION, state="live", author="bench", body=body, **moments)
        )
        routes = {"arms": [{"arm": "champion", "release": CHAMPION, "weight": 1.0}], "shadows": []}
        transaction.add(Deployment(name="api", model="one", revision=1, routes=routes, at=begin))
    return model


def _serve(store: Store, rows: pa.Table, given: np.ndarray, now: datetime, name: str) -> None:
    n = rows.num_rows
    logged = {
        "request_id": [name] * n,
        "row": np.arange(n),
        "at": rows[TIME],
        "arm": ["champion"] * n,
        "role": ["answer"] * n,
        "release": [CHAMPION] * n,
        "key": [""] * n,
        "routing": [""] * n,
        "prediction": given,
        "fallback": [False] * n,
        "warnings": ["[]"] * n,
        "error": [""] * n,
    }
    table = pa.table(logged).cast(pa.schema([COLUMNS.field(each) for each in logged]))
    for each in rows.column_names:
        if each not in (TARGET, TIME):
            table = table.append_column(f"in.{each}", rows[each])
    version = store.table("predictions/api").append(table, once=name)
    first, last = rows[TIME][0].as_py(), rows[TIME][-1].as_py()
    with store.transaction(actor="bench", action="log.moved", subject="deployment.api") as transaction:
        transaction.add(
            Segment(deployment="api", name=name, rows=n, start=first, end=last, table_version=version, at=now)
        )
        labels = enumerate(rows[TARGET].to_numpy().astype(float).tolist())
        transaction.add_all(
            Label(deployment="api", request_id=name, row=row, label=y, time=now, received=now) for row, y in labels
        )


def _since(table: pa.Table, begin: datetime) -> pa.ChunkedArray:
    return pc.subtract(table[TIME].cast(pa.timestamp("us", "UTC")).cast(pa.int64()), int(begin.timestamp() * 1e6))


START = datetime(2024, 1, 1, tzinfo=UTC)
"""A Monday."""
