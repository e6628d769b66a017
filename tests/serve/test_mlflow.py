"""MLflow's scoring protocol: its bodies, its client, and what is refused."""

from __future__ import annotations

import json
import socket
import threading

import httpx
import numpy as np
import pandas as pd
import pytest
import uvicorn

from modelyard.serve.app import create

CHAMPION = "a" * 64
ASK = "/deployments/late-api/invocations"
SMALL = [{"name": name, "type": "number", "nullable": name == "b", "min": 0, "max": 9, "median": 1} for name in "ab"]


class Sum:
    """a + b."""

    signature = {"task": "regression", "classes": None, "positive": None, "inputs": SMALL, "target": {"type": "number"}}  # noqa: RUF012

    def predict(self, table):
        return np.array(table["a"]) + np.nan_to_num(np.array(table["b"], dtype=float))


@pytest.fixture
def client(yard):
    yard.serve(CHAMPION, Sum())
    yard.deploy(max_rows=100)
    return yard.client(max_body=100_000)


SPLIT = {"columns": ["b", "a"], "data": [[2.0, 1.0], [4.0, 3.0]]}


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": SPLIT},
        {"dataframe_split": SPLIT | {"index": [0, 1]}},
        {"dataframe_records": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]},
        {"instances": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]},
        {"instances": [[1, 2], [3, 4]]},
        {"inputs": {"a": [1, 3], "b": [2, 4]}},
        {"inputs": {"a": [[1], [3]], "b": [[2], [4]]}},
        {"inputs": [[1, 2], [3, 4]]},
        {"inputs": [[1, 2], [3, 4]], "params": {}},
        b'{"dataframe_split": {"columns": ["a", "b"], "data": [[3, NaN], [7, null]]}}',
    ],
)
def test_every_form_of_body_is_answered_alike(client, body):
    answer = client.post(body, path=ASK, headers={"x-request-id": "mine"})
    assert answer.json() == {
        "predictions": [3.0, 7.0], "request_id": "mine", "release": CHAMPION, "arm": "champion", "warnings": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ([], "wrong_shape", ""),
        ({}, "wrong_shape", ""),
        ({"columns": ["a"], "data": [[1]]}, "wrong_shape", ""),
        ({"inputs": [[1, 2]], "instances": [[1, 2]]}, "wrong_shape", ""),
        ({"inputs": [[1, 2]], "more": 1}, "wrong_shape", "/more"),
        ({"inputs": [[1, 2]], "params": {"top": 1}}, "unsupported_parameter", "/params"),
        ({"inputs": [[1]]}, "wrong_shape", "/inputs/0"),
        ({"inputs": []}, "wrong_shape", "/inputs"),
        ({"inputs": 1}, "wrong_shape", "/inputs"),
        ({"inputs": {}}, "wrong_shape", "/inputs"),
        ({"inputs": {"a": 1}}, "wrong_shape", "/inputs/a"),
        ({"inputs": {"b": [1, 2]}}, "missing", "/inputs/a"),
        ({"inputs": {"a": [1, "x"]}}, "wrong_type", "/inputs/a/1"),
        ({"inputs": {"a": [1], "c": [1]}}, "unknown_feature", "/inputs/c"),
        ({"instances": [[1, "x"]]}, "wrong_type", "/instances/0/1"),
        ({"instances": [{"b": 1}]}, "missing", "/instances/0/a"),
        ({"instances": [{"a": 1}, 1]}, "wrong_shape", "/instances/1"),
        ({"dataframe_records": {"a": 1}}, "wrong_shape", "/dataframe_records"),
        ({"dataframe_records": [{"a": None}]}, "null_not_allowed", "/dataframe_records/0/a"),
        ({"dataframe_split": {"columns": ["a"]}}, "wrong_shape", "/dataframe_split"),
        ({"dataframe_split": {"columns": "a", "data": [[1]]}}, "wrong_shape", "/dataframe_split/columns"),
        ({"dataframe_split": {"columns": ["a", "a"], "data": [[1, 1]]}}, "wrong_shape", "/dataframe_split/columns"),
        ({"dataframe_split": {"columns": ["a", "b"], "data": [[1]]}}, "wrong_shape", "/dataframe_split/data/0"),
        ({"dataframe_split": {"columns": ["b"], "data": [[1]]}}, "missing", "/dataframe_split/data"),
        ({"dataframe_split": {"columns": ["b", "a"], "data": [[1, "x"]]}}, "wrong_type", "/dataframe_split/data/0/1"),
    ],
)
def test_what_is_refused_has_its_place_and_is_said_in_mlflows_words(client, body, code, pointer):
    answer = client.post(body, path=ASK)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert answer.json()["error_code"] == "BAD_REQUEST"
    assert answer.json()["message"]


