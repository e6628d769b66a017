"""The world turns behind the same inputs; labels come 5,000 rows late."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import streams
from table import Line

from modelyard.monitor.estimate import estimate
from modelyard.stats.edetector import EDetector
from modelyard.stats.performance import Performance

TITLE = "7 concept flip"
GOAL = "unknown until labels come; then within 1000"
RUNS, FLIP, LATE = 20, 5_000, 5_000


def run(peers: Mapping[str, Path]) -> Iterator[Line]:
    """Ours as the monitor does it: excess of the loss, an e-detector, and the estimate that must not notice."""
    rng = np.random.default_rng(7)
    score = rng.beta(2, 3, 10_000)
    known = Performance.of("binary_classification", (rng.random(10_000) < score) * 1.0, score)
    delays, false, blind = [], 0, []
    for _ in range(RUNS):
        given = rng.beta(2, 3, 2 * FLIP)
        truth = (rng.random(2 * FLIP) < given) * 1.0
        truth[FLIP:] = 1 - truth[FLIP:]
        loss, expected = known.losses(truth, given)
        limit = known.excess + 1.64 * known.error
        alarmed = EDetector.above(limit, floor=known.floor).update(loss - expected).alarmed
        false += alarmed is not None and alarmed <= FLIP
        delays.append((alarmed or 2 * FLIP) - FLIP)
        # Before labels come there are only the answers: the estimate stays, and no state that needs labels is given.
        before = estimate(known, "roc_auc", given[FLIP:], np.ones(FLIP))
        assert before is not None
        blind.append(abs(before[0] - known.metrics["roc_auc"][0]) if known.metrics else 0.0)
    text = f"unknown for {LATE} rows; then after {np.median(delays):.0f} labels (most {max(delays)}), {false} false"
    yield Line(TITLE, "modelyard: labels turned over", text, max(delays) <= 1000 and not false)
    errors = rng.random((RUNS, 2 * FLIP)) < np.repeat([0.2, 0.3], FLIP)
    ours = [EDetector.above(0.2).update(row.astype(float)).alarmed for row in errors]
    late = [(each or 2 * FLIP) - FLIP for each in ours if each is None or each > FLIP]
    early = sum(each is not None and each <= FLIP for each in ours)
    yield Line(
        TITLE, "modelyard: error .20 → .30", f"after {np.median(late):.0f} rows, {early} of {RUNS} false before",
        np.median(late) <= 1000 and not early,
    )  # fmt: skip
    if "river" in peers:
        for name, found in streams.river(peers["river"], errors).items():
            delay = [streams.first_after(alarms, FLIP) or FLIP for alarms in found]
            false = sum(bool(alarms) and alarms[0] <= FLIP for alarms in found)
            yield Line(TITLE, f"river {name}", f"after {np.median(delay):.0f} rows, {false} of {RUNS} false before")
