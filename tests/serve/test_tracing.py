"""Spans, as a collector receives them, and log lines, as a shipper reads them: who, when and how long, never what."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from modelyard.serve import lines
from modelyard.serve.app import create
from modelyard.serve.batch import Asked

from .conftest import CHAMPION, SIGNATURE, Client, Formula

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TIMELESS = SIGNATURE | {"inputs": [each for each in SIGNATURE["inputs"] if each["type"] not in ("timestamp", "date")]}


@pytest.fixture
def collector(monkeypatch) -> Iterator[list]:
    """What an OpenTelemetry collector got: spans."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    got: list = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                import gzip

                data = gzip.decompress(data)
            for resource in ExportTraceServiceRequest.FromString(data).resource_spans:
                for scope in resource.scope_spans:
                    got.extend(scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Not a word."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield got
    server.shutdown()
    thread.join()
    server.server_close()


def in_batch(app, bodies: list[bytes]) -> list[Asked]:
    """Ask as the protocol does."""

    async def go() -> list[Asked]:
        lane, loop = app.batcher.lane("late-api"), asyncio.get_running_loop()
        asked = [Asked(body, None, app.gateway.clock.monotonic()) for body in bodies]
        done = [loop.create_future() for _ in asked]
        for each, future in zip(asked, done, strict=True):
            each.trace = PARENT
            app.batcher.add(lane, each, lambda _, future=future: future.set_result(None))
        await asyncio.gather(*done)
        return asked

    return asyncio.run(go())


def test_each_request_is_a_span_with_its_steps_below_and_no_value_in_it(yard, collector):
    yard.serve(CHAMPION, Formula(TIMELESS))
    yard.deploy()
    app = create(yard.gateway())
    row = {"temp": 31.25, "stops": 1, "dest": "PDX", "night": False}
    body = json.dumps({"rows": [row]}).encode()
    Client(app).post(body, headers={"traceparent": PARENT, "x-request-id": "mine"})
    asked = in_batch(app, [body, body])
    app.close()
    by_id = {each.span_id: each for each in collector}
    below: dict[str, set[str]] = {}
    for each in collector:
        if each.parent_span_id in by_id:
            below.setdefault(by_id[each.parent_span_id].name, set()).add(each.name)
    assert {"decode", "route", "policy", "predict", "log", "answer"} <= below["predict late-api"]
    assert {"decode", "route", "policy", "predict", "log", "answer"} <= below["batch late-api"]
    requests = [each for each in collector if each.name == "predict late-api"]
    assert [each.trace_id.hex() for each in requests] == [PARENT.split("-")[1]] * 3
    told = [{one.key: one.value.string_value or one.value.int_value for one in each.attributes} for each in requests]
    assert {each["modelyard.request_id"] for each in told} == {"mine", *(each.id for each in asked)}
    assert {each["http.response.status_code"] for each in told} == {200}
    (batch,) = [each for each in collector if each.name == "batch late-api"]
    linked = [each for each in requests if each.links]
    assert [each.links[0].span_id for each in linked] == [batch.span_id] * 2
    assert b"31.25" not in b"".join(each.SerializeToString() for each in collector)
    assert b"PDX" not in b"".join(each.SerializeToString() for each in collector)


@pytest.mark.parametrize("off", [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"}])
def test_unless_it_is_told_where_to_nothing_is_traced(yard, monkeypatch, off):
    for name, value in off.items():
        monkeypatch.setenv(name, value)
    app = create(yard.gateway())
    assert app.tracing is None and app.batcher.tracing is None
    app.close()


def test_a_line_of_the_log_is_json_and_tells_no_value_of_an_exception():
    record = logging.LogRecord("modelyard.serve", logging.ERROR, __file__, 1, "request %s failed", ("r1",), None)
    try:
        raise ValueError("the secret 31.25")
    except ValueError as error:
        record.exc_info = (type(error), error, error.__traceback__)
    line = json.loads(lines.Lines().format(record))
    assert line["message"] == "request r1 failed" and line["exception"] == "ValueError"
    assert "test_tracing.py" in line["where"][0] and "secret" not in json.dumps(line)


def test_one_line_per_request_only_by_setting(yard, caplog):
    yard.serve(CHAMPION, Formula(TIMELESS))
    yard.deploy()
    row = {"temp": 31.25, "stops": 1, "dest": "PDX", "night": False}
    body = json.dumps({"rows": [row]}).encode()
    for level, wanted in ((logging.WARNING, 0), (logging.INFO, 3)):
        with caplog.at_level(level, "modelyard.access"):
            app = create(yard.gateway())
            client = Client(app)
            client.post(body)
            client.post({"rows": [{"temp": "31.25"}]})
            in_batch(app, [body])
            app.close()
        told = [json.loads(lines.Lines().format(each)) for each in caplog.records if each.name == "modelyard.access"]
        assert len(told) == wanted
        assert {each["status"] for each in told} == ({200, 422} if wanted else set())
        assert all({"request_id", "deployment", "ms"} <= set(each) for each in told)
        assert "31.25" not in json.dumps(told)
