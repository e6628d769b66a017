"""`yard up`: gateway workers, control API and controller as processes of their own, watched until Ctrl-C.

A process that ends unasked is started again; five times within half a minute is a defect that ends everything.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from modelyard.api.context import Context
from modelyard.errors import InputError, YardError

HOST = "127.0.0.1"
GRACE = 15.0
POLL = 0.2


@dataclass
class Member:
    """One process of the crew, and when it was started lately."""

    name: str
    command: list[str]
    sockets: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    starts: deque[float] = field(default_factory=lambda: deque(maxlen=5))

    def start(self, environment: dict[str, str]) -> None:
        """Start the process in a session of its own, so that Ctrl-C reaches it through us alone."""
        now = time.monotonic()
        if len(self.starts) == self.starts.maxlen and now - self.starts[0] < 30:
            raise YardError(f"the {self.name} ended five times within 30 seconds", hint="See its messages above.")
        self.starts.append(now)
        self.process = subprocess.Popen(
            self.command, env=environment, pass_fds=self.sockets, stdin=subprocess.DEVNULL, start_new_session=True
        )


def run(context: Context, *, api_port: int, gateway_port: int, workers: int, every: float) -> None:
    """Run all until SIGINT or SIGTERM, then stop them in order: no new work, finish the old, end."""
    project, _ = context.known()
    gateway_socket, api_socket = _listen(gateway_port), _listen(api_port)
    place = [
        "--home", context.home if "://" in context.home else str(Path(context.home).resolve()),
        "--project", str(context.directory.resolve()),
        "--name", project.spec.project,
        "--env", context.env,
        "--actor", context.actor,
        "--parent", str(os.getpid()),
    ]  # fmt: skip
    crew = [
        *[
            Member(f"gateway {number + 1}", _module("gateway", place, fd=gateway_socket), (gateway_socket.fileno(),))
            for number in range(workers)
        ],
        Member("control API", _module("api", place, fd=api_socket), (api_socket.fileno(),)),
        Member("controller", _module("controller", [*place, "--every", str(every)])),
    ]
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, frame: stopping.append(received))
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    try:
        for member in crew:
            member.start(environment)
        _wait_ready(gateway_port, api_port, crew, stopping)
        context.progress(f"gateway http://{HOST}:{gateway_port}  control API http://{HOST}:{api_port}  Ctrl-C ends")
        while not stopping:
            for member in crew:
                if member.process is not None and member.process.poll() is not None:
                    context.progress(f"the {member.name} ended with {member.process.returncode}: starting it again")
                    member.start(environment)
            time.sleep(POLL)
    finally:
        _stop(crew)
        context.progress("stopped")


def _module(role: str, place: list[str], fd: socket.socket | None = None) -> list[str]:
    extra = ["--fd", str(fd.fileno())] if fd is not None else []
    return [sys.executable, "-m", "modelyard.api.crew", role, *place, *extra]


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as error:
        listening.close()
        what = "is taken" if error.errno == errno.EADDRINUSE else "cannot be used"
        raise InputError(
            f"port {port} {what}: {error.strerror}", hint="Give another: --gateway-port, --api-port."
        ) from error
    listening.listen(2048)
    listening.set_inheritable(True)
    return listening


def _wait_ready(gateway_port: int, api_port: int, crew: list[Member], stopping: list[int]) -> None:
    import httpx

    urls = [f"http://{HOST}:{gateway_port}/healthz", f"http://{HOST}:{api_port}/healthz"]
    deadline = time.monotonic() + 60
    while urls and not stopping:
        if any(member.process is not None and member.process.poll() is not None for member in crew):
            raise YardError("a process ended at its start", hint="See its message above.")
        if time.monotonic() > deadline:
            raise YardError(f"no answer from {urls[0]} for 60 seconds")
        try:
            if httpx.get(urls[0], timeout=1.0).is_success:
                urls.pop(0)
                continue
        except httpx.HTTPError:
            pass
        time.sleep(POLL)


def _stop(crew: list[Member]) -> None:
    running = [member.process for member in crew if member.process is not None and member.process.poll() is None]
    for process in running:
        process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    for process in running:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
