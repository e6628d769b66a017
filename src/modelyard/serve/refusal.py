"""Why a request is not answered: a status, a code, and every fault with its place. Values are never in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from modelyard.errors import YardError

MOST_FAULTS = 100
UNFIT = 422
"""The status of a request that was read, and does not fit the inputs."""
TITLES = {
    400: "The request cannot be read",
    404: "Not found",
    405: "Method not allowed",
    406: "No acceptable form of the answer",
    408: "The request took too long to arrive",
    409: "Conflict with an earlier request",
    413: "Too large",
    415: "Unsupported content",
    403: "Not allowed",
    421: "Not served under this host name",
    422: "The request was read, and is wrong",
    429: "Too many requests",
    431: "Too many or too large headers",
    500: "The model failed",
    502: "The model answered nonsense",
    503: "Not available now",
    504: "The model did not answer in time",
}


@dataclass(frozen=True)
class Fault:
    """One fault of a request: a JSON `pointer` to the place, a `code`, and what was `expected` there."""

    pointer: str
    code: str
    expected: str = ""

    def as_json(self) -> dict[str, str]:
        """The fault as an object of `errors`."""
        return {"pointer": self.pointer, "code": self.code, "expected": self.expected}


class Refusal(YardError):
    """A request that is not answered: HTTP `status`, `code`, and `faults` (all of them, at most `MOST_FAULTS`)."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str = "",
        *,
        faults: Iterable[Fault] = (),
        retry_after: int | None = None,
        request_id: str = "",
        allow: str = "",
    ) -> None:
        super().__init__(message or TITLES.get(status, code))
        self.status = status
        self.code = code
        self.faults = list(faults)[:MOST_FAULTS]
        self.retry_after = retry_after
        self.request_id = request_id
        self.allow = allow
        self.exit_code = 2 if status < 500 else 1

    def as_json(self) -> dict[str, object]:
        """The refusal as the body of `application/problem+json`, without `instance`."""
        return {
            "type": f"urn:modelyard:{self.code}",
            "title": TITLES.get(self.status, "Refused"),
            "status": self.status,
            "detail": self.message,
            "code": self.code,
            "request_id": self.request_id,
            "errors": [fault.as_json() for fault in self.faults],
        }


def of_faults(faults: list[Fault], *, status: int = 422) -> Refusal:
    """The refusal that tells all `faults`; its code is theirs when they agree, else `invalid_input`."""
    codes = {fault.code for fault in faults}
    code = codes.pop() if len(codes) == 1 else "invalid_input"
    places = "1 place" if len(faults) == 1 else f"{len(faults)} places"
    return Refusal(status, code, f"{places} of the request cannot be used as given; see errors.", faults=faults)


def pointer(*parts: str | int) -> str:
    """A JSON pointer (RFC 6901); long names are cut, so that an error stays small.

    >>> pointer("rows", 3, "a/b")
    '/rows/3/a~1b'
    """
    return "".join("/" + str(part)[:100].replace("~", "~0").replace("/", "~1") for part in parts)
