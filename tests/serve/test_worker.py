"""A real gateway process with a real model: killed, stopped, rolled back; what it acknowledged stands."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

from modelyard import models
from modelyard.clock import RealClock
from modelyard.digest import canonical, digest
from modelyard.models import compiling
from modelyard.models import signature as signatures
from modelyard.records import Deployment, Release
from modelyard.serve import Gateway, move
from modelyard.spec.deployments import DeploymentSpec
from modelyard.store import open_store, predictions

ROWS = pa.table({"x": np.linspace(-1, 1, 50), "z": np.linspace(1, 0, 50), "late": np.arange(50) % 3 == 0})

PATIENCE = 120.0


def release(store, number: int, at: datetime, *, compiled: bool = False) -> str:
    """Record release `number` of a logistic regression; its digest."""
    signature = signatures.infer(ROWS, ["x", "z"], "late", "binary_classification", True)
    model = LogisticRegression(C=number).fit(ROWS.select(["x", "z"]).to_pandas(), np.asarray(ROWS["late"]).astype(int))
    directory = store.files / f"model-{number}"
    models.save(model, directory, signature=signature)
    if compiled:
        native = models.load(directory, signature=signature)
        assert compiling.compile(native, directory, ROWS, signature, 1e-4)["kept"]
    baseline = models.Baseline.of(ROWS, np.asarray(ROWS["late"]).astype(int), [], signature)
    body = {
        "signature": store.blobs.put(canonical(signature)), "artefact": store.blobs.put_tree(directory),
        "baseline": store.blobs.put(baseline.to_json()),
    }  # fmt: skip
    with store.transaction(actor="test", action="release.created", subject="late") as transaction:
        transaction.add(
            Release(
                model="late",
                number=number,
                digest=digest(body),
                state="live",
                created=at,
                as_of=at,
                author="test",
                body=body,
            )
        )
    return digest(body)


def deploy(store, champion: str, warm: list[str], at: datetime) -> None:
    """Route everything to one release."""
    routes = {
        "arms": [{"arm": "champion", "release": champion, "weight": 1.0}], "shadows": [], "warm": warm, "salt": "s",
    }  # fmt: skip
    policy = DeploymentSpec(model="late").model_dump(mode="json", by_alias=True)
    with store.transaction(actor="test", action="rollout.replaced", subject="late-api") as transaction:
        before = transaction.one(Deployment, name="late-api")
        if before is not None:
            transaction.change(Deployment, {"name": "late-api"}, routes=routes, revision=before.revision + 1, at=at)
        else:
            transaction.add(Deployment(name="late-api", model="late", revision=1, routes=routes, policy=policy, at=at))


@pytest.fixture
def store(tmp_path):
    at = datetime.now(UTC)
    with open_store(tmp_path / "home", project="flights", clock=RealClock()) as store:
        first, second = release(store, 1, at), release(store, 2, at)
        deploy(store, first, [second], at)
        store.tried = (first, second)
        yield store


@contextmanager
def worker(store, *flags: str, stderr=subprocess.PIPE):
    """A worker on a free port, its Python started with `flags`: its process and a client."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        *flags,
        "-m",
        "modelyard.serve.worker",
        "--home",
        str(store.files.parent),
        "--project",
        "flights",
    ]
    process = subprocess.Popen([*command, "--port", str(port)], stderr=stderr)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10, trust_env=False) as client:
        try:
            for _ in range(2400):
                try:
                    if client.get("/readyz").status_code == 200:
                        break
                except httpx.TransportError:
                    threading.Event().wait(0.05)
                assert process.poll() is None, process.stderr.read()
            yield process, client
        finally:
            process.kill()
            process.communicate()


def ask(client, request_id=None, **row):
    headers = {} if request_id is None else {"x-request-id": request_id}
    return client.post("/deployments/late-api/predict", json={"rows": [{"x": 0.5, "z": 0.5} | row]}, headers=headers)


def load(client, threads: int, enough: int, stop: threading.Event, name: str):
    """Ask from several threads until stopped: ids acknowledged; `reached` is set at `enough` of them."""
    acknowledged: list[str] = []
    reached = threading.Event()

    def send(thread: int):
        for number in range(100_000):
            if stop.is_set():
                return
            try:
                answer = ask(client, f"{name}-{thread}-{number}", x=number / 1e6)
            except httpx.TransportError:
                return
            if answer.status_code == 200:
                acknowledged.append(answer.json()["request_id"])
                if len(acknowledged) >= enough:
                    reached.set()

    running = [threading.Thread(target=send, args=(thread,)) for thread in range(threads)]
    for thread in running:
        thread.start()
    return acknowledged, reached, running


