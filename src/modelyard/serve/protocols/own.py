"""Our own protocol: `{"rows": [{...}]}` or `{"columns": {"a": [...]}}` in, predictions with their release and arm out."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from modelyard.serve.answer import Answer
from modelyard.serve.call import Call
from modelyard.serve.decode import read as read_json
from modelyard.serve.http import Request, Response, check_json
from modelyard.serve.refusal import Fault, of_faults

_encode = msgspec.json.Encoder().encode


class Json:
    """Rows or columns as JSON."""

    def read(self, call: Call) -> None:
        """Take rows or columns from the body."""
        assert call.body is not None
        document = read_json(call.body)
        if not isinstance(document, dict) or len(document) != 1 or not document.keys() & {"rows", "columns"}:
            raise of_faults([Fault("", "wrong_shape", "an object with either rows or columns")])
        call.form = "rows" if "rows" in document else "columns"
        call.rows, call.columns = document.get("rows"), document.get("columns", {})

    def write(self, call: Call, answer: Answer) -> Response:
        """The answer as JSON."""
        return Response(200, _encode(answer.as_json()))


JSON = Json()


def codec(request: Request, names: Mapping[str, str]) -> Json:
    """The codec of a request. Refusal 415 for a body that is not plain JSON."""
    check_json(request)
    return JSON
