"""The clients. What they do is written once, as a generator of sends and pauses; one drives it, the other awaits it.

Every request to predict has an id, so that asking again is safe: the gateway gives the answer it gave before. Tried again is
what may succeed then (429, 503, 504, no connection), within the deadline and the budget, after what Retry-After says.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar
from urllib.parse import quote

import httpx

from modelyard.client import messages
from modelyard.client.budget import Budget
from modelyard.client.errors import (
    ClientError,
    NotThere,
    Overloaded,
    Refused,
    TooLate,
    Unavailable,
    Unreachable,
    of_response,
)
from modelyard.client.messages import Label, Prediction, Recorded, Rows
from modelyard.clock import RealClock

T = TypeVar("T")
TRIES = 4
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
AGAIN = (Overloaded, Unavailable, Unreachable)


@dataclass(frozen=True)
class _Send:
    """Send a request, and give back the response, within so many seconds."""

    request: httpx.Request
    timeout: float


@dataclass(frozen=True)
class _Pause:
    """Wait for so many seconds."""

    seconds: float


_Talk: TypeAlias = Generator[_Send | _Pause, httpx.Response | None, T]


class _Asking:
    """What both clients share: how requests are made, tried again, and read."""

    def __init__(
        self, url: str, *, deadline: float = 10.0, tries: int = TRIES, budget: Budget | None = None,
        headers: dict[str, str] | None = None, seed: int | None = None,
    ) -> None:  # fmt: skip
        self._url = url.rstrip("/")
        self._deadline = deadline
        self._tries = tries
        self._monotonic = RealClock().monotonic
        self.budget = budget or Budget(monotonic=self._monotonic)
        self._headers = headers or {}
        self._random = random.Random(seed)

    def _predict(
        self, deployment: str, data: Rows, request_id: str | None, routing_key: str | None, arm: str | None,
        deadline: float | None,
    ) -> _Talk[Prediction]:  # fmt: skip
        body, kind = messages.body_of(data)
        headers = {"content-type": kind, "accept": messages.JSON, "x-request-id": request_id or secrets.token_hex(12)}
        for name, value in (("x-routing-key", routing_key), ("x-force-arm", arm)):
            if value is not None:
                headers[name] = value
        response = yield from self._ask("POST", f"{_path(deployment)}/predict", headers, body, deadline)
        return messages.prediction(response)

    def _feedback(self, deployment: str, labels: Sequence[Label], deadline: float | None) -> _Talk[list[Recorded]]:
        body = messages.encode({"feedback": [label.as_json() for label in labels]})
        headers = {"content-type": messages.JSON}
        response = yield from self._ask("POST", f"{_path(deployment)}/feedback", headers, body, deadline, said=(409,))
        return messages.recorded(response)

    def _healthy(self) -> _Talk[bool]:
        try:
            yield from self._ask("GET", "/healthz", {}, b"", 2.0, tries=1)
        except ClientError:
            return False
        return True

    def _ready(self, deployment: str | None) -> _Talk[bool]:
        path = "/readyz" if deployment is None else f"{_path(deployment)}/ping"
        try:
            yield from self._ask("GET", path, {}, b"", 2.0, tries=1)
        except (Unavailable, Unreachable, TooLate, NotThere):
            return False
        return True

    def _wait_ready(self, deployment: str | None, timeout: float) -> _Talk[None]:
        end = self._monotonic() + timeout
        while not (yield from self._ready(deployment)):
            if self._monotonic() >= end:
                raise TooLate(f"{deployment or 'the gateway'} was not ready within {timeout:g} s.")
            yield _Pause(0.2)

    def _ask(
        self, method: str, path: str, headers: dict[str, str], body: bytes, deadline: float | None, *,
        tries: int | None = None, said: Sequence[int] = (),
    ) -> _Talk[httpx.Response]:  # fmt: skip
        """Ask until there is an answer, or no reason to ask again; `said` are statuses that are answers too."""
        end = self._monotonic() + (self._deadline if deadline is None else deadline)
        request = httpx.Request(method, self._url + path, headers={**self._headers, **headers}, content=body)
        self.budget.request()
        tried = 0
        while True:
            tried += 1
            error = yield from self._try(request, end, said)
            if not isinstance(error, ClientError):
                return error
            pause = self._pause(tried, error)
            again = isinstance(error, AGAIN) and tried < (tries or self._tries)
            if not again or self._monotonic() + pause >= end or not self.budget.retry():
                raise error
            yield _Pause(pause)

    def _try(self, request: httpx.Request, end: float, said: Sequence[int]) -> _Talk[httpx.Response | ClientError]:
        left = end - self._monotonic()
        try:
            if left <= 0:
                raise httpx.ReadTimeout("")
            response = yield _Send(request, left)
        except httpx.TimeoutException:
            return TooLate("no answer came within the deadline.")
        except httpx.TransportError as error:
            return Unreachable(f"{self._url} cannot be reached: {error or type(error).__name__}")
        assert response is not None
        good = response.is_success or (response.status_code in said and b'"results"' in response.content)
        return response if good else of_response(response)

    def _pause(self, tried: int, error: ClientError) -> float:
        """What the gateway asks for, else twice as long each time, anywhere up to that."""
        if isinstance(error, Refused) and error.retry_after is not None:
            return error.retry_after
        return self._random.uniform(0, min(FIRST_PAUSE * 2**tried, LONGEST_PAUSE))


def _plain(headers: httpx.Headers) -> list[tuple[str, str]]:
    """Headers of a body that has been decoded already."""
    return [(name, value) for name, value in headers.multi_items() if name.lower() != "content-encoding"]


def _path(deployment: str) -> str:
    """The path of a deployment; `project/name` where several projects share a gateway."""
    return f"/deployments/{quote(deployment)}"


class Client(_Asking):
    """Asks a gateway; safe to share between threads. `transport` is httpx's, for tests and proxies."""

    def __init__(
        self, url: str = "http://127.0.0.1:8601", *, transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(url, **options)
        self._http = httpx.Client(transport=transport, trust_env=False)
        self._sleep = sleep

    def predict(
        self, deployment: str, data: Rows, *, request_id: str | None = None, routing_key: str | None = None,
        arm: str | None = None, deadline: float | None = None,
    ) -> Prediction:  # fmt: skip
        """Predictions for rows, columns, or a data frame: all of them or a ClientError.

        `deadline` in seconds, for all tries together. `routing_key` keeps its arm; `arm` must answer (and is not counted).
        """
        return self._run(self._predict(deployment, data, request_id, routing_key, arm, deadline))

    def feedback(self, deployment: str, labels: Sequence[Label], *, deadline: float | None = None) -> list[Recorded]:
        """Say the truth about rows; one result each, in order."""
        return self._run(self._feedback(deployment, labels, deadline))

    def healthy(self) -> bool:
        """Whether the gateway's process answers."""
        return self._run(self._healthy())

    def ready(self, deployment: str | None = None) -> bool:
        """Whether the gateway, or one deployment, answers requests."""
        return self._run(self._ready(deployment))

    def wait_ready(self, deployment: str | None = None, *, timeout: float = 30.0) -> None:
        """Wait until the gateway, or one deployment, answers requests. TooLate when it does not in time."""
        self._run(self._wait_ready(deployment, timeout))

    def _run(self, talk: _Talk[T]) -> T:
        given: httpx.Response | Exception | None = None
        while True:
            try:
                step = talk.throw(given) if isinstance(given, Exception) else talk.send(given)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
            given = None
            if isinstance(step, _Pause):
                self._sleep(step.seconds)
                continue
            try:
                given = self._send(step)
            except httpx.TransportError as error:
                given = error

    def _send(self, step: _Send) -> httpx.Response:
        """Send, and read the answer; httpx limits each read, this the whole."""
        end = self._monotonic() + step.timeout
        step.request.extensions["timeout"] = httpx.Timeout(step.timeout).as_dict()
        response = self._http.send(step.request, stream=True)
        try:
            read = bytearray()
            for chunk in response.iter_bytes():
                read += chunk
                if self._monotonic() > end:
                    raise httpx.ReadTimeout("the answer came too slowly")
        finally:
            response.close()
        return httpx.Response(response.status_code, headers=_plain(response.headers), content=bytes(read))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(_Asking):
    """The same, to await."""

    def __init__(
        self, url: str = "http://127.0.0.1:8601", *, transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(url, **options)
        self._http = httpx.AsyncClient(transport=transport, trust_env=False)
        self._sleep = sleep

    async def predict(
        self, deployment: str, data: Rows, *, request_id: str | None = None, routing_key: str | None = None,
        arm: str | None = None, deadline: float | None = None,
    ) -> Prediction:  # fmt: skip
        """As `Client.predict`."""
        return await self._run(self._predict(deployment, data, request_id, routing_key, arm, deadline))

    async def feedback(
        self, deployment: str, labels: Sequence[Label], *, deadline: float | None = None
    ) -> list[Recorded]:
        """As `Client.feedback`."""
        return await self._run(self._feedback(deployment, labels, deadline))

    async def healthy(self) -> bool:
        """As `Client.healthy`."""
        return await self._run(self._healthy())

    async def ready(self, deployment: str | None = None) -> bool:
        """As `Client.ready`."""
        return await self._run(self._ready(deployment))

    async def wait_ready(self, deployment: str | None = None, *, timeout: float = 30.0) -> None:
        """As `Client.wait_ready`."""
        await self._run(self._wait_ready(deployment, timeout))

    async def _run(self, talk: _Talk[T]) -> T:
        given: httpx.Response | Exception | None = None
        while True:
            try:
                step = talk.throw(given) if isinstance(given, Exception) else talk.send(given)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
            given = None
            if isinstance(step, _Pause):
                await self._sleep(step.seconds)
                continue
            step.request.extensions["timeout"] = httpx.Timeout(step.timeout).as_dict()
            try:
                async with asyncio.timeout(step.timeout):
                    given = await self._http.send(step.request)
            except httpx.TransportError as error:
                given = error
            except TimeoutError:
                given = httpx.ReadTimeout("the answer came too slowly")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
