"""The Open Inference Protocol, version 2, over REST: health, metadata, and inference in JSON and binary tensors.

A deployment is a model of the protocol, its releases are the versions. An input is a tensor of shape [rows] or [rows, 1];
one tensor of shape [rows, inputs] under any other name holds all inputs, in the order of the metadata. The answer is one
output, `predict`; its request id, release, arm and warnings stand among the parameters of the response.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import msgspec

from modelyard import __version__
from modelyard.serve.answer import Answer
from modelyard.serve.board import Board
from modelyard.serve.call import Call
from modelyard.serve.columns import Raw
from modelyard.serve.decode import read as read_json
from modelyard.serve.gateway import Gateway
from modelyard.serve.http import Request, Response, check_encoding, media_type
from modelyard.serve.protocols import tensors
from modelyard.serve.refusal import Fault, Refusal, of_faults, pointer
from modelyard.serve.releases import Served

OUTPUT = "predict"
HEADER = "inference-header-content-length"
REFUSED = frozenset({"sequence_id", "sequence_start", "sequence_end", "classification", "shared_memory_region"})
"""Parameters that would change what is answered, and are not honoured: so they are refused. Others may be ignored."""
_encode = msgspec.json.Encoder().encode
_Json = dict[str, Any]


class Tensors:
    """One inference request: the length of its JSON (None: all of the body) and the version that must answer."""

    def __init__(self, header: int | None, version: str | None) -> None:
        self._header = header
        self._version = version
        self._document: _Json | None = None

    def read(self, call: Call) -> None:
        """Take columns from the tensors of the body."""
        document = self._read(call)
        if self._version is not None:
            call.forced = _arm(call.board, self._version)
        body = memoryview(call.body or b"")
        found = _tensors(document["inputs"], body[len(body) if self._header is None else self._header :])
        call.form = "columns"
        if len(found) == 1 and not found.keys() & call.board.names:
            _matrix(call, *found.popitem())
        else:
            numbers = {name: number for number, name in enumerate(found)}
            call.columns = {name: _column(tensor, numbers[name]) for name, tensor in found.items()}
            call.places = lambda row, name: _place(numbers, row, name)

    def _read(self, call: Call) -> _Json:
        body = call.body or b""
        if self._header is not None and self._header > len(body):
            raise Refusal(400, "bad_header_length", "Inference-Header-Content-Length is more than the body has.")
        self._document = _checked(read_json(body if self._header is None else body[: self._header]))
        return self._document

    def write(self, call: Call, answer: Answer) -> Response:
        """The answer as JSON, or as JSON and binary data where the request wants that."""
        asked = self._document or self._read(call)  # a repeated request is answered from the log, unread
        values, datatype, shape = _output(answer.predictions)
        output: _Json = {"name": OUTPUT, "shape": shape, "datatype": datatype}
        wanted = asked.get("outputs")
        binary = asked["parameters"].get("binary_data_output") is True
        if wanted:
            binary = wanted[0]["parameters"].get("binary_data", binary) is True
        data = b""
        if binary:
            data = tensors.to_bytes(values, datatype)
            output["parameters"] = {"binary_data_size": len(data)}
        else:
            output["data"] = values
        served = call.board.loaded.get(answer.release)
        said = {"request_id": answer.request_id, "release": answer.release, "arm": answer.arm}
        if answer.warnings:
            said["warnings"] = _encode(answer.as_json()["warnings"]).decode()
        document = {
            "model_name": call.board.name,
            "model_version": _number(served.served.name) if served is not None else "",
            "parameters": said,
            "outputs": [output],
        }
        if "id" in asked:
            document["id"] = asked["id"]
        head = _encode(document)
        if not binary:
            return Response(200, head)
        return Response(200, head + data, "application/octet-stream", {HEADER: str(len(head))})


def codec(request: Request, names: Mapping[str, str]) -> Tensors:
    """The codec of a request. Clients of the protocol send no Content-Type with binary tensors, and may with JSON."""
    check_encoding(request)
    if media_type(request) not in ("", "application/json", "application/octet-stream"):
        raise Refusal(415, "unsupported_media_type", "Send application/json, or tensors as application/octet-stream.")
    length = request.text(HEADER)
    if length is None and media_type(request) == "application/octet-stream":
        raise Refusal(400, "bad_header_length", "Binary tensors need the header Inference-Header-Content-Length.")
    if length is not None and not (length.isascii() and length.isdigit() and len(length) < 16):
        raise Refusal(400, "bad_header_length", "Inference-Header-Content-Length is a number of bytes.")
    return Tensors(None if length is None else int(length), names.get("version"))


def complain(refusal: Refusal) -> _Json:
    """A refusal as clients of the protocol read it."""
    places = "; ".join(f"{fault.pointer}: {fault.code}" for fault in refusal.faults[:10])
    return {"error": f"{refusal.code}: {refusal.message} {places}".strip()}


# ---- requests --------------------------------------------------------------------------------------------------------


def _checked(document: Any) -> _Json:
    """The JSON of a request, parameters filled in where it has none. Refusal when it is not in the protocol's shape."""
    if not isinstance(document, dict) or not isinstance(document.get("inputs"), list) or not document["inputs"]:
        raise of_faults([Fault("", "wrong_shape", "an object with inputs, a list of at least one tensor")])
    extra = sorted(document.keys() - {"id", "parameters", "inputs", "outputs"})
    if extra:
        raise of_faults([Fault(pointer(extra[0]), "wrong_shape", "only id, parameters, inputs and outputs")])
    if "id" in document and not isinstance(document["id"], str):
        raise of_faults([Fault("/id", "wrong_type", "a text")])
    _parameters(document, "")
    outputs = document.get("outputs", [])
    if not isinstance(outputs, list) or len(outputs) > 1:
        raise of_faults([Fault("/outputs", "wrong_shape", "a list of one output")])
    for part in ("inputs", "outputs"):
        for number, each in enumerate(document.get(part, [])):
            if not isinstance(each, dict):
                raise of_faults([Fault(f"/{part}/{number}", "wrong_shape", "an object")])
            _parameters(each, f"/{part}/{number}")
    if outputs and outputs[0].get("name") != OUTPUT:
        raise of_faults([Fault("/outputs/0/name", "unknown_output", OUTPUT)])
    return document


