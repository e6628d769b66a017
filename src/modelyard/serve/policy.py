"""The input policy of one release in one deployment: what happens to missing, out-of-range and unknown values.

What the deployment declares per input comes first; where it is silent, the training data decide: a value that was never
missing in training is required, another may be missing; out of range and unknown categories are accepted with a warning.
`policy` makes it when a release is loaded; `apply` is called for every request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from typing import Any, Literal, TypeAlias
from unicodedata import normalize

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.serve.columns import TYPES, absent
from modelyard.spec.deployments import FixedValue, InputRule

Mask = np.ndarray
Form: TypeAlias = Literal["NFC", "NFD", "NFKC", "NFKD"]
_NUMBERS = ("number", "integer")
_TIMES = ("timestamp", "date")
_SMALL = 64


@dataclass(frozen=True)
class Rule:
    """One input of a release: its type, what stands in for a missing value, its range, its known categories.

    `known` is None where every category is fine. `other` stands in for an unknown one (None: it counts as missing).
    `spellings`: the training categories by their form after `normalize`. Times are measured only where a rule says so.
    """

    name: str
    kind: str
    missing: str
    fill: pa.Scalar | None
    out_of_range: str
    low: float | None
    high: float | None
    unknown: str
    known: frozenset[str] | None
    other: str | None
    form: Form | None
    spellings: Mapping[str, str]
    least: float | None
    most: float | None

    @property
    def measured(self) -> bool:
        """Whether values can lie outside of something."""
        return not (self.low is None and self.high is None and self.least is None and self.most is None)


@dataclass(frozen=True)
class Policy:
    """The rules of all inputs of a release, with what `apply` needs of them for every request."""

    rules: tuple[Rule, ...]

    @cached_property
    def measured(self) -> tuple[Rule, ...]:
        """Rules of inputs that have a range or bounds; they are looked at together."""
        return tuple(rule for rule in self.rules if rule.measured)

    @cached_property
    def tightest(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends as columns, in the order of `measured`: what is within these is within range and bounds."""
        lows = np.maximum(self._column("low", -np.inf), self._column("least", -np.inf))
        return lows, np.minimum(self._column("high", np.inf), self._column("most", np.inf))

    def _column(self, name: str, instead: float) -> np.ndarray:
        edges = [getattr(rule, name) for rule in self.measured]
        return np.array([instead if edge is None else edge for edge in edges])[:, None]


@dataclass
class Outcome:
    """What the policy made of rows: the model's `table`, rows to answer by the fallback, and what is to be told.

    `faults` and `warnings` are (row, input, code); rows count from 0 within the rows given. `uses` counts what the policy
    did, by (input, code, action).
    """

    table: pa.Table
    fallback: Mask
    faults: list[tuple[int, str, str]] = field(default_factory=list)
    warnings: list[tuple[int, str, str]] = field(default_factory=list)
    uses: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def refused(self) -> set[int]:
        """Rows with a fault."""
        return {row for row, _, _ in self.faults}

    def act(self, rule: Rule, code: str, action: str, rows: np.ndarray) -> None:
        """Note that `rows` of an input are (missing, ...), and what is done about it."""
        told = [(row, rule.name, code) for row in rows.tolist()]
        if action == "reject":
            self.faults += told
        else:
            self.warnings += told
        if action == "fallback":
            self.fallback[rows] = True
        use = (rule.name, code, action)
        self.uses[use] = self.uses.get(use, 0) + len(rows)


# ---- what is declared ------------------------------------------------------------------------------------------------


def policy(signature: Mapping[str, Any], declared: Mapping[str, InputRule], *, falls: bool = True) -> Policy:
    """The policy of a release, from its signature and the rules its deployment declares.

    `falls`: whether there is a fallback; without one, what should go to it is rejected.
    """
    made = (_rule(each, declared.get(each["name"], InputRule())) for each in signature["inputs"])
    return Policy(tuple(made) if falls else tuple(_without_fallback(rule) for rule in made))


def mistakes(signature: Mapping[str, Any], declared: Mapping[str, InputRule]) -> list[tuple[str, str]]:
    """Rules that say something of an input that its type cannot have, as (input, what is wrong): no rule is ignored."""
    kinds = {each["name"]: each["type"] for each in signature["inputs"]}
    found = []
    for name, rule in declared.items():
        kind = kinds.get(name)
        if kind is None:
            found.append((name, f"the model has no input of this name; there are {', '.join(sorted(kinds))}"))
            continue
        ranged = kind in _NUMBERS + _TIMES
        unfit = [
            key
            for key, fits in {
                "out_of_range": ranged,
                "min": kind in _NUMBERS,
                "max": kind in _NUMBERS,
                "unknown": kind == "category",
                "normalize": kind == "category",
            }.items()
            if getattr(rule, key) is not None and not fits
        ]
        found += [(name, f"`{key}` does not apply to an input of the type {kind}") for key in unfit]
        for key in ("missing", "unknown"):
            value = getattr(rule, key)
            if key not in unfit and isinstance(value, FixedValue) and not _stands_in(value.value, kind):
                found.append((name, f"the value of `{key}` is no {kind}"))
    return found


