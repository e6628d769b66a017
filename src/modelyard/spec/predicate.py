"""A group of rows in words: `country = 'PT' AND tier IN ('gold', 'silver')`. Parsed to plain data, never evaluated as code.

    condition   or_      = and_ (OR and_)*          and_ = not_ (AND not_)*         not_ = NOT not_ | ( or_ ) | test
    test                 = COLUMN (= | != | <> | < | <= | > | >=) VALUE
                         | COLUMN [NOT] IN (VALUE, ...) | COLUMN IS [NOT] NULL
    VALUE                = 'text' ('' is one quote) | number | TRUE | FALSE          COLUMN = a word, or "any name"

As in SQL a comparison with a missing value is unknown, and a row is in the group only when the condition is true.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from modelyard.errors import InputError

Predicate = tuple[Any, ...]
"""`("and" | "or", left, right)`, `("not", one)`, `("=" | "!=" | "<" | "<=" | ">" | ">=", column, value)`,
`("in", column, (value, ...))`, `("null", column)`."""

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)(?!\w)
    |(?P<quoted>"(?:[^"]|"")+")|(?P<word>[A-Za-z_]\w*)|(?P<sign><=|>=|<>|!=|[=<>(),]))""",
    re.VERBOSE,
)
_COMPARISONS = ("=", "!=", "<>", "<", "<=", ">", ">=")
_DEEPEST, _MOST = 40, 200


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


def parse(text: str) -> Predicate:
    """The condition as nested tuples. InputError that says where it stops making sense.

    >>> parse("country = 'PT' and not (age < 18 or tier in ('x'))")
    ('and', ('=', 'country', 'PT'), ('not', ('or', ('<', 'age', 18), ('in', 'tier', ('x',)))))
    """
    parser = _Parser(list(_tokens(text)), text)
    found = parser.any_of()
    parser.end()
    return found


def columns(predicate: Predicate) -> set[str]:
    """The columns that a condition names.

    >>> sorted(columns(parse("a = 1 OR b IS NULL")))
    ['a', 'b']
    """
    match predicate:
        case ("and" | "or", left, right):
            return columns(left) | columns(right)
        case ("not", one):
            return columns(one)
        case (_, column, *_):
            return {column}
    return set()


def misfit(predicate: Predicate, kinds: Mapping[str, str]) -> str:
    """Why a condition cannot be asked of inputs of these `kinds` (name to type); "" when it can.

    >>> misfit(parse("age = 'x'"), {"age": "integer"})
    '`age` is of type integer and is compared with a text'
    """
    match predicate:
        case ("and" | "or", left, right):
            return misfit(left, kinds) or misfit(right, kinds)
        case ("not", one):
            return misfit(one, kinds)
        case (sign, column, *rest):
            if column not in kinds:
                return f"`{column}` is no input of the model"
            values = rest[0] if sign == "in" else tuple(rest)
            return next(filter(None, (_misfit(column, kinds[column], sign, value) for value in values)), "")
    return ""


def _misfit(column: str, kind: str, sign: str, value: Any) -> str:
    given = "a text" if isinstance(value, str) else "true or false" if isinstance(value, bool) else "a number"
    wanted = {"number": "a number", "integer": "a number", "boolean": "true or false"}.get(kind, "a text")
    if given != wanted:
        return f"`{column}` is of type {kind} and is compared with {given}"
    if kind == "boolean" and sign not in ("=", "!=", "in"):
        return f"`{column}` is of type boolean, which has no order"
    return ""


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise _wrong(text, at + len(text[at:]) - len(text[at:].lstrip()), "something that belongs to no condition")
        assert found.lastgroup is not None
        yield _Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup))
        at = found.end()


def _wrong(text: str, at: int, what: str) -> InputError:
    near = text[at : at + 20].strip() or "the end"
    return InputError(
        f"the condition cannot be read at {near!r}: {what}",
        hint="Such as: country = 'PT' AND tier IN ('gold', 'silver').",
    )


class _Parser:
    """A cursor over tokens, with one method per rule of the grammar."""

    def __init__(self, tokens: list[_Token], text: str) -> None:
        self._tokens = tokens
        self._text = text
        self._next = 0
        self._depth = 0
        self._parts = 0

    def any_of(self) -> Predicate:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _wrong(self._text, self._at(), "it nests too deep")
        found = self._all_of()
        while self._took("or"):
            found = ("or", found, self._all_of())
        self._depth -= 1
        return found

    def end(self) -> None:
        if self._next < len(self._tokens):
            raise _wrong(self._text, self._at(), "expected AND, OR or its end")

    def _all_of(self) -> Predicate:
        found = self._one()
        while self._took("and"):
            found = ("and", found, self._one())
        return found

    def _one(self) -> Predicate:
        self._parts += 1
        if self._parts > _MOST:
            raise _wrong(self._text, self._at(), f"it has more than {_MOST} parts; IN holds many values")
        if self._took("not"):
            return ("not", self._one())
        if self._took("("):
            found = self.any_of()
            self._want(")")
            return found
        return self._test()

    def _test(self) -> Predicate:
        column = self._column()
        if self._took("is"):
            negated = self._took("not")
            self._want("null")
            return ("not", ("null", column)) if negated else ("null", column)
        negated = self._took("not")
        if self._took("in"):
            found: Predicate = ("in", column, self._values())
            return ("not", found) if negated else found
        sign = self._peek()
        if negated or sign not in _COMPARISONS:
            raise _wrong(self._text, self._at(), "expected a comparison, IN or IS NULL")
        self._next += 1
        return ("!=" if sign == "<>" else sign, column, self._value())

    def _values(self) -> tuple[Any, ...]:
        self._want("(")
        values = [self._value()]
        while self._took(","):
            values.append(self._value())
        self._want(")")
        return tuple(values)

    def _column(self) -> str:
        token = self._token()
        if token is None or token.kind not in ("word", "quoted") or self._peek() in ("and", "or", "in", "is", "null"):
            raise _wrong(self._text, self._at(), "expected a column")
        self._next += 1
        return token.text if token.kind == "word" else token.text[1:-1].replace('""', '"')

    def _value(self) -> Any:
        token = self._token()
        word = self._peek()
        if token is None or not (token.kind in ("text", "number") or word in ("true", "false")):
            raise _wrong(self._text, self._at(), "expected a 'text', a number, TRUE or FALSE")
        self._next += 1
        if token.kind == "text":
            return token.text[1:-1].replace("''", "'")
        if token.kind == "number":
            return int(token.text) if re.fullmatch(r"[-+]?\d{1,18}", token.text) else float(token.text)
        return word == "true"

    def _token(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _peek(self) -> str:
        """The next word or sign in lower case; "" for values, quoted names and the end."""
        token = self._token()
        return token.text.lower() if token is not None and token.kind in ("word", "sign") else ""

    def _took(self, word: str) -> bool:
        if self._peek() != word:
            return False
        self._next += 1
        return True

    def _want(self, word: str) -> None:
        if not self._took(word):
            raise _wrong(self._text, self._at(), f"expected {word.upper()}")

    def _at(self) -> int:
        token = self._token()
        return token.at if token is not None else len(self._text)
