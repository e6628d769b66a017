"""Does the public client of the Open Inference Protocol (tritonclient) work with our gateway?

    .venv/bin/python bench/protocols [--record]

It is installed into an environment of its own, under the user's cache, because it holds back libraries of ours. The
gateway serves the small formula of tests/serve. With `--record`, the requests as they went over the wire and their answers
are written to tests/serve/recorded/tritonclient.json, by which the tests check the same every day.
"""

from __future__ import annotations

import argparse
import base64
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import uvicorn

from modelyard.clock import SimulatedClock
from modelyard.serve.app import create
from modelyard.store import open_store

HERE = Path(__file__).resolve().parent
TESTS = HERE.parents[1] / "tests/serve"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "modelyard-bench/protocols"


def environment() -> Path:
    """The Python of an environment that has the client."""
    python = CACHE / "bin/python"
    if not (CACHE / ".ready").exists():
        subprocess.run([sys.executable, "-m", "venv", CACHE], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "tritonclient[http]>=2.50,<3"], check=True)
        (CACHE / ".ready").touch()
    return python


class Recorder:
    """An application in front of the gateway that remembers what went through."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.seen: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass on, and remember."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        kept: dict[str, Any] = {"body": b"", "answer": b""}

        async def receiving() -> Any:
            message = await receive()
            kept["body"] += message.get("body", b"")
            return message

        async def sending(message: Any) -> None:
            kept["status"] = message.get("status", kept.get("status"))
            kept["answer"] += message.get("body", b"")
            await send(message)

        await self.app(scope, receiving, sending)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        coded = {part: base64.b64encode(kept[part]).decode() for part in ("body", "answer")}
        headers.pop("host"), headers.pop("content-length", None)
        head = {"method": scope["method"], "path": scope["path"], "headers": headers, "status": kept["status"]}
        self.seen.append(head | coded)


def main() -> None:
    """Serve, let the client go through the protocol, and record it if that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true", help="write what went over the wire into the tests")
    record = parser.parse_args().record
    python = environment()
    spec = importlib.util.spec_from_file_location("serving_yard", TESTS / "conftest.py")
    assert spec is not None and spec.loader is not None
    fixtures = importlib.util.module_from_spec(spec)
    sys.modules["serving_yard"] = fixtures
    spec.loader.exec_module(fixtures)
    clock = SimulatedClock(fixtures.START)
    with (
        tempfile.TemporaryDirectory() as home,
        open_store(Path(home) / "home", project="flights", clock=clock) as store,
    ):
        yard = fixtures.Yard(store, clock, {})
        yard.serve(fixtures.CHAMPION)
        yard.deploy()
        recorder = Recorder(create(yard.gateway()))
        server = uvicorn.Server(uvicorn.Config(recorder, port=0, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        port = server.servers[0].sockets[0].getsockname()[1]
        done = subprocess.run([python, HERE / "client.py", f"127.0.0.1:{port}"])
        server.should_exit = True
        thread.join()
        if done.returncode:
            sys.exit(done.returncode)
    if record:
        kept = [each for each in recorder.seen if each["path"] != "/v2"]  # it tells our version, which changes
        named = {f"{number:02} {each['method']} {each['path']}": each for number, each in enumerate(kept)}
        (TESTS / "recorded/tritonclient.json").write_text(json.dumps(named, indent=1) + "\n")
        print(f"recorded {len(named)} requests")


main()
