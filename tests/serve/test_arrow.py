"""Our own protocol in Arrow: bulk in, bulk out, and bytes that are not what they say."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CHAMPION = "a" * 64
PREDICT = "/deployments/late-api/predict"
ARROW = "application/vnd.apache.arrow.stream"


@pytest.fixture
def client(yard):
    yard.deploy(max_rows=1_000, coerce=False)
    return yard.client()


def stream(table, rows=300, **options):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=rows)
    return sink.getvalue().to_pybytes()


def post(client, body, accept=None, **headers):
    accepted = {} if accept is None else {"accept": accept}
    content = body if isinstance(body, bytes) else stream(body)
    return client.send("POST", PREDICT, content=content, headers={"content-type": ARROW, **accepted, **headers})


def table(rows=2, **columns):
    return pa.table({"temp": np.arange(float(rows)), "stops": np.ones(rows, int), **columns})


def test_a_stream_is_answered_with_a_stream(client):
    answer = post(client, table(800, dest=["SEA", "XXX"] * 400), **{"x-request-id": "mine"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, ARROW)
    found = pa.ipc.open_stream(answer.content).read_all()
    assert found.schema.metadata == {b"request_id": b"mine", b"release": CHAMPION.encode(), b"arm": b"champion"}
    assert found["prediction"].to_pylist()[:3] == [101.0, 2.0, 103.0]
    assert found["warnings"].to_pylist()[:2] == [[], [{"pointer": "/columns/dest/1", "code": "unknown_category"}]]


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, ARROW), ("*/*", ARROW), ("application/*", ARROW), ("application/json", "application/json"),
        (f"application/json, {ARROW};q=0.5", "application/json"), (f"application/json;q=0.1, {ARROW}", ARROW),
        ("text/html, */*;q=0.1", ARROW),
    ],
)  # fmt: skip
def test_accept_says_what_comes_back(client, accept, form):
    assert post(client, table(), accept=accept).headers["content-type"] == form


def test_json_may_be_answered_in_arrow_and_nothing_else(client):
    body = {"rows": [{"temp": 1, "stops": 1}]}
    answer = client.post(body, headers={"accept": ARROW})
    assert pa.ipc.open_stream(answer.content).read_all()["prediction"].to_pylist() == [2.0]
    refused = client.post(body, headers={"accept": "text/html"})
    assert (refused.status_code, refused.json()["code"]) == (406, "not_acceptable")
    assert refused.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, 2], pa.int8()), pa.array([1, 2], pa.uint64()), pa.array([1, 2], pa.float16()),
        pa.array([1, 2], pa.float32()),
    ],
)  # fmt: skip
def test_numbers_of_every_width(client, column):
    assert post(client, table(temp=column), accept="application/json").json()["predictions"] == [2.0, 3.0]


def test_texts_and_times_of_every_kind(client):
    when = datetime(2013, 2, 3, tzinfo=UTC)
    for dest in (
        pa.array(["SEA", None]),
        pa.array(["SEA", None], pa.large_string()),
        pa.array(["SEA", None]).dictionary_encode(),
    ):
        for unit in ("s", "ms", "us", "ns"):
            columns = {"dest": dest, "when": pa.array([when, None], pa.timestamp(unit, "UTC"))}
            answer = post(client, table(day=pa.array([when.date(), None]), **columns), accept="application/json")
            assert answer.json()["predictions"] == [101.0, 2.0]


@pytest.mark.parametrize(
    ("columns", "status", "code", "place"),
    [
        ({"temp": ["x", "y"]}, 422, "wrong_type", "/columns/temp/0"),
        ({"temp": [1.0, None]}, 422, "null_not_allowed", "/columns/temp/1"),
        ({"temp": [1.0, float("inf")]}, 422, "not_finite", "/columns/temp/1"),
        ({"temp": [[1.0], [2.0]]}, 422, "wrong_type", "/columns/temp"),
        ({"stops": pa.array([1, 2**63], pa.uint64())}, 422, "out_of_bounds", "/columns/stops/1"),
        ({"stops": [1.5, 1.0]}, 422, "wrong_type", "/columns/stops/0"),
        ({"dest": ["a\0b", "SEA"]}, 422, "invalid_string", "/columns/dest/0"),
        ({"colour": [[1], [2]]}, 422, "unknown_feature", "/columns/colour"),
        ({"when": pa.array([0, 2**62], pa.timestamp("s"))}, 422, "out_of_bounds", "/columns/when/1"),
        ({"day": pa.array([0, 2**31 - 1], pa.date32())}, 422, "out_of_bounds", "/columns/day/1"),
        ({"when": pa.array([0, -(2**63)], pa.timestamp("us"))}, 422, "out_of_bounds", "/columns/when/1"),
    ],
)
def test_values_that_are_refused(client, columns, status, code, place):
    answer = post(client, table(**columns))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["errors"][0]["pointer"] == place


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid_arrow"),
        (b"ARROW1", 400, "invalid_arrow"),
        (stream(table())[:-200], 400, "invalid_arrow"),
        (stream(table(2), compression="zstd"), 415, "unsupported_encoding"),
        (
            stream(table(2, dest=pa.array(["SEA", "SEA"]).dictionary_encode()), compression="lz4"),
            415,
            "unsupported_encoding",
        ),
        (stream(table(2), use_legacy_format=True, compression="zstd"), 415, "unsupported_encoding"),
        (stream(table(1_001)), 413, "too_many_rows"),
        (stream(pa.table({"temp": pa.nulls(10**9)}), rows=10**9), 413, "too_many_rows"),
        (stream(table(0)), 422, "wrong_shape"),
        (stream(pa.table([[1.0], [2.0]], names=["temp", "temp"])), 400, "duplicate_key"),
    ],
)
def test_streams_that_are_refused(client, body, status, code):
    answer = post(client, body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_dictionary_that_unfolds_to_gigabytes(client):
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 900, pa.int8()), pa.array(["x" * 100_000]))
    assert post(client, table(900, dest=long)).json()["code"] == "body_too_large"


def test_a_text_that_is_not_utf8(client):
    array = pa.StringArray.from_buffers(2, pa.py_buffer(np.array([0, 1, 2], "i4").tobytes()), pa.py_buffer(b"\xff\xfe"))
    assert post(client, table(dest=array)).json()["code"] == "invalid_arrow"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4), cut=st.floats(0, 1)
)
def test_no_damaged_stream_causes_a_server_error(client, flips, cut):
    whole = bytearray(stream(table(dest=pa.array(["SEA", None]).dictionary_encode(), night=[True, None])))
    for place, value in flips:
        whole[int(place * len(whole))] = value
    answer = post(client, bytes(whole[: int(len(whole) * max(cut, 0.5))]), accept="application/json")
    assert answer.status_code < 500
    assert answer.status_code != 200 or len(json.loads(answer.content)["predictions"]) == 2
