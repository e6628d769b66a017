"""What must be refused, row by row as the table of bad inputs has it: exactly that status and code, and never a 5xx.

Every refusal is a problem document with the request's id and the place of each fault; no value is echoed in it.
"""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelyard.serve import app, batch
from modelyard.serve.batch import Asked
from modelyard.serve.layout import Layout

from .conftest import CHAMPION, SIGNATURE, Formula

PREDICT, FEEDBACK = "/deployments/late-api/predict", "/deployments/late-api/feedback"
JSON = {"content-type": "application/json"}
MEMBERS = {"type", "title", "status", "detail", "code", "request_id", "errors", "instance"}


@pytest.fixture
def client(yard):
    yard.deploy(inputs={"temp": {"min": -50, "max": 60}, "dest": {"unknown": "accept"}}, max_rows=100)
    return yard.client(max_body=100_000, read_seconds=0.05)


def one(**values):
    """A request of one good row, with changes."""
    return json.dumps({"rows": [{"temp": 1.0, "stops": 1, **values}]}).encode()


def raw(temp: str) -> bytes:
    """A request in which one number is written as given."""
    return b'{"rows":[{"stops":1,"temp":' + temp.encode() + b"}]}"


def said(answer, status, code):
    """The problem that an answer tells, after a look at its form."""
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == MEMBERS
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers.get("x-request-id", "")
    return problem


BODIES = {
    "Malformed, empty, invalid UTF-8, UTF-16, BOM": (400, "invalid_json", {
        "empty": b"", "open": b"{", "utf-8": b'{"rows": [{"temp": "\xff"}]}',
        "utf-16": '{"rows": []}'.encode("utf-16"), "bom": b"\xef\xbb\xbf" + one(),
    }),
    "`NaN`, `Infinity` literals": (400, "invalid_json", {each: raw(each) for each in ("NaN", "Infinity", "-Infinity")}),
    "`1e999`": (422, "not_finite", {"1e999": raw("1e999"), "-1e999": raw("-1e999")}),
    "Duplicate keys": (400, "duplicate_key", {
        "row": b'{"rows":[{"temp":1,"temp":2}]}',
        "body": b'{"rows":[{"temp":1,"stops":1}],"rows":[{"temp":1,"stops":1}]}',
        "colon": b'{"rows":[{"temp":1,"stops":1,"when":"2013-01-01T00:00","temp":1}]}',
    }),
    "Depth > 32": (400, "too_deep", {
        "value": raw("[" * 40 + "]" * 40), "unclosed": b"[" * 90_000,
        "column": b'{"columns":{"stops":1,"temp":' + b"[" * 32 + b"]" * 32 + b"}}",
    }),
    "Integer > 64-bit": (422, "out_of_bounds", {
        "2**63": one(stops=2**63), "10**30": one(stops=10**30), "number": raw("1" * 30),
    }),
    "5,000 digits": (400, "invalid_json", {"digits": raw("1" * 5000)}),
    '`"1.5"`, `"1_000"`, `true` as number': (422, "wrong_type", {
        "text": one(temp="1.5"), "underscore": one(temp="1_000"), "true": one(temp=True), "list": one(temp=[1]),
        "object": one(temp={"a": 1}), "fraction": one(stops=1.5), "false": one(stops=False), "one": one(night=1),
        "'true'": one(night="true"), "number": one(dest=1), "yesterday": one(when="yesterday"),
        "seconds": one(when=1356998400), "february": one(day="2013-02-30"), "key": one(flight="x"),
        "time": one(time_hour="x"), "column": b'{"columns":{"stops":[1,2],"temp":[1,"x"]}}',
    }),
    "A time beyond all calendars": (422, "out_of_bounds", {"year 0": one(when="0001-01-01T00:00:00+14:00")}),
    "Lone surrogate; NUL": (422, "invalid_string", {
        "surrogate": b'{"rows":[{"temp":1,"stops":1,"dest":"\\ud800"}]}',
        "NUL": b'{"rows":[{"temp":1,"stops":1,"dest":"a\\u0000b"}]}',
        "name": b'{"rows":[{"temp":1,"stops":1,"\\ud800":1}]}',
    }),
    "Missing required": (422, "missing", {
        "row": b'{"rows":[{"stops":1}]}', "column": b'{"columns":{"stops":[1,2]}}',
    }),
    "null required": (422, "null_not_allowed", {
        "row": one(temp=None), "column": b'{"columns":{"stops":[1,2],"temp":[1,null]}}',
    }),
    "Extra feature": (422, "unknown_feature", {
        "row": one(colour="red"), "column": b'{"columns":{"stops":[1],"temp":[1],"a/b":[1]}}',
    }),
    "Outside a hard bound": (422, "out_of_bounds", {"max": one(temp=61), "min": one(temp=-51)}),
    "Wrong shape; 0 rows": (422, "wrong_shape", {
        "list": b"[]", "number": b"1", "null": b"null", "nothing": b"{}", "object": b'{"rows":{}}', "no rows": b'{"rows":[]}',
        "rows null": b'{"rows":null}', "no object": b'{"rows":[1]}', "a list": b'{"rows":[[1]]}',
        "no columns": b'{"columns":{}}', "columns list": b'{"columns":[]}', "scalar": b'{"columns":{"temp":1}}',
        "ragged": b'{"columns":{"temp":[1],"stops":[1,2]}}', "empty columns": b'{"columns":{"temp":[],"stops":[]}}',
        "both": b'{"rows":[{"temp":1,"stops":1}],"columns":{}}', "more": b'{"rows":[{"temp":1,"stops":1}],"more":1}',
    }),
    "Body > limit (declared)": (413, "body_too_large", {"spaces": b" " * 100_001}),
    "Rows > limit": (413, "too_many_rows", {"101": json.dumps({"rows": [{"temp": 1, "stops": 1}] * 101}).encode()}),
}  # fmt: skip


