"""Which rows of a request are in a declared group: a parsed condition (`spec.predicate`) asked of columns at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.spec.predicate import Predicate

Columns = Callable[[str], pa.Array]
_COMPARE = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}


def holds(predicate: Predicate, columns: Columns) -> np.ndarray:
    """Which rows are in the group; `columns` gives each column by name, missing values as null. Unknown is no."""
    return np.asarray(pc.fill_null(_ask(predicate, columns), False).to_numpy(zero_copy_only=False), dtype=bool)


def frozen(parsed: Any) -> Predicate:
    """A condition that went through JSON, as tuples again.

    >>> frozen(["in", "tier", ["a", "b"]])
    ('in', 'tier', ('a', 'b'))
    """
    return tuple(frozen(each) if isinstance(each, list) else each for each in parsed)


def _ask(predicate: Predicate, columns: Columns) -> pa.Array:
    match predicate:
        case ("and", left, right):
            return pc.and_kleene(_ask(left, columns), _ask(right, columns))
        case ("or", left, right):
            return pc.or_kleene(_ask(left, columns), _ask(right, columns))
        case ("not", one):
            return pc.invert(_ask(one, columns))
        case ("null", column):
            return pc.is_null(columns(column))
        case ("in", column, values):
            values_there = columns(column)
            known = pa.array([_fitted(value, values_there.type) for value in values], values_there.type)
            return pc.if_else(pc.is_valid(values_there), pc.is_in(values_there, value_set=known), None)
        case (sign, column, value):
            values_there = columns(column)
            return _COMPARE[sign](values_there, _fitted(value, values_there.type))
    raise AssertionError(predicate)


def _fitted(value: Any, kind: pa.DataType) -> pa.Scalar:
    """A value of a condition in the type of its column: texts are read as times where the column has them."""
    if pa.types.is_integer(kind) and isinstance(value, float):
        return pa.scalar(value)
    return pa.scalar(value).cast(kind)
