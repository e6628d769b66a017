"""Assignment: sticky, fair, and monotone in the weight."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from modelyard.serve.routing import Arm, Table

KEYS = [str(number) for number in range(2000)]


def table(weight: float, salt: str = "s") -> Table:
    return Table((Arm("champion", "a", 1 - weight), Arm("challenger", "b", weight)), salt=salt)


@given(weights=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_growing_a_challenger_only_moves_keys_to_it(weights):
    low, high = sorted(weights)
    before, after = table(low).assign(KEYS), table(high).assign(KEYS)
    assert (after >= before).all()


def test_weights_are_kept_and_salts_are_independent():
    one, other = table(0.3).assign(KEYS), table(0.3, "other").assign(KEYS)
    assert abs(one.mean() - 0.3) < 0.04
    assert abs((one == other).mean() - (0.3**2 + 0.7**2)) < 0.04


def several(*weights: float) -> Table:
    return Table(tuple(Arm(f"arm-{n}", f"{n}", weight) for n, weight in enumerate(weights)), salt="s")


def test_of_several_arms_each_gets_its_share():
    assigned = several(0.6, 0.3, 0.1, 0.0).assign([str(number) for number in range(20_000)])
    assert np.allclose(np.bincount(assigned, minlength=4) / 20_000, [0.6, 0.3, 0.1, 0.0], atol=0.015)


@given(st.lists(st.floats(0.01, 1), min_size=3, max_size=5), st.data())
def test_an_arm_that_grows_among_several_only_gains_keys(weights, data):
    grown = data.draw(st.integers(0, len(weights) - 1))
    more = [weight * (2 if number == grown else 1) for number, weight in enumerate(weights)]
    before = several(*(each / sum(weights) for each in weights)).assign(KEYS)
    after = several(*(each / sum(more) for each in more)).assign(KEYS)
    moved = before != after
    assert (after[moved] == grown).all()


def test_nothing_goes_to_an_arm_without_weight():
    assert not table(0.0).assign(KEYS).any()
    assert table(1.0).assign(KEYS).all()


def test_the_share_of_a_shadow_is_independent_of_the_arm():
    routes = table(0.5)
    shadowed = routes.shadowed(Arm("x", "c", 0.5), KEYS)
    assert abs(shadowed.mean() - 0.5) < 0.04
    assert abs(np.corrcoef(shadowed, routes.assign(KEYS))[0, 1]) < 0.06


def test_routes_of_a_record():
    routes = {
        "arms": [{"arm": "champion", "release": "a", "weight": 1}],
        "shadows": [{"arm": "challenger", "release": "b", "share": 0.5}], "warm": ["c", "a"], "salt": "s",
    }  # fmt: skip
    assert Table.of(routes).releases() == ["a", "b", "c"]
