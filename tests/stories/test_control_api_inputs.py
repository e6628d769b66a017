"""The control API and what nobody should send it: no input causes a server error, and no value comes back in an answer."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from shop_project import Shop

from modelyard.api.context import Context
from modelyard.api.http import create
from modelyard.api.routes import OPERATIONS

SLOW = {"apply", "simulate", "release_reproduce", "monitor_run", "plan", "validate"}
"""Operations that work for long, whatever they are told: their arguments are read in the same way as the others'."""


def names(*, method: str) -> list[str]:
    return [each.path for each in OPERATIONS if each.remote and each.method == method and each.name not in SLOW]


class Api:
    """The control API of a shop, in this process."""

    def __init__(self, shop: Shop) -> None:
        self.app = create(Context.of(shop.directory))

    def send(self, method, path, **how):
        async def go():
            transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8600") as client:
                return await client.request(method, path if path == "/healthz" else f"/api/v1{path}", **how)

        return asyncio.run(go())

    def post(self, path, body):
        return self.send("POST", path, content=body, headers={"content-type": "application/json"})


@pytest.fixture(scope="module")
def api(applied_shop) -> Api:
    return Api(Shop(applied_shop))


@pytest.mark.parametrize("path", names(method="POST"))
@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"1", b"null", b"\xff", b"\xef\xbb\xbf{}", '{"ref": "a"}'.encode("utf-16"),
        b'{"ref": NaN}', b'{"ref": Infinity}', b'{"ref": 1e999}', b'{"ref": "\\ud800"}', b'{"\\ud800": 1}',
        b'{"ref": "a\\u0000b"}', b'{"ref": ' + b"[" * 900 + b"]" * 900 + b"}", b'{"ref": ' + b"1" * 5000 + b"}",
        b'{"deployment": "\\ud800", "reason": "x"}', b'{"ref": "a", "ref": "b"}', b'{"ref": {}, "reason": []}',
        b"[" * 100_000, b'{"time": "2024-01-01", "value": 1' + b"0" * 400 + b"}",
    ],
)  # fmt: skip
def test_bad_bodies_are_the_callers_fault(api, path, body):
    answer = api.post(path, body)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["detail"] != "Not Found", "the route itself is there"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"]


texts = st.text(st.characters(), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
arguments = st.dictionaries(
    st.sampled_from(
        ["ref", "reason", "deployment", "id", "a", "b", "name", "limit", "number", "note", "time", "value", "values"]
    )
    | texts,
    values,
)
SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SETTINGS
@given(path=st.sampled_from(names(method="POST")), body=arguments | values)
def test_no_document_causes_a_server_error(api, path, body):
    assert api.post(path, json.dumps(body).encode()).status_code < 500


@SETTINGS
@given(
    path=st.sampled_from(names(method="GET")),
    query=st.dictionaries(texts, texts, max_size=3),
    actor=st.binary(max_size=9),
)
def test_no_query_causes_a_server_error(api, path, query, actor):
    params = {
        name.encode("utf-8", "replace").decode(): value.encode("utf-8", "replace").decode()
        for name, value in query.items()
    }
    answer = api.send("GET", path, params=params, headers={b"x-yard-actor": actor})
    assert answer.status_code < 500


@SETTINGS
@given(path=st.sampled_from(names(method="POST")), body=st.binary(max_size=100))
def test_no_bytes_cause_a_server_error(api, path, body):
    assert api.post(path, body).status_code < 500


def test_requests_made_from_its_document_cause_no_server_error(api):
    schema = schemathesis.openapi.from_dict(api.send("GET", "/openapi.json").json())
    slow = {each.path for each in OPERATIONS if each.name in SLOW}
    found = [each.ok() for each in schema.get_all_operations()]
    quick = [each for each in found if each.path.removeprefix("/api/v1") not in slow]
    assert len(quick) >= 12
    for operation in quick:

        @settings(max_examples=4, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def ask(case):
            sent = case.as_transport_kwargs(base_url="http://127.0.0.1:8600")
            headers = {"content-type": "application/json"} if case.method != "GET" else {}
            path = httpx.URL(sent["url"]).raw_path.partition(b"?")[0].decode().removeprefix("/api/v1")
            content = json.dumps(sent["json"]) if "json" in sent else None
            answer = api.send(case.method, path, content=content, params=sent.get("params"), headers=headers)
            case.validate_response(answer, checks=[not_a_server_error])

        ask()
