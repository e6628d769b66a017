"""The gateway over HTTP: every bad input of TRUST C gets its status and code, none a 5xx, and no value is echoed."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelyard.serve.app import create

CHAMPION = "a" * 64
PREDICT, FEEDBACK = "/deployments/late-api/predict", "/deployments/late-api/feedback"
JSON = {"content-type": "application/json"}


class Client:
    """Speaks to the application in this process."""

    def __init__(self, app):
        self.app = app

    def send(self, method, path, **how):
        async def go():
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(
                transport=transport, base_url=how.pop("base", "http://127.0.0.1:8601")
            ) as client:
                return await client.request(method, path, **how)

        return asyncio.run(go())

    def post(self, body, path=PREDICT, headers=None):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send("POST", path, content=content, headers={**JSON, **(headers or {})})


@pytest.fixture
def client(yard):
    yard.deploy(inputs={"temp": {"min": -50, "max": 60}, "dest": {"unknown": "accept"}}, max_rows=100)
    client = Client(create(yard.gateway(), max_body=100_000, read_seconds=0.05))
    yield client
    client.app.close()


def one(**values):
    return json.dumps({"rows": [{"temp": 1.0, "stops": 1, **values}]}).encode()


def raw(temp: str) -> bytes:
    return b'{"rows":[{"stops":1,"temp":' + temp.encode() + b"}]}"


def test_a_good_request(client):
    answer = client.post(one(dest="PDX"), headers={"x-request-id": "mine", "x-routing-key": "42"})
    assert answer.status_code == 200
    assert answer.headers["x-request-id"] == "mine"
    assert answer.json() == {
        "request_id": "mine", "release": CHAMPION, "arm": "champion", "predictions": [2.0], "warnings": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer"),
    [
        (b"", 400, "invalid_json", ""),
        (b"{", 400, "invalid_json", ""),
        (b'{"rows": [{"temp": "\xff"}]}', 400, "invalid_json", ""),
        ('{"rows": []}'.encode("utf-16"), 400, "invalid_json", ""),
        (b"\xef\xbb\xbf" + one(), 400, "invalid_json", ""),
        (raw("NaN"), 400, "invalid_json", ""),
        (raw("Infinity"), 400, "invalid_json", ""),
        (raw("-Infinity"), 400, "invalid_json", ""),
        (raw("1" * 5000), 400, "invalid_json", ""),
        (raw("1e999"), 422, "not_finite", "/rows/0/temp"),
        (raw("-1e999"), 422, "not_finite", "/rows/0/temp"),
        (b'{"rows":[{"temp":1,"temp":2}]}', 400, "duplicate_key", ""),
        (b'{"rows":[{"temp":1,"stops":1}],"rows":[{"temp":1,"stops":1}]}', 400, "duplicate_key", ""),
        (b'{"rows":[{"temp":1,"stops":1,"when":"2013-01-01T00:00","temp":1}]}', 400, "duplicate_key", ""),
        (raw("[" * 40 + "]" * 40), 400, "too_deep", ""),
        (b"[" * 90_000, 400, "too_deep", ""),
        (b'{"columns":{"stops":1,"temp":' + b"[" * 32 + b"]" * 32 + b"}}", 400, "too_deep", ""),
        (one(stops=2**63), 422, "out_of_bounds", "/rows/0/stops"),
        (one(stops=10**30), 422, "out_of_bounds", "/rows/0/stops"),
        (raw("1" * 30), 422, "out_of_bounds", "/rows/0/temp"),
        (one(temp="1.5"), 422, "wrong_type", "/rows/0/temp"),
        (one(temp="1_000"), 422, "wrong_type", "/rows/0/temp"),
        (one(temp=True), 422, "wrong_type", "/rows/0/temp"),
        (one(temp=[1]), 422, "wrong_type", "/rows/0/temp"),
        (one(temp={"a": 1}), 422, "wrong_type", "/rows/0/temp"),
        (one(stops=1.5), 422, "wrong_type", "/rows/0/stops"),
        (one(stops=False), 422, "wrong_type", "/rows/0/stops"),
        (one(night=1), 422, "wrong_type", "/rows/0/night"),
        (one(night="true"), 422, "wrong_type", "/rows/0/night"),
        (one(dest=1), 422, "wrong_type", "/rows/0/dest"),
        (one(when="yesterday"), 422, "wrong_type", "/rows/0/when"),
        (one(when=1356998400), 422, "wrong_type", "/rows/0/when"),
        (one(when="0001-01-01T00:00:00+14:00"), 422, "out_of_bounds", "/rows/0/when"),
        (one(day="2013-02-30"), 422, "wrong_type", "/rows/0/day"),
        (b'{"rows":[{"temp":1,"stops":1,"dest":"\\ud800"}]}', 422, "invalid_string", "/rows/0/dest"),
        (b'{"rows":[{"temp":1,"stops":1,"dest":"a\\u0000b"}]}', 422, "invalid_string", "/rows/0/dest"),
        (b'{"rows":[{"temp":1,"stops":1,"\\ud800":1}]}', 422, "invalid_string", "/rows/0/\ud800"),
        (b'{"rows":[{"stops":1}]}', 422, "missing", "/rows/0/temp"),
        (one(temp=None), 422, "null_not_allowed", "/rows/0/temp"),
        (b'{"columns":{"stops":[1,2]}}', 422, "missing", "/columns/temp"),
        (b'{"columns":{"stops":[1,2],"temp":[1,null]}}', 422, "null_not_allowed", "/columns/temp/1"),
        (b'{"columns":{"stops":[1,2],"temp":[1,"x"]}}', 422, "wrong_type", "/columns/temp/1"),
        (one(colour="red"), 422, "unknown_feature", "/rows/0/colour"),
        (b'{"columns":{"stops":[1],"temp":[1],"a/b":[1]}}', 422, "unknown_feature", "/columns/a~1b"),
        (one(temp=61), 422, "out_of_bounds", "/rows/0/temp"),
        (one(flight="x"), 422, "wrong_type", "/rows/0/flight"),
        (one(time_hour="x"), 422, "wrong_type", "/rows/0/time_hour"),
        (b"[]", 422, "wrong_shape", ""),
        (b"1", 422, "wrong_shape", ""),
        (b"null", 422, "wrong_shape", ""),
        (b"{}", 422, "wrong_shape", ""),
        (b'{"rows":{}}', 422, "wrong_shape", "/rows"),
        (b'{"rows":[]}', 422, "wrong_shape", "/rows"),
        (b'{"rows":null}', 422, "wrong_shape", "/rows"),
        (b'{"rows":[1]}', 422, "wrong_shape", "/rows/0"),
        (b'{"rows":[[1]]}', 422, "wrong_shape", "/rows/0"),
        (b'{"columns":{}}', 422, "wrong_shape", "/columns"),
        (b'{"columns":[]}', 422, "wrong_shape", "/columns"),
        (b'{"columns":{"temp":1}}', 422, "wrong_shape", "/columns/temp"),
        (b'{"columns":{"temp":[1],"stops":[1,2]}}', 422, "wrong_shape", "/columns"),
        (b'{"columns":{"temp":[],"stops":[]}}', 422, "wrong_shape", "/columns"),
        (b'{"rows":[{"temp":1,"stops":1}],"columns":{}}', 422, "wrong_shape", ""),
        (b'{"rows":[{"temp":1,"stops":1}],"more":1}', 422, "wrong_shape", ""),
        (json.dumps({"rows": [{"temp": 1, "stops": 1}] * 101}).encode(), 413, "too_many_rows", None),
        (b" " * 100_001, 413, "body_too_large", None),
    ],
)
def test_bad_bodies(client, body, status, code, pointer):
    answer = client.post(body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "code", "request_id", "errors", "instance"}
    assert problem["request_id"] == answer.headers["x-request-id"]
    if pointer is not None:
        assert problem["errors"][0]["pointer"] == pointer


def test_all_faults_are_told_at_once_with_their_places(client):
    rows = [{"temp": "SECRET", "stops": 1}, {"temp": 1.0}, {"temp": 1, "stops": 1, "colour": "SECRET"}, {"stops": None}]
    answer = client.post({"rows": [*rows[:2], rows[3]]})
    assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [
        ("/rows/0/temp", "wrong_type"), ("/rows/1/stops", "missing"), ("/rows/2/stops", "null_not_allowed"),
        ("/rows/2/temp", "missing"),
    ]  # fmt: skip
    assert "SECRET" not in answer.text
    assert "SECRET" not in client.post({"rows": rows}).text
    assert len(client.post({"rows": [{"temp": "x", "stops": "x"}] * 100}).json()["errors"]) == 100


@pytest.mark.parametrize(
    ("values", "warning"),
    [({"temp": 41.0}, "out_of_range"), ({"stops": -1}, "out_of_range"), ({"dest": "Zürich"}, "unknown_category")],
)
def test_what_training_did_not_see_is_answered_with_a_warning(client, values, warning):
    answer = client.post(one(**values))
    assert answer.status_code == 200
    assert answer.json()["warnings"] == [{"row": 0, "pointer": f"/rows/0/{next(iter(values))}", "code": warning}]


def test_integers_are_numbers_and_whole_numbers_integers(client):
    assert client.post(one(temp=1, stops=1.0)).json()["predictions"] == [2.0]


def test_times_with_and_without_zone(client):
    assert client.post(one(when="2013-02-01T00:00:00", day="2013-02-01")).status_code == 200
    assert client.post(one(when="2013-02-01T00:00:00+02:00")).status_code == 200


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        ({"method": "GET", "path": PREDICT}, 405, "method_not_allowed"),
        ({"method": "PUT", "path": PREDICT}, 405, "method_not_allowed"),
        ({"method": "POST", "path": "/healthz"}, 405, "method_not_allowed"),
        ({"path": "/deployments/nope/predict"}, 404, "unknown_deployment"),
        ({"path": "/deployments/other/late-api/predict"}, 404, "not_found"),
        ({"path": "/deployments/late-api/predict/"}, 404, "not_found"),
        ({"path": "/deployments/..%2f..%2fetc/predict"}, 404, None),
        ({"path": "/"}, 404, "not_found"),
        ({"headers": {"content-type": "text/plain"}}, 415, "unsupported_media_type"),
        ({"headers": {"content-type": "application/octet-stream"}}, 415, "unsupported_media_type"),
        ({"headers": {"content-type": "application/json; charset=utf-16"}}, 415, "unsupported_media_type"),
        ({"headers": {**JSON, "content-encoding": "gzip"}}, 415, "unsupported_encoding"),
        ({"headers": {**JSON, "x-request-id": "has blank"}}, 400, "bad_request_id"),
        ({"headers": {**JSON, "x-request-id": "x" * 201}}, 400, "bad_request_id"),
        ({"headers": {**JSON, "x-routing-key": "x" * 1001}}, 400, "bad_routing_key"),
        ({"headers": {**JSON, "origin": "https://evil.example"}}, 403, "foreign_origin"),
        ({"headers": {**JSON, **{f"x-{n}": "1" for n in range(101)}}}, 431, "headers_too_large"),
        ({"headers": {**JSON, "x-long": "1" * 17_000}}, 431, "headers_too_large"),
        ({"base": "http://evil.example"}, 421, "wrong_host"),
        ({"base": "http://127.0.0.1.evil.example:8601"}, 421, "wrong_host"),
    ],
)
def test_bad_heads(client, how, status, code):
    how = {"method": "POST", "path": PREDICT, "headers": JSON, "content": one()} | how
    answer = client.send(how.pop("method"), how.pop("path"), **how)
    assert answer.status_code == status
    assert code is None or answer.json()["code"] == code


def test_the_project_may_stand_before_the_deployment(client):
    assert client.post(one(), path="/deployments/flights/late-api/predict").status_code == 200


def test_a_chunked_body_is_cut_off_at_the_limit_and_a_slow_one_in_time(client):
    read = []

    async def endless():
        while True:
            read.append(1)
            yield b" " * 10_000

    async def slow():
        yield b"{"
        await asyncio.sleep(30)

    assert client.send("POST", PREDICT, content=endless(), headers=JSON).status_code == 413
    assert len(read) < 15
    answer = client.send("POST", PREDICT, content=slow(), headers=JSON)
    assert answer.status_code == 408
    assert answer.headers["connection"] == "close"


def test_a_reused_request_id(client):
    assert (
        client.post(one(), headers={"x-request-id": "a"}).json()
        == client.post(one(), headers={"x-request-id": "a"}).json()
    )
    other = client.post(one(temp=2.0), headers={"x-request-id": "a"})
    assert (other.status_code, other.json()["code"]) == (409, "request_id_reused")


def test_readiness_tells_the_revision(yard, client):
    assert client.send("GET", "/healthz").json() == {"status": "ok"}
    answer = client.send("GET", "/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "deployments": {"late-api": {"revision": 1, "ready": True, "error": ""}}}
    yard.deploy({"champion": ("c" * 64, 1.0)}, name="broken")
    client.app.gateway.refresh()
    answer = client.send("GET", "/readyz")
    assert answer.status_code == 503
    assert answer.json()["deployments"]["broken"]["ready"] is False
    assert client.post(one(), path="/deployments/broken/predict").status_code == 503


def test_metrics(client):
    client.post(one())
    client.post(one(temp="x"))
    text = client.send("GET", "/metrics").text
    assert 'modelyard_requests_total{deployment="late-api",operation="predict",status="200"} 1' in text
    assert 'modelyard_refusals_total{code="wrong_type",deployment="late-api"} 1' in text
    assert 'modelyard_request_seconds_count{deployment="late-api",operation="predict"} 2' in text
    assert 'modelyard_revision{deployment="late-api"} 1' in text


def test_labels_over_http(client):
    client.post(one(), headers={"x-request-id": "a"})
    body = {"feedback": [{"request_id": "a", "row": 0, "label": 3.5}]}
    assert client.post(body, path=FEEDBACK).json() == {"results": [{"request_id": "a", "row": 0, "status": 200}]}
    assert client.post(body, path=FEEDBACK).status_code == 200
    early = client.post({"feedback": [{"request_id": "b", "label": 3}]}, path=FEEDBACK)
    assert (early.status_code, early.json()["results"][0]["status"]) == (202, 202)
    other = client.post({"feedback": [{"request_id": "a", "row": 0, "label": 4}]}, path=FEEDBACK)
    assert (other.status_code, other.json()["results"][0]["status"]) == (409, 409)
    wrong = client.post({"feedback": [{"request_id": "a", "label": "4"}, {"row": 1, "label": 4}]}, path=FEEDBACK)
    assert wrong.status_code == 422
    assert [each["pointer"] for each in wrong.json()["errors"]] == ["/feedback/0/label", "/feedback/1/request_id"]


def test_shadows_of_a_server_come_after_the_answer(yard, client):
    yard.deploy(shadows={"challenger": ("b" * 64, 1.0)})
    client.app.gateway.refresh()
    model = yard.releases["b" * 64].model
    model.calls.clear()
    assert client.post(one()).json()["arm"] == "champion"
    client.app.shadows.join()
    assert model.calls == [1]


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
