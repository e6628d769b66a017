"""MLflow's scoring protocol at `/deployments/{name}/invocations`: its JSON bodies, and tables in CSV.

`dataframe_split`, `dataframe_records`, `instances` and `inputs` hold rows or columns by name; lists without names are in
the order of the model's inputs. The answer is `predictions`, beside them what our own protocol tells.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from io import StringIO
from typing import Any

import msgspec

from modelyard.serve.answer import Answer
from modelyard.serve.call import Call
from modelyard.serve.decode import read as read_json
from modelyard.serve.gateway import Gateway
from modelyard.serve.http import Request, Response, check_encoding, media_type
from modelyard.serve.refusal import MOST_FAULTS, Fault, Refusal, of_faults, pointer

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
MISSING = frozenset(
    [
        "",
        "#N/A",
        "#N/A N/A",
        "#NA",
        "-1.#IND",
        "-1.#QNAN",
        "-NaN",
        "-nan",
        "1.#IND",
        "1.#QNAN",
        "<NA>",
        "N/A",
        "NA",
        "NULL",
        "NaN",
        "None",
        "n/a",
        "nan",
        "null",
    ]
)
"""Cells of CSV that mean no value: those that pandas, by which MLflow reads them, takes so."""
_encode = msgspec.json.Encoder().encode


class Json:
    """MLflow's JSON bodies."""

    def read(self, call: Call) -> None:
        """Take rows or columns from the body."""
        assert call.body is not None
        document = read_json(call.body, nan=True)  # so MLflow's client writes missing numbers
        forms = [form for form in FORMS if form in document] if isinstance(document, dict) else []
        if len(forms) != 1:
            raise of_faults([Fault("", "wrong_shape", f"an object with one of {', '.join(FORMS)}")])
        _nothing_else(document, forms[0])
        data, form = document[forms[0]], forms[0]
        if form == "dataframe_split":
            _split(call, data)
        elif isinstance(data, dict) and form == "inputs":
            _by_name(call, data)
        elif form == "dataframe_records" or (isinstance(data, list) and data and isinstance(data[0], dict)):
            call.form, call.rows = "rows", data
            call.places = lambda row, name: pointer(*(part for part in (form, row, name) if part is not None))
        else:
            _matrix(call, form, data)

    def write(self, call: Call, answer: Answer) -> Response:
        """The answer as MLflow's clients read it."""
        return Response(200, _encode(answer.as_json()))


class Csv:
    """A table in CSV: the first line names the columns."""

    def read(self, call: Call) -> None:
        """Take columns of texts from the body; they are read as the inputs' types."""
        try:
            text = (call.body or b"").decode("utf-8")
        except UnicodeDecodeError:
            raise Refusal(400, "invalid_csv", "The body is not UTF-8.") from None
        try:
            lines = list(csv.reader(StringIO(text, newline=""), strict=True))
        except csv.Error:
            raise Refusal(400, "invalid_csv", "The body is not valid CSV.") from None
        lines = [line for line in lines if line]
        if not lines or len(set(lines[0])) != len(lines[0]):
            raise Refusal(400, "invalid_csv", "The first line names the columns, each once.")
        names, rows = lines[0], lines[1:]
        wrong = [number for number, row in enumerate(rows) if len(row) != len(names)]
        if wrong or not rows:
            places = [pointer(row) for row in wrong[:MOST_FAULTS]] or [""]
            raise of_faults([Fault(place, "wrong_shape", f"rows of {len(names)} cells") for place in places])
        call.form, call.textual = "columns", True
        kinds = call.board.kinds
        call.columns = {name: [_cell(row[place], kinds.get(name)) for row in rows] for place, name in enumerate(names)}
        call.places = _in_lines

    def write(self, call: Call, answer: Answer) -> Response:
        """The answer as MLflow's clients read it."""
        return Response(200, _encode(answer.as_json()))


def _in_lines(row: int | None, name: str | None) -> str:
    """Where a cell stands, were the lines a list of objects; a column as a whole is told at its first."""
    if name is None:
        return "" if row is None else pointer(row)
    return pointer(row or 0, name)


