"""The input policy of one release in one deployment: what happens to missing, out-of-range and unknown values.

What the deployment declares per input comes first; where it is silent, the training data decide: a value that was never
missing in training is required, another may be missing; out of range and unknown categories are accepted with a warning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.serve.columns import TYPES, absent
from modelyard.spec.types import FixedValue, InputRule

Mask = np.ndarray
_MEASURED = ("number", "integer")


@dataclass(frozen=True)
class Rule:
    """One input of a release: its type, what stands in for a missing value, its range, its known categories."""

    name: str
    kind: str
    missing: str
    fill: pa.Scalar | None
    out_of_range: str
    low: float | None
    high: float | None
    unknown: str
    known: pa.Array | None
    least: float | None
    most: float | None


@dataclass
class Outcome:
    """What the policy made of rows: the model's `table`, rows to answer by the fallback, and what is to be told.

    `faults` and `warnings` are (row, input, code); rows count from 0 within the rows given.
    """

    table: pa.Table
    fallback: Mask
    faults: list[tuple[int, str, str]] = field(default_factory=list)
    warnings: list[tuple[int, str, str]] = field(default_factory=list)

    def refused(self) -> set[int]:
        """Rows with a fault."""
        return {row for row, _, _ in self.faults}


def rules(signature: Mapping[str, Any], declared: Mapping[str, InputRule], *, falls: bool = True) -> tuple[Rule, ...]:
    """The policy of a release, from its signature and the rules its deployment declares.

    `falls`: whether there is a fallback; without one, what should go to it is rejected.
    """
    made = (_rule(each, declared.get(each["name"], InputRule())) for each in signature["inputs"])
    return tuple(made) if falls else tuple(_without_fallback(rule) for rule in made)


def _without_fallback(rule: Rule) -> Rule:
    def instead(action: str) -> str:
        return "reject" if action == "fallback" else action

    return replace(
        rule, missing=instead(rule.missing), out_of_range=instead(rule.out_of_range), unknown=instead(rule.unknown)
    )


def _rule(known: Mapping[str, Any], declared: InputRule) -> Rule:
    kind = known["type"]
    missing, fill = _when_missing(known, declared)
    measured = kind in _MEASURED
    values = known.get("values") if kind == "category" else None
    complete = values is not None and not known.get("more")
    return Rule(
        name=known["name"],
        kind=kind,
        missing=missing,
        fill=None if fill is None else scalar(fill, kind),
        out_of_range=declared.out_of_range or "warn",
        low=_float(known.get("min")) if measured else None,
        high=_float(known.get("max")) if measured else None,
        unknown=declared.unknown or "accept",
        known=pa.array(values, pa.string()) if complete else None,
        least=declared.min if measured else None,
        most=declared.max if measured else None,
    )


def _when_missing(known: Mapping[str, Any], declared: InputRule) -> tuple[str, Any]:
    """What to do (reject, keep, fill, fallback), and the value to fill in; what training cannot fill in is kept."""
    wanted = declared.missing or ("keep" if known.get("nullable") else "reject")
    if isinstance(wanted, FixedValue):
        return "fill", wanted.value
    if wanted in ("median", "mode"):
        value = _typical(known, wanted)
        return ("keep" if value is None else "fill"), value
    return wanted, None


def _typical(known: Mapping[str, Any], wanted: str) -> Any:
    """The training median or mode; an input that has no median (a category) takes its mode."""
    first, second = ("median", "mode") if wanted == "median" else ("mode", "median")
    return known.get(first) if known.get(first) is not None else known.get(second)


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def scalar(value: Any, kind: str) -> pa.Scalar:
    """A stand-in value as the input's type: texts of times are ISO 8601, halves become whole in an integer."""
    if kind == "integer":
        value = round(float(value))
    elif kind == "timestamp" and isinstance(value, str):
        value = datetime.fromisoformat(value)
    elif kind == "category":
        value = str(value)
    elif kind == "date" and isinstance(value, str):
        value = datetime.fromisoformat(value).date()
    return pa.scalar(value, TYPES[kind])


def apply(policy: tuple[Rule, ...], columns: Mapping[str, pa.Array], rows: int, *, whole: bool = False) -> Outcome:
    """Apply a policy to typed columns (null = missing; a column may lack) of `rows` rows.

    `whole`: a column that lacks entirely is one fault, told at its first row.
    """
    outcome = Outcome(pa.table({}), np.zeros(rows, dtype=bool))
    made: dict[str, pa.Array] = {}
    for rule in policy:
        array = columns.get(rule.name)
        lacks = array is None
        if array is None:
            array = absent(rule.kind, rows)
        array = _unknown(rule, _range(rule, array, outcome), outcome)
        made[rule.name] = _missing(rule, array, outcome, once=lacks and whole)
    outcome.table = pa.table(made)
    return outcome


def _missing(rule: Rule, array: pa.Array, outcome: Outcome, *, once: bool) -> pa.Array:
    if rule.missing == "keep" or not array.null_count:
        return array
    if rule.missing == "fill":
        return pc.fill_null(array, rule.fill)
    rows = np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))
    if rule.missing == "fallback":
        outcome.fallback[rows] = True
    else:
        outcome.faults += [(row, rule.name, "missing") for row in (rows[:1] if once else rows).tolist()]
    return array


def _range(rule: Rule, array: pa.Array, outcome: Outcome) -> pa.Array:
    if rule.kind not in _MEASURED or array.null_count == len(array):
        return array
    values = array.to_numpy(zero_copy_only=False)
    hard = _outside(values, rule.least, rule.most)
    if hard is not None:
        outcome.faults += [(row, rule.name, "out_of_bounds") for row in hard.tolist()]
    soft = _outside(values, rule.low, rule.high)
    if soft is None:
        return array
    if rule.out_of_range == "reject":
        outcome.faults += [(row, rule.name, "out_of_range") for row in soft.tolist()]
        return array
    outcome.warnings += [(row, rule.name, "out_of_range") for row in soft.tolist()]
    if rule.out_of_range == "fallback":
        outcome.fallback[soft] = True
    return _clip(rule, array) if rule.out_of_range == "clip" else array


def _outside(values: np.ndarray, low: float | None, high: float | None) -> np.ndarray | None:
    """Numbers of the rows below `low` or above `high`, or None when there are none; a missing value is in range."""
    outside = np.zeros(len(values), dtype=bool)
    if low is not None:
        outside |= values < low
    if high is not None:
        outside |= values > high
    return np.flatnonzero(outside) if outside.any() else None


def _clip(rule: Rule, array: pa.Array) -> pa.Array:
    low = None if rule.low is None else scalar(rule.low, rule.kind)
    high = None if rule.high is None else scalar(rule.high, rule.kind)
    if low is not None:
        array = pc.max_element_wise(array, low, skip_nulls=False)
    if high is not None:
        array = pc.min_element_wise(array, high, skip_nulls=False)
    return array


def _unknown(rule: Rule, array: pa.Array, outcome: Outcome) -> pa.Array:
    if rule.known is None or array.null_count == len(array):
        return array
    known = pc.or_(pc.is_in(array, value_set=rule.known), pc.is_null(array))
    if pc.all(known).as_py():
        return array
    rows = np.flatnonzero(~known.to_numpy(zero_copy_only=False))
    if rule.unknown == "reject":
        outcome.faults += [(row, rule.name, "unknown_category") for row in rows.tolist()]
        return array
    outcome.warnings += [(row, rule.name, "unknown_category") for row in rows.tolist()]
    if rule.unknown == "fallback":
        outcome.fallback[rows] = True
    return array
