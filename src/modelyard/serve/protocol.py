"""HTTP/1.1 of a worker: uvicorn's, with limits of its own, and a short way for requests that may be ordinary.

uvicorn parses (httptools), keeps connections and runs the ASGI application for everything. Here a question for
predictions is not made a scope and a task: its body goes to the `Batcher`, its answer straight to the socket. What the
batch leaves over becomes an ordinary ASGI request after all. Slow, oversized and ambiguous requests end here too: see
`sweep` and `_refused`.
"""

from __future__ import annotations

import asyncio
import json
import urllib.parse
from functools import partial
from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from modelyard.serve.batch import Asked
from modelyard.serve.http import MAX_HEADER_BYTES, MAX_HEADERS, digest_of, is_id
from modelyard.serve.refusal import Refusal

if TYPE_CHECKING:
    from modelyard.serve.app import Server
    from modelyard.serve.batching import Lane

HEAD_SECONDS, BODY_SECONDS, IDLE_SECONDS = 10.0, 30.0, 30.0
_JSON = frozenset({b"application/json", b"application/json; charset=utf-8", b"application/json;charset=utf-8"})
_ACCEPT = frozenset({b"*/*", b"application/json"})
# A request with any of these is looked at by the pipeline.
_SPECIAL = frozenset(
    {
        b"content-encoding", b"expect", b"origin", b"transfer-encoding", b"upgrade", b"x-force-arm",
    }
)  # fmt: skip
_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: no-store\r\n"
    b"x-content-type-options: nosniff\r\nx-request-id: %b\r\ncontent-length: %d\r\n%b\r\n%b"
)
_PROBLEM = (
    b"HTTP/1.1 %b\r\ncontent-type: application/problem+json\r\nretry-after: 1\r\ncontent-length: %%d\r\n%%b\r\n%%b"
)
_BUSY, _UNLOGGED = _PROBLEM % b"429 Too Many Requests", _PROBLEM % b"503 Service Unavailable"
_TOO_MUCH = json.dumps(Refusal(429, "overloaded", "Too many requests are waiting.").as_json()).encode()
_NO_LOG = json.dumps(Refusal(503, "log_unavailable", "The prediction log cannot be written.").as_json()).encode()
_TITLES = {
    400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large",
}  # fmt: skip


class Short:
    """A question for predictions on its short way; to uvicorn it looks like a request-response cycle."""

    __slots__ = (
        "body", "chosen", "disconnected", "headers", "keep_alive", "lane", "more_body", "response_complete", "routing",
        "url",
    )  # fmt: skip

    def __init__(
        self, lane: Lane, url: bytes, headers: list[tuple[bytes, bytes]], routing: str | None, chosen: str
    ) -> None:
        self.lane = lane
        self.url = url
        self.headers = headers
        self.routing = routing
        self.chosen = chosen
        self.keep_alive = True
        self.body = bytearray()
        self.more_body = True
        self.disconnected = False
        self.response_complete = False

    @property
    def message_event(self) -> Short:
        """uvicorn sets this event; nobody waits for it."""
        return self

    def set(self) -> None:
        """See `message_event`."""