@pytest.mark.parametrize(
    ("status", "code", "body"),
    [
        pytest.param(status, code, body, id=f"{row}: {name}")
        for row, (status, code, bodies) in BODIES.items()
        for name, body in bodies.items()
    ],
)
def test_bad_bodies(client, status, code, body):
    said(client.post(body), status, code)


def test_none_of_them_is_taken_for_an_ordinary_request(yard):
    """What is answered in batches, the short way, passes no check here: so nothing bad may pass there."""
    inputs = [each for each in SIGNATURE["inputs"] if each["type"] not in ("timestamp", "date")]
    yard.serve(CHAMPION, Formula(SIGNATURE | {"inputs": inputs}))
    yard.deploy(inputs={"temp": {"min": -50, "max": 60}}, max_rows=100)
    deployed = yard.gateway().deployed("late-api")
    bodies = [body for _, _, each in BODIES.values() for body in each.values()]
    asked = [Asked(body, None, 0.0) for body in (one(dest="SEA", night=True), *bodies)]
    layout = Layout.of(deployed.board)
    batch.run(batch.Batch(deployed.board, layout, yard.clock, deployed.spool, deployed.ledger, asked))
    assert [each.answer is not None for each in asked] == [True] + [False] * len(bodies)


HEADS = {
    "Content-Encoding": (415, "unsupported_encoding", [
        {"headers": {**JSON, "content-encoding": "gzip"}, "content": gzip.compress(one())},
    ]),
    "Wrong Content-Type": (415, "unsupported_media_type", [
        {"headers": {"content-type": kind}}
        for kind in ("text/plain", "application/octet-stream", "application/json; charset=utf-16", "application/x-pickle", "")
    ]),
    "> 100 headers or > 16 KB": (431, "headers_too_large", [
        {"headers": {**JSON, **{f"x-{n}": "1" for n in range(101)}}}, {"headers": {**JSON, "x-long": "1" * 17_000}},
    ]),
    "Foreign Host": (421, "wrong_host", [
        {"base": "http://evil.example"}, {"base": "http://127.0.0.1.evil.example:8601"},
    ]),
    "Foreign Origin": (403, "foreign_origin", [{"headers": {**JSON, "origin": "https://evil.example"}}]),
    "Unknown deployment": (404, "unknown_deployment", [{"path": "/deployments/nope/predict"}]),
    "Unknown path": (404, "not_found", [
        {"path": path}
        for path in ("/", "/deployments/other/late-api/predict", f"{PREDICT}/", "/deployments/..%2f..%2fetc/predict/")
    ]),
    "Wrong method": (405, "method_not_allowed", [
        {"method": "GET"}, {"method": "PUT"}, {"method": "POST", "path": "/healthz"},
    ]),
    "A request id that is none": (400, "bad_request_id", [
        {"headers": {**JSON, "x-request-id": each}} for each in ("has blank", "x" * 201)
    ]),
    "A routing key that is none": (400, "bad_routing_key", [{"headers": {**JSON, "x-routing-key": "x" * 1001}}]),
}  # fmt: skip


