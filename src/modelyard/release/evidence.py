"""Evidence about a rollout, read from the prediction log since it began: what its guards and its strategy ask for.

Only rows of the releases compared count, by their arm: while they are tried the challengers' rows (answers and shadows)
stand against the champion's answers; in probation the new champion's answers against the shadows of the one before it.
Rows whose arm the request named never count, nor those outside the declared segment. Labels count once they are known,
and only on rows old enough for most labels to have come (`mature`): the first to come are no fair sample.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.records import Release, Version
from modelyard.release import contrast, figures, tally
from modelyard.release.agreement import agreement
from modelyard.release.contrast import LABEL, Outcomes
from modelyard.release.guards import Evidence
from modelyard.release.losses import LOSSES, known
from modelyard.release.pairs import Pairs
from modelyard.release.ranking import rank
from modelyard.release.state import Rollout
from modelyard.release.tally import Key, Tally
from modelyard.spec.strategies import (
    ABTest,
    Bandit,
    Canary,
    ChampionChallenger,
    Guarded,
    Shadow,
    Strategy,
)
from modelyard.stats.sequential import Rate
from modelyard.store import Store, predictions

BLOCKS = 24
"""Into how many consecutive stretches the pairs are cut, to see how much neighbours resemble each other."""


@dataclass(frozen=True)
class Look:
    """One look at a rollout: at what time, whether the world is simulated, and what gateways report.

    `running`: every gateway runs the present routes, and had switched `switched` seconds after they were made. `live`:
    rows that are answered and maybe not in the log's table yet, by their segment.
    """

    now: datetime
    simulated: bool = False
    running: bool = True
    switched: float | None = None
    live: Mapping[str, pa.Table] | None = None


def gather(store: Store, deployment: str, rollout: Rollout, strategy: Strategy, look: Look) -> dict[str, Evidence]:
    """What is known of each challenger (digest) now."""
    counted = count(store, deployment, rollout, strategy, look)
    if rollout.phase in ("loading", "drill"):
        return counted
    compared = _labelled(store, deployment, rollout, strategy, look)
    return {release: replace(seen, **compared.get(release, {})) for release, seen in counted.items()}


def count(store: Store, deployment: str, rollout: Rollout, strategy: Strategy, look: Look) -> dict[str, Evidence]:
    """What needs no labels: rows, rates, latencies and outputs. Each piece of the log is read once, so this is quick."""
    guards = strategy.chosen.guard if isinstance(strategy.chosen, Guarded) else {}
    key = Key.of(rollout, guards, strategy.only is not None, divided(strategy, rollout))
    totals = tally.total(store, deployment, key, look.now, look.live)
    return {release: _counted(totals[release], totals[""], look) for release in rollout.challengers}


def divided(strategy: Strategy, rollout: Rollout) -> tuple[bool, ...]:
    """In which steps so far the challengers answered a part of the traffic; all else is shadow, or the whole of it."""
    count, declared = len(rollout.entries), strategy.chosen
    if rollout.phase == "probation" or not isinstance(declared, Canary | ABTest | Bandit):
        return (False,) * count
    if not isinstance(declared, Canary):
        return (True,) * count
    last = len(declared.steps) - 1
    steps = (min(max(rollout.step - back, 0), last) for back in reversed(range(count)))
    return tuple(0 < (declared.steps[step].traffic or 0.0) < 1 for step in steps)


def _counted(worse: Tally, base: Tally, look: Look) -> Evidence:
    steps = range(len(worse.rows))
    rates = {
        name: tuple(
            (Rate(int(worse.rows[n]), int(worse.bad[name][n])), Rate(int(base.rows[n]), int(base.bad[name][n])))
            for n in steps
        )
        for name in worse.bad
    }
    return Evidence(
        rows=int(worse.rows[-1]),
        rates=rates,
        simulated=look.simulated,
        running=look.running,
        switched=look.switched,
        latencies=tuple((worse.latency[n], base.latency[n]) for n in steps) if worse.latency.shape[1] else (),
        outputs=tuple((worse.outputs[n], base.outputs[n]) for n in steps) if worse.outputs.shape[1] else (),
    )


# ---- what needs the rows themselves ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Arms:
    """The rows compared, of the release on trial (`worse`) and of the one it is measured by (`base`), in time order."""

    worse: pa.Table
    base: pa.Table


@dataclass(frozen=True)
class Bodies:
    """What the compared releases say of themselves."""

    of: Mapping[str, dict[str, Any]]
    classes: Mapping[str, list[str]]
    last: datetime

    @classmethod
    def read(cls, store: Store, rollout: Rollout, now: datetime) -> Bodies:
        """From the records; labels count of rows up to `last`."""
        wanted = [*rollout.challengers, rollout.champion]
        of = {item.digest: item.body for item in store.read(Release, digest=wanted)}
        late = max((mature(body) for body in of.values()), default=timedelta(0))
        return cls(of, {digest: classes(store, body) for digest, body in of.items()}, now - late)

    def task(self, release: str) -> str:
        """What the release does."""
        body = self.of[release]
        return str(body.get("task") or ("multiclass_classification" if len(self.classes[release]) > 2 else ""))


def _labelled(
    store: Store, deployment: str, rollout: Rollout, strategy: Strategy, look: Look
) -> dict[str, dict[str, Any]]:
    """Beyond the counts, per challenger: what of `Evidence` the guards and the strategy ask for."""
    declared = strategy.chosen
    guards = [name for name in declared.guard if name in LOSSES] if isinstance(declared, Guarded) else []
    asks = isinstance(declared, Shadow | ABTest | Bandit | ChampionChallenger) and rollout.phase != "probation"
    found: dict[str, dict[str, Any]] = {}
    if asks and isinstance(declared, ABTest | Bandit) and declared.kpi is not None:
        found, asks = _by_figure(store, rollout, declared, look), False
    if not guards and not asks:
        return found
    columns = [
        "request_id",
        "row",
        "at",
        "arm",
        "role",
        "release",
        "prediction",
        "predictions",
        "propensity",
        "routing",
    ]
    columns += ["error", "latency_ms"] if isinstance(declared, Shadow) else []
    log = predictions.window(
        store, deployment, start=rollout.entries[0], end=look.now, columns=columns, known_by=look.now
    )
    log = counted(log, strategy.only is not None)
    bodies = Bodies.read(store, rollout, look.now)
    for release in rollout.challengers:
        arms = split(log, rollout, release)
        found[release] = found.get(release, {}) | {
            "pairs": {name: _pairs(arms, bodies, rollout, release, name) for name in guards},
        }
        if asks and isinstance(declared, Shadow):
            found[release]["agreement"] = agreement(*match(arms), bodies.task(release))
        if asks and isinstance(declared, ChampionChallenger):
            metric = declared.metric or primary(bodies.task(release))
            blocks = _pairs(arms, bodies, rollout, release, metric)
            found[release]["rank"] = rank(metric, declared.by, blocks, declared.significance / declared.most)
            found[release]["since"] = arms.worse["at"][0].as_py() if len(arms.worse) else None
    if asks and isinstance(declared, ABTest | Bandit):
        for release, more in _contrasts(log, bodies, rollout, declared).items():
            found[release] |= more
    return found


def _by_figure(store: Store, rollout: Rollout, declared: ABTest | Bandit, look: Look) -> dict[str, dict[str, Any]]:
    """What the declared figure says of the arms of a test."""
    assert declared.kpi is not None
    if isinstance(declared, ABTest):
        shares, alpha = (1 - declared.split, declared.split), declared.significance
        return figures.contrasts(store, declared.kpi, rollout, shares, alpha, look.now)
    return figures.contrasts(store, declared.kpi, rollout, None, declared.significance / declared.most, look.now)


def counted(log: pa.Table, segmented: bool) -> pa.Table:
    """The rows that count: none whose arm the request named, none outside the declared segment."""
    wanted = pc.not_equal(log["role"], "forced")
    if segmented and "propensity" in log.column_names:
        wanted = pc.and_(wanted, pc.or_(pc.is_valid(log["propensity"]), pc.equal(log["role"], "shadow")))
    return log.filter(wanted)


def split(log: pa.Table, rollout: Rollout, release: str) -> Arms:
    """The rows of a challenger and of what it is measured by, ordered by time."""
    if rollout.phase == "probation":
        worse = _rows(log, rollout.release, "champion", ["answer"])
        base = _rows(log, rollout.champion, "previous", ["shadow"])
    else:
        worse = _rows(log, release, "challenger", ["answer", "shadow"])
        base = _rows(log, rollout.champion, "champion", ["answer"])
    return Arms(worse, base)


def _rows(log: pa.Table, release: str, arm: str, roles: list[str]) -> pa.Table:
    wanted = pc.and_(
        pc.equal(log["release"], release),
        pc.and_(pc.starts_with(log["arm"], arm), pc.is_in(log["role"], pa.array(roles))),
    )
    found = log.filter(wanted)
    order = [("at", "ascending"), ("request_id", "ascending"), ("row", "ascending")]
    return found.take(pc.sort_indices(found, sort_keys=order)).combine_chunks()


def primary(task: str) -> str:
    """The metric that releases are compared by where none is declared."""
    return "mae" if task == "regression" else "log_loss"


def _pairs(arms: Arms, bodies: Bodies, rollout: Rollout, release: str, metric: str) -> tuple[Pairs, ...]:
    left, right = match(arms, bodies.last)
    return pairs(left, right, metric, bodies.classes[release], bodies.classes[rollout.champion])


def _contrasts(log: pa.Table, bodies: Bodies, rollout: Rollout, declared: ABTest | Bandit) -> dict[str, dict[str, Any]]:
    """What labelled answers say of the arms of a test."""
    answers = log.filter(
        pc.and_(
            pc.and_(pc.equal(log["role"], "answer"), pc.is_valid(log["label"])),
            pc.less_equal(log["at"], pa.scalar(bodies.last, log["at"].type)),
        )
    )
    # What the champion answered before the challenger was loaded has no counterpart.
    answers = answers.filter(pc.fill_null(pc.less(answers["propensity"], 1.0), True))
    metric = declared.metric or primary(bodies.task(rollout.champion))
    sign = 1.0 if metric == LABEL and declared.better == "higher" else -1.0
    releases = (rollout.champion, *rollout.challengers)
    outcomes = _outcomes(answers, bodies, releases, metric, sign)
    if isinstance(declared, ABTest):
        return {rollout.release: {"contrast": contrast.fixed(outcomes, metric, sign, declared.significance)}}
    alpha = declared.significance / declared.most
    chances = contrast.chances(outcomes, len(releases))
    return {
        release: {"contrast": contrast.moving(outcomes, arm, metric, sign, alpha), "chances": chances}
        for arm, release in enumerate(rollout.challengers, start=1)
    }


def _outcomes(answers: pa.Table, bodies: Bodies, releases: Sequence[str], metric: str, sign: float) -> Outcomes:
    arm, propensity, gain, group = [], [], [], []
    for number, release in enumerate(releases):
        rows = answers.filter(pc.equal(answers["release"], release))
        labels = _labels_of(rows)
        names = bodies.classes[release]
        usable = known(labels, names) if _many(rows) else np.ones(len(labels), dtype=bool)
        if metric == LABEL:
            values = labels[usable].astype(float)
        else:
            predicted = _predictions(rows, len(names))
            usable &= _finite(predicted)
            values = LOSSES[metric].rows(labels[usable], predicted[usable], names)
        given = rows["propensity"] if "propensity" in rows.column_names else pa.nulls(len(rows), pa.float64())
        gain.append(sign * values)
        arm.append(np.full(int(usable.sum()), number))
        propensity.append(pc.fill_null(given, 1.0).to_numpy(zero_copy_only=False)[usable])
        group.append(np.array(rows["routing"].to_pylist(), dtype=object)[usable])
    gains = np.concatenate(gain)
    size = float(np.sqrt((gains**2).mean())) if len(gains) else 0.0
    _, groups = np.unique(np.concatenate(group).astype(str), return_inverse=True)
    return Outcomes(np.concatenate(arm), np.concatenate(propensity), gains, groups, size)


def _labels_of(rows: pa.Table) -> np.ndarray:
    return np.array(rows["label"].to_pylist(), dtype=object) if _many(rows) else rows["label"].to_numpy()


def mature(body: dict[str, Any]) -> timedelta:
    """How old a row must be before its label may count, from the release's split; zero when it says nothing."""
    return timedelta(seconds=float(body.get("split", {}).get("mature_seconds") or 0))