class Protocol(HttpToolsProtocol):
    """One connection."""

    server_app: Server

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        super().connection_made(transport)
        # Since when what is awaited; None while a request is being answered.
        self.since: float | None = self.loop.time()
        self.awaits = "head"
        self._size = 0

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._size += len(data)
        super().data_received(data)
        if self.awaits == "head" and self._size > 2 * MAX_HEADER_BYTES:
            self._refuse(431, b"headers_too_large")  # a head without end is not kept to its end

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP/1.1, or can be read in two ways, is refused, and the connection ends."""
        self._refuse(400, b"bad_request")

    def _refuse(self, status: int, code: bytes) -> None:
        if self.transport.is_closing():
            return
        body = b'{"type":"urn:modelyard:%b","title":"%b","status":%d,"detail":"","code":"%b","request_id":"","errors":[]}' % (
            code, _TITLES[status], status, code,
        )  # fmt: skip
        self.transport.write(
            b"HTTP/1.1 %d %b\r\ncontent-type: application/problem+json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (status, _TITLES[status], len(body), body)
        )
        self.transport.close()

    def on_message_begin(self) -> None:
        """A request begins: no scope yet, it may do without."""
        self.since, self.awaits = self.loop.time(), "head"
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        """Decide which way the request goes."""
        large, self._size = self._size > MAX_HEADER_BYTES, 0
        self.awaits, self.since = "body", self.loop.time()
        busy = self.cycle is not None and not self.cycle.response_complete
        short = None if busy or (large and self._refused()) else self._short()
        if short is not None:
            self.cycle = short  # type: ignore[assignment]
            return
        refused = self._refused()
        if refused is not None:
            self._refuse(*refused)
            raise httptools.HttpParserCallbackError("refused")
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.scope["headers"] = self.headers = headers
        self.url, self.expect_100_continue = url, expects
        super().on_headers_complete()

    def _refused(self) -> tuple[int, bytes] | None:
        """Status and code for a head that is too large, or from which two readers might read two requests."""
        if len(self.headers) > MAX_HEADERS or sum(len(a) + len(b) for a, b in self.headers) > MAX_HEADER_BYTES:
            return 431, b"headers_too_large"
        names = [name for name, _ in self.headers]
        lengths = names.count(b"content-length")
        if lengths > 1 or (lengths and b"transfer-encoding" in names) or names.count(b"host") > 1:
            return 400, b"bad_request"
        return None

    def _short(self) -> Short | None:
        """The short way for a question whose head says nothing special, else None."""
        app = self.server_app
        name = app.questions.get(self.url)
        if name is None or self.parser.get_method() != b"POST" or self.parser.get_http_version() != "1.1":
            return None
        headers = self.headers
        if len(headers) > 16:
            return None
        found = dict(headers)
        if len(found) != len(headers) or not found.keys().isdisjoint(_SPECIAL):
            return None
        routing = found.get(b"x-routing-key")
        chosen = found.get(b"x-request-id")
        length = found.get(b"content-length", b"")
        if (
            found.get(b"content-type") not in _JSON
            or not app.is_own(found.get(b"host", b""))
            or found.get(b"connection", b"keep-alive").lower() != b"keep-alive"
            or found.get(b"accept", b"*/*") not in _ACCEPT
            or not length.isdigit()
            or len(length) > 9
            or int(length) > app.max_body
            or (routing is not None and not _plain(routing))
            or (chosen is not None and not is_id(chosen))
        ):
            return None
        lane = app.batcher.lane(name)
        if lane is None:
            return None
        key = None if routing is None else routing.decode("ascii")
        return Short(lane, self.url, headers, key, "" if chosen is None else chosen.decode("ascii"))

    def on_body(self, body: bytes) -> None:
        """More of the body."""
        if type(self.cycle) is Short:
            self.cycle.body += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self.since, self.awaits = None, "answer"
        cycle = self.cycle
        if type(cycle) is Short and cycle.more_body:
            cycle.more_body = False
            app = self.server_app
            body = bytes(cycle.body)
            said = digest_of(body, cycle.routing, cycle.url.decode("ascii")) if cycle.chosen else ""
            asked = Asked(body, cycle.routing, app.gateway.clock.monotonic(), cycle.chosen, said)
            if app.tracing is not None:
                asked.trace = dict(cycle.headers).get(b"traceparent", b"").decode("latin-1")
            app.batcher.add(cycle.lane, asked, partial(self._answered, cycle))
        else:
            super().on_message_complete()

    def _answered(self, short: Short, asked: Asked) -> None:
        """Write an answer; a request that was left over goes the way of all others."""
        if short.disconnected or self.transport.is_closing():
            return
        keep = short.keep_alive and not self.server_app.stopping
        close = b"" if keep else b"connection: close\r\n"
        if asked.refused:
            self.transport.write(_BUSY % (len(_TOO_MUCH), close, _TOO_MUCH))
        elif asked.unlogged:
            self.transport.write(_UNLOGGED % (len(_NO_LOG), close, _NO_LOG))
        elif asked.answer is None:
            self._hand_over(short, asked)
            return
        else:
            self.transport.write(_HEAD % (asked.id.encode(), len(asked.answer), close, asked.answer))
        short.response_complete = True
        if not keep:
            self.transport.close()
            return
        if self.pipeline:
            self.on_response_complete()
        else:
            self.server_state.total_requests += 1
            self.since, self.awaits = self.loop.time(), "idle"

    def _hand_over(self, short: Short, asked: Asked) -> None:
        """Make an ASGI request of it, with its body."""
        # What follows on this connection may have been parsed meanwhile: its head is kept.
        url, headers, expects, later = self.url, self.headers, self.expect_100_continue, self.scope
        super().on_message_begin()
        scope = self.scope
        self.url, self.headers, self.expect_100_continue, self.scope = url, headers, expects, later
        path = httptools.parse_url(short.url).path
        scope |= {  # type: ignore[assignment]
            "method": "POST", "path": urllib.parse.unquote(path.decode("ascii")), "raw_path": path, "query_string": b"",
            "headers": short.headers, "state": {"late": asked.late, "began": asked.began},
        }  # fmt: skip
        cycle = RequestResponseCycle(
            scope=scope, transport=self.transport, flow=self.flow, logger=self.logger,
            access_logger=self.access_logger, access_log=self.access_log,
            default_headers=self.server_state.default_headers, message_event=asyncio.Event(),
            expect_100_continue=False, keep_alive=short.keep_alive, on_response=self.on_response_complete,
        )  # fmt: skip
        cycle.body, cycle.more_body = short.body, False
        cycle.message_event.set()
        if self.cycle is short:
            self.cycle = cycle
        self._start_asgi_task(cycle, self.app)

    def on_response_complete(self) -> None:
        """An ASGI response is whole."""
        super().on_response_complete()
        self._unset_keepalive_if_required()
        if self.awaits == "answer" and self.cycle.response_complete:
            self.since, self.awaits = self.loop.time(), "idle"

    def sweep(self, now: float) -> None:
        """End the connection when what it owes is late: called for each connection about once a second."""
        if self.since is None:
            return
        late = now - self.since
        if self.awaits == "idle" and late > IDLE_SECONDS:
            self.transport.close()
        elif (self.awaits == "head" and late > HEAD_SECONDS) or (self.awaits == "body" and late > BODY_SECONDS):
            self._refuse(408, b"request_timeout")


def _plain(key: bytes) -> bool:
    return len(key) <= 1_000 and key.isascii() and key.decode("ascii").isprintable()


def protocol(app: Any) -> type[Protocol]:
    """The protocol class of one application's connections, for uvicorn's `http`."""
    return type("AppProtocol", (Protocol,), {"server_app": app})
