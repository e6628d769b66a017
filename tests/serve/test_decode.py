"""Strict JSON: the fast reader and the careful one agree on every body."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.serve import decode
from modelyard.serve.refusal import Refusal


def careful(body: bytes):
    """What the careful reader says: a value, or the code of its refusal."""
    return outcome(decode._careful, body)


def outcome(reader, body):
    try:
        return reader(body)
    except Refusal as refusal:
        return refusal.code


texts = st.text(alphabet=':[]{}"\\,aé\n', max_size=6)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False) | texts
)
rows = st.lists(st.dictionaries(texts, scalars, max_size=4), max_size=4)
nested = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
documents = (
    st.dictionaries(st.sampled_from(["rows", "x"]), rows | nested)
    | st.dictionaries(st.just("columns"), st.dictionaries(texts, st.lists(scalars, max_size=3) | nested, max_size=3))
    | nested
)


@given(document=documents, ascii_only=st.booleans())
def test_both_readers_agree(document, ascii_only):
    body = json.dumps(document, ensure_ascii=ascii_only).encode()
    assert decode.read(body) == careful(body) == document


@given(body=st.text(alphabet='{}[]:",01e.-anul \\', max_size=30).map(str.encode) | st.binary(max_size=12))
def test_both_readers_agree_on_what_is_no_json(body):
    assert repr(outcome(decode.read, body)) == repr(careful(body))


@given(pairs=st.lists(st.tuples(texts, scalars), min_size=2, max_size=5))
def test_a_name_said_twice_is_always_seen(pairs):
    body = "{" + ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in pairs) + "}"
    document = f'{{"rows":[{body}]}}'.encode()
    twice = len({name for name, _ in pairs}) < len(pairs)
    assert (outcome(decode.read, document) == "duplicate_key") == twice


@pytest.mark.parametrize(("depth", "accepted"), [(32, True), (33, False)])
def test_depth(depth, accepted):
    body = b"[" * depth + b"]" * depth
    assert (outcome(decode.read, body) != "too_deep") == accepted


def test_depth_hidden_among_columns_is_seen():
    body = b'{"columns":{' + b",".join(b'"c%d":1' % n for n in range(40)) + b',"x":' + b"[" * 40 + b"]" * 40 + b"}}"
    assert outcome(decode.read, body) == "too_deep"
