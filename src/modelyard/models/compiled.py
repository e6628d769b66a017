"""The compiled (ONNX) form of a model as it answers; see `compiling` for how it is made."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from modelyard.models.columns import column
from modelyard.models.onnx_model import Onnx
from modelyard.models.outputs import Model


class Compiled:
    """The compiled form; `native` answers for tables where one of `columns` is missing somewhere."""

    def __init__(self, onnx: Onnx, native: Callable[[], Model], columns: list[str]) -> None:
        self.signature = onnx.signature
        self._onnx = onnx
        self._load_native = native
        self._native: Model | None = None
        self._columns = columns
        self._places = [item["name"] in columns for item in onnx.signature["inputs"]]

    def predict_matrix(self, measured: np.ndarray) -> np.ndarray:
        """See `Onnx.predict_matrix`."""
        if not self._columns or not np.isnan(measured[:, self._places]).any():
            return self._onnx.predict_matrix(measured)
        names = [item["name"] for item in self.signature["inputs"]]
        columns = [pa.array(values, from_pandas=True) for values in measured.T]
        return self.predict(pa.table(columns, names=names))

    def predict(self, table: pa.Table) -> np.ndarray:
        """See `Model.predict`."""
        if not any(column(table, name).null_count for name in self._columns):
            return self._onnx.predict(table)
        if self._native is None:
            self._native = self._load_native()
        return self._native.predict(table)
