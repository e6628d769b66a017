"""How models are fitted."""

from flights.tools import scaled


def fit(X, y, *, params, seed):
    return scaled(X, params)