def _parameters(part: _Json, place: str) -> None:
    parameters = part.setdefault("parameters", {})
    if not isinstance(parameters, dict):
        raise of_faults([Fault(f"{place}/parameters", "wrong_shape", "an object")])
    refused = sorted(parameters.keys() & REFUSED)
    if refused:
        raise of_faults(
            [Fault(pointer(*place.split("/")[1:], "parameters", refused[0]), "unsupported_parameter", "none")]
        )


@dataclass(frozen=True)
class _Tensor:
    """The elements of a tensor, and its shape."""

    values: Raw
    shape: list[int]


def _tensors(inputs: list[_Json], rest: memoryview) -> dict[str, _Tensor]:
    """Tensors by name; binary data follow each other in `rest`, which they use up."""
    found: dict[str, _Tensor] = {}
    for number, each in enumerate(inputs):
        name = each.get("name")
        datatype: Any = each.get("datatype")
        shape: Any = each.get("shape")
        if not isinstance(name, str) or name in found:
            raise _wrong(number, "name", "a text, another one for each tensor", "wrong_type")
        if not tensors.known(datatype):
            raise _wrong(
                number, "datatype", "BOOL, UINT8 to UINT64, INT8 to INT64, FP16 to FP64 or BYTES", "wrong_type"
            )
        if not _is_shape(shape):
            raise _wrong(number, "shape", "a list of sizes")
        count = prod(shape)
        size = each["parameters"].get("binary_data_size")
        if size is None:
            values: Raw = tensors.of_json(each.get("data"), datatype, count, f"/inputs/{number}/data")
        elif type(size) is not int or not 0 <= size <= len(rest) or "data" in each:
            raise _wrong(number, "parameters/binary_data_size", "a number of bytes that the body has, in place of data")
        else:
            values = tensors.of_bytes(rest[:size], datatype, count, f"/inputs/{number}")
            rest = rest[size:]
        found[name] = _Tensor(values, shape)
    if len(rest):
        raise of_faults([Fault("/inputs", "wrong_shape", "no more binary data than the tensors say")])
    return found


def _is_shape(shape: Any) -> bool:
    if not isinstance(shape, list) or not 1 <= len(shape) <= 8:
        return False
    return all(type(each) is int and 0 <= each < 2**31 for each in shape) and prod(shape) < 2**31


def _column(tensor: _Tensor, number: int) -> Raw:
    if prod(tensor.shape[1:]) != 1:
        raise _wrong(number, "shape", "[rows] or [rows, 1]")
    return tensor.values


