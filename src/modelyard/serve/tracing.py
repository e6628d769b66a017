"""Traces by OpenTelemetry, where its own variables say where to (OTEL_EXPORTER_OTLP_ENDPOINT); else nothing of it is loaded.

A request is a span, with one below for each thing done: decode, policy, route, predict, log. Requests that are answered
together share these: their batch is a span of its own, to which each request's is linked. No span holds a value of a row.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from modelyard.serve.batch import Batch
from modelyard.serve.call import Call

_PLACES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_NAMES = {"read": "decode", "apply_policy": "policy", "screen": "policy"}
_log = logging.getLogger(__name__)
Thing = TypeVar("Thing", Call, Batch)


def tracing() -> Tracing | None:
    """As the environment says: OpenTelemetry's variables for the exporter, the sampler and the resource hold."""
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none"
    if off or not any(os.environ.get(each) for each in _PLACES):
        return None
    try:
        return Tracing()
    except ImportError:
        _log.warning("no traces: install modelyard[otel], or unset %s", " and ".join(_PLACES))
        return None


class Tracing:
    """Makes the spans of one process and sends them, in the background."""

    def __init__(self) -> None:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "modelyard-gateway"}
        self._provider = TracerProvider(resource=Resource.create(named))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("modelyard.serve")
        self._trace = trace
        self._extract = TraceContextTextMapPropagator().extract

    def spanned(self, step: Callable[[Thing], None]) -> Callable[[Thing], None]:
        """A step that is a span when it is done."""
        name = _NAMES.get(step.__name__, step.__name__)

        def done(thing: Thing) -> None:
            with self._tracer.start_as_current_span(name):
                step(thing)

        return done

    @contextmanager
    def request(self, name: str, parent: str | None) -> Iterator[Any]:
        """The span of one request; `parent`: its `traceparent` header."""
        with self._tracer.start_as_current_span(
            f"predict {name}",
            context=self._extract({"traceparent": parent} if parent else {}),
            kind=self._trace.SpanKind.SERVER,
            attributes={"modelyard.deployment": name},
        ) as span:
            yield span

    @contextmanager
    def batch(self, batch: Batch) -> Iterator[None]:
        """The span of a batch, and afterwards those of the requests that it answered."""
        name = batch.board.name
        with self._tracer.start_as_current_span(f"batch {name}", attributes={"modelyard.deployment": name}) as span:
            yield
            rows = sum(len(share.rows) for share in batch.shares)
            span.set_attributes({"modelyard.requests": len(batch.asked), "modelyard.rows": rows})
        now, ended = batch.clock.monotonic(), int(batch.clock.now().timestamp() * 1e9)
        link = self._trace.Link(span.get_span_context())
        for share in batch.shares:
            about: dict[str, Any] = {
                "modelyard.deployment": name,
                **told(share.arm.name, share.arm.release),
                STATUS: 200,
            }
            for number in share.asked:
                each = batch.asked[number]
                began = ended - round((now - each.began) * 1e9)
                mine = self._tracer.start_span(
                    f"predict {name}",
                    context=self._extract({"traceparent": each.trace} if each.trace else {}),
                    kind=self._trace.SpanKind.SERVER,
                    attributes={**about, "modelyard.request_id": each.id},
                    links=[link],
                    start_time=began,
                )
                mine.end(ended)

    def close(self) -> None:
        """Send what waits."""
        self._provider.shutdown()


STATUS = "http.response.status_code"


def told(arm: str, release: str) -> Mapping[str, str]:
    """The attributes that say who answered."""
    return {"modelyard.arm": arm, "modelyard.release": release}