@pytest.mark.parametrize(
    ("status", "code", "how"),
    [
        pytest.param(status, code, how, id=f"{row}: {number}")
        for row, (status, code, hows) in HEADS.items()
        for number, how in enumerate(hows)
    ],
)
def test_bad_heads(client, status, code, how):
    how = {"method": "POST", "path": PREDICT, "headers": JSON, "content": one()} | how
    said(client.send(how.pop("method"), how.pop("path"), **how), status, code)


def test_no_host(client):
    async def go():
        sent = []

        async def receive():
            return {"type": "http.request", "body": one()}

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": PREDICT, "headers": [(b"content-type", b"application/json")]}
        await client.app(scope, receive, send)
        return sent

    start, body = asyncio.run(go())
    assert (start["status"], json.loads(body["body"])["code"]) == (400, "no_host")


@pytest.mark.parametrize(
    ("values", "warning"),
    [({"temp": 41.0}, "out_of_range"), ({"stops": -1}, "out_of_range"), ({"dest": "Zürich"}, "unknown_category")],
)
def test_what_training_did_not_see_is_answered_with_a_warning_and_counted(client, values, warning):
    answer = client.post(one(**values))
    assert answer.status_code == 200
    name = next(iter(values))
    assert answer.json()["warnings"] == [{"row": 0, "pointer": f"/rows/0/{name}", "code": warning}]
    counted = f'modelyard_warnings_total{{code="{warning}",deployment="late-api"}} 1'
    assert counted in client.send("GET", "/metrics").text


def test_a_chunked_body_is_cut_off_at_the_limit_and_a_slow_one_in_time(client):
    read = []

    async def endless():
        while True:
            read.append(1)
            yield b" " * 10_000

    async def slow():
        yield b"{"
        await asyncio.sleep(30)

    said(client.send("POST", PREDICT, content=endless(), headers=JSON), 413, "body_too_large")
    assert len(read) < 15
    answer = client.send("POST", PREDICT, content=slow(), headers=JSON)
    said(answer, 408, "request_timeout")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("fault", "status", "code"), [("nan_at", 502, "model_output_invalid"), ("raises_at", 500, "model_failed")]
)
def test_a_model_output_that_is_none(yard, client, fault, status, code):
    setattr(yard.releases[CHAMPION].model, fault, 1.0)
    said(client.post(one()), status, code)


def test_a_model_that_fails_on_what_it_never_saw_is_no_fault_of_the_gateway(yard, client):
    """The policy let the value pass; the model could not take it: so it is the request that is refused."""
    yard.releases[CHAMPION].model.raises_at = 55.0
    problem = said(client.post(one(temp=55.0)), 422, "out_of_range")
    assert [each["pointer"] for each in problem["errors"]] == ["/rows/0/temp"]


