"""ONNX models: one input per column (or one matrix), run by onnxruntime, loaded from bytes only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from modelyard.errors import ModelFormatError, ModelOutputError
from modelyard.models import outputs
from modelyard.models.columns import column, floats, texts

_NUMBERS = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}


def is_onnx(model: object) -> bool:
    """Whether this is a ModelProto or serialised bytes."""
    return isinstance(model, bytes) or (type(model).__name__ == "ModelProto" and hasattr(model, "SerializeToString"))


def write(model: Any) -> bytes:
    """The model's bytes, with everything inside; external data is refused."""
    import onnx

    data = model if isinstance(model, bytes) else model.SerializeToString()
    try:
        proto = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's own errors have no public base
        raise ModelFormatError("the bytes are no ONNX model") from error
    if any(tensor.external_data for tensor in proto.graph.initializer):
        raise ModelFormatError("the ONNX model keeps data in other files", hint="Save it with everything inside.")
    return data


class Onnx:
    """An onnxruntime session behind the Model interface; `null` stands for missing text (ONNX has no null)."""

    def __init__(self, data: bytes, signature: dict[str, Any], *, null: str = "", threads: int = 0) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = threads
        # Threads that wait for each other by spinning take the processor from those who work.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own exceptions derive from Exception only
            raise ModelFormatError(f"onnxruntime cannot read the model: {error}") from error
        self.signature = signature
        self._null = null
        self._feeds = self._session.get_inputs()
        self._output = self._pick()
        self._names = [item["name"] for item in signature["inputs"]]
        self._check()

    def predict(self, table: pa.Table) -> np.ndarray:
        """See `Model.predict`."""
        answer = self._session.run([self._output], self._feed(table))[0]
        return outputs.checked(self._read(np.asarray(answer)), len(table), self.signature)

    def predict_matrix(self, measured: np.ndarray) -> np.ndarray:
        """`predict` for inputs that are all numbers, as float64 in their order; NaN is missing."""
        if self._is_matrix() and self._feeds[0].name not in self._names:
            feeds: dict[str, np.ndarray] = {self._feeds[0].name: measured.astype(_NUMBERS[self._feeds[0].type])}
        else:
            kinds = {_NUMBERS[feed.type] for feed in self._feeds}
            columns: dict[Any, np.ndarray] = {kind: np.ascontiguousarray(measured.T, dtype=kind) for kind in kinds}
            place = {name: number for number, name in enumerate(self._names)}
            feeds = {feed.name: columns[_NUMBERS[feed.type]][place[feed.name]].reshape(-1, 1) for feed in self._feeds}
        answer = self._session.run([self._output], feeds)[0]
        return outputs.checked(self._read(np.asarray(answer)), len(measured), self.signature)

    def _check(self) -> None:
        unknown = [feed.name for feed in self._feeds if feed.name not in self._names]
        if unknown and not self._is_matrix():
            raise ModelFormatError(
                f"the ONNX model's input {unknown[0]!r} is no input column",
                hint=f"Give it one input per column, or one matrix. The columns are {', '.join(self._names)}.",
            )

    def _is_matrix(self) -> bool:
        return len(self._feeds) == 1 and self._feeds[0].type in ("tensor(float)", "tensor(double)")

    def _feed(self, table: pa.Table) -> dict[str, np.ndarray]:
        if self._is_matrix() and self._feeds[0].name not in self._names:
            feed = self._feeds[0]
            columns = [floats(column(table, name)) for name in self._names]
            return {feed.name: np.column_stack(columns).astype(_NUMBERS[feed.type])}
        return {feed.name: self._column(table, feed) for feed in self._feeds}

    def _column(self, table: pa.Table, feed: Any) -> np.ndarray:
        values = column(table, feed.name)
        if feed.type == "tensor(string)":
            filled = texts(values.fill_null(self._null) if values.null_count else values)
            return filled.reshape(-1, 1)
        return floats(values).astype(_NUMBERS[feed.type]).reshape(-1, 1)

    def _pick(self) -> str:
        """The output with probabilities (classification) or values: the last tensor of floats."""
        tensors = [out.name for out in self._session.get_outputs() if out.type in ("tensor(float)", "tensor(double)")]
        if tensors:
            return tensors[-1]
        if self.signature["task"] == "regression" or len(self._session.get_outputs()) > 1:
            raise ModelFormatError("the ONNX model has no output of floats", hint="Convert it with zipmap off.")
        return self._session.get_outputs()[0].name

    def _read(self, answer: np.ndarray) -> np.ndarray:
        if self.signature["task"] == "regression" or answer.ndim == 1:
            return answer
        if answer.ndim != 2:
            raise ModelOutputError(f"the ONNX model gave the shape {answer.shape}")
        return outputs.by_class(answer, None, self.signature)
