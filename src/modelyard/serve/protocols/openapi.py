"""The OpenAPI document of one deployment: its real columns with types, ranges and categories, and examples that work.

It says what the input policy refuses, so it follows the release that answers and what the deployment declares. Ranges of
training that only lead to a warning stand in descriptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from modelyard.serve.board import Board
from modelyard.serve.gateway import Gateway
from modelyard.serve.http import Response
from modelyard.serve.policy import Rule, scalar
from modelyard.serve.protocols import openapi_oip
from modelyard.serve.protocols.arrow import STREAM
from modelyard.serve.refusal import TITLES

MOST_VALUES = 50
_TEXT = r"^[^\u0000\ud800-\udfff]*$"
_LONG = 2**63
Json = dict[str, Any]
_encode = msgspec.json.Encoder().encode


def show(gateway: Gateway, names: Mapping[str, str]) -> Response:
    """`GET /deployments/{name}/openapi.json`."""
    return Response(200, _encode(document(gateway.board(names["name"]))))


def document(board: Board) -> Json:
    """The document of what a deployment serves now."""
    row, columns, example = _schemas(board)
    rows_example = {"rows": [example]}
    operations = {
        f"/deployments/{board.name}/predict": {
            "post": _operation(
                "predict",
                "Predict rows, or columns for bulk: all of them or none.",
                _either({"rows": _list(row, board)}, {"columns": columns}),
                rows_example,
                _ref("Answer"),
                stream=True,
            )
        },
        f"/deployments/{board.name}/feedback": {
            "post": _operation(
                "feedback",
                "Say the truth about rows that were predicted.",
                {"type": "object", "properties": {"feedback": _ref("Labels")}, "required": ["feedback"], "additionalProperties": False},
                {"feedback": [{"request_id": "order-1", "row": 0, "label": _label(board)}]},
                {"type": "object", "properties": {"results": {"type": "array", "items": {"type": "object"}}}},
                more={"202": "Kept until the prediction is known", "409": "Another label is known for a row"},
            )
        },
        f"/deployments/{board.name}/invocations": {
            "post": _operation(
                "invocations",
                "MLflow's scoring protocol.",
                _either(*({form: _list(row, board)} for form in ("dataframe_records", "instances"))),
                {"dataframe_records": [example]},
                _ref("Answer"),
            )
        },
    }  # fmt: skip
    operations |= openapi_oip.paths(board, example, _operation, _complaint())
    return {
        "openapi": "3.1.0",
        "info": {"title": board.name, "version": board.first().name, "description": "Answered by Modelyard."},
        "paths": operations,
        "components": {
            "schemas": {
                "Row": row,
                "Answer": _answer(board),
                "Inference": openapi_oip.INFERENCE,
                "Problem": _PROBLEM,
                "Labels": _labels(board),
            }
        },
    }


# ---- inputs ----------------------------------------------------------------------------------------------------------


def _schemas(board: Board) -> tuple[Json, Json, Json]:
    """The schema of a row, that of columns, and a row that is answered."""
    served = board.first()
    known = {each["name"]: each for each in served.signature["inputs"]}
    rules = {rule.name: rule for rule in board.loaded[served.digest].policy.rules}
    properties = {name: _value(board, rule, known[name]) for name, rule in rules.items()}
    for name in sorted(board.names - properties.keys()):
        properties[name] = _KINDS[board.kinds.get(name, "timestamp")] | {"description": "logged, no input"}
        properties[name] = _or_null(properties[name])
    required = [name for name, rule in rules.items() if rule.missing == "reject"]
    closed = {"required": required, "additionalProperties": board.promise.extra == "ignore"}
    row = {"type": "object", "properties": properties, **closed}
    lists = {name: {"type": "array", "items": each} for name, each in properties.items()}
    columns = {"type": "object", "properties": lists, "minProperties": 1, **closed}
    return row, columns, {name: _typical(rule, known[name]) for name, rule in rules.items()}


_KINDS: dict[str, Json] = {
    "number": {"type": "number"},
    "integer": {"type": "integer", "format": "int64", "minimum": -_LONG, "maximum": _LONG - 1},
    "boolean": {"type": "boolean"},
    "category": {"type": "string", "pattern": _TEXT},
    "timestamp": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
}


def _value(board: Board, rule: Rule, known: Json) -> Json:
    """The schema of one input's value."""
    schema = dict(_KINDS[rule.kind])
    lows, highs = [rule.least], [rule.most]
    if rule.out_of_range == "reject" and rule.kind in ("number", "integer"):
        lows, highs = [*lows, rule.low], [*highs, rule.high]
    for key, edges, pick in (("minimum", lows, max), ("maximum", highs, min)):
        given = [edge for edge in edges if edge is not None]
        if given:
            schema[key] = pick(given)
    values = known.get("values") or []
    if rule.kind == "category" and rule.unknown == "reject" and rule.known is not None and rule.form is None:
        schema = {"type": "string", "enum": values}
    schema["description"] = _description(rule, known, values)
    if board.promise.coerces(rule.name) and rule.kind in ("number", "integer", "boolean"):
        schema = {"anyOf": [schema, {"type": "string"}], "description": schema["description"]}
    return schema if rule.missing == "reject" else _or_null(schema)


