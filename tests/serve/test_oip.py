"""The Open Inference Protocol: health, metadata, tensors in JSON and in binary, and what it refuses.

`recorded/tritonclient.json` holds requests as the public client of the protocol sent them (see bench/protocols.py).
"""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path

import numpy as np
import pytest

CHAMPION, CHALLENGER = "a" * 64, "b" * 64
INFER = "/v2/models/late-api/infer"
RECORDED = json.loads((Path(__file__).parent / "recorded/tritonclient.json").read_text())


@pytest.fixture
def client(yard):
    yard.deploy({"champion": (CHAMPION, 0.0), "challenger": (CHALLENGER, 1.0)}, max_rows=100)
    return yard.client(max_body=100_000)


def tensor(name, datatype, data, shape=None, **more):
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": data, **more}


TEMP, STOPS = tensor("temp", "FP64", [10.0, 20.0]), tensor("stops", "INT64", [1, 2])


def binary(inputs, data=b"", **more):
    """Body and headers of a request with binary tensors."""
    head = json.dumps({"inputs": inputs, **more}).encode()
    return {"content": head + data, "headers": {"inference-header-content-length": str(len(head))}}


def test_health_and_metadata(yard, client):
    assert client.send("GET", "/v2").json()["extensions"] == ["binary_tensor_data"]
    assert client.send("GET", "/v2/health/live").json() == {"live": True}
    assert client.send("GET", "/v2/health/ready").json()["ready"] is True
    assert client.send("GET", "/v2/models/late-api/ready").json() == {"name": "late-api", "ready": True}
    assert client.send("GET", "/v2/models/late-api/versions/2/ready").status_code == 200
    metadata = client.send("GET", "/v2/models/late-api").json()
    assert metadata["versions"] == ["1", "2"]
    assert metadata["inputs"][:3] == [
        {"name": "temp", "datatype": "FP64", "shape": [-1]},
        {"name": "stops", "datatype": "INT64", "shape": [-1]},
        {"name": "dest", "datatype": "BYTES", "shape": [-1]},
    ]
    assert metadata["outputs"] == [{"name": "predict", "datatype": "FP64", "shape": [-1]}]


@pytest.mark.parametrize(
    "path", ["/v2/models/nope", "/v2/models/nope/ready", "/v2/models/late-api/versions/9", "/v2/nope"]
)
def test_what_is_not_there(client, path):
    answer = client.send("GET", path)
    assert answer.status_code == 404
    assert path == "/v2/nope" or answer.json()["error"]


def test_tensors_in_json_take_the_same_way_as_rows(client):
    body = {"id": "mine", "inputs": [TEMP, STOPS, tensor("dest", "BYTES", ["SEA", "XXX"])]}
    answer = client.post(body, path=INFER, headers={"x-request-id": "req-1"})
    assert answer.status_code == 200
    warning = {"row": 1, "pointer": "/inputs/2/data/1", "code": "unknown_category"}
    parameters = answer.json().pop("parameters")
    assert json.loads(parameters.pop("warnings")) == [warning]
    assert parameters == {"request_id": "req-1", "release": CHALLENGER, "arm": "challenger"}
    assert {name: answer.json()[name] for name in ("id", "model_name", "model_version", "outputs")} == {
        "id": "mine", "model_name": "late-api", "model_version": "2",
        "outputs": [{"name": "predict", "shape": [2], "datatype": "FP64", "data": [121.0, 42.0]}],
    }  # fmt: skip
    assert client.post(body, path=INFER, headers={"x-request-id": "req-1"}).json() == answer.json()


def test_a_version_answers_when_it_is_asked_for(client):
    body = {"inputs": [TEMP, STOPS]}
    for version, expected in (("1", [11.0, 22.0]), ("2", [21.0, 42.0])):
        answer = client.post(body, path=f"/v2/models/late-api/versions/{version}/infer").json()
        assert (answer["model_version"], answer["outputs"][0]["data"]) == (version, expected)
    assert client.post(body, path="/v2/models/late-api/versions/7/infer").json()["code"] == "unknown_version"


def test_shapes_of_one_column_and_of_all_inputs(yard, client):
    tall = [tensor("temp", "FP32", [[10], [20]], [2, 1]), STOPS]
    assert client.post({"inputs": tall}, path=INFER).json()["outputs"][0]["data"] == [21.0, 42.0]
    small = {**yard.releases[CHAMPION].signature, "inputs": yard.releases[CHAMPION].signature["inputs"][:2]}

    class Sum:
        signature = small

        def predict(self, table):
            return np.array(table["temp"]) + np.array(table["stops"])

    yard.serve(CHAMPION, Sum())
    yard.deploy(name="small", inputs={"stops": {"max": 2}})
    client.app.gateway.refresh()
    matrix = {"inputs": [tensor("x", "FP64", [1.0, 2.0, 3.0, 4.0], [2, 2])]}
    assert client.post(matrix, path="/v2/models/small/infer").json()["errors"][0]["pointer"] == "/inputs/0/data/3"
    matrix["inputs"][0]["data"] = [[1.0, 2.0], [3.0, 1.0]]
    assert client.post(matrix, path="/v2/models/small/infer").json()["outputs"][0]["data"] == [3.0, 4.0]