def _stands_in(value: Any, kind: str) -> bool:
    try:
        scalar(value, kind)
    except (ValueError, TypeError, OverflowError, pa.ArrowException):
        return False
    return True


def _without_fallback(rule: Rule) -> Rule:
    def instead(action: str) -> str:
        return "reject" if action == "fallback" else action

    return replace(
        rule, missing=instead(rule.missing), out_of_range=instead(rule.out_of_range), unknown=instead(rule.unknown)
    )


def _rule(known: Mapping[str, Any], declared: InputRule) -> Rule:
    kind = known["type"]
    missing, fill = _when_missing(known, declared)
    low, high = _range(known, declared)
    values = known.get("values") if kind == "category" else None
    complete = values is not None and not known.get("more")
    unknown, other = _when_unknown(declared, values or (), missing)
    form = declared.normalize if kind == "category" else None
    return Rule(
        name=known["name"],
        kind=kind,
        missing=missing,
        fill=None if fill is None else scalar(fill, kind),
        out_of_range=declared.out_of_range or "warn",
        low=low,
        high=high,
        unknown=unknown,
        known=frozenset(values) if complete and values is not None else None,
        other=other,
        form=form,
        spellings={normalize(form, each): each for each in reversed(values or ())} if form else {},
        least=declared.min if kind in _NUMBERS else None,
        most=declared.max if kind in _NUMBERS else None,
    )


def _when_missing(known: Mapping[str, Any], declared: InputRule) -> tuple[str, Any]:
    """What to do (reject, keep, value, median, mode, fallback), and the value to fill in; what training cannot fill in
    is kept."""
    wanted = declared.missing or ("keep" if known.get("nullable") else "reject")
    if isinstance(wanted, FixedValue):
        return "value", wanted.value
    if wanted in ("median", "mode"):
        value = _typical(known, wanted)
        return ("keep" if value is None else wanted), value
    return wanted, None


def _when_unknown(declared: InputRule, values: Sequence[str], missing: str) -> tuple[str, str | None]:
    """What to do (accept, other, reject, fallback), and the category that stands in.

    `other` is the one that training calls so; where it knows none, the value counts as missing.
    """
    if isinstance(declared.unknown, FixedValue):
        return "other", str(declared.unknown.value)
    if declared.unknown == "other":
        learned = next((each for each in values if each.casefold() == "other"), None)
        return ("reject" if learned is None and missing == "reject" else "other"), learned
    return declared.unknown or "accept", None


def _range(known: Mapping[str, Any], declared: InputRule) -> tuple[float | None, float | None]:
    """The range of training. Times have one only where a rule asks for it: later than training is what they always are."""
    kind = known["type"]
    if kind in _NUMBERS or (kind in _TIMES and declared.out_of_range is not None):
        return _float(known.get("min"), kind), _float(known.get("max"), kind)
    return None, None


def _typical(known: Mapping[str, Any], wanted: str) -> Any:
    """The training median or mode; an input that has no median (a category) takes its mode."""
    first, second = ("median", "mode") if wanted == "median" else ("mode", "median")
    return known.get(first) if known.get(first) is not None else known.get(second)


def _float(value: Any, kind: str) -> float | None:
    if value is None:
        return None
    return float(_numbers(pa.array([scalar(value, kind).as_py()], TYPES[kind]))[0]) if kind in _TIMES else float(value)


def scalar(value: Any, kind: str) -> pa.Scalar:
    """A stand-in value as the input's type: texts of times are ISO 8601, halves become whole in an integer."""
    if kind == "integer":
        value = round(float(value))
    elif kind == "number" and not isinstance(value, bool):
        value = float(value)
    elif kind == "timestamp" and isinstance(value, str):
        value = datetime.fromisoformat(value)
    elif kind == "category":
        value = str(value)
    elif kind == "date" and not isinstance(value, date):
        value = datetime.fromisoformat(value).date()
    return pa.scalar(value, TYPES[kind])


# ---- what is done ----------------------------------------------------------------------------------------------------