def classes(store: Store, body: dict[str, Any]) -> list[str]:
    """The classes of a release in the order of its predictions, as text: of its body, or of its signature."""
    found = body.get("classes")
    if found is None and body.get("signature"):
        found = json.loads(store.blobs.get(body["signature"])).get("classes")
    return [str(name) for name in found or ()]


def kinds(store: Store, body: dict[str, Any]) -> dict[str, str]:
    """What a request to a release may be routed by: its inputs, name to type, and the key of its dataset."""
    signature = json.loads(store.blobs.get(body["signature"])) if body.get("signature") else {"inputs": []}
    dataset = body.get("dataset") or {}
    versions = store.read(Version, entity=dataset.get("entity", ""), digest=dataset.get("digest", ""), limit=1)
    keys = versions[0].body["key"] if versions else ()
    return dict.fromkeys(keys, "key") | {each["name"]: each["type"] for each in signature["inputs"]}


def match(arms: Arms, last: datetime | None = None) -> tuple[pa.Table, pa.Table]:
    """The rows that both answered, side by side and in time order; with `last` those up to then that have a label."""
    base = arms.base
    if last is not None:
        base = base.filter(
            pc.and_(pc.is_valid(base["label"]), pc.less_equal(base["at"], pa.scalar(last, base["at"].type)))
        )
    right = base.select(["request_id", "row"]).append_column("base", pa.array(np.arange(base.num_rows)))
    left = arms.worse.select(["request_id", "row"]).append_column("worse", pa.array(np.arange(arms.worse.num_rows)))
    both = left.join(right, keys=["request_id", "row"], join_type="inner").sort_by("base")
    return arms.worse.take(both["worse"]), base.take(both["base"])


