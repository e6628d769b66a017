"""A model as a value: save, load, predict. Formats that load without running code, and the compiled form (`compiling`).

`save` and `load` know scikit-learn (skops with an allow-list), LightGBM (its own text) and ONNX. What is loaded is a
`Model`: one method, `predict(table) -> float64 array`.
"""

from __future__ import annotations

from modelyard.models.artefact import load, save
from modelyard.models.baseline import Baseline
from modelyard.models.outputs import Model

__all__ = ["Baseline", "Model", "load", "save"]