def apply(policy: Policy, columns: Mapping[str, pa.Array], rows: int, *, whole: bool = False) -> Outcome:
    """Apply a policy to typed columns (null = missing; a column may lack) of `rows` rows.

    `whole`: a column that lacks entirely is one fault, told at its first row.
    """
    outcome = Outcome(pa.table({}), np.zeros(rows, dtype=bool))
    made = {rule.name: columns[rule.name] if rule.name in columns else absent(rule.kind, rows) for rule in policy.rules}
    for rule in policy.rules:
        if rule.known is not None:
            made[rule.name] = _unknown(rule, made[rule.name], outcome)
    if policy.measured:
        _ranges(policy, made, outcome)
    for rule in policy.rules:
        if rule.missing != "keep" and made[rule.name].null_count:
            made[rule.name] = _missing(rule, made[rule.name], outcome, once=whole and rule.name not in columns)
    outcome.table = pa.table(made)
    return outcome


def _missing(rule: Rule, array: pa.Array, outcome: Outcome, *, once: bool) -> pa.Array:
    rows = np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))
    outcome.act(rule, "missing", rule.missing, rows[:1] if once and rule.missing == "reject" else rows)
    return array if rule.fill is None else pc.fill_null(array, rule.fill)


def _ranges(policy: Policy, made: dict[str, pa.Array], outcome: Outcome) -> None:
    """Look at all measured inputs at once: usually nothing is outside, and one comparison says so."""
    values = np.empty((len(policy.measured), len(outcome.fallback)))
    for place, rule in enumerate(policy.measured):
        values[place] = _numbers(made[rule.name])
    low, high = policy.tightest
    outside = (values < low) | (values > high)
    for place in np.flatnonzero(outside.any(axis=1)).tolist():
        rule, mine = policy.measured[place], values[place]
        hard = _outside(mine, rule.least, rule.most)
        if len(hard):
            outcome.act(rule, "out_of_bounds", "reject", hard)
        soft = _outside(mine, rule.low, rule.high)
        if len(soft):
            outcome.act(rule, "out_of_range", rule.out_of_range, soft)
            if rule.out_of_range == "clip":
                made[rule.name] = _clip(rule, made[rule.name], mine)


def _outside(values: np.ndarray, low: float | None, high: float | None) -> np.ndarray:
    """Numbers of the rows below `low` or above `high`; a missing value is not."""
    below = values < (-np.inf if low is None else low)
    return np.flatnonzero(below | (values > (np.inf if high is None else high)))


def _numbers(array: pa.Array) -> np.ndarray:
    """Values as numbers (times: microseconds or days since 1970), NaN where there is none."""
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.int64())
    elif pa.types.is_date32(array.type):
        array = array.cast(pa.int32())
    return array.to_numpy(zero_copy_only=False)


def _clip(rule: Rule, array: pa.Array, values: np.ndarray) -> pa.Array:
    if rule.low is not None:
        array = pc.if_else(pa.array(values < rule.low), _edge(rule.low, rule.kind), array)
    if rule.high is not None:
        array = pc.if_else(pa.array(values > rule.high), _edge(rule.high, rule.kind), array)
    return array


def _edge(value: float, kind: str) -> pa.Scalar:
    number = pa.scalar(value) if kind == "number" else pa.scalar(round(value), pa.int64())
    return number.cast(pa.int32()).cast(TYPES[kind]) if kind == "date" else number.cast(TYPES[kind])


def _unknown(rule: Rule, array: pa.Array, outcome: Outcome) -> pa.Array:
    """Categories that training had not; most requests have none, and a look at the distinct values says so."""
    assert rule.known is not None
    distinct = set(array.to_pylist() if len(array) <= _SMALL else array.unique().to_pylist()) - {None}
    if distinct <= rule.known:
        return array
    if rule.form is not None:
        array = _spelt(rule, array, distinct - rule.known)
    found = pc.invert(pc.is_in(array, value_set=pa.array([*rule.known, None], pa.string())))
    rows = np.flatnonzero(found.to_numpy(zero_copy_only=False))
    if not len(rows):
        return array
    outcome.act(rule, "unknown_category", rule.unknown, rows)
    return pc.if_else(found, pa.scalar(rule.other, pa.string()), array) if rule.unknown == "other" else array


def _spelt(rule: Rule, array: pa.Array, strange: set[str]) -> pa.Array:
    """The column with the training's spelling of categories that are the same text in the declared normal form."""
    assert rule.form is not None
    same = {value: rule.spellings.get(normalize(rule.form, value), value) for value in strange}
    return pa.array([same.get(value, value) for value in array.to_pylist()], pa.string())
