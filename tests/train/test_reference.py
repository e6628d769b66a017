"""What the answers of a release are compared with: what unseen rows get, without the noise of a few of them."""

from __future__ import annotations

import numpy as np
import pytest

from modelyard.train.reference import as_unseen


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def psi(reference, window, bins=20):
    edges = np.quantile(reference, np.linspace(0, 1, bins + 1)[1:-1])
    p, q = ((np.bincount(np.searchsorted(edges, x), minlength=bins) + 0.5) / len(x) for x in (reference, window))
    return float(((p - q) * np.log(p / q)).sum() - (bins - 1) * (1 / len(reference) + 1 / len(window)))


def test_two_fits_that_differ_as_fits_do_leave_the_reference_alone(rng):
    unseen = rng.beta(2, 3, 1100)
    seen = np.clip(unseen + rng.normal(0, 0.02, 1100), 0, 1)
    answers = rng.beta(2, 3, 20_000)
    assert as_unseen(answers, seen, unseen) is answers


def test_a_model_that_knows_its_rows_by_heart_is_read_as_on_unseen_ones_without_noise(rng):
    def learnt(p):
        return np.clip(0.4 + (p - 0.4) * 1.6, 0, 1)

    unseen = rng.beta(6, 9, 1100)
    reference = as_unseen(learnt(rng.beta(6, 9, 20_000)), learnt(unseen), unseen)
    windows = [rng.beta(6, 9, 600) for _ in range(20)]
    assert np.mean([psi(reference, each) for each in windows]) < 0.02
    assert np.mean([psi(learnt(rng.beta(6, 9, 20_000)), each) for each in windows]) > 0.2
