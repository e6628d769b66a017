"""The OpenAPI documents: real columns, examples that work, and requests made from the document."""

from __future__ import annotations

import json

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

PREDICT = "/deployments/late-api/predict"
OPENAPI = "/deployments/late-api/openapi.json"
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]


@pytest.fixture
def client(yard):
    yard.deploy(inputs={"temp": {"min": -50, "max": 10}, "dest": {"unknown": "reject"}, "stops": {"missing": "median"}})
    return yard.client()


def test_it_has_the_columns_with_types_ranges_and_categories(client):
    document = client.send("GET", OPENAPI).json()
    row = document["components"]["schemas"]["Row"]
    assert row["required"] == ["temp"]
    assert row["additionalProperties"] is False
    assert set(row["properties"]) == {"temp", "stops", "dest", "night", "when", "day", "flight", "time_hour"}
    assert row["properties"]["temp"] == {
        "type": "number", "minimum": -50, "maximum": 10,
        "description": "in training from -10.0 to 40.0; outside: warn; missing: reject",
    }  # fmt: skip
    assert row["properties"]["dest"]["enum"] == ["SEA", "PDX", None]
    assert row["properties"]["stops"]["type"] == ["integer", "null"]
    assert document["info"] == {"title": "late-api", "version": "late@1", "description": "Answered by Modelyard."}
    assert client.send("GET", "/deployments/nope/openapi.json").status_code == 404


def test_its_examples_work(client):
    paths = client.send("GET", OPENAPI).json()["paths"]
    for path, item in paths.items():
        if "get" in item:
            assert client.send("GET", path).status_code == 200
            continue
        example = item["post"]["requestBody"]["content"]["application/json"]["example"]
        answer = client.post(example, path=path)
        assert answer.status_code == (202 if path.endswith("feedback") else 200), answer.text
        said = answer.json()
        assert said.get("warnings", []) == [] and "warnings" not in said.get("parameters", {})


def test_every_refusal_that_it_names_is_a_problem(client):
    answers = client.send("GET", OPENAPI).json()["paths"][PREDICT]["post"]["responses"]
    assert {"200", "400", "404", "406", "409", "413", "415", "422", "429", "503", "504"} <= answers.keys()


PUBLIC = schemathesis.GenerationMode


def operations(document):
    return {each.ok().label: each.ok() for each in schemathesis.openapi.from_dict(document).get_all_operations()}


@pytest.mark.parametrize("mode", [PUBLIC.POSITIVE, PUBLIC.NEGATIVE], ids=["as-described", "otherwise"])
def test_requests_made_from_the_document_are_answered_as_it_says(client, mode):
    found = operations(client.send("GET", OPENAPI).json())
    assert len(found) == 9
    statuses = set()
    for operation in found.values():
        if mode is PUBLIC.NEGATIVE and operation.method.upper() == "GET":
            continue  # there is nothing in it that could be otherwise

        @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case):
            answer = send(client, case)
            statuses.add(answer.status_code)
            case.validate_response(answer, checks=CHECKS)

        ask()
    assert (200 if mode is PUBLIC.POSITIVE else 422) in statuses


def send(client, case):
    """A generated request, to the application in this process."""
    sent = case.as_transport_kwargs(base_url="http://127.0.0.1:8601")
    method, url = sent.pop("method"), sent.pop("url")
    headers = {name: value.encode("utf-8", "replace") for name, value in (sent.pop("headers", None) or {}).items()}
    content = sent.pop("data", None)
    if "json" in sent:
        content = json.dumps(sent.pop("json"))
        headers.setdefault("content-type", b"application/json")
    content = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return client.send(method, httpx.URL(url).path, content=content, headers=headers)