def pairs(
    worse: pa.Table, base: pa.Table, guard: str, worse_classes: Sequence[str], base_classes: Sequence[str]
) -> tuple[Pairs, ...]:
    """Both releases' losses on the matched rows, in consecutive stretches; without rows that one could not answer."""
    loss = LOSSES[guard]
    labels = _labels_of(base)
    usable = np.ones(len(labels), dtype=bool)
    if _many(base):
        usable &= known(labels, worse_classes) & known(labels, base_classes)
    p, q = _predictions(worse, len(worse_classes)), _predictions(base, len(base_classes))
    usable &= _finite(p) & _finite(q)
    a = loss.rows(labels[usable], p[usable], worse_classes)
    b = loss.rows(labels[usable], q[usable], base_classes)
    blocks = zip(np.array_split(a, BLOCKS), np.array_split(b, BLOCKS), strict=True)
    return tuple(_sums(one, other) for one, other in blocks if len(one))


def _many(rows: pa.Table) -> bool:
    """Whether predictions are lists, one number per class."""
    return "predictions" in rows.column_names and rows["predictions"].null_count < rows.num_rows


def _predictions(rows: pa.Table, width: int) -> np.ndarray:
    if not _many(rows):
        return pc.fill_null(rows["prediction"], float("nan")).to_numpy()
    missing = [float("nan")] * width
    return np.array([each or missing for each in rows["predictions"].to_pylist()], dtype=float).reshape(-1, width)


def _finite(predictions: np.ndarray) -> np.ndarray:
    finite = np.isfinite(predictions)
    return finite.all(axis=1) if finite.ndim == 2 else finite


def _sums(a: np.ndarray, b: np.ndarray) -> Pairs:
    return Pairs(len(a), float(a.sum()), float(b.sum()), float(a @ a), float(b @ b), float(a @ b))
