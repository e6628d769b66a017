"""Evidence about a rollout, read from the prediction log since it began: counts per step, and losses of row pairs.

Only rows of the two releases compared count, by their arm: in the steps of a canary the challenger's rows (answers and
shadows) stand against the champion's answers; in probation the new champion's answers against the shadows of the one
before it. Labels count once they are known, and only on rows old enough for most labels to have come (`mature`): the
first to come are no fair sample.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.records import Release, Version
from modelyard.release.decide import Rollout
from modelyard.release.guards import LATENCY, RATES, Evidence, Pairs
from modelyard.release.losses import LOSSES, known
from modelyard.spec.types import Canary
from modelyard.spec.values import Margin
from modelyard.stats.sequential import Rate, Stratum
from modelyard.store import Store, predictions

BLOCKS = 24
"""Into how many consecutive stretches the pairs are cut, to see how much neighbours resemble each other."""


@dataclass(frozen=True)
class Arms:
    """The rows compared, of the release on trial (`worse`) and of the one it is measured by (`base`), in time order."""

    worse: pa.Table
    base: pa.Table


def gather(
    store: Store,
    deployment: str,
    rollout: Rollout,
    canary: Canary,
    *,
    now: datetime,
    simulated: bool = False,
    running: bool = True,
    segmented: bool = False,
) -> Evidence:
    """Read the log once and count; `segmented`: only rows of the group that the strategy is limited to."""
    labelled = any(name in LOSSES for name in canary.guard)
    start = rollout.entries[0]
    log = predictions.window(
        store,
        deployment,
        start=start,
        end=now,
        columns=_columns(canary, labelled),
        known_by=now,
    )
    arms = split(_counted(log, segmented), rollout)
    rates = {name: strata(arms, rollout, _bad(name)) for name in canary.guard if name in RATES}
    if LATENCY in canary.guard and not simulated:
        rates[LATENCY] = slower(arms, rollout, canary.guard[LATENCY].margin)
    return Evidence(
        rows=int((_micros(arms.worse) >= _micro(rollout.entered)).sum()),
        rates=rates,
        pairs=_all_pairs(store, arms, rollout, canary, now) if labelled else {},
        simulated=simulated,
        running=running,
    )


def _columns(canary: Canary, labelled: bool) -> list[str]:
    columns = ["request_id", "row", "at", "arm", "role", "release", "propensity"]
    columns += [_SOURCE[name] for name in canary.guard if name in _SOURCE]
    if labelled:
        columns += ["prediction", "predictions"]
    return columns


_SOURCE = {"error_rate": "error", "fallback_rate": "fallback", "warning_rate": "warnings", LATENCY: "latency_ms"}


def _counted(log: pa.Table, segmented: bool) -> pa.Table:
    """The rows that the strategy had a say in: without those outside the declared group, whose propensity is null."""
    if not segmented or "propensity" not in log.column_names:
        return log
    return log.filter(pc.or_(pc.is_valid(log["propensity"]), pc.equal(log["role"], "shadow")))


def split(log: pa.Table, rollout: Rollout) -> Arms:
    """The rows of both arms, ordered by time."""
    if rollout.phase == "probation":
        worse = _rows(log, rollout.release, ["champion"], ["answer"])
        base = _rows(log, rollout.champion, ["previous"], ["shadow"])
    else:
        worse = _rows(log, rollout.release, ["challenger"], ["answer", "shadow"])
        base = _rows(log, rollout.champion, ["champion"], ["answer"])
    return Arms(worse, base)


def _rows(log: pa.Table, release: str, arms: list[str], roles: list[str]) -> pa.Table:
    wanted = pc.and_(
        pc.equal(log["release"], release),
        pc.and_(pc.is_in(log["arm"], pa.array(arms)), pc.is_in(log["role"], pa.array(roles))),
    )
    found = log.filter(wanted)
    order = [("at", "ascending"), ("request_id", "ascending"), ("row", "ascending")]
    return found.take(pc.sort_indices(found, sort_keys=order)).combine_chunks()


def _micro(time: datetime) -> int:
    return round(time.timestamp() * 1_000_000)


def _micros(rows: pa.Table) -> np.ndarray:
    return rows["at"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()


# ---- rates -----------------------------------------------------------------------------------------------------------


def _bad(guard: str) -> Callable[[pa.Table], np.ndarray]:
    """The function that says which rows count against a rate."""
    match guard:
        case "error_rate":
            return lambda rows: _truth(pc.not_equal(pc.fill_null(rows["error"], ""), ""))
        case "fallback_rate":
            return lambda rows: _truth(pc.fill_null(rows["fallback"], False))
        case _:
            return lambda rows: _truth(pc.invert(pc.is_in(pc.fill_null(rows["warnings"], ""), pa.array(["", "[]"]))))


def _truth(values: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(values.to_numpy(), dtype=bool)


def strata(arms: Arms, rollout: Rollout, bad: Callable[[pa.Table], np.ndarray]) -> tuple[Stratum, ...]:
    """Counts of both arms, one stratum per step: within a step the share of the traffic stands still."""
    worse, base = _by_step(arms.worse, rollout, bad(arms.worse)), _by_step(arms.base, rollout, bad(arms.base))
    return tuple(zip(worse, base, strict=True))


def _by_step(rows: pa.Table, rollout: Rollout, hits: np.ndarray) -> list[Rate]:
    steps = np.searchsorted([_micro(entry) for entry in rollout.entries], _micros(rows), side="right") - 1
    inside = steps >= 0
    count = len(rollout.entries)
    n = np.bincount(steps[inside], minlength=count)
    bad = np.bincount(steps[inside], weights=hits[inside].astype(float), minlength=count)
    return [Rate(int(rows), int(hits)) for rows, hits in zip(n, bad, strict=True)]


def slower(arms: Arms, rollout: Rollout, margin: Margin) -> tuple[Stratum, ...]:
    """How many requests each arm answered more slowly than the champion's 95th percentile (plus margin, challenger).

    If the challenger's 95th percentile is at most the champion's with the margin, at most 5% of its requests are slower
    than that; and 5% of the champion's are slower than its own. Shadows are left out: nobody waits for them.
    """
    found = []
    for worse, base in zip(_latencies(arms.worse, rollout), _latencies(arms.base, rollout), strict=True):
        if not len(worse) or not len(base):
            continue
        limit = float(np.quantile(base, 0.95))
        allowed = limit + margin.absolute(limit)
        found.append((Rate(len(worse), int((worse > allowed).sum())), Rate(len(base), int((base > limit).sum()))))
    return tuple(found)


def _latencies(rows: pa.Table, rollout: Rollout) -> list[np.ndarray]:
    """One latency (ms) per answered request, per step."""
    rows = rows.filter(pc.and_(pc.equal(rows["role"], "answer"), pc.equal(rows["row"], 0)))
    steps = np.searchsorted([_micro(entry) for entry in rollout.entries], _micros(rows), side="right") - 1
    values = pc.fill_null(rows["latency_ms"], 0.0).to_numpy()
    return [values[steps == step] for step in range(len(rollout.entries))]


# ---- pairs -----------------------------------------------------------------------------------------------------------


def _all_pairs(
    store: Store, arms: Arms, rollout: Rollout, canary: Canary, now: datetime
) -> dict[str, tuple[Pairs, ...]]:
    releases = {item.digest: item for item in store.read(Release, digest=[rollout.release, rollout.champion])}
    worse, base = releases[rollout.release].body, releases[rollout.champion].body
    last = now - max(mature(worse), mature(base))
    left, right = match(arms, last)
    named = classes(store, worse), classes(store, base)
    return {name: pairs(left, right, name, *named) for name in canary.guard if name in LOSSES}


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


def match(arms: Arms, last: datetime) -> tuple[pa.Table, pa.Table]:
    """The rows that both answered, up to `last`, that have a label; side by side and in time order."""
    base = arms.base.filter(
        pc.and_(pc.is_valid(arms.base["label"]), pc.less_equal(arms.base["at"], pa.scalar(last, arms.base["at"].type)))
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
    labels = base["label"].to_numpy() if not _many(base) else np.array(base["label"].to_pylist(), dtype=object)
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
