"""P-values are uniform where nothing changed, and the effect size is centred on nothing."""

import numpy as np
import pyarrow as pa
import pytest

from modelyard.stats import Profile
from modelyard.stats.checks import Limits, column_findings
from modelyard.stats.significance import chi_squared, discoveries, proportions, psi


def histograms(rng, n, m, cells=20):
    share = rng.dirichlet(np.ones(cells) * 3)
    return rng.multinomial(n, share), rng.multinomial(m, share)


def test_p_values_are_uniform_without_change():
    rng = np.random.default_rng(1)
    p = np.array([chi_squared(*histograms(rng, 20_000, 2_000)) for _ in range(2_000)])
    for level in (0.01, 0.05, 0.25, 0.5):
        assert np.mean(p <= level) == pytest.approx(level, abs=3 * np.sqrt(level * (1 - level) / 2_000) + 0.002)


@pytest.mark.parametrize("share", [0.0005, 0.02, 0.5, 0.98])
def test_tests_of_shares_keep_their_level(share):
    rng = np.random.default_rng(2)
    pairs = zip(rng.binomial(5_000, share, 3_000), rng.binomial(500, share, 3_000), strict=True)
    p = np.array([proportions((a, 5_000), (b, 500)) for a, b in pairs])
    assert np.mean(p <= 0.05) <= 0.065
    assert np.mean(p <= 0.001) <= 0.004


def test_psi_is_debiased():
    rng = np.random.default_rng(3)
    values = [psi(*histograms(rng, 5_000, 500)) for _ in range(1_000)]
    assert np.mean(values) == pytest.approx(0.0, abs=0.004)


def test_false_discoveries_are_rare():
    rng = np.random.default_rng(4)
    assert np.mean([discoveries(rng.random(60), 0.01).any() for _ in range(3_000)]) <= 0.02


def test_every_check_of_an_unchanged_window_keeps_its_level():
    rng = np.random.default_rng(5)

    def rows(n):
        columns = {"smooth": rng.normal(size=n), "count": rng.poisson(3, n), "kind": rng.choice(list("abcd"), n)}
        columns["holes"] = pa.array(rng.exponential(size=n), mask=rng.random(n) < 0.05)
        columns["many"] = rng.zipf(1.8, n).astype(str)
        return pa.table(columns)

    reference = Profile.of(rows(20_000))
    limits = Limits(warn=0.05, page=0.25, alpha=1e-3, span=None)
    p: dict[str, list[float]] = {}
    for _ in range(120):
        window = Profile.of(rows(1_000), reference)
        for name, column in reference.columns.items():
            for found in column_findings(column, window.columns[name].tally, limits):
                p.setdefault(f"{name}: {found.name}", []).append(found.p_value)
    assert len(p) >= 12
    everything = np.concatenate([np.array(values) for values in p.values()])
    for level in (0.001, 0.01, 0.05, 0.25):
        assert np.mean(everything <= level) <= level + 3 * np.sqrt(level * (1 - level) / len(everything))
