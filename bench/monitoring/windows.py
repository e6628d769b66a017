"""The made world of experiments 1 to 6: 20 columns of every sort, and the faults that are planted in a window."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

REFERENCE, WINDOW = 50_000, 5_000
Break = Callable[[np.random.Generator, np.ndarray], np.ndarray]


def draw(rng: np.random.Generator, n: int, shift: float = 0.0) -> pa.Table:
    """`n` rows; `shift` moves the 12 smooth columns, in their standard deviations."""
    centres, spreads = np.arange(10, 90, 10.0), np.arange(2, 10, 1.0)
    columns = {f"n{i}": rng.normal(centres[i] + shift * spreads[i], spreads[i], n) for i in range(8)}
    columns["skew"] = rng.lognormal(1 + shift, 1, n)
    columns["wait"] = rng.exponential(3, n) + shift * 3
    columns["flat"] = rng.uniform(0, 1, n) + shift * 0.29
    columns["heavy"] = rng.standard_t(3, n) + shift * 1.7
    plain = {name: pa.array(values) for name, values in columns.items()}
    for name in ("n1", "n2", "skew"):
        plain[name] = pa.array(columns[name], mask=rng.random(n) < 0.01)
    plain["zero"] = pa.array(np.maximum(rng.normal(0, 1, n), 0))
    plain["count"] = pa.array(rng.poisson(3, n))
    plain["code"] = pa.array(rng.integers(1, 13, n))
    plain["kind"] = pa.array(rng.choice(list("abcde"), n, p=[0.45, 0.25, 0.15, 0.1, 0.05]))
    plain["place"] = pa.array(rng.choice([f"town {i}" for i in range(40)], n))
    plain["shop"] = pa.array(np.char.add("s", rng.integers(0, 2_000, n).astype(str)))
    plain["tail"] = pa.array(np.char.add("z", np.minimum(rng.zipf(1.6, n), 10**6).astype(str)))
    plain["flag"] = pa.array(rng.random(n) < 0.2)
    return pa.table(plain)


def _part(share: float, new: object) -> Break:
    return lambda rng, values: np.where(rng.random(len(values)) < share, new, values)


FAULTS: dict[str, tuple[str, Break]] = {
    "shift .25 sd": ("n3", lambda rng, v: v + 0.25 * 5),
    "shift .5 sd": ("n3", lambda rng, v: v + 0.5 * 5),
    "x 100": ("n3", lambda rng, v: v * 100),
    "x 1.2": ("n3", lambda rng, v: v * 1.2),
    "sd x 1.5": ("n3", lambda rng, v: 40 + (v - 40) * 1.5),
    "3% -999": ("n3", _part(0.03, -999.0)),
    "30% stuck": ("n3", _part(0.3, 41.5)),
    "rounding": ("n3", lambda rng, v: np.round(v)),
    "new category 5%": ("kind", _part(0.05, "new")),
    "recode swap": ("kind", lambda rng, v: np.array([{"a": "b", "b": "a"}.get(x, x) for x in v])),
    "case change": ("kind", lambda rng, v: np.array([x.upper() for x in v])),
}
MISSING: dict[str, tuple[str, Break]] = {
    "1% to 5%": ("n1", _part(0.04, np.nan)),
    "1% to 20%": ("n1", _part(0.19, np.nan)),
    "all null": ("n1", lambda rng, v: np.full(len(v), np.nan)),
}


def broken(rows: pa.Table, column: str, fault: Break, rng: np.random.Generator) -> pa.Table:
    """The rows with a fault in one column."""
    values = fault(rng, rows[column].to_numpy(zero_copy_only=False))
    place = rows.column_names.index(column)
    return rows.set_column(place, column, pa.array(values, from_pandas=True))


def pair(rng: np.random.Generator, n: int, correlation: float) -> pa.Table:
    """Two normal columns whose correlation is given, and three that have nothing to do with them."""
    first, noise = rng.normal(size=n), rng.normal(size=n)
    second = correlation * first + np.sqrt(1 - correlation**2) * noise
    others = {f"x{i}": rng.normal(size=n) for i in range(3)}
    return pa.table({"a": first, "b": second, **others})
