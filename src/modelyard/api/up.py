"""`yard up`: gateway workers, control API and controller as processes of their own, watched until Ctrl-C.

A process that ends unasked is started again, one that ends again and again later each time; a gateway worker that hangs is
replaced; between `min` and `max` there are as many as the load needs (`keeping`).
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
from modelyard.api.keeping import Load, hold_off, hung
from modelyard.errors import InputError, YardError
from modelyard.spec.deployments import Replicas

HOST = "127.0.0.1"
GRACE = 35.0
POLL = 0.2


@dataclass
class Member:
    """One process of the crew: when it last beat and how busy it said it was, when it ended lately."""

    name: str
    command: list[str]
    sockets: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    ends: deque[float] = field(default_factory=lambda: deque(maxlen=20))
    due: float = 0.0
    beat: float | None = None
    busy: float = 0.0
    _pipe: int | None = None

    def start(self, environment: dict[str, str]) -> None:
        """Start the process in a session of its own, so that Ctrl-C reaches it through us alone."""
        self.forget()
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        try:
            self.process = subprocess.Popen(
                [*self.command, "--beat", str(writing)], env=environment, pass_fds=(*self.sockets, writing),
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(writing)
        self._pipe = reading

    def listen(self, now: float) -> None:
        """Take in its beats: each is one byte, how busy it is in hundredths."""
        try:
            beats = os.read(self._pipe, 4096) if self._pipe is not None else b""
        except BlockingIOError:
            return
        if beats:
            self.beat, self.busy = now, beats[-1] / 100

    def forget(self) -> None:
        """Close what belonged to a process that ended."""
        if self._pipe is not None:
            os.close(self._pipe)
        self._pipe = self.beat = self.process = None
        self.busy = 0.0

    @property
    def running(self) -> bool:
        """Whether it has a process that has not ended."""
        return self.process is not None and self.process.poll() is None


def run(
    context: Context, *, api_port: int, gateway_port: int, workers: int | None, every: float, pages: str | None = None
) -> None:
    """Run all until SIGINT or SIGTERM, then stop them in order: no new work, finish the old, end.

    `pages`: who adds pages to the control API, as `module:function`; they are a face and stand above this floor.
    """
    project, _ = context.known(variables=True)
    gateway_socket, api_socket = _listen(gateway_port), _listen(api_port)
    place = [
        "--home", context.home if "://" in context.home else str(Path(context.home).resolve()),
        "--project", str(context.directory.resolve()),
        "--name", project.spec.project,
        "--env", context.env,
        "--actor", context.actor,
        "--parent", str(os.getpid()),
    ]  # fmt: skip
    load = _replicas([each.replicas for each in project.spec.deployments.values()], workers)

    def worker(number: int) -> Member:
        return Member(f"gateway {number}", _module("gateway", place, fd=gateway_socket), (gateway_socket.fileno(),))

    gateways = [worker(number + 1) for number in range(load.least)]
    others = [
        Member(
            "control API",
            _module("api", [*place, *(["--pages", pages] if pages else [])], fd=api_socket),
            (api_socket.fileno(),),
        ),
        Member("controller", _module("controller", [*place, "--every", str(every)])),
    ]
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, frame: stopping.append(received))
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    leaving: list[Member] = []
    try:
        for member in (*gateways, *others):
            member.start(environment)
        _wait_ready(gateway_port, api_port, [*gateways, *others], stopping)
        context.progress(f"gateway http://{HOST}:{gateway_port}  control API http://{HOST}:{api_port}  Ctrl-C ends")
        while not stopping:
            now = time.monotonic()
            for member in (*gateways, *others):
                _keep(member, environment, now, context)
            beating = [member.busy for member in gateways if member.beat is not None]
            wanted = load.wanted(len(gateways), beating, now)
            if wanted > len(gateways):
                context.progress(f"the gateway is busy: {wanted} workers")
                gateways.append(worker(len(gateways) + 1))
                gateways[-1].start(environment)
            elif wanted < len(gateways):
                context.progress(f"the gateway is idle: {wanted} workers")
                leaving.append(gateways.pop())
                _end(leaving[-1])
            leaving = still_leaving(leaving)
            time.sleep(POLL)
    finally:
        _stop([*gateways, *others, *leaving])
        context.progress("stopped")


def _replicas(declared: list[Replicas | None], workers: int | None) -> Load:
    """As many workers as were asked for, else as the deployments declare; all workers serve all of them."""
    if workers is not None:
        return Load(workers, workers)
    known = [each for each in declared if each is not None]
    least = max((each.min for each in known), default=1)
    return Load(least, max(least, max((each.max for each in known), default=1)))


def _keep(member: Member, environment: dict[str, str], now: float, context: Context) -> None:
    """See that a member runs: kill it when it hangs, start it again when it ended, later each time."""
    member.listen(now)
    if member.running:
        if hung(member.beat, now):
            context.progress(f"the {member.name} hangs: it is replaced")
            assert member.process is not None
            os.killpg(member.process.pid, signal.SIGKILL)
            member.process.wait()
        return
    if member.process is not None:
        member.ends.append(now)
        wait = hold_off(member.ends, now)
        later = f" in {wait:g} s" if wait else ""
        context.progress(f"the {member.name} ended with {member.process.returncode}: starting it again{later}")
        member.forget()
        member.due = now + wait
    if now >= member.due:
        member.start(environment)


def still_leaving(members: list[Member]) -> list[Member]:
    """Those that have not ended yet; of the others nothing is kept."""
    for member in members:
        if not member.running:
            member.forget()
    return [member for member in members if member.running]


def _end(member: Member) -> None:
    if member.process is not None and member.running:
        member.process.send_signal(signal.SIGTERM)


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
    running = [member.process for member in crew if member.process is not None and member.running]
    for member in crew:
        _end(member)
    deadline = time.monotonic() + GRACE
    for process in running:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