def test_saturated_and_not_ready(yard, client, monkeypatch):
    monkeypatch.setattr(app, "MOST_WAITING", 0)
    answer = client.post(one())
    said(answer, 429, "overloaded")
    assert int(answer.headers["retry-after"]) > 0
    monkeypatch.undo()
    yard.deploy({"champion": ("c" * 64, 1.0)}, name="broken")
    client.app.gateway.refresh()
    answer = client.post(one(), path="/deployments/broken/predict")
    said(answer, 503, "not_ready")
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (raw("1e999"), "/rows/0/temp"),
        (b'{"rows":[{"stops":1}]}', "/rows/0/temp"),
        (b'{"columns":{"stops":[1,2]}}', "/columns/temp"),
        (b'{"columns":{"stops":[1,2],"temp":[1,null]}}', "/columns/temp/1"),
        (b'{"columns":{"stops":[1],"temp":[1],"a/b":[1]}}', "/columns/a~1b"),
        (b'{"rows":[{"temp":1,"stops":1,"\\ud800":1}]}', "/rows/0/\ud800"),
        (b'{"rows":[1]}', "/rows/0"),
        (b'{"rows":{}}', "/rows"),
        (b'{"columns":{"temp":1}}', "/columns/temp"),
        (b"[]", ""),
    ],
)
def test_every_fault_has_its_place(client, body, pointer):
    assert client.post(body).json()["errors"][0]["pointer"] == pointer


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8)
    | st.sampled_from(["2013-01-01", "2013-01-01T00:00Z", "SEA"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
names = st.sampled_from(["temp", "stops", "dest", "night", "when", "day", "flight", "time_hour"]) | st.text(max_size=4)
documents = (
    st.fixed_dictionaries({"rows": st.lists(st.dictionaries(names, values, max_size=8) | values, max_size=4) | values})
    | st.fixed_dictionaries({"columns": st.dictionaries(names, st.lists(values, min_size=2, max_size=2) | values)})
    | values
)
labels = st.fixed_dictionaries(
    {
        "feedback": st.lists(
            st.dictionaries(st.sampled_from(["request_id", "row", "label", "key", "time", "correct"]), values)
        )
    }
)
SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SETTINGS
@given(document=documents)
def test_no_document_causes_a_server_error(client, document):
    answer = client.post(json.dumps(document).encode("utf-8", "surrogatepass"))
    assert answer.status_code < 500
    assert answer.status_code != 200 or all(isinstance(each, float) for each in answer.json()["predictions"])


@SETTINGS
@given(document=labels | values)
def test_no_label_causes_a_server_error(client, document):
    assert client.post(json.dumps(document).encode("utf-8", "surrogatepass"), path=FEEDBACK).status_code < 500


@SETTINGS
@given(body=st.binary(max_size=200), key=st.binary(max_size=20), request_id=st.binary(max_size=20))
def test_no_bytes_cause_a_server_error(client, body, key, request_id):
    headers = [
        (b"host", b"localhost"), (b"content-type", b"application/json"), (b"x-routing-key", key), (b"x-request-id", request_id),
    ]  # fmt: skip
    answer = client.send("POST", PREDICT, content=body, headers=headers)
    assert answer.status_code < 500


SECRET = "s3cr3t-s3cr3t"
tensors = st.fixed_dictionaries(
    {},
    optional={
        "name": names | values,
        "datatype": st.sampled_from(["FP64", "FP32", "INT64", "UINT8", "BOOL", "BYTES"]) | values,
        "shape": st.lists(st.integers(-1, 3), max_size=3) | values,
        "data": st.lists(values, max_size=4) | values,
        "parameters": st.dictionaries(st.sampled_from(["binary_data_size", "binary_data"]), values) | values,
    },
)
inferences = st.fixed_dictionaries(
    {"inputs": st.lists(tensors | values, max_size=3) | values},
    optional={"id": values, "outputs": st.lists(values, max_size=2) | values, "parameters": values},
)
table = st.dictionaries(
    st.sampled_from(["columns", "data", "index"]), st.lists(st.lists(values, max_size=3) | names, max_size=3)
)
scorings = st.dictionaries(
    st.sampled_from(["dataframe_split", "dataframe_records", "instances", "inputs", "params"]),
    table | st.lists(st.dictionaries(names, values, max_size=4), max_size=2) | st.dictionaries(names, st.lists(values)) | values,
    max_size=2,
)  # fmt: skip
OTHERS = {"/v2/models/late-api/infer": inferences, "/deployments/late-api/invocations": scorings}


@SETTINGS
@given(asked=st.sampled_from(sorted(OTHERS)).flatmap(lambda path: st.tuples(st.just(path), OTHERS[path] | values)))
def test_no_document_in_another_protocol_causes_a_server_error(client, asked):
    path, document = asked
    answer = client.post(json.dumps(document).encode("utf-8", "surrogatepass"), path=path)
    assert answer.status_code < 500
    assert answer.status_code == 200 or answer.headers["content-type"] == "application/problem+json"


@SETTINGS
@given(body=st.binary(max_size=200), kind=st.sampled_from(["text/csv", "application/octet-stream", "application/json"]),
       length=st.none() | st.integers(0, 250))  # fmt: skip
def test_no_bytes_in_another_protocol_cause_a_server_error(client, body, kind, length):
    headers = {"content-type": kind} | ({} if length is None else {"inference-header-content-length": str(length)})
    for path in OTHERS:
        assert client.send("POST", path, content=body, headers=headers).status_code < 500


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (PREDICT, {"rows": [{"temp": SECRET, "stops": SECRET, "dest": SECRET + "\0", "when": SECRET}]}),
        ("/deployments/late-api/invocations", {"inputs": {"temp": [SECRET], "stops": [SECRET]}}),
        ("/v2/models/late-api/infer", {"inputs": [
            {"name": "temp", "shape": [1], "datatype": "BYTES", "data": [SECRET]},
            {"name": "stops", "shape": [1], "datatype": "BYTES", "data": [SECRET]},
        ]}),
        (FEEDBACK, {"feedback": [{"request_id": "a", "label": SECRET}]}),
    ],
)  # fmt: skip
def test_no_value_is_told_back(client, path, body):
    answer = client.post(body, path=path)
    assert answer.status_code == 422
    assert SECRET not in answer.text
