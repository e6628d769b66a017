"""The gateway as a bare ASGI application: predict, feedback, health, readiness, metrics."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from os import getpid
from typing import TypeAlias

import msgspec

from modelyard.clock import RealClock
from modelyard.errors import YardError
from modelyard.serve import feedback, lines, reports
from modelyard.serve.batching import Batcher
from modelyard.serve.call import Call, Codec
from modelyard.serve.decode import read
from modelyard.serve.gateway import Gateway
from modelyard.serve.http import (
    LOOPBACK,
    MAX_BODY,
    READ_SECONDS,
    Gone,
    Receive,
    Request,
    Response,
    Scope,
    Send,
    check_head,
    check_json,
    chosen_id,
    digest_of,
    own_host,
    problem,
)
from modelyard.serve.levels import Levels, answered_badly
from modelyard.serve.metrics import Labels, Metrics
from modelyard.serve.protocols import routes
from modelyard.serve.refusal import UNFIT, Fault, Refusal, of_faults
from modelyard.serve.reports import Report, resident
from modelyard.serve.shadows import Shadows
from modelyard.serve.tracing import STATUS, tracing

REFRESH_SECONDS = 0.25
MOST_WAITING = 1_000
MOST_HOSTS = 1_000
STUCK_SECONDS = 10.0
MOST_LABELS = 100_000
PREDICTORS = 2
Operate: TypeAlias = Callable[[str, bytes], Awaitable[Response]]
_encode = msgspec.json.Encoder().encode
_log = logging.getLogger(__name__)


def create(
    gateway: Gateway, *, hosts: Collection[str] = LOOPBACK, max_body: int = MAX_BODY, read_seconds: float = READ_SECONDS
) -> Server:
    """The ASGI application of a gateway. `hosts`: names it answers under, without port ("*": any).

    Under a server with lifespan it refreshes the gateway by itself; else call `gateway.refresh()`.
    """
    return Server(gateway, hosts=frozenset(hosts), max_body=max_body, read_seconds=read_seconds)


class Server:
    """An ASGI application over a gateway. Models and the store are asked in threads, so that it stays responsive."""

    def __init__(self, gateway: Gateway, *, hosts: Collection[str], max_body: int, read_seconds: float) -> None:
        self.gateway = gateway
        self.metrics = Metrics()
        self.shadows = Shadows(
            lambda call: self.metrics.count("modelyard_shadows_dropped_total", deployment=call.board.name)
        )
        self.levels = Levels(gateway.store, self.metrics)
        self.tracing = tracing()
        self.access = lines.access()
        if self.tracing is not None:
            gateway.steps = tuple(map(self.tracing.spanned, gateway.steps))
            gateway.late_steps = tuple(map(self.tracing.spanned, gateway.late_steps))
        self.batcher = Batcher(gateway, self.metrics, self.shadows, self.levels, self.tracing)
        self.questions: dict[bytes, str] = {}
        self.left: dict[Labels, float] = {}
        self.trouble = ""  # what keeps the store from being read: told once
        self.max_body = max_body
        self.stopping = False
        self.report = Report(reports.place(gateway.store), RealClock().now)
        self._running: dict[int, float] = {}
        self._hosts = hosts
        self._seen_hosts: dict[bytes, bool] = {}
        self._read_seconds = read_seconds
        self._predictors = ThreadPoolExecutor(PREDICTORS, "predict")
        self._late = ThreadPoolExecutor(1, "late")
        self._writers = ThreadPoolExecutor(1, "feedback")
        self._refresher = ThreadPoolExecutor(1, "refresh")
        self._working = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request, or the server's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1003})

    def is_own(self, host: bytes) -> bool:
        """Whether a Host header names this server; remembered, for it is always the same few."""
        known = self._seen_hosts.get(host)
        if known is None:
            known = own_host(host, self._hosts)
            if len(self._seen_hosts) < MOST_HOSTS:
                self._seen_hosts[host] = known
        return known

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request.of(scope, receive)
        try:
            response = await self._answer(scope, request)
        except Gone:
            return
        except Refusal as refusal:
            response = problem(refusal, request)
        except YardError as error:
            response = problem(Refusal(error.status, error.code, error.message), request)
        except Exception:
            # Our mistake: told without any value, and with all that is needed to find it in the log.
            _log.exception("request %s failed", request.request_id)
            response = problem(Refusal(500, "internal_error", "The gateway failed."), request)
        await response.send(send, request)

    async def _answer(self, scope: Scope, request: Request) -> Response:
        check_head(scope, request, self._hosts)
        plain = PLAIN.get(request.path)
        if plain is not None:
            _allow(request, "GET", "HEAD")
            return plain(self)
        found = routes.find(request.path)
        if found is None or found[1].get("project", self.gateway.store.project) != self.gateway.store.project:
            raise Refusal(404, "not_found", "There is nothing here.")
        route, names = found
        request.complain = route.complain
        if route.show is not None:
            _allow(request, "GET", "HEAD")
            return route.show(self.gateway, names)
        _allow(request, "POST")
        chosen = chosen_id(request)
        request.request_id = chosen or secrets.token_hex(12)
        operate: Operate
        if route.codec is not None:
            operate = partial(self.predict, request, chosen, route.codec(request, names))
        else:
            check_json(request)
            operate = self.feedback
        return await self._measured(request, names["name"], route.operation, operate)

    async def _measured(self, request: Request, name: str, operation: str, operate: Operate) -> Response:
        """Read the body, do the operation within the limits of overload, and count how it went."""
        known = name if name in self.gateway.names else ""
        status = 500
        began = self.gateway.clock.monotonic()
        try:
            body = await request.body(self.max_body, self._read_seconds)
            began = request.began or self.gateway.clock.monotonic()
            if self._working >= MOST_WAITING:
                raise Refusal(429, "overloaded", "Too many requests are waiting.", retry_after=1)
            self._working += 1
            try:
                response = await operate(name, body)
            finally:
                self._working -= 1
            status = response.status
            return response
        except YardError as error:
            status = error.status
            self.metrics.count("modelyard_refusals_total", deployment=known, code=error.code)
            self._refused(known, operation, error)
            raise
        finally:
            took = self.gateway.clock.monotonic() - began
            self.metrics.count("modelyard_requests_total", deployment=known, operation=operation, status=str(status))
            self.metrics.time(took, deployment=known, operation=operation)
            self._level(known, operation, status, took)
            if self.access is not None:
                about = {"request_id": request.request_id, "deployment": known, "operation": operation}
                self.access.info("request", extra={**about, "status": status, "ms": round(1000 * took, 3)})

    def _level(self, name: str, operation: str, status: int, took: float) -> None:
        """Count a question for predictions for the deployment's service levels."""
        deployed = self.gateway.deployed(name) if operation == "predict" else None
        if deployed is not None and (status < 400 or answered_badly(status)):
            failed = status >= 400
            self.levels.count(deployed.board, () if failed else (took,), failed=failed)

    def _refused(self, name: str, operation: str, error: YardError) -> None:
        """Count a question for predictions that does not fit what the deployment's models take."""
        deployed = self.gateway.deployed(name) if operation == "predict" else None
        if deployed is not None and isinstance(error, Refusal) and error.status == UNFIT:
            self.levels.refuse(deployed.board, error.faults or [Fault("", error.code)])

    async def predict(self, request: Request, chosen: str | None, codec: Codec, name: str, body: bytes) -> Response:
        """Answer rows in the language of `codec`."""
        if self.tracing is None:
            return await self._ask(request, chosen, codec, name, body)
        with self.tracing.request(name, request.text("traceparent")) as span:
            span.set_attribute("modelyard.request_id", request.request_id)
            response = await self._ask(request, chosen, codec, name, body)
            span.set_attribute(STATUS, response.status)
            return response

    async def _ask(self, request: Request, chosen: str | None, codec: Codec, name: str, body: bytes) -> Response:
        call = self.gateway.call(name, request_id=chosen, routing_key=_routing_key(request))
        call.request_id = request.request_id
        call.body, call.codec = body, codec
        call.forced = request.text("x-force-arm")
        if chosen is not None:
            call.digest = digest_of(body, call.routing_key, request.path, call.forced)
        if request.late:
            return await self._too_late(call)
        loop, deadline = asyncio.get_running_loop(), call.board.promise.deadline
        working = loop.run_in_executor(self._predictors, copy_context().run, self._predict, call)
        self._running[id(call)] = loop.time() + deadline
        working.add_done_callback(lambda _: self._running.pop(id(call)))
        await asyncio.wait({working}, timeout=deadline)
        if not working.done() and call.claim():
            working.cancel()
            working.add_done_callback(_forget)
            return await self._too_late(call)
        response = await working
        self.shadows.add(call)
        return response

    def stuck(self, now: float) -> bool:
        """Whether a model has not come back long after its deadline: this process will not answer much any more."""
        return any(now - late > STUCK_SECONDS for late in self._running.values())

    async def _too_late(self, call: Call) -> Response:
        """Answer without the model: by the fallback, else 504. What the model still says is not logged any more."""
        again = replace(call, parts=[], typed={}, claimed=False, tickets=[None])
        return await asyncio.get_running_loop().run_in_executor(
            self._late, copy_context().run, self._predict, again, True
        )

    def _predict(self, call: Call, late: bool = False) -> Response:
        try:
            answer = self.gateway.run(call, late=late)
        finally:
            self._count_policy(call)
        name = call.board.name
        told = {"deployment": name, "arm": answer.arm}
        if answer.release in call.board.loaded:
            told["release"] = call.board.loaded[answer.release].served.name
        self.metrics.count("modelyard_rows_total", len(answer.predictions), **told)
        for code, number in Counter(code for _, _, code in answer.warnings).items():
            self.metrics.count("modelyard_warnings_total", number, deployment=name, code=code)
        assert call.codec is not None
        return call.codec.write(call, answer)

    def _count_policy(self, call: Call) -> None:
        """Count what the input policy did, whether or not the request is answered."""
        for part in call.parts:
            for (column, code, action), number in part.outcome.uses.items() if part.outcome is not None else ():
                told = {"deployment": call.board.name, "input": column, "code": code, "action": action}
                self.metrics.count("modelyard_policy_total", number, **told)

    async def feedback(self, name: str, body: bytes) -> Response:
        """`POST /deployments/{name}/feedback`."""
        return await asyncio.get_running_loop().run_in_executor(self._writers, self._feedback, name, body)

    def _feedback(self, name: str, body: bytes) -> Response:
        document = read(body)
        if not isinstance(document, dict) or set(document) != {"feedback"}:
            raise of_faults([Fault("", "wrong_shape", "an object with feedback")])
        refusal = feedback.too_many(document["feedback"], MOST_LABELS)
        if refusal is not None:
            raise refusal
        results = self.gateway.feedback(name, document["feedback"])
        return Response(feedback.overall(results), _encode({"results": [each.as_json() for each in results]}))

    def health(self) -> Response:
        """`GET /healthz`: the process answers."""
        return Response(200, b'{"status":"ok"}')

    def live(self) -> Response:
        """`GET /v2/health/live`."""
        return Response(200, b'{"live":true}')

    def ready(self) -> Response:
        """`GET /readyz`: what is served, by revision; 503 while a deployment is not, or on the way down."""
        errors = self.gateway.errors
        served = {
            name: {"revision": self.gateway.revision(name), "ready": True, "error": errors.get(name, "")}
            for name in self.gateway.names
        }
        missing = {
            name: {"revision": 0, "ready": False, "error": says} for name, says in errors.items() if name not in served
        }
        ready = bool(served) and not missing and not self.stopping
        document = {"ready": ready, "deployments": served | missing}
        return Response(200 if ready else 503, json.dumps(document).encode())

    def numbers(self) -> Response:
        """`GET /metrics`."""
        revisions: dict[Labels, float] = {
            (("deployment", name),): float(self.gateway.revision(name)) for name in self.gateway.names
        }
        lost: dict[Labels, float] = {
            (("deployment", name),): float(deployed.spool.lost)
            for name in self.gateway.names
            if (deployed := self.gateway.deployed(name)) is not None and deployed.spool.lost
        }
        gauges: dict[str, dict[Labels, float]] = {
            "modelyard_revision": revisions,
            "modelyard_working": {(): float(self._working)},
            "process_resident_memory_bytes": {(): float(resident(getpid()))},
        }
        gauges |= {"modelyard_unlogged_rows": lost} if lost else {}
        gauges |= {"modelyard_slo_budget_left": self.left} if self.left else {}
        text = self.metrics.text(gauges)
        return Response(200, text.encode(), "text/plain; version=0.0.4; charset=utf-8")

    async def _live(self, receive: Receive, send: Send) -> None:
        """The server's life: load, refresh a few times a second, and leave in order."""
        await receive()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._refresher, self._refresh)
        await send({"type": "lifespan.startup.complete"})
        refreshing = asyncio.create_task(self._keep_fresh())
        await receive()
        self.stopping = True
        refreshing.cancel()
        await loop.run_in_executor(None, self.close)
        await send({"type": "lifespan.shutdown.complete"})

    async def _keep_fresh(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            await loop.run_in_executor(self._refresher, self._refresh)

    def _refresh(self) -> None:
        try:
            self.gateway.refresh()
            self.questions = {
                f"/deployments/{place}{name}/predict".encode(): name
                for name in self.gateway.names
                for place in ("", f"{self.gateway.store.project}/")
            }
            self._tell()
            self.gateway.rotate(due=True)
            self.levels.write()
            self.left = self.levels.left([self.gateway.board(name) for name in self.gateway.names])
            self.trouble = ""
        except Exception as error:  # without the database the gateway serves on what it has
            if str(error) != self.trouble:
                self.trouble = str(error)
                _log.warning("the store cannot be read: %s", error)

    def _tell(self) -> None:
        """Say which routes this process runs, and which releases it does not ask because they only fail."""
        deployed = {name: self.gateway.deployed(name) for name in self.gateway.names}
        ejected = {name: each.ejections.now for name, each in deployed.items() if each is not None}
        self.report.tell({name: self.gateway.revision(name) for name in deployed}, ejected)

    def close(self) -> None:
        """End the threads and close the log."""
        for pool in (self._refresher, self._predictors, self._late, self._writers):
            pool.shutdown()
        self.batcher.close()
        self.shadows.close()
        self.report.close()
        self.levels.write(every=True)
        if self.tracing is not None:
            self.tracing.close()
        self.gateway.close()


def _forget(working: asyncio.Future[Response]) -> None:
    """What came too late was answered already."""
    if not working.cancelled():
        working.exception()


def _allow(request: Request, *methods: str) -> None:
    if request.method not in methods:
        raise Refusal(405, "method_not_allowed", f"Use {' or '.join(methods)}.", allow=", ".join(methods))


def _routing_key(request: Request) -> str | None:
    key = request.text("x-routing-key")
    if key is not None and ("\x00" in key or len(key) > 1_000):
        raise Refusal(400, "bad_routing_key", "X-Routing-Key is at most 1,000 characters.")
    return key


PLAIN: dict[str, Callable[[Server], Response]] = {
    "/healthz": Server.health,
    "/readyz": Server.ready,
    "/metrics": Server.numbers,
    "/v2/health/live": Server.live,
    "/v2/health/ready": Server.ready,
}
