"""One tree of errors.

ClientError
├── Refused            the gateway said no: `status`, `code`, `faults` with their places, `request_id`
│   ├── BadRequest     400, 406, 413, 415, 422, …: what was sent is wrong; sending it again does not help
│   ├── NotThere       404: no such deployment, or path
│   ├── Conflict       409: the request id, or a row's label, has been used for something else
│   ├── Overloaded     429: too much at once; `retry_after` says when to come again
│   ├── Failed         500, 502: the model failed, or answered nonsense
│   └── Unavailable    503, 504: not ready, or the model was too late
├── Unreachable        no connection, or it broke
└── TooLate            no answer within the caller's deadline
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx


class ClientError(Exception):
    """Base of all errors of asking a gateway."""


@dataclass(frozen=True)
class Fault:
    """One fault of a request: JSON `pointer` to its place, `code`, and what was `expected` there."""

    pointer: str
    code: str
    expected: str = ""


class Refused(ClientError):
    """The gateway did not do what was asked; a problem document (RFC 9457) as an exception."""

    def __init__(self, status: int, code: str, detail: str, faults: tuple[Fault, ...], request_id: str, retry_after: float | None) -> None:  # fmt: skip
        places = "".join(f"\n  {fault.pointer}: {fault.code}, expected {fault.expected}" for fault in faults[:10])
        super().__init__(f"{status} {code}: {detail}{places}")
        self.status = status
        self.code = code
        self.detail = detail
        self.faults = faults
        self.request_id = request_id
        self.retry_after = retry_after


class BadRequest(Refused):
    """What was sent is wrong."""


class NotThere(Refused):
    """No such deployment, or path."""


class Conflict(Refused):
    """The request id, or a row's label, has been used for something else."""


class Overloaded(Refused):
    """Too much at once."""


class Failed(Refused):
    """The model failed, or answered nonsense."""


class Unavailable(Refused):
    """Not ready, or the model was too late."""


class Unreachable(ClientError):
    """No connection, or it broke."""


class TooLate(ClientError):
    """No answer within the caller's deadline."""


_KINDS: dict[int, type[Refused]] = {
    404: NotThere,
    409: Conflict,
    429: Overloaded,
    500: Failed,
    502: Failed,
    503: Unavailable,
    504: Unavailable,
}


def of_response(response: httpx.Response) -> Refused:
    """What an answer that is none says; also one that is no problem document, as a proxy may send."""
    try:
        said = json.loads(response.content)
    except ValueError:
        said = {}
    said = said if isinstance(said, dict) else {}
    faults = tuple(_fault(each) for each in said.get("errors") or () if isinstance(each, dict))
    kind = _KINDS.get(response.status_code, BadRequest if response.status_code < 500 else Unavailable)
    return kind(
        response.status_code,
        str(said.get("code") or "unknown"),
        str(said.get("detail") or response.reason_phrase),
        faults,
        str(said.get("request_id") or response.headers.get("x-request-id", "")),
        _seconds(response.headers.get("retry-after")),
    )


def _fault(item: dict[str, Any]) -> Fault:
    return Fault(*(str(item.get(name, "")) for name in ("pointer", "code", "expected")))


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else max(float(text), 0.0)
    except ValueError:
        return None  # a date, which no gateway of ours sends
