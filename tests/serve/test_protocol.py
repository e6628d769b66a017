"""HTTP on the wire: ambiguous, oversized and slow requests end; ordinary ones go the short way, pipelined or not."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import closing, suppress

import pytest
import uvicorn

from modelyard.serve import protocol as http
from modelyard.serve.app import create
from modelyard.serve.worker import Worker

from .conftest import CHAMPION, SIGNATURE, Formula

TIMELESS = SIGNATURE | {"inputs": [each for each in SIGNATURE["inputs"] if each["type"] not in ("timestamp", "date")]}
PATH = "/deployments/late-api/predict"


@pytest.fixture
def served(yard):
    """A port that answers, and the gateway behind it."""
    yard.serve(CHAMPION, Formula(TIMELESS))
    yard.deploy()
    app = create(yard.gateway())
    config = uvicorn.Config(app, http=http.protocol(app), loop="uvloop", ws="none", lifespan="on", log_level="error")
    server = Worker(config, app, None)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    ready = threading.Event()
    while not server.started:
        ready.wait(0.01)
    yield listening.getsockname()[1], app
    server.should_exit = True
    thread.join()


def question(body: bytes = b"", *, head: str = "", path: str = PATH) -> bytes:
    body = body or json.dumps({"rows": [{"temp": 1.0, "stops": 1, "dest": "PDX", "night": False}]}).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1:1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n" + head.encode() + b"\r\n" + body


def exchange(port: int, sent: bytes, answers: int = 1) -> list[tuple[int, dict]]:
    """Status and body of each answer on one connection."""
    found = []
    with closing(socket.create_connection(("127.0.0.1", port), timeout=20)) as connection:
        connection.sendall(sent)
        reader = connection.makefile("rb")
        for _ in range(answers):
            status = int(reader.readline().split()[1])
            headers = {}
            while (line := reader.readline()) != b"\r\n":
                name, _, value = line.decode().partition(":")
                headers[name.strip()] = value.strip()
            found.append((status, json.loads(reader.read(int(headers["content-length"])) or b"{}")))
        if headers.get("connection") == "close":
            with suppress(ConnectionResetError):  # it was still sending
                assert reader.read() == b""
    return found


def test_an_ordinary_question_goes_the_short_way(served):
    port, app = served
    ((status, answer),) = exchange(port, question())
    assert (status, answer["predictions"], answer["arm"]) == (200, [2.0], "champion")
    assert app.batcher._lanes["late-api"].cost > 0
    assert app.gateway.deployed("late-api").ledger.known_rows([answer["request_id"]]) == {answer["request_id"]: 1}


def test_what_is_left_over_is_answered_by_the_pipeline(served):
    port, _ = served
    bad = b'{"rows":[{"temp":"x","stops":1,"dest":"PDX","night":false}]}'
    ((status, answer),) = exchange(port, question(bad))
    assert (status, answer["code"], answer["errors"][0]["pointer"]) == (422, "wrong_type", "/rows/0/temp")
    ((status, answer),) = exchange(port, question(head="X-Request-Id: mine\r\n"))
    assert (status, answer["request_id"]) == (200, "mine")


def test_pipelined_requests_are_answered_in_order(served):
    port, _ = served
    bad = b'{"rows":[]}'
    health = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    found = exchange(port, question() + question(bad) + health + question() + question(), 5)
    assert [status for status, _ in found] == [200, 422, 200, 200, 200]
    assert found[2][1] == {"status": "ok"}
    found = exchange(port, health + question(bad) + question(), 3)
    assert [status for status, _ in found] == [200, 422, 200]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (question(head="Transfer-Encoding: chunked\r\n"), 400),
        (question(head="Content-Length: 3\r\n"), 400),
        (question(head="Host: other\r\n"), 400),
        (question().replace(b"\r\n", b"\n"), 400),
        (b"nonsense\r\n\r\n", 400),
        (question(head="".join(f"X-{number}: 1\r\n" for number in range(100))), 431),
        (question(head=f"X-Long: {'x' * 17_000}\r\n"), 431),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 50_000, 431),
    ],
)
def test_ambiguous_and_oversized_heads_end_the_connection(served, sent, status):
    port, _ = served
    ((found, answer),) = exchange(port, sent)
    assert found == status and answer["status"] == status


def test_slow_heads_and_bodies_end(served, monkeypatch):
    port, _ = served
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(http, "BODY_SECONDS", 0.2)
    for sent in (b"", b"POST / HT", question()[:-5], question()):
        if sent.endswith(b"}"):
            assert exchange(port, sent)[0][0] == 200
        else:
            assert exchange(port, sent)[0][0] == 408


def test_too_many_waiting_are_refused_at_once(served, monkeypatch):
    port, app = served
    exchange(port, question())
    lane = app.batcher._lanes["late-api"]
    monkeypatch.setattr(type(lane), "full", True)
    ((status, answer),) = exchange(port, question())
    assert (status, answer["code"]) == (429, "overloaded")
    assert 'modelyard_refusals_total{code="overloaded",deployment="late-api"} 1' in app.numbers().body.decode()
