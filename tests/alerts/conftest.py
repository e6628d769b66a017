"""Real receivers on this machine: a web server and a mail server, as small as they can be; and a store at a simulated time."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from modelyard.clock import SimulatedClock
from modelyard.store import Store, open_store

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)


class Web:
    """A receiver of webhooks: what came, and the status that it answers with."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/hook"
        self.status = 200
        self.got: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.before: Callable[[], None] = lambda: None

    @property
    def events(self) -> list[str]:
        """The events told, in the order in which they came."""
        return [each["event"] for each in self.got]

    @property
    def keys(self) -> list[str]:
        """The idempotency keys, in the order in which they came."""
        return [each["Idempotency-Key"] for each in self.headers]


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[int]:
    """Serve on a thread until the block ends; gives the port."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def web() -> Iterator[Web]:
    """A web server that takes POST."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.got.append(json.loads(body))
            received.headers.append(dict(self.headers))
            received.before()
            self.send_response(received.status)
            if 300 <= received.status < 400:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving(server) as port:
        received = Web(port)
        yield received


class Mails:
    """A receiver of mail: the mails that came, and addresses that it refuses."""

    def __init__(self) -> None:
        self.port = 0
        self.got: list[str] = []
        self.refused: set[str] = set()


@pytest.fixture
def mails() -> Iterator[Mails]:
    """A mail server that speaks as much SMTP as smtplib needs."""
    received = Mails()

    class Handler(socketserver.StreamRequestHandler):
        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

        def handle(self) -> None:
            self.say("220 here")
            while line := self.rfile.readline().decode().strip():
                word = line[:4].upper()
                if word == "DATA":
                    self.say("354 go on")
                    mail = b""
                    while not mail.endswith(b"\r\n.\r\n"):
                        mail += self.rfile.readline()
                    received.got.append(mail.decode())
                elif word == "RCPT" and any(address in line for address in received.refused):
                    self.say("550 nobody here")
                    continue
                self.say("221 bye" if word == "QUIT" else "250 fine")
                if word == "QUIT":
                    return

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    with serving(server) as port:
        received.port = port
        yield received


@pytest.fixture
def store(home: str) -> Iterator[Store]:
    """An empty store at a simulated time, on each database."""
    with ExitStack() as stack:
        yield stack.enter_context(open_store(home, project="flights", clock=SimulatedClock(NOW)))
