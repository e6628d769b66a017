"""The control API: the door's operations over HTTP, under /api/v1, with an OpenAPI document.

It listens on loopback, where the caller is the local owner; a foreign Host or Origin is refused, so that a web page in
the owner's browser cannot act.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from fastapi import Body, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from modelyard import __version__
from modelyard.api.context import Context
from modelyard.api.routes import OPERATIONS, Operation, find
from modelyard.errors import InputError, SpecError, UserCodeError, YardError

LONGEST_NAME = 200
OBJECTS = {"frozen"}
ANY = ("float | None", "list[Json] | None")
LOOPBACK = {"127.0.0.1", "localhost", "[::1]", "::1"}


def create(context: Context) -> FastAPI:
    """The control API of one project and environment."""
    app = FastAPI(
        title="Modelyard", version=__version__, docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json"
    )
    app.middleware("http")(_only_from_here)
    app.exception_handler(YardError)(_problem)
    app.exception_handler(RequestValidationError)(_malformed)
    app.exception_handler(HTTPException)(_no_such_route)
    app.exception_handler(Exception)(_internal)
    app.get("/healthz")(lambda: {"status": "ok"})
    for operation in OPERATIONS:
        if operation.remote:
            _route(app, context, operation)
    return app


def _route(app: FastAPI, context: Context, operation: Operation) -> None:
    function = find(operation.name)
    accepted = set(inspect.signature(function).parameters) - {"context"}

    async def reading(request: Request) -> Any:
        return await _call(request, dict(request.query_params))

    async def writing(request: Request, arguments: Annotated[dict[str, Any], Body(default_factory=dict)]) -> Any:
        return await _call(request, arguments)

    async def _call(request: Request, arguments: dict[str, Any]) -> Any:
        arguments = {**arguments, **request.path_params}
        unknown = sorted(set(arguments) - accepted)
        if unknown:
            raise InputError(f"unknown argument {unknown[0]!r}", hint=f"There are: {', '.join(sorted(accepted))}.")
        missing = sorted(name for name in _required(function) if arguments.get(name) is None)
        if missing:
            raise InputError(f"argument {missing[0]!r} is missing")
        acting = replace(context, actor=_actor(request) or context.actor)
        return JSONResponse(await run_in_threadpool(function, acting, **_typed(function, arguments)))

    app.add_api_route(
        f"/api/v1{operation.path}",
        reading if operation.method == "GET" else writing,
        methods=[operation.method],
        name=operation.name,
        description=inspect.getdoc(function),
        openapi_extra=_described(operation, function),
    )


def _described(operation: Operation, function: Any) -> dict[str, Any]:
    """The arguments of an operation for the OpenAPI document: in the query, in the body, or in the path."""
    known = {name: each for name, each in inspect.signature(function).parameters.items() if name != "context"}
    required = _required(function)
    path = [name for name in known if f"{{{name}}}" in operation.path]
    shown = {name: _schema(name, each) for name, each in known.items() if name not in path}
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in path]
    problem = {"description": "Refused", "content": {"application/problem+json": {"schema": _PROBLEM}}}
    said: dict[str, Any] = {"responses": {"default": problem}}
    if operation.method == "GET":
        parameters += [
            {"name": name, "in": "query", "required": name in required, "schema": schema}
            for name, schema in shown.items()
        ]
    else:
        body = {"type": "object", "properties": shown, "additionalProperties": False}
        body |= {"required": sorted(required - set(path))} if required - set(path) else {}
        said["requestBody"] = {"content": {"application/json": {"schema": body}}}
    return said | {"parameters": parameters}


_PROBLEM = {
    "type": "object",
    "properties": {"code": {"type": "string"}, "detail": {"type": "string"}, "status": {"type": "integer"}},
    "required": ["code", "status"],
}


def _schema(name: str, parameter: inspect.Parameter) -> dict[str, Any]:
    """What `_typed` takes for an argument."""
    if parameter.annotation == "int":
        schema: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
    elif isinstance(parameter.default, tuple):
        schema = {"type": "array", "items": {"type": "string"}}
    elif parameter.annotation == "float | None":
        schema = {"type": ["number", "null"]}
    elif parameter.annotation == "list[Json] | None":
        schema = {"type": ["array", "null"], "items": {"type": "object"}}
    elif name in OBJECTS:
        schema = {"type": ["object", "null"]}
    else:
        optional = parameter.default is None
        schema = {"type": ["string", "null"] if optional else "string"}
    has = parameter.default not in (inspect.Parameter.empty, None, ())
    return schema | ({"default": parameter.default} if has else {})


def _required(function: Any) -> set[str]:
    parameters = inspect.signature(function).parameters.values()
    return {item.name for item in parameters if item.default is item.empty} - {"context"}


def _typed(function: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments as what the function's defaults say: whole numbers, tuples of texts, objects, and else texts."""
    typed = dict(arguments)
    for name, parameter in inspect.signature(function).parameters.items():
        if name not in typed:
            continue
        value = typed[name]
        if parameter.annotation == "int":
            try:
                typed[name] = int(value)
            except (TypeError, ValueError, OverflowError):
                raise InputError(f"argument {name!r} is not a whole number") from None
            if not 0 < typed[name] < 2**31:
                raise InputError(f"argument {name!r} is out of bounds", hint="Give a number from 1.")
        elif isinstance(parameter.default, tuple):
            if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
                raise InputError(f"argument {name!r} is not a list of texts")
            typed[name] = tuple(value)
        elif parameter.annotation in ANY:
            pass  # the operation reads it itself
        elif name in OBJECTS:
            if value is not None and not isinstance(value, dict):
                raise InputError(f"argument {name!r} is not an object")
        elif value is not None and not isinstance(value, str):
            raise InputError(f"argument {name!r} is not a text")
    return typed


