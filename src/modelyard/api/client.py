"""The HTTP client of the door: the same operations, elsewhere."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx

from modelyard import errors
from modelyard.api.routes import OPERATIONS
from modelyard.errors import InputError, NotFound, Problem, SpecError, Unavailable, UserCodeError, YardError

KINDS = {kind.code: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, YardError)}
PATIENCE = httpx.Timeout(10.0, read=7200.0)


def call(
    url: str, name: str, arguments: dict[str, Any], *, actor: str, transport: httpx.BaseTransport | None = None
) -> Any:
    """Call one operation of the control API at `url` and return its JSON; errors come back as the errors they were."""
    operation = next((item for item in OPERATIONS if item.name == name and item.remote), None)
    if operation is None:
        raise NotFound(f"there is no operation {name!r} over HTTP")
    given = {key: value for key, value in arguments.items() if value is not None}
    path = operation.path.format_map({key: quote(str(value), safe="") for key, value in given.items()})
    given = {key: value for key, value in given.items() if f"{{{key}}}" not in operation.path}
    try:
        with httpx.Client(base_url=url, timeout=PATIENCE, transport=transport) as client:
            response = client.request(
                operation.method,
                f"/api/v1{path}",
                params=given if operation.method == "GET" else None,
                json=given if operation.method != "GET" else None,
                headers={"X-Yard-Actor": quote(actor)},
            )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(f"no answer from {url}: {error}", hint="Is `yard up` running there? See YARD_URL.") from error
    if response.is_success:
        return response.json()
    raise _error(response)


def _error(response: httpx.Response) -> YardError:
    """The error that the operation raised there, by its code; by its status when the code is not known here."""
    try:
        body = response.json()
        said = str(body.get("detail") or body.get("title") or "error")
    except (ValueError, AttributeError):
        return YardError(f"the control API answered {response.status_code}", hint="Is YARD_URL right?")
    if "problems" in body:
        return SpecError([Problem(**problem) for problem in body["problems"]])
    kind = KINDS.get(body.get("code"), InputError if response.status_code < 500 else YardError)
    error = kind(said, where=body.get("where"), hint=body.get("hint"))
    if isinstance(error, UserCodeError):
        error.log = body.get("log", "")
    return error