def _matrix(call: Call, name: str, tensor: _Tensor) -> None:
    """All inputs in one tensor of shape [rows, inputs]."""
    inputs = list(call.board.first().inputs)
    if len(tensor.shape) != 2 or tensor.shape[1] != len(inputs):
        if len(tensor.shape) == 1 or prod(tensor.shape[1:]) == 1:
            call.columns = {name: tensor.values}  # one tensor by itself, under no name that is known here
            call.places = lambda row, name: _place({name: 0} if name else {}, row, name)
            return
        raise _wrong(0, "shape", f"[rows, {len(inputs)}], or one tensor per input")
    width = len(inputs)
    call.columns = {each: tensor.values[place::width] for place, each in enumerate(inputs)}
    places = {each: place for place, each in enumerate(inputs)}

    def place(row: int | None, name: str | None) -> str:
        if row is None or name not in places:
            return "/inputs/0/data" if row is None else f"/inputs/0/data/{row * width}"
        return f"/inputs/0/data/{row * width + places[name]}"

    call.places = place


def _place(numbers: Mapping[str, int], row: int | None, name: str | None) -> str:
    if name is None or name not in numbers:
        return "/inputs"
    return f"/inputs/{numbers[name]}" if row is None else f"/inputs/{numbers[name]}/data/{row}"


def _wrong(number: int, part: str, expected: str, code: str = "wrong_shape") -> Refusal:
    return of_faults([Fault(f"/inputs/{number}/{part}", code, expected)])


def _arm(board: Board, version: str) -> str:
    """The arm whose release has the number `version`."""
    for arm in (*board.table.arms, *board.table.shadows):
        if _number(board.loaded[arm.release].served.name) == version:
            return arm.name
    raise Refusal(404, "unknown_version", f"There are the versions {', '.join(_versions(board))} now.")


# ---- answers and metadata --------------------------------------------------------------------------------------------


def _output(predictions: Sequence[Any]) -> tuple[list[Any], str, list[int]]:
    """Predictions as elements, their datatype, and the shape: [rows], or [rows, classes]."""
    if predictions and isinstance(predictions[0], list):
        flat = [value for each in predictions for value in each]
        return flat, "FP64", [len(predictions), len(predictions[0])]
    values = list(predictions)
    kinds = set(map(type, values))
    if kinds == {bool}:
        return values, "BOOL", [len(values)]
    if kinds == {int}:
        return values, "INT64", [len(values)]
    if kinds <= {int, float}:
        return values, "FP64", [len(values)]
    return [str(value) for value in values], "BYTES", [len(values)]


def server(gateway: Gateway, names: Mapping[str, str]) -> Response:
    """`GET /v2`."""
    return _json({"name": "modelyard", "version": __version__, "extensions": ["binary_tensor_data"]})


def model(gateway: Gateway, names: Mapping[str, str]) -> Response:
    """`GET /v2/models/{name}`: its versions, inputs and output."""
    board = gateway.board(names["name"])
    served = _served(board, names.get("version"))
    classes = served.signature.get("classes") or ()
    wide = served.signature["task"] == "multiclass_classification" and not board.promise.label
    datatype = _output(list(classes))[1] if board.promise.label else "FP64"
    return _json(
        {
            "name": board.name,
            "versions": _versions(board),
            "platform": "modelyard",
            "inputs": [
                {"name": name, "datatype": tensors.DATATYPES[kind], "shape": [-1]}
                for name, kind in served.inputs.items()
            ],
            "outputs": [{"name": OUTPUT, "datatype": datatype, "shape": [-1, len(classes)] if wide else [-1]}],
        }
    )


def ready(gateway: Gateway, names: Mapping[str, str]) -> Response:
    """`GET /v2/models/{name}/ready`. Refusal 404 or 503 when it, or the version, does not answer."""
    board = gateway.board(names["name"])
    _served(board, names.get("version"))
    return _json({"name": board.name, "ready": True})


def _served(board: Board, version: str | None) -> Served:
    if version is None:
        return board.first()
    name = _arm(board, version)
    arms = (*board.table.arms, *board.table.shadows)
    return board.loaded[next(arm.release for arm in arms if arm.name == name)].served


def _versions(board: Board) -> list[str]:
    arms = (*board.table.arms, *board.table.shadows)
    return sorted({_number(board.loaded[arm.release].served.name) for arm in arms}, key=lambda each: (len(each), each))


def _number(name: str) -> str:
    """The number of a release that is called `late@3`."""
    return name.rpartition("@")[2]


def _json(document: _Json) -> Response:
    return Response(200, _encode(document))