@pytest.mark.parametrize(
    ("datatype", "dtype"),
    [("FP64", "<f8"), ("FP32", "<f4"), ("FP16", "<f2"), ("INT8", "i1"), ("UINT64", "<u8"), ("INT32", "<i4")],
)
def test_binary_tensors_in_and_out(client, datatype, dtype):
    temp = np.array([10, 20], dtype).tobytes()
    inputs = [
        {"name": "temp", "datatype": datatype, "shape": [2], "parameters": {"binary_data_size": len(temp)}},
        STOPS,
        {"name": "dest", "datatype": "BYTES", "shape": [2, 1], "parameters": {"binary_data_size": 14}},
        {"name": "night", "datatype": "BOOL", "shape": [2], "parameters": {"binary_data_size": 2}},
    ]
    data = temp + struct.pack("<I3sI3s", 3, b"SEA", 3, b"PDX") + b"\0\1"
    answer = client.send("POST", INFER, **binary(inputs, data, parameters={"binary_data_output": True}))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/octet-stream"
    head = int(answer.headers["inference-header-content-length"])
    output = json.loads(answer.content[:head])["outputs"][0]
    assert output == {
        "name": "predict", "datatype": "FP64", "shape": [2], "parameters": {"binary_data_size": 16},
    }  # fmt: skip
    assert np.frombuffer(answer.content[head:], "<f8").tolist() == [121.0, 42.0]
    plain = client.send("POST", INFER, **binary(inputs, data, outputs=[{"name": "predict"}]))
    assert plain.json()["outputs"][0]["data"] == [121.0, 42.0]


def test_a_missing_value_is_null_in_json_and_nan_in_binary(client):
    inputs = [tensor("temp", "FP64", [None, 1.0]), STOPS]
    assert client.post({"inputs": inputs}, path=INFER).json()["errors"][0] == {
        "pointer": "/inputs/0/data/0", "code": "null_not_allowed", "expected": "a value",
    }  # fmt: skip
    inputs[0] = {"name": "temp", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": 8}}
    answer = client.send("POST", INFER, **binary(inputs, np.array([1, np.nan], "<f4").tobytes()))
    assert answer.json()["errors"][0]["pointer"] == "/inputs/0/data/1"


def test_labels_and_probabilities_of_classes(yard):
    model = yard.serve(CHAMPION)
    model.signature = {**model.signature, "task": "multiclass_classification", "classes": ["a", "b", "c"]}
    yard.serve(CHAMPION, model)
    yard.deploy()
    yard.deploy(name="labels", output="label")
    client = yard.client()
    body = {"inputs": [TEMP, STOPS]}
    output = client.post(body, path=INFER).json()["outputs"][0]
    assert (output["shape"], len(output["data"])) == ([2, 3], 6)
    assert client.send("GET", "/v2/models/late-api").json()["outputs"][0]["shape"] == [-1, 3]
    named = client.post(body, path="/v2/models/labels/infer").json()["outputs"][0]
    assert (named["datatype"], named["shape"], set(named["data"]) <= {"a", "b", "c"}) == ("BYTES", [2], True)
    assert client.send("GET", "/v2/models/labels").json()["outputs"][0]["datatype"] == "BYTES"


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({}, "wrong_shape", ""),
        ([], "wrong_shape", ""),
        ({"inputs": []}, "wrong_shape", ""),
        ({"inputs": [1]}, "wrong_shape", "/inputs/0"),
        ({"inputs": [TEMP], "more": 1}, "wrong_shape", "/more"),
        ({"inputs": [TEMP], "id": 1}, "wrong_type", "/id"),
        ({"inputs": [TEMP], "parameters": 1}, "wrong_shape", "/parameters"),
        ({"inputs": [TEMP], "parameters": {"sequence_id": 1}}, "unsupported_parameter", "/parameters/sequence_id"),
        ({"inputs": [TEMP, TEMP]}, "wrong_type", "/inputs/1/name"),
        ({"inputs": [TEMP | {"name": 1}]}, "wrong_type", "/inputs/0/name"),
        ({"inputs": [TEMP | {"datatype": "FP8"}]}, "wrong_type", "/inputs/0/datatype"),
        ({"inputs": [TEMP | {"datatype": []}]}, "wrong_type", "/inputs/0/datatype"),
        *(({"inputs": [TEMP | {"shape": shape}]}, "wrong_shape", "/inputs/0/shape") for shape in (
            None, [], [-1], [2.0], "2", [True], [2**40], [2**20] * 8, [1] * 9)),
        ({"inputs": [TEMP | {"shape": [3]}]}, "wrong_shape", "/inputs/0/data"),
        ({"inputs": [TEMP | {"data": 1}]}, "wrong_shape", "/inputs/0/data"),
        ({"inputs": [TEMP | {"shape": [1, 2]}, STOPS]}, "wrong_shape", "/inputs/0/shape"),
        ({"inputs": [tensor("x", "FP64", [1.0, 2.0], [1, 2])]}, "wrong_shape", "/inputs/0/shape"),
        ({"inputs": [TEMP | {"data": ["10", 1.0]}, STOPS]}, "wrong_type", "/inputs/0/data"),
        ({"inputs": [TEMP | {"data": [True, 1.0]}, STOPS]}, "wrong_type", "/inputs/0/data"),
        ({"inputs": [TEMP, tensor("stops", "INT8", [1, 128])]}, "out_of_bounds", "/inputs/1/data"),
        ({"inputs": [TEMP, tensor("stops", "FP32", [1.5, 1])]}, "wrong_type", "/inputs/1/data/0"),
        ({"inputs": [TEMP]}, "missing", "/inputs"),
        ({"inputs": [TEMP, STOPS, tensor("colour", "BYTES", ["a", "b"])]}, "unknown_feature", "/inputs/2"),
        ({"inputs": [tensor("colour", "BYTES", ["a", "b"])]}, "unknown_feature", "/inputs/0"),
        ({"inputs": [TEMP, tensor("stops", "INT64", [1])]}, "wrong_shape", "/inputs"),
        ({"inputs": [TEMP | {"parameters": {"binary_data_size": 8}}]}, "wrong_shape", "/inputs/0/parameters/binary_data_size"),
        ({"inputs": [TEMP, STOPS], "outputs": [{"name": "proba"}]}, "unknown_output", "/outputs/0/name"),
        ({"inputs": [TEMP, STOPS], "outputs": [1]}, "wrong_shape", "/outputs/0"),
        ({"inputs": [TEMP, STOPS], "outputs": 1}, "wrong_shape", "/outputs"),
    ],
)  # fmt: skip
def test_what_is_refused_has_its_place_and_is_said_in_the_protocols_words(client, body, code, pointer):
    answer = client.post(body, path=INFER)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert answer.json()["error"].startswith(f"{code}: ")


