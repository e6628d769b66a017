"""Every path under which the gateway is asked, and the protocol that is spoken there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from modelyard.serve.call import Codec
from modelyard.serve.gateway import Gateway
from modelyard.serve.http import Request, Response
from modelyard.serve.protocols import mlflow, oip, openapi, own
from modelyard.serve.refusal import Refusal


@dataclass(frozen=True)
class Route:
    """A path, and what is done there: `predict` in the language of `codec`, `feedback`, or `show` a document (GET).

    `complain` gives what the protocol's clients look for in a refusal, beside what a problem document has.
    """

    path: str
    operation: Literal["predict", "feedback", "show"]
    codec: Callable[[Request, Mapping[str, str]], Codec] | None = None
    show: Callable[[Gateway, Mapping[str, str]], Response] | None = None
    complain: Callable[[Refusal], Mapping[str, Any]] | None = None


ROUTES = (  # the first that fits: a path that ends in a name comes after those that go on
    Route("/deployments/{name}/predict", "predict", own.codec),
    Route("/deployments/{name}/feedback", "feedback"),
    Route("/deployments/{name}/openapi.json", "show", show=openapi.show),
    Route("/deployments/{name}/invocations", "predict", mlflow.codec, complain=mlflow.complain),
    Route("/deployments/{name}/ping", "show", show=mlflow.ping, complain=mlflow.complain),
    Route("/v2", "show", show=oip.server, complain=oip.complain),
    Route("/v2/models/{name}/ready", "show", show=oip.ready, complain=oip.complain),
    Route("/v2/models/{name}/infer", "predict", oip.codec, complain=oip.complain),
    Route("/v2/models/{name}/versions/{version}", "show", show=oip.model, complain=oip.complain),
    Route("/v2/models/{name}/versions/{version}/ready", "show", show=oip.ready, complain=oip.complain),
    Route("/v2/models/{name}/versions/{version}/infer", "predict", oip.codec, complain=oip.complain),
    Route("/v2/models/{name}", "show", show=oip.model, complain=oip.complain),
)
_SHAPES = {"{name}": r"(?:(?P<project>[^/]+)/)??(?P<name>[^/]+)", "{version}": r"(?P<version>[^/]+)"}


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile("".join(_SHAPES.get(part, re.escape(part)) for part in re.split(r"(\{\w+\})", path)))


_PATTERNS = [(_pattern(route.path), route) for route in ROUTES]


@lru_cache(1024)
def find(path: str) -> tuple[Route, Mapping[str, str]] | None:
    """The route of a path with the names in it: `name` of the deployment and, where it is given, `project`."""
    for pattern, route in _PATTERNS:
        found = pattern.fullmatch(path)
        if found is not None:
            return route, {name: value for name, value in found.groupdict().items() if value is not None}
    return None