def test_infinity_is_no_json_here_either(client):
    assert client.post(b'{"inputs": [[Infinity, 1]]}', path=ASK).json()["code"] == "invalid_json"


CSV = {"content-type": "text/csv; charset=utf-8"}


def test_a_table_in_csv(yard, row):
    yard.deploy()
    client = yard.client()
    text = (
        "temp,stops,dest,night,when,day,flight\n"
        '10.5,1,SEA,True,2013-02-01T00:00:00,2013-02-01,7\n20,2,"X, Y",,NaN,NA,8\n'
    )
    answer = client.send("POST", ASK, content=text.encode(), headers=CSV)
    assert answer.json()["predictions"] == [111.5, 22.0]
    assert answer.json()["warnings"] == [{"row": 1, "pointer": "/1/dest", "code": "unknown_category"}]


@pytest.mark.parametrize(
    ("text", "status", "code", "pointer"),
    [
        (b"", 400, "invalid_csv", None),
        (b"\xff", 400, "invalid_csv", None),
        (b"a,a\n1,2\n", 400, "invalid_csv", None),
        (b'a,b\n"1,2\n', 400, "invalid_csv", None),
        (b"a,b\n", 422, "wrong_shape", ""),
        (b"a,b\n1,2\n3\n", 422, "wrong_shape", "/1"),
        (b"a,b\n1,x\n", 422, "wrong_type", "/0/b"),
        (b"a,b\n,1\n", 422, "null_not_allowed", "/0/a"),
        (b"a,b,c\n1,1,1\n", 422, "unknown_feature", "/0/c"),
        (b"a\n" + b"1\n" * 101, 413, "too_many_rows", None),
    ],
)
def test_csv_that_is_refused(client, text, status, code, pointer):
    answer = client.send("POST", ASK, content=text, headers=CSV)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert pointer is None or answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "application/json; charset=latin-1", "", "text/plain"]
)
def test_other_bodies_are_not_read(client, kind):
    answer = client.send("POST", ASK, content=b"{}", headers={"content-type": kind})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.fixture
def address(yard):
    """A real port with the gateway behind it."""
    yard.serve(CHAMPION, Sum())
    yard.deploy()
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create(yard.gateway()), log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    yield f"127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.mark.filterwarnings("ignore:.*type hint:UserWarning:mlflow")
def test_mlflows_own_client(address):
    from mlflow.pyfunc.scoring_server.client import ScoringServerClient

    host, _, port = address.partition(":")
    client = ScoringServerClient(host, f"{port}/deployments/late-api")
    client.ping()
    frame = pd.DataFrame({"b": [2.0, np.nan], "a": [1, 7]})
    named = [{"a": 1, "b": 2.0}, {"a": 7}]
    for data in (frame, named, np.array([[1.0, 2.0], [7.0, 0.0]]), json.dumps({"dataframe_records": named})):
        assert client.invoke(data).get_predictions()[0].tolist() == [3.0, 7.0]
    assert client.invoke(frame)["release"] == CHAMPION
    with pytest.raises(Exception, match="null_not_allowed"):
        client.invoke(frame.rename(columns={"a": "b", "b": "a"}))
    assert httpx.get(f"http://{address}/deployments/nope/ping").status_code == 404
