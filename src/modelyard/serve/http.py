"""HTTP for the gateway, by hand: what may come in, and problem documents for what may not. No framework on this path."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from modelyard.serve.refusal import Refusal

Scope = Mapping[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
MAX_BODY = 16 << 20
MAX_HEADERS, MAX_HEADER_BYTES = 100, 16 << 10
READ_SECONDS = 30.0
_ID = re.compile(r"[\x21-\x7e]{1,200}")


class Gone(Exception):
    """The client went away while it was sending."""


@dataclass
class Request:
    """One HTTP request: method, path and headers (lower case, the first of a name), then its body.

    `complain`: what its protocol has to say beside a problem document. `late`, `began`: what the batch that left it over knew.
    """

    method: str
    path: str
    headers: Mapping[str, bytes]
    receive: Receive
    request_id: str = ""
    read: bool = False
    late: bool = False
    began: float = 0.0
    complain: Callable[[Refusal], Mapping[str, Any]] | None = None

    @classmethod
    def of(cls, scope: Scope, receive: Receive) -> Request:
        """From an ASGI scope."""
        headers: dict[str, bytes] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1").lower(), value)
        state = scope.get("state", {})
        late, began = bool(state.get("late")), float(state.get("began", 0.0))
        return cls(scope["method"], scope["path"], headers, receive, late=late, began=began)

    def text(self, name: str) -> str | None:
        """A header as text: UTF-8 where it is, else Latin-1."""
        value = self.headers.get(name)
        if value is None:
            return None
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.decode("latin-1")

    async def body(self, limit: int, seconds: float) -> bytes:
        """The body. Refusal 413 as soon as it is too large, 408 when it does not arrive in time."""
        length = self.headers.get("content-length", b"0")
        if length.isdigit() and int(length[:20]) > limit:
            raise Refusal(413, "body_too_large", f"At most {limit} bytes in one request.")
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = await self.receive()
                    if message["type"] == "http.disconnect":
                        raise Gone
                    chunk = message.get("body", b"")
                    size += len(chunk)
                    if size > limit:
                        raise Refusal(413, "body_too_large", f"At most {limit} bytes in one request.")
                    chunks.append(chunk)
                    if not message.get("more_body", False):
                        self.read = True
                        return b"".join(chunks)
        except TimeoutError:
            raise Refusal(408, "request_timeout", f"The body did not arrive within {seconds:g} s.") from None


@dataclass(frozen=True)
class Response:
    """One HTTP answer."""

    status: int
    body: bytes
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    async def send(self, send: Send, request: Request) -> None:
        """Give it, with the request's id; a connection whose request was not read to its end is closed."""
        headers = {
            "content-type": self.kind,
            "content-length": str(len(self.body)),
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            **self.headers,
        }
        if request.request_id:
            headers["x-request-id"] = request.request_id
        if not request.read and request.method not in ("GET", "HEAD"):
            headers["connection"] = "close"
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": raw})
        await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else self.body})


def problem(refusal: Refusal, request: Request) -> Response:
    """A refusal as `application/problem+json`; all of it ASCII, so that it can always be sent."""
    refusal.request_id = refusal.request_id or request.request_id
    document = refusal.as_json() | {"instance": request.path[:500]}
    if request.complain is not None:
        document |= request.complain(refusal)
    headers = {} if refusal.retry_after is None else {"retry-after": str(refusal.retry_after)}
    if refusal.allow:
        headers["allow"] = refusal.allow
    return Response(refusal.status, json.dumps(document).encode(), "application/problem+json", headers)


def check_head(scope: Scope, request: Request, hosts: Collection[str]) -> None:
    """Refusal for a request whose head is too large, or that came by a name (or from a page) that is not ours."""
    sizes = [len(name) + len(value) for name, value in scope["headers"]]
    if len(sizes) > MAX_HEADERS or sum(sizes) > MAX_HEADER_BYTES:
        raise Refusal(431, "headers_too_large")
    host = request.headers.get("host")
    if host is None:
        raise Refusal(400, "no_host", "The request has no Host header.")
    if not own_host(host, hosts):
        raise Refusal(421, "wrong_host", "The gateway is not served under this host name.")
    origin = request.headers.get("origin")
    if origin is not None and not own_host(origin.partition(b"://")[2], hosts):
        raise Refusal(403, "foreign_origin", "Pages of other sites may not use the gateway.")


def own_host(host: bytes, hosts: Collection[str]) -> bool:
    """Whether a host, with or without port, is one of `hosts`."""
    name = host.decode("latin-1").lower()
    return "*" in hosts or re.sub(r":\d+$", "", name) in hosts


def media_type(request: Request) -> str:
    """The media type of the body, without parameters; "" where none is said."""
    return (request.text("content-type") or "").partition(";")[0].strip().lower()


def check_encoding(request: Request) -> None:
    """Refusal 415 for a compressed body, or one of text in another character set than UTF-8."""
    if (request.text("content-encoding") or "identity").lower() != "identity":
        raise Refusal(415, "unsupported_encoding", "Send the body without content encoding.")
    parameters = (request.text("content-type") or "").lower().partition(";")[2]
    if re.sub(r"\s|\"", "", parameters) not in ("", "charset=utf-8"):
        raise Refusal(415, "unsupported_media_type", "Send text in UTF-8.")


def check_json(request: Request) -> None:
    """Refusal 415 for a body that does not say that it is plain JSON."""
    if media_type(request) != "application/json":
        raise Refusal(415, "unsupported_media_type", "Send application/json in UTF-8.")
    check_encoding(request)


def is_id(value: bytes) -> bool:
    """Whether bytes are an id that a client may choose."""
    return value.isascii() and _ID.fullmatch(value.decode("ascii")) is not None


def digest_of(body: bytes, routing_key: str | None, path: str, forced: str | None = None) -> str:
    """What tells a repeated request from another one under the same id."""
    said = f"\0{routing_key or ''}\0{path}" + (f"\0{forced}" if forced else "")
    return blake2b(body + said.encode(), digest_size=16).hexdigest()


def chosen_id(request: Request) -> str | None:
    """The id that the client chose for its request. Refusal 400 when it is none."""
    value = request.text("x-request-id")
    if value is not None and not _ID.fullmatch(value):
        raise Refusal(400, "bad_request_id", "X-Request-Id is 1 to 200 printable ASCII characters without blanks.")
    return value
