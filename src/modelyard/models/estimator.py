"""A fitted object with `predict` or `predict_proba`, scikit-learn's or the project's, behind the Model interface."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from modelyard.models import outputs
from modelyard.models.frame import to_frame


class Estimator:
    """Asks `native` with the frame that it was trained on; `kind` is pandas, polars or numpy."""

    def __init__(self, native: Any, signature: dict[str, Any], kind: str = "pandas") -> None:
        self.native = native
        self.signature = signature
        self.kind = kind
        self._own = _own_columns(native, signature) if kind == "pandas" else None
        self._names = [item["name"] for item in signature["inputs"]]
        numbers = all(item["type"] == "number" for item in signature["inputs"])
        # See `Onnx.predict_matrix`; None where the inputs are not all numbers.
        self.predict_matrix = self._ask_matrix if numbers and kind != "polars" else None

    def predict(self, table: pa.Table) -> np.ndarray:
        """See `Model.predict`."""
        frame = to_frame(table, self.signature, self.kind)
        if self._own is not None:
            frame = frame[self._own]
        return self._ask(frame)

    def _ask_matrix(self, measured: np.ndarray) -> np.ndarray:
        if self.kind == "numpy" or (self._own is None and _takes_matrix(self.native, self._names)):
            return self._ask(measured)
        frame = pd.DataFrame(measured, columns=self._names)
        return self._ask(frame if self._own is None else frame[self._own])

    def _ask(self, frame: Any) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return outputs.ask(self.native, frame, self.signature)


def _takes_matrix(native: Any, names: list[str]) -> bool:
    """Whether columns by place are columns by name: a single estimator of scikit-learn, fitted on them in this order."""
    own = getattr(native, "feature_names_in_", None)
    single = not any(hasattr(native, inside) for inside in ("steps", "transformers", "estimators", "estimator"))
    return single and type(native).__module__.startswith("sklearn.") and own is not None and list(own) == names


def _own_columns(native: Any, signature: dict[str, Any]) -> list[str] | None:
    """The inputs that the model was really fitted on, when `fit` dropped some of them; None: all."""
    own = getattr(native, "feature_names_in_", None)
    names = [item["name"] for item in signature["inputs"]]
    if own is None or list(own) == names or not set(own) <= set(names):
        return None
    return list(own)
