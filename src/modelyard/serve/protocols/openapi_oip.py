"""The part of a deployment's OpenAPI document that is about the Open Inference Protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from modelyard.serve.board import Board
from modelyard.serve.protocols.oip import OUTPUT
from modelyard.serve.protocols.tensors import DATATYPES

Json = dict[str, Any]
_PARAMETERS: Json = {"type": "object"}
_SIZES: Json = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "maxItems": 8}


def paths(board: Board, example: Mapping[str, Any], operation: Callable[..., Json], problem: Json) -> Json:
    """The paths of the protocol. `example`: a row that is answered; `operation` makes that of a question."""
    kinds = board.first().inputs
    tensors = [
        {"name": name, "datatype": DATATYPES[kinds[name]], "shape": [1], "data": [value]}
        for name, value in example.items()
        if value is not None
    ]
    infer = operation(
        "infer",
        "Open Inference Protocol: one tensor per input, or one of all inputs where they are numbers.",
        _request(board),
        {"inputs": tensors},
        {"$ref": "#/components/schemas/Inference"},
    )
    refused = {status: {"description": title, "content": problem} for status, title in _REFUSED.items()}

    def shown(name: str, summary: str, answer: Json, *statuses: str) -> Json:
        content = {"application/json": {"schema": answer}}
        responses = {"200": {"description": "So it is", "content": content}}
        responses |= {status: refused[status] for status in statuses}
        if name == "server_ready":
            responses["503"] = {"description": "Not ready", "content": content}
        return {"get": {"operationId": name, "summary": summary, "responses": responses}}

    model = f"/v2/models/{board.name}"
    return {
        f"{model}/infer": {"post": infer},
        model: shown("model", "Versions, inputs and output.", _MODEL, "404", "503"),
        f"{model}/ready": shown("model_ready", "Whether it answers.", _READY, "404", "503"),
        "/v2": shown("server", "What the server is.", {"type": "object", "required": ["name", "version"]}),
        "/v2/health/live": shown("live", "Whether the process answers.", {"type": "object", "required": ["live"]}),
        "/v2/health/ready": shown("server_ready", "What is served.", {"type": "object", "required": ["ready"]}),
    }


_REFUSED = {"404": "No such deployment", "503": "Not loaded"}
_READY: Json = {"type": "object", "properties": {"name": {"type": "string"}, "ready": {"type": "boolean"}}}
_MODEL: Json = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "versions": {"type": "array", "items": {"type": "string"}},
        "platform": {"type": "string"},
        "inputs": {"type": "array", "items": {"type": "object"}},
        "outputs": {"type": "array", "items": {"type": "object"}},
    },
    "required": ["name", "versions", "platform", "inputs", "outputs"],
}
INFERENCE: Json = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "parameters": _PARAMETERS,
        "outputs": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"const": OUTPUT},
                    "datatype": {"enum": ["FP64", "INT64", "BOOL", "BYTES"]},
                    "shape": _SIZES,
                    "data": {"type": "array"},
                    "parameters": _PARAMETERS,
                },
                "required": ["name", "datatype", "shape"],
            },
        },
    },
    "required": ["model_name", "model_version", "outputs"],
}


def _request(board: Board) -> Json:
    """A question: tensors by the names of the inputs."""
    tensor = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": f"one of {', '.join(board.first().inputs)}; any for one of all"},
            "datatype": {"enum": sorted({*DATATYPES.values(), "FP32", "INT32"})},
            "shape": _SIZES,
            "data": {"type": "array", "description": "the elements, flat or nested"},
            "parameters": _PARAMETERS,
        },
        "required": ["name", "datatype", "shape", "data"],
    }
    output = {"type": "object", "properties": {"name": {"const": OUTPUT}, "parameters": _PARAMETERS}}
    properties = {
        "id": {"type": "string"},
        "parameters": _PARAMETERS,
        "inputs": {"type": "array", "items": tensor, "minItems": 1},
        "outputs": {"type": "array", "items": output, "maxItems": 1},
    }
    return {"type": "object", "properties": properties, "required": ["inputs"], "additionalProperties": False}
