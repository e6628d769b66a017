"""The client: rows and frames in, typed answers out; what is tried again, for how long, and what comes of refusals."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import httpx
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from modelyard import client as asked
from modelyard.client import AsyncClient, Budget, Client, Label, Prediction, Warned

CHAMPION = "a" * 64
OK = {"request_id": "x", "release": "r", "arm": "champion", "predictions": [1.0], "warnings": []}


@pytest.fixture
def app(yard):
    yard.deploy(max_rows=100)
    return yard.client().app


@pytest.fixture
def gateway(app):
    """A client whose network is the application in this process."""

    def handle(request):
        async def go():
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as inner:
                answer = await inner.send(request)
                return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

        return asyncio.run(go())

    with Client(transport=httpx.MockTransport(handle)) as client:
        yield client


ROWS = [{"temp": 10.0, "stops": 1, "dest": "SEA"}, {"temp": 20.0, "stops": 2, "dest": None}]
FRAME = pd.DataFrame(ROWS)


@pytest.mark.parametrize(
    "data",
    [
        ROWS,
        tuple(ROWS),
        {"temp": [10.0, 20.0], "stops": np.array([1, 2]), "dest": ["SEA", None]},
        FRAME,
        FRAME.astype({"dest": "category"}),
        pa.Table.from_pylist(ROWS),
        [{"temp": np.float32(10), "stops": np.int64(1), "dest": "SEA", "night": float("nan")}, ROWS[1]],
    ],
    ids=["rows", "tuple", "columns", "pandas", "categories", "arrow", "numpy"],
)
def test_rows_and_frames_of_every_kind_are_answered_alike(gateway, data):
    answer = gateway.predict("late-api", data, request_id="mine")
    assert answer == Prediction("mine", CHAMPION, "champion", (111.0, 22.0))


def test_a_frame_of_texts_that_are_kept_as_views(gateway):
    views = pa.table({"temp": [1.0], "stops": [1], "dest": pa.array(["SEA"], pa.string_view())})
    frame = pl.DataFrame({"temp": [1.0], "stops": [1], "dest": ["SEA"]})
    kinds = (pl.Categorical, pl.Enum(["PDX", "SEA"]))
    for data in (views, *(frame.with_columns(pl.col("dest").cast(kind)) for kind in kinds)):
        assert gateway.predict("late-api", data).predictions == (102.0,)


def test_warnings_and_faults_are_typed(gateway):
    answer = gateway.predict("late-api", [{"temp": 99, "stops": 1}])
    assert answer.warnings == (Warned(0, "/rows/0/temp", "out_of_range"),)
    with pytest.raises(asked.BadRequest, match="wrong_type") as refused:
        gateway.predict("late-api", [{"temp": "SECRET", "stops": 1}])
    assert refused.value.faults == (asked.Fault("/rows/0/temp", "wrong_type", "number"),)
    assert refused.value.request_id
    with pytest.raises(asked.NotThere):
        gateway.predict("nope", ROWS)
    gateway.predict("late-api", ROWS, request_id="one")
    with pytest.raises(asked.Conflict):
        gateway.predict("late-api", ROWS[:1], request_id="one")
    with pytest.raises(ValueError, match="infinite"):
        gateway.predict("late-api", [{"temp": float("inf")}])
    with pytest.raises(TypeError, match="no table"):
        gateway.predict("late-api", "rows")


def test_labels_health_and_readiness(gateway):
    answer = gateway.predict("late-api", ROWS)
    labels = [Label(3.5, request_id=answer.request_id, row=1), Label(1.0, request_id="unknown")]
    assert [each.status for each in gateway.feedback("late-api", labels)] == [200, 202]
    again = gateway.feedback("late-api", [Label(4.0, request_id=answer.request_id, row=1)])
    assert [(each.status, each.row) for each in again] == [(409, 1)]
    corrected = gateway.feedback("late-api", [Label(4.0, request_id=answer.request_id, row=1, correct=True)])
    assert [each.status for each in corrected] == [200]
    assert (gateway.healthy(), gateway.ready(), gateway.ready("late-api"), gateway.ready("nope")) == (
        True,
        True,
        True,
        False,
    )
    gateway.wait_ready("late-api", timeout=1)


def test_the_asynchronous_client_is_the_same(app):
    async def go():
        async with AsyncClient(transport=httpx.ASGITransport(app=app)) as client:
            await client.wait_ready()
            answers = await asyncio.gather(*(client.predict("late-api", ROWS) for _ in range(5)))
            with pytest.raises(asked.BadRequest):
                await client.predict("late-api", [])
            labels = [Label(1.0, request_id=answers[0].request_id)]
            return answers, await client.feedback("late-api", labels), await client.healthy(), await client.ready()

    answers, labels, healthy, ready = asyncio.run(go())
    assert {answer.predictions for answer in answers} == {(111.0, 22.0)}
    assert len({answer.request_id for answer in answers}) == 5
    assert ([each.status for each in labels], healthy, ready) == ([200], True, True)


class Server:
    """Gives prepared answers, one a request (an exception is raised), and keeps what it was asked and what was waited."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.ids, self.waits = [], []

    def handle(self, request):
        self.ids.append(request.headers["x-request-id"])
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        return httpx.Response(status, headers=headers, json=OK if status == 200 else {"code": "overloaded"})

    def client(self, **options):
        return Client(transport=httpx.MockTransport(self.handle), sleep=self.waits.append, seed=1, **options)


