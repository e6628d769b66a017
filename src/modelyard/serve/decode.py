"""Strict JSON: what a request says, or why it cannot be read.

msgspec reads the ordinary body. It keeps the last of duplicate keys and any depth, so two counts check its result: there
are exactly as many `:` and opening brackets in the body as the result explains. Where they differ (a duplicate key, a
nested value), or where msgspec refuses, a careful reader decides and names the fault.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import msgspec
import numpy as np

from modelyard.serve.refusal import Fault, Refusal

DEEPEST = 32
_fast = msgspec.json.Decoder().decode
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_DELTAS = np.zeros(256, dtype=np.int8)
_DELTAS[[ord("["), ord("{")]] = 1
_DELTAS[[ord("]"), ord("}")]] = -1


def read(body: bytes | bytearray | memoryview, *, nan: bool = False) -> Any:
    """The value of a JSON `body`; with `nan`, NaN is no mistake, and null.

    Refusal 400: `invalid_json` (malformed, empty, not UTF-8, a byte order mark, NaN or Infinity, a number of thousands
    of digits), `duplicate_key`, `too_deep`. Numbers out of range come back as they are (`inf`, long integers), lone
    surrogates in texts too: the caller knows their place and refuses them there.
    """
    body = bytes(body)
    if b"\\u" in body:
        return _careful(body, nan)
    try:
        value = _fast(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _careful(body, nan)
    return value if _explained(body, value) else _careful(body, nan)


def _explained(body: bytes, value: Any) -> bool:
    """True when keys and brackets of a flat request are all there: nothing was dropped, nothing is nested deeper."""
    if type(value) is not dict:
        return False
    objects = [value]
    openings = 1
    for part in value.values():
        if type(part) is list:
            openings += 1
            if part and type(part[0]) is dict:
                if set(map(type, part)) != {dict}:
                    return False
                objects += part
                openings += len(part)
        elif type(part) is dict:
            objects.append(part)
            openings += 1 + sum(type(column) is list for column in part.values())
    colons = body.count(b":") - sum(map(len, objects))
    brackets = body.count(b"[") + body.count(b"{") - openings
    return not (colons or brackets) or (b"\\" not in body and _in_texts(objects) == (colons, brackets))


def _in_texts(objects: list[dict[str, Any]]) -> tuple[int, int]:
    """How many colons and opening brackets stand inside the texts of `objects` (names, values, lists of values)."""
    texts: list[str] = []
    for each in objects:
        texts += each
        for value in each.values():
            if type(value) is str:
                texts.append(value)
            elif type(value) is list:
                texts += [item for item in value if type(item) is str]
    together = "".join(texts)
    return together.count(":"), together.count("[") + together.count("{")


def _careful(body: bytes, nan: bool = False) -> Any:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        _refuse("invalid_json", "The body is not UTF-8.")
    if text.startswith("\ufeff"):
        _refuse("invalid_json", "The body starts with a byte order mark.")
    if _depth(body) > DEEPEST:
        _refuse("too_deep", f"The body nests deeper than {DEEPEST}.")
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_null_for_nan if nan else _constant)
    except (ValueError, RecursionError):
        _refuse("invalid_json", "The body is empty." if not text.strip() else "The body is not valid JSON.")


def _depth(body: bytes) -> int:
    bare = np.frombuffer(_STRING.sub(b"", body), dtype=np.uint8)
    steps = _DELTAS[bare]
    return int(np.cumsum(steps[steps != 0], dtype=np.int64).max(initial=0))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        _refuse("duplicate_key", "An object of the body names a key twice.")
    return value


def _null_for_nan(constant: str) -> None:
    if constant != "NaN":
        _constant(constant)


def _constant(_: str) -> NoReturn:
    _refuse("invalid_json", "NaN and Infinity are not JSON.")


def _refuse(code: str, says: str) -> NoReturn:
    raise Refusal(400, code, says, faults=[Fault("", code)])