def _description(rule: Rule, known: Json, values: list[str]) -> str:
    said = []
    if known.get("min") is not None and known.get("max") is not None:
        said.append(f"in training from {known['min']} to {known['max']}; outside: {rule.out_of_range}")
    if values:
        shown = ", ".join(values[:MOST_VALUES]) + (", …" if len(values) > MOST_VALUES or known.get("more") else "")
        said.append(f"in training: {shown}; others: {rule.unknown}")
    said.append(f"missing: {rule.missing}")
    return "; ".join(said)


def _or_null(schema: Json) -> Json:
    if "anyOf" in schema:
        return schema | {"anyOf": [*schema["anyOf"], {"type": "null"}]}
    wider: Json = {"type": [schema["type"], "null"]}
    if "enum" in schema:
        wider["enum"] = [*schema["enum"], None]
    return schema | wider


def _typical(rule: Rule, known: Json) -> Any:
    """A value as training had it, within the bounds; None where nothing is known and nothing is needed."""
    value = next((known[each] for each in ("median", "mode", "min") if known.get(each) is not None), None)
    if value is None:
        return None
    value = scalar(value, rule.kind).as_py()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if rule.kind in ("number", "integer"):
        value = value if rule.least is None else max(value, rule.least)
        value = value if rule.most is None else min(value, rule.most)
    return value


def _list(row: Json, board: Board) -> Json:
    return {"type": "array", "items": _ref("Row"), "minItems": 1, "maxItems": board.promise.max_rows}


def _either(*forms: Json) -> Json:
    """An object of exactly one of these properties."""
    objects = [
        {"type": "object", "properties": form, "required": list(form), "additionalProperties": False} for form in forms
    ]
    return objects[0] if len(objects) == 1 else {"oneOf": objects}


# ---- answers ---------------------------------------------------------------------------------------------------------


def _answer(board: Board) -> Json:
    properties = {
        "request_id": {"type": "string"},
        "release": {"type": "string"},
        "arm": {"type": "string"},
        "predictions": {"type": "array", "items": _prediction(board)},
        "warnings": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "row": {"type": "integer"}, "pointer": {"type": "string"}, "code": {"type": "string"},
                },
                "required": ["row", "pointer", "code"],
            },
        },
    }  # fmt: skip
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _prediction(board: Board) -> Json:
    signature = board.first().signature
    classes = signature.get("classes") or []
    if board.promise.label and classes:
        return {"enum": classes}
    if signature["task"] == "multiclass_classification":
        return {"type": "array", "items": {"type": "number"}, "minItems": len(classes), "maxItems": len(classes)}
    if signature["task"] == "binary_classification":
        return {"type": "number", "minimum": 0, "maximum": 1, "description": f"the probability of {classes[-1]}"}
    return {"type": "number"}


def _labels(board: Board) -> Json:
    item = {
        "type": "object",
        "properties": {
            "request_id": {"type": "string"}, "row": {"type": "integer", "minimum": 0}, "label": {},
            "key": {"type": "object"}, "time": {"type": "string", "format": "date-time"}, "correct": {"type": "boolean"},
        },
        "required": ["label"],
    }  # fmt: skip
    return {"type": "array", "items": item}


def _label(board: Board) -> Any:
    classes = board.first().signature.get("classes")
    return classes[-1] if classes else 0


_FAULT = {
    "type": "object",
    "properties": {"pointer": {"type": "string"}, "code": {"type": "string"}, "expected": {"type": "string"}},
    "required": ["pointer", "code", "expected"],
}
_PROBLEM: Json = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {"type": "array", "items": _FAULT},
    },
    "required": ["type", "title", "status", "detail", "instance", "code", "request_id", "errors"],
}


def _operation(
    name: str, summary: str, body: Json, example: Json, answer: Json, *, more: Mapping[str, str] | None = None,
    stream: bool = False,
) -> Json:  # fmt: skip
    """One operation: JSON in and out, where `stream` says so Arrow too, and every way to be refused."""
    binary = {STREAM: {"schema": {"type": "string", "format": "binary"}}} if stream else {}
    problem = _complaint()
    found = {"application/json": {"schema": answer}}
    responses: Json = {"200": {"description": "Answered", "content": found | binary}}
    responses |= {str(status): {"description": title, "content": problem} for status, title in sorted(TITLES.items())}
    for status, title in (more or {}).items():
        responses[status] = {"description": title, "content": found if status < "300" else found | problem}
    return {
        "operationId": name,
        "summary": summary,
        "parameters": [
            {"name": "X-Request-Id", "in": "header", "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"}},
            {"name": "X-Routing-Key", "in": "header", "schema": {"type": "string", "maxLength": 1000}},
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": body, "example": example}},
        },
        "responses": responses,
    }


def _complaint() -> Json:
    return {"application/problem+json": {"schema": _ref("Problem")}}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