@pytest.mark.parametrize("first", [429, 503, 504, httpx.ConnectError("refused"), httpx.RemoteProtocolError("gone")])
def test_what_may_succeed_is_tried_again_with_the_same_id(first):
    server = Server(first, first, 200)
    assert server.client().predict("late-api", ROWS).predictions == (1.0,)
    assert len(server.ids) == 3 and len(set(server.ids)) == 1
    assert all(0 <= wait <= 0.2 for wait in server.waits)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, asked.BadRequest), (404, asked.NotThere), (409, asked.Conflict), (422, asked.BadRequest), (500, asked.Failed), (502, asked.Failed)],
)  # fmt: skip
def test_what_would_fail_again_is_not_tried_again(status, kind):
    server = Server(status)
    with pytest.raises(kind):
        server.client().predict("late-api", ROWS)
    assert server.waits == []


def test_retry_after_is_honoured_and_the_deadline_too():
    server = Server((429, {"retry-after": "3"}), 200)
    server.client().predict("late-api", ROWS)
    assert server.waits == [3.0]
    late = Server((429, {"retry-after": "30"}))
    with pytest.raises(asked.Overloaded) as refused:
        late.client().predict("late-api", ROWS, deadline=5)
    assert (refused.value.retry_after, late.waits) == (30.0, [])


def test_tries_end_and_time_does():
    server = Server(*[503] * 9)
    with pytest.raises(asked.Unavailable):
        server.client(tries=3).predict("late-api", ROWS)
    assert len(server.ids) == 3
    with pytest.raises(asked.TooLate):
        Server(httpx.ReadTimeout("")).client().predict("late-api", ROWS)
    with pytest.raises(asked.TooLate):
        Server(200).client().predict("late-api", ROWS, deadline=0)


def test_an_answer_that_drips_ends_at_the_deadline():
    class Drip(httpx.SyncByteStream):
        def __iter__(self):
            while True:
                yield b" "

    drip = httpx.MockTransport(lambda request: httpx.Response(200, stream=Drip()))
    with pytest.raises(asked.TooLate):
        Client(transport=drip).predict("late-api", ROWS, deadline=0.05)


def test_retries_stay_within_the_budget():
    """A dead server is asked 20% more, and 10 times a second: not four times as much."""
    now = [0.0]
    server = Server(*[503] * 10_000)
    client = server.client(budget=Budget(monotonic=lambda: now[0]))
    for _ in range(1_000):
        with pytest.raises(asked.Unavailable):
            client.predict("late-api", ROWS)
    assert 1_000 < len(server.ids) <= 1_000 * 1.2 + 10
    before = len(server.ids)
    now[0] += 1.0
    for _ in range(10):
        with pytest.raises(asked.Unavailable):
            client.predict("late-api", ROWS)
    assert 18 <= len(server.ids) - before <= 24


def test_nothing_of_the_server_is_imported():
    heavy = "{'sklearn', 'duckdb', 'pandas', 'pyarrow', 'numpy', 'fastapi', 'sqlalchemy'}"
    code = f"import sys, modelyard.client; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