def _cell(text: str, kind: str | None) -> str | None:
    if text in MISSING:
        return None
    return text.lower() if kind == "boolean" and text in ("True", "False", "TRUE", "FALSE") else text


JSON, CSV = Json(), Csv()


def codec(request: Request, names: Mapping[str, str]) -> Json | Csv:
    """The codec of a request. Refusal 415 for bodies that are neither JSON nor CSV."""
    check_encoding(request)
    match media_type(request):
        case "application/json":
            return JSON
        case "text/csv":
            return CSV
    raise Refusal(415, "unsupported_media_type", "Send application/json or text/csv.")


def ping(gateway: Gateway, names: Mapping[str, str]) -> Response:
    """`GET /deployments/{name}/ping`: the deployment answers. Refusal 404 or 503 when it does not."""
    gateway.board(names["name"])
    return Response(200, b"\n", "application/json")


def complain(refusal: Refusal) -> dict[str, Any]:
    """A refusal as MLflow's clients read it."""
    return {"error_code": "BAD_REQUEST" if refusal.status < 500 else "INTERNAL_ERROR", "message": refusal.message}


def _nothing_else(document: dict[str, Any], form: str) -> None:
    for name in sorted(document.keys() - {form}):
        if name not in ("params", "signature_name"):
            raise of_faults([Fault(pointer(name), "wrong_shape", f"nothing beside {form}")])
        if document[name] and document[name] != "serving_default":
            raise of_faults([Fault(pointer(name), "unsupported_parameter", "none")])


def _split(call: Call, data: Any) -> None:
    """`{"columns": [...], "data": [[...], ...]}`, as pandas writes it; the index is of no account."""
    place = "dataframe_split"
    if not isinstance(data, dict) or not {"columns", "data"} <= data.keys() <= {"columns", "data", "index"}:
        raise of_faults([Fault(pointer(place), "wrong_shape", "an object with columns and data")])
    names, rows = data["columns"], data["data"]
    if not isinstance(names, list) or set(map(type, names)) != {str} or len(set(names)) != len(names):
        raise of_faults([Fault(pointer(place, "columns"), "wrong_shape", "a list of names, each once")])
    call.form, call.columns = "columns", _columns(names, rows, (place, "data"))
    call.places = _in_lists((place, "data"), names)


def _by_name(call: Call, data: dict[str, Any]) -> None:
    """`{"a": [...], "b": [...]}`; each may be a column of lists of one."""
    call.form = "columns"
    call.columns = {
        name: [item for each in values for item in each] if _wrapped(values) else values
        for name, values in data.items()
    }
    call.places = lambda row, name: pointer(
        *(part for part in ("inputs", name, row if name else None) if part is not None)
    )


def _wrapped(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and all(type(each) is list and len(each) == 1 for each in values)


def _matrix(call: Call, form: str, data: Any) -> None:
    """Lists without names: one per row, in the order of the model's inputs."""
    names = list(call.board.first().inputs)
    call.form, call.columns = "columns", _columns(names, data, (form,))
    call.places = _in_lists((form,), names)


def _columns(names: list[str], rows: Any, place: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(rows, list) or not rows:
        raise of_faults([Fault(pointer(*place), "wrong_shape", "a list of at least one row")])
    wrong = [row for row, each in enumerate(rows) if type(each) is not list or len(each) != len(names)]
    if wrong:
        expected = f"a list of {len(names)} values"
        raise of_faults([Fault(pointer(*place, row), "wrong_shape", expected) for row in wrong[:MOST_FAULTS]])
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def _in_lists(place: tuple[str, ...], names: list[str]) -> Any:
    """Where values stand in a list of lists."""
    numbers = {name: number for number, name in enumerate(names)}

    def at(row: int | None, name: str | None) -> str:
        if row is None:
            return pointer(*place)
        return pointer(*place, row) if name not in numbers else pointer(*place, row, numbers[name])

    return at
