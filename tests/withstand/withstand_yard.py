"""A shop whose commands run as processes of their own, and moments at which to hurt them."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from shop_project import DECLARATION, TRAINING, visits

PATIENCE = 240.0
AS_OF = "2024-02-25"
COMMAND = [sys.executable, "-c", "from modelyard.cli.main import main; main()"]


def wait_for(what: Callable[[], Any], says: str) -> Any:
    """Poll until `what` gives something true."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"waited in vain for {says}")


@dataclass
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON: it must be one document."""
        return json.loads(self.out)


@dataclass
class Yard:
    """A project folder with its home, and the command line as processes of their own."""

    directory: Path
    home: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, *words: str, **env: str) -> subprocess.Popen[str]:
        """Start `yard WORDS`."""
        home = ["--home", self.home] if self.home else []
        return subprocess.Popen(
            [*COMMAND, *words, "--project", str(self.directory), *home],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **self.environment, **env},
        )

    def yard(self, *words: str, **env: str) -> Said:
        """Run `yard WORDS` to its end."""
        with self.start(*words, **env) as process:
            out, err = process.communicate(timeout=PATIENCE)
        return Said(process.returncode, out, err)

    def apply(self, *words: str) -> Said:
        """Run `yard apply` as of a day in the shop's history."""
        return self.yard("apply", "--yes", "--as-of", AS_OF, *words)

    def kill_when(self, what: Callable[[], Any], says: str, *words: str) -> bool:
        """Start `yard WORDS` and `kill -9` it when `what` is true; False when it had ended by then."""
        with self.start(*words) as process:
            wait_for(lambda: what() or process.poll() is not None, says)
            alive = process.poll() is None
            process.kill()
            process.communicate()
        return alive

    def edit(self, old: str, new: str, file: str = "yard.yaml") -> None:
        """Replace text that must stand in a file of the project."""
        text = (self.directory / file).read_text()
        assert old in text, f"{old!r} is not in {file}"
        (self.directory / file).write_text(text.replace(old, new))

    @property
    def releases(self) -> list[dict[str, Any]]:
        """What `yard release list` says."""
        found: list[dict[str, Any]] = self.yard("release", "list", "--json").json["releases"]
        return found

    def actions(self) -> list[str]:
        """The audit trail's actions, read straight from the SQLite file; empty while there is none."""
        path = self.directory / ".yard" / "yard.db"
        if not path.exists():
            return []
        try:
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
                return [action for (action,) in connection.execute("SELECT action FROM audits ORDER BY sequence")]
        except sqlite3.Error:
            return []


def make(directory: Path, days: int = 60, **world: Any) -> Yard:
    """Write a shop's project."""
    (directory / "data").mkdir(parents=True)
    (directory / "yard.yaml").write_text(DECLARATION)
    (directory / "shop.py").write_text(TRAINING)
    (directory / "data" / "visits.csv").write_text("\n".join(visits(days, **world)) + "\n")
    return Yard(directory)


@dataclass
class Up:
    """A running `yard up`."""

    yard: Yard
    process: subprocess.Popen[str]
    api: str
    gateway: str

    def members(self) -> dict[str, list[int]]:
        """Process ids by role."""
        found: dict[str, list[int]] = {}
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().decode().split("\0")
            except OSError:
                continue
            if "modelyard.api.crew" in words and str(self.yard.directory.resolve()) in words:
                role = words[words.index("modelyard.api.crew") + 1]
                found.setdefault(role, []).append(int(path.parent.name))
        return found

    def predict(self, request_id: str, **row: Any) -> httpx.Response:
        """Ask for one row under an id of one's own."""
        rows = {"rows": [{"device": "phone", "pages": 3, "minutes": 2.0, **row}]}
        headers = {"X-Request-Id": request_id}
        return httpx.post(f"{self.gateway}/deployments/buys-api/predict", json=rows, headers=headers, timeout=30)

    def feedback(self, request_id: str, label: int, **more: Any) -> httpx.Response:
        """Give the label of a request's row."""
        item = {"request_id": request_id, "row": 0, "label": label, **more}
        url = f"{self.gateway}/deployments/buys-api/feedback"
        return httpx.post(url, json={"feedback": [item]}, timeout=30)

    def ready(self) -> bool:
        """Whether gateway and control API answer."""
        try:
            return (
                httpx.get(f"{self.gateway}/readyz", timeout=2).is_success
                and httpx.get(f"{self.api}/healthz", timeout=2).is_success
            )
        except httpx.HTTPError:
            return False


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def up(yard: Yard, *words: str) -> Iterator[Up]:
    """Run `yard up` until the block ends; by then nothing of it is left."""
    api, gateway = free_port(), free_port()
    ports = ("--api-port", str(api), "--gateway-port", str(gateway))
    with yard.start("up", *ports, "--every", "0.2", *words) as process:
        running = Up(yard, process, f"http://127.0.0.1:{api}", f"http://127.0.0.1:{gateway}")
        try:
            wait_for(lambda: running.ready() or process.poll() is not None, "yard up")
            assert process.poll() is None, process.communicate()[1]
            yield running
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE)
            wait_for(lambda: not running.members(), "the end of all processes")
