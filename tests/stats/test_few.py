"""Bounds of a mean of few values, looked at after each: how often they are wrong, and how soon they say something."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modelyard.stats import few


def ever_wrong(rng: np.random.Generator, rho: float, effect: float = 0.0) -> tuple[bool, bool]:
    """Whether bounds excluded the true mean at one of 40 looks, and whether they excluded zero."""
    noise = rng.normal(size=80)
    values = np.zeros(80)
    for at in range(1, 80):
        values[at] = rho * values[at - 1] + math.sqrt(1 - rho**2) * noise[at]
    values = values[40:] + effect
    looks = [few.bounds(values[:n], 0.05) for n in range(2, 41)]
    return any(not low <= effect <= high for low, high in looks), any(low > 0 for low, _ in looks)


@pytest.mark.parametrize(("rho", "most"), [(0.0, 0.03), (0.3, 0.07)])
def test_looking_every_day_rarely_misleads(rho, most):
    rng = np.random.default_rng(7)
    assert np.mean([ever_wrong(rng, rho)[0] for _ in range(300)]) <= most


def test_a_clear_effect_is_found():
    rng = np.random.default_rng(8)
    assert np.mean([ever_wrong(rng, 0.0, effect=1.0)[1] for _ in range(100)]) > 0.95


def test_bounds_move_and_scale_with_the_values_and_few_say_nothing():
    values = np.random.default_rng(3).normal(5.0, 2.0, 30)
    low, high = few.bounds(values, 0.05)
    assert np.allclose(few.bounds(10 * values + 1, 0.05), (10 * low + 1, 10 * high + 1))
    assert few.bounds(values[:1], 0.05) == few.bounds(values[:3], 0.05) == (-math.inf, math.inf)
    assert few.bounds(np.full(20, 4.0), 0.05) == (4.0, 4.0)
