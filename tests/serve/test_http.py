"""The gateway over HTTP: answers, labels, readiness, metrics. What it refuses: test_bad_inputs.py."""

from __future__ import annotations

import json

import pytest

CHAMPION = "a" * 64
PREDICT, FEEDBACK = "/deployments/late-api/predict", "/deployments/late-api/feedback"


@pytest.fixture
def client(yard):
    yard.deploy(inputs={"temp": {"min": -50, "max": 60}, "dest": {"unknown": "accept"}}, max_rows=100)
    return yard.client()


def one(**values):
    return json.dumps({"rows": [{"temp": 1.0, "stops": 1, **values}]}).encode()


def test_a_good_request(client):
    answer = client.post(one(dest="PDX"), headers={"x-request-id": "mine", "x-routing-key": "42"})
    assert answer.status_code == 200
    assert answer.headers["x-request-id"] == "mine"
    assert answer.json() == {
        "request_id": "mine", "release": CHAMPION, "arm": "champion", "predictions": [2.0], "warnings": [],
    }  # fmt: skip


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


def test_integers_are_numbers_and_whole_numbers_integers(client):
    assert client.post(one(temp=1, stops=1.0)).json()["predictions"] == [2.0]


def test_times_with_and_without_zone(client):
    assert client.post(one(when="2013-02-01T00:00:00", day="2013-02-01")).status_code == 200
    assert client.post(one(when="2013-02-01T00:00:00+02:00")).status_code == 200


def test_the_project_may_stand_before_the_deployment(client):
    assert client.post(one(), path="/deployments/flights/late-api/predict").status_code == 200


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
