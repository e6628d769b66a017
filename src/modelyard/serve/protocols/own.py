"""Our own protocol: `{"rows": [{...}]}` or `{"columns": {"a": [...]}}` in, predictions with their release and arm out.

Bodies are JSON, or for bulk Arrow, in both directions and in any combination: `Content-Type` says what comes, `Accept`
what goes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from modelyard.serve.answer import Answer
from modelyard.serve.call import Call
from modelyard.serve.decode import read as read_json
from modelyard.serve.http import Request, Response, check_encoding, media_type
from modelyard.serve.protocols import arrow
from modelyard.serve.refusal import Fault, Refusal, of_faults

JSON = "application/json"
_encode = msgspec.json.Encoder().encode


def rows_or_columns(call: Call) -> None:
    """Take rows or columns from a JSON body."""
    assert call.body is not None
    document = read_json(call.body)
    if not isinstance(document, dict) or len(document) != 1 or not document.keys() & {"rows", "columns"}:
        raise of_faults([Fault("", "wrong_shape", "an object with either rows or columns")])
    call.form = "rows" if "rows" in document else "columns"
    call.rows, call.columns = document.get("rows"), document.get("columns", {})


def as_json(answer: Answer) -> Response:
    """The answer as JSON."""
    return Response(200, _encode(answer.as_json()))


@dataclass(frozen=True)
class Codec:
    """One of the forms in, one of the forms out."""

    reads: Callable[[Call], None]
    writes: Callable[[Answer], Response]

    def read(self, call: Call) -> None:
        """Take rows or columns from the body."""
        self.reads(call)

    def write(self, call: Call, answer: Answer) -> Response:
        """The answer as it is sent."""
        return self.writes(answer)


PLAIN = Codec(rows_or_columns, as_json)
_READS = {JSON: rows_or_columns, arrow.STREAM: arrow.read}
_WRITES = {JSON: as_json, arrow.STREAM: arrow.write}


def codec(request: Request, names: Mapping[str, str]) -> Codec:
    """The codec of a request. Refusal 415 for a body, 406 for an answer, that is neither JSON nor Arrow."""
    accepted = request.headers.get("accept")
    if request.headers.get("content-type") == b"application/json" and accepted in (None, b"*/*", b"application/json"):
        check_encoding(request)
        return PLAIN
    check_encoding(request)
    kind = media_type(request)
    if kind not in _READS:
        raise Refusal(415, "unsupported_media_type", f"Send {JSON} in UTF-8, or {arrow.STREAM}.")
    return Codec(_READS[kind], _WRITES[_wanted(request, kind)])


def _wanted(request: Request, given: str) -> str:
    """The form of the answer: the most wanted of those that there are; as it was asked where all are alike."""
    ranked: dict[str, float] = {}
    for item in (request.text("accept") or "*/*").lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        for kind in (given, *_WRITES) if name in ("*/*", "application/*", "") else (name,):
            ranked.setdefault(kind, _quality(parameters))
    wanted = [(quality, kind == given, kind) for kind, quality in ranked.items() if kind in _WRITES and quality > 0]
    if not wanted:
        raise Refusal(406, "not_acceptable", f"There is {JSON} and {arrow.STREAM}.")
    return max(wanted)[2]


def _quality(parameters: list[str]) -> float:
    for each in parameters:
        if each.startswith("q="):
            try:
                return float(each[2:])
            except ValueError:
                return 0.0
    return 1.0