def _actor(request: Request) -> str:
    """Who acts, as the client says; HTTP headers hold only some characters, so the client percent-encodes the others."""
    actor = unquote(request.headers.get("X-Yard-Actor", ""))
    if len(actor) > LONGEST_NAME or not actor.isprintable():
        raise InputError(
            f"X-Yard-Actor names nobody: at most {LONGEST_NAME} printable characters", hint="See YARD_ACTOR."
        )
    return actor


async def _only_from_here(request: Request, following: Any) -> Response:
    origin = request.headers.get("origin")
    if _host(f"//{request.headers.get('host', '')}") not in LOOPBACK:
        return _answer(421, "misdirected", "this API answers to loopback names only")
    if origin is not None and _host(origin) not in LOOPBACK:
        return _answer(403, "foreign_origin", "requests from other sites are refused")
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if request.method == "POST" and kind != "application/json":
        return _answer(415, "wrong_type", "send application/json")
    return await following(request)


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


async def _problem(request: Request, error: YardError) -> JSONResponse:
    body = error.as_json()
    more: dict[str, Any] = {"where": body["where"], "hint": body["hint"]}
    if isinstance(error, SpecError):
        more["problems"] = [vars(problem) for problem in error.problems]
    if isinstance(error, UserCodeError):
        more["log"] = error.log
    return _answer(error.status, error.code, error.message, **more)


async def _malformed(request: Request, error: RequestValidationError) -> JSONResponse:
    return _answer(400, "invalid_json", "the body is no JSON object", hint="Send the arguments as one JSON object.")


async def _no_such_route(request: Request, error: HTTPException) -> JSONResponse:
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "bad_input")
    return _answer(error.status_code, code, str(error.detail), headers=error.headers)


async def _internal(request: Request, error: Exception) -> JSONResponse:
    return _answer(500, "internal_error", "the control API failed; its log on the server says more")


def _answer(
    status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any
) -> JSONResponse:
    content = {"type": "about:blank", "title": code, "status": status, "code": code, "detail": detail, **more}
    return JSONResponse(content, status_code=status, media_type="application/problem+json", headers=headers)
