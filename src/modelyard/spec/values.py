"""Values of the declaration: durations, margins, budgets, `2 of 3`, plain YAML 1.2 scalars.

Scalars reach the schema as they were written. `Plain` marks an unquoted one, so that a key of any type can still tell
the number `7` from the text `"7"`.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {
    unit: Decimal(size)
    for unit, size in {"ms": "0.001", "s": "1", "m": "60", "h": "3600", "d": "86400", "w": "604800"}.items()
}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|[smhdw])")
_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"


class Plain(str):
    """An unquoted scalar, as written."""

    __slots__ = ()


def resolve(value: Any) -> Any:
    """Read plain scalars, at any depth, by the YAML 1.2 core schema: null, booleans, integers, floats, else text.

    >>> resolve({"a": Plain("1.10"), "b": "1.10", "c": Plain("no"), "d": Plain("true")})
    {'a': 1.1, 'b': '1.10', 'c': 'no', 'd': True}
    """
    match value:
        case Plain():
            return _core_schema(value)
        case dict():
            return {str(key): resolve(item) for key, item in value.items()}
        case list():
            return [resolve(item) for item in value]
        case _:
            return value


def _core_schema(text: str) -> Any:
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if re.fullmatch(r"[-+]?\d+", text):
        return int(text)
    if re.fullmatch(_NUMBER, text):
        return float(text)
    return str(text)


def parse_duration(value: Any) -> timedelta:
    """Read `90s`, `30m`, `6h`, `7d` or `2w`.

    >>> parse_duration("2w").days
    14
    """
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(str(value).strip())
    if not match:
        raise ValueError("expected a duration such as 90s, 30m, 6h, 7d or 2w")
    microseconds = Decimal(match[1]) * _UNITS[match[2]] * 1_000_000
    try:
        return timedelta(microseconds=int(microseconds.to_integral_value()))
    except OverflowError:
        raise ValueError("expected a duration of at most 999999999 days") from None


def show_duration(value: timedelta) -> str:
    """The shortest way to write a duration: `7d`, `36h`.

    >>> show_duration(timedelta(days=7)), show_duration(timedelta(hours=36))
    ('7d', '36h')
    """
    seconds = Decimal(value // timedelta(microseconds=1)) / 1_000_000
    for unit in "dhm":
        if seconds >= _UNITS[unit] and seconds % _UNITS[unit] == 0:
            return f"{_digits(seconds / _UNITS[unit])}{unit}"
    if 0 < seconds < 1:
        return f"{_digits(seconds * 1000)}ms"
    return f"{_digits(seconds)}s"


def _digits(number: Decimal) -> str:
    """A decimal as people write it: every digit, no exponent, no trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _scaled(value: Any, units: str) -> tuple[float, str]:
    """A number, a hundredth of it where one of `units` stands behind it, and that unit; NaN when it is none.

    >>> _scaled("0.3%", "%|pp"), _scaled("2", "%")
    ((0.003, '%'), (2.0, ''))
    """
    match = re.fullmatch(rf"({_NUMBER})\s*({units})?", str(value).strip())
    if not match:
        return math.nan, ""
    try:
        return float(Decimal(match[1]) / (100 if match[2] else 1)), match[2] or ""
    except ArithmeticError:  # an exponent beyond all measure
        return math.nan, ""


class Margin(NamedTuple):
    """A difference that is allowed: relative (`2%`) or in the metric's own unit (`1pp`, `0.01`)."""

    amount: float
    relative: bool

    def __str__(self) -> str:
        amount = Decimal(repr(self.amount))
        return f"{_digits(amount * 100)}%" if self.relative else _digits(amount)

    def absolute(self, reference: float) -> float:
        """The margin in the metric's unit, beside a `reference` value."""
        return abs(reference) * self.amount if self.relative else self.amount


def parse_margin(value: Any) -> Margin:
    """Read `2%` (relative), `1pp` (percentage points) or a bare number (absolute).

    >>> parse_margin("-0.5%"), parse_margin("1pp"), parse_margin("0.02")
    (Margin(amount=-0.005, relative=True), Margin(amount=0.01, relative=False), Margin(amount=0.02, relative=False))
    """
    if isinstance(value, Margin):
        return value
    number, unit = _scaled(value, "%|pp")
    if not math.isfinite(number):
        raise ValueError("expected a margin such as 2% (relative), 1pp (percentage points) or 0.01")
    return Margin(number, unit == "%")


def parse_share(value: Any) -> float:
    """Read a share between 0 and 1: `5%` or `0.05`."""
    share, _ = _scaled(value, "%")
    if not 0 <= share <= 1:
        raise ValueError("expected a share such as 5% or 0.05, between 0 and 1")
    return share


class OutOf(NamedTuple):
    """`2 of 3`."""

    hits: int
    of: int

    def __str__(self) -> str:
        return f"{self.hits} of {self.of}"


def parse_out_of(value: Any) -> OutOf:
    """Read `2 of 3`."""
    if isinstance(value, OutOf):
        return value
    match = re.fullmatch(r"(\d+)\s+of\s+(\d+)", str(value).strip())
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise ValueError("expected `HITS of WINDOWS`, such as `2 of 3`")
    return OutOf(int(match[1]), int(match[2]))


class Budget(NamedTuple):
    """How many false pages in how long: `1 per 90d`."""

    count: int  # type: ignore[assignment]
    per: timedelta

    def __str__(self) -> str:
        return f"{self.count} per {show_duration(self.per)}"


def parse_budget(value: Any) -> Budget:
    """Read `1 per 90d`."""
    if isinstance(value, Budget):
        return value
    match = re.fullmatch(r"(\d+)\s+per\s+(\S+)", str(value).strip())
    if not match or int(match[1]) < 1:
        raise ValueError("expected `COUNT per DURATION`, such as `1 per 90d`")
    return Budget(int(match[1]), parse_duration(match[2]))


def parse_flag(value: Any) -> bool:
    """Read `true` or `false`; YAML 1.1's yes, no, on and off are plain words."""
    if isinstance(value, bool):
        return value
    if str(value) in ("true", "True", "TRUE"):
        return True
    if str(value) in ("false", "False", "FALSE"):
        return False
    raise ValueError("expected true or false")


def _text(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": [example]})


_as_text = PlainSerializer(str, return_type=str)

Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(show_duration, return_type=str),
    _text(r"^\d+(\.\d+)?[smhdw]$", "7d"),
]
MarginText = Annotated[
    Margin,
    BeforeValidator(parse_margin),
    _as_text,
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": r"^[-+]?[\d.]+(%|pp)?$"}, {"type": "number"}]}),
]
Share = Annotated[
    float,
    BeforeValidator(parse_share),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": r"^[\d.]+%?$"}, {"type": "number"}]}),
]
OutOfText = Annotated[OutOf, BeforeValidator(parse_out_of), _as_text, _text(r"^\d+ of \d+$", "2 of 3")]
BudgetText = Annotated[Budget, BeforeValidator(parse_budget), _as_text, _text(r"^\d+ per \S+$", "1 per 90d")]
Flag = Annotated[bool, BeforeValidator(parse_flag), WithJsonSchema({"type": "boolean"})]
Scalar = Annotated[Any, BeforeValidator(resolve), WithJsonSchema({"type": ["string", "number", "boolean", "null"]})]
Free = Annotated[Any, BeforeValidator(resolve), WithJsonSchema({})]


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Columns = Annotated[
    tuple[str, ...],
    BeforeValidator(_one_or_many),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
