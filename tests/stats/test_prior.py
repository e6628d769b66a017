"""A share of the classes that moved alone is told from a world that changed behind the scores: by simulation, seeds fixed."""

from __future__ import annotations

import numpy as np
import pytest

from modelyard.stats.calibration import Bins
from modelyard.stats.prior import prior_shift

ROWS, RUNS = 1_050, 40
ODDS = 0.25


def scores(rng: np.random.Generator, y: np.ndarray, moved: float = 0.0) -> np.ndarray:
    """The frequency that a calibrated model gives, where a fifth is positive."""
    seen = rng.normal(np.where(y, 1.0, -1.0), 1.4) + moved
    return 1 / (1 + np.exp(-2 * seen / 1.96 - np.log(ODDS)))


def world(rng: np.random.Generator, what: str, rows: int = ROWS) -> Bins:
    """`prior`: .35 are positive, each class scored as ever. `odds`: the same scores, the odds behind each doubled. `inputs`:
    other scores, and what was expected of them came. `turned`: a fifth of the labels comes out otherwise."""
    y = (rng.random(rows) < (0.35 if what == "prior" else 0.2)) * 1.0
    c = scores(rng, y, 0.8 if what == "inputs" else 0.0)
    if what in ("odds", "inputs"):
        odds = c / (1 - c) * (2.2 if what == "odds" else 1.0)
        y = (rng.random(rows) < odds / (1 + odds)) * 1.0
    if what == "turned":
        y = np.where(rng.random(rows) < 0.2, 1 - y, y)
    return Bins.of(c, y)


def named(what: str, effect: float = 1.0) -> int:
    """In how many runs it is called prior shift."""
    rng = np.random.default_rng(31)
    pairs = [(world(rng, "same", 4_000), world(rng, what)) for _ in range(RUNS)]
    return sum(prior_shift(known, now, effect=effect) is not None for known, now in pairs)


def test_it_is_named_where_it_is() -> None:
    assert named("prior") >= 0.8 * RUNS


@pytest.mark.parametrize("what", ["same", "odds", "inputs", "turned"])
def test_it_is_named_nowhere_else(what: str) -> None:
    assert named(what) == 0


def test_rows_that_come_together_prove_less() -> None:
    assert named("prior", effect=20.0) == 0


def test_few_rows_or_one_class_say_nothing() -> None:
    rng = np.random.default_rng(1)
    known, one = world(rng, "same", 4_000), Bins.of(np.full(500, 0.2), np.zeros(500))
    assert prior_shift(known, world(rng, "prior", 20)) is None
    assert prior_shift(known, one) is None and prior_shift(one, known) is None
    assert prior_shift(Bins.from_json(None), known) is None