def test_killed_at_any_moment_nothing_acknowledged_is_lost_or_doubled(store):
    with worker(store) as (process, client):
        acknowledged, reached, running = load(client, 4, 100, threading.Event(), "first")
        assert reached.wait(PATIENCE)
        os.kill(process.pid, signal.SIGKILL)
        for thread in running:
            thread.join()
    with worker(store) as (process, client):
        known = acknowledged[-1]
        assert ask(client, known, x=int(known.rpartition("-")[2]) / 1e6).status_code == 200
        item = {"request_id": acknowledged[0], "label": True}
        assert client.post("/deployments/late-api/feedback", json={"feedback": [item]}).status_code == 200
        more, reached, running = load(client, 4, 50, threading.Event(), "second")
        assert reached.wait(PATIENCE)
        move(store, "late-api")
        os.kill(process.pid, signal.SIGKILL)
        for thread in running:
            thread.join()
    everything = acknowledged + more
    move(store, "late-api")
    now = datetime.now(UTC)
    found = predictions.window(
        store, "late-api", start=now - timedelta(hours=1), end=now, columns=["request_id", "row"]
    )
    counted = Counter(found["request_id"].to_pylist())
    assert set(everything) <= set(counted)
    assert set(counted.values()) == {1}


def test_a_rollback_takes_effect_within_a_second_and_fails_nobody(store):
    first, second = store.tried
    with worker(store) as (process, client):
        stop = threading.Event()
        _, reached, running = load(client, 2, 20, stop, "run")
        assert reached.wait(PATIENCE)
        assert ask(client).json()["release"] == first
        deploy(store, second, [first], datetime.now(UTC))
        changed = datetime.now(UTC)
        while ask(client).json()["release"] != second:
            assert datetime.now(UTC) - changed < timedelta(seconds=5)
        took = datetime.now(UTC) - changed
        stop.set()
        for thread in running:
            thread.join()
        text = client.get("/metrics").text
        assert not re.search(r'modelyard_requests_total\{[^}]*status="5', text)
        assert took < timedelta(seconds=1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)
    assert process.returncode in (0, -signal.SIGTERM)


def test_answers_over_http_equal_those_in_process(store):
    now = datetime.now(UTC)
    table = ROWS.select(["x", "z"])
    keys = [str(number) for number in range(len(table))]
    gateway = Gateway(store, clock=store.clock)
    gateway.refresh()
    assert gateway.errors == {}
    replayed = gateway.replay("late-api", table, request_id="sim", routing_keys=keys, times=[now] * len(table))
    gateway.close()
    with worker(store) as (_, client):
        answers = [
            client.post("/deployments/late-api/predict", json={"rows": [row]}, headers={"x-routing-key": key}).json()
            for row, key in zip(table.to_pylist(), keys, strict=True)
        ]
    assert [each["predictions"][0] for each in answers] == replayed.predictions
    assert [each["release"] for each in answers] == list(replayed.releases)


HEAVY = {
    "pandas.core",
    "duckdb",
    "deltalake",
    "sklearn",
    "skops",
    "scipy",
    "onnx",
    "lightgbm",
    "alembic",
    "pyarrow.dataset",
}


def test_a_worker_that_serves_a_compiled_release_loads_no_library_that_only_training_needs(tmp_path):
    at = datetime.now(UTC)
    with open_store(tmp_path / "home", project="flights", clock=RealClock()) as store:
        deploy(store, release(store, 1, at, compiled=True), [], at)
        log = tmp_path / "imports"
        with log.open("wb") as stderr, worker(store, "-X", "importtime", stderr=stderr) as (process, client):
            asked = ask(client)  # the batch's way, the pipeline's, a refusal, a label, the log's rotation
            again = ask(client, "chosen")
            assert (asked.status_code, again.status_code, ask(client, "worse", x="?").status_code) == (200, 200, 422)
            item = {"request_id": "chosen", "label": True}
            assert client.post("/deployments/late-api/feedback", json={"feedback": [item]}).status_code == 200
            rollup = (Path("/proc") / str(process.pid) / "smaps_rollup").read_text()
            resident = int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.M)[1]) / 1024
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    loaded = {
        line.rpartition("|")[2].strip() for line in log.read_text().splitlines() if line.startswith("import time")
    }
    assert "onnxruntime" in loaded
    assert sorted(loaded & HEAVY) == []
    assert resident < 200