SIZED = {"name": "temp", "datatype": "FP64", "shape": [2], "parameters": {"binary_data_size": 16}}
TEXTS = {"name": "dest", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 7}}


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        (binary([SIZED], b"\0" * 15), 422, "wrong_shape"),
        (binary([SIZED], b"\0" * 17), 422, "wrong_shape"),
        (binary([SIZED | {"shape": [3]}], b"\0" * 16), 422, "wrong_shape"),
        (binary([SIZED | {"datatype": "BOOL", "shape": [16]}], b"\2" * 16), 422, "wrong_type"),
        (binary([SIZED | {"parameters": {"binary_data_size": True}}], b"\0" * 16), 422, "wrong_shape"),
        (binary([SIZED | {"parameters": {"binary_data_size": -1}}], b"\0" * 16), 422, "wrong_shape"),
        (binary([TEXTS], struct.pack("<I3s", 4, b"SEA")), 422, "wrong_shape"),
        (binary([TEXTS], struct.pack("<I3s", 2, b"SEA")), 422, "wrong_shape"),
        (binary([TEXTS], struct.pack("<I3s", 3, b"\xff\xff\xff")), 422, "invalid_string"),
        ({"content": b"{}", "headers": {"inference-header-content-length": "9"}}, 400, "bad_header_length"),
        ({"content": b"{}", "headers": {"inference-header-content-length": "-1"}}, 400, "bad_header_length"),
        ({"content": b"{}", "headers": {"content-type": "application/octet-stream"}}, 400, "bad_header_length"),
        ({"content": b"{}", "headers": {"content-type": "text/plain"}}, 415, "unsupported_media_type"),
        ({"content": b"{}", "headers": {"content-encoding": "gzip"}}, 415, "unsupported_encoding"),
        ({"content": b"\x80", "headers": {}}, 400, "invalid_json"),
    ],
)
def test_binary_bodies_that_are_refused(client, how, status, code):
    answer = client.send("POST", INFER, **how)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("name", list(RECORDED))
def test_requests_of_the_public_client_are_answered_as_it_was_content_with(yard, name):
    yard.deploy()
    recorded = RECORDED[name]
    body = base64.b64decode(recorded["body"])
    answer = yard.client().send(recorded["method"], recorded["path"], content=body, headers=recorded["headers"])
    assert (answer.status_code, answer.content) == (recorded["status"], base64.b64decode(recorded["answer"]))
