"""LightGBM models in LightGBM's own text form, with the categories that pandas columns had in training."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from modelyard.errors import ModelFormatError
from modelyard.models import outputs
from modelyard.models.frame import to_frame

_CATEGORICAL = re.compile(r"-?\d+(:-?\d+)*")


def is_lightgbm(model: object) -> bool:
    """Whether this is a Booster, or LightGBM's own scikit-learn wrapper around one."""
    return type(model).__module__ in ("lightgbm.basic", "lightgbm.sklearn")


def write(model: Any, signature: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The model's text, and what the manifest must say of it: its classes and its categorical inputs."""
    booster = model if type(model).__name__ == "Booster" else model.booster_
    names = [item["name"] for item in signature["inputs"]]
    if booster.num_feature() != len(names) and not set(booster.feature_name()) <= set(map(_mangled, names)):
        raise ModelFormatError(
            f"the LightGBM model takes {booster.num_feature()} columns, the inputs are {len(names)}",
            hint="Make new columns in the dataset's SQL, or in the first step of a scikit-learn Pipeline.",
        )
    classes = getattr(model, "classes_", None)
    return booster.model_to_string(num_iteration=booster.best_iteration), {
        "classes": None if classes is None else np.asarray(classes).tolist(),
        "columns": _columns(booster, names),
        "categories": _categories(booster, signature),
    }


class LightGBM:
    """A Booster read from text, behind the Model interface."""

    def __init__(self, text: str, signature: dict[str, Any], manifest: dict[str, Any]) -> None:
        import lightgbm

        try:
            self.native = lightgbm.Booster(model_str=text)
        except lightgbm.basic.LightGBMError as error:
            raise ModelFormatError(f"LightGBM cannot read the model: {error}") from error
        self.signature = signature
        self.kind = manifest.get("frame", "pandas")
        self._classes = manifest["classes"]
        self._columns = manifest["columns"]
        self._categories = manifest["categories"]

    def predict(self, table: pa.Table) -> np.ndarray:
        """See `Model.predict`."""
        return outputs.checked(self._answer(self.matrix(table)), len(table), self.signature)

    def matrix(self, table: pa.Table) -> np.ndarray:
        """The columns as LightGBM reads them: categories by their recorded place, unknown ones missing."""
        frame = to_frame(table, self.signature, "pandas")
        columns = [_numbers(frame[name], self._categories.get(name)) for name in self._columns]
        return np.column_stack(columns) if columns else np.zeros((len(frame), 0))

    def _answer(self, matrix: np.ndarray) -> np.ndarray:
        answer = np.asarray(self.native.predict(matrix))
        if self.signature["task"] == "multiclass_classification":
            if answer.ndim == 1:  # LightGBM fits two classes as one probability
                answer = np.stack([1 - answer, answer], axis=1)
            return outputs.by_class(answer, self._classes, self.signature)
        if self._classes is not None and len(self._classes) == 1:
            return np.full(len(matrix), float(self._classes[0]))
        return answer


def _numbers(values: pd.Series, categories: list[Any] | None) -> np.ndarray:
    if categories is None:
        return values.to_numpy(dtype=np.float64)
    codes = pd.Index(categories, dtype=object).get_indexer(values).astype(np.float64)
    codes[codes < 0] = np.nan
    return codes


def _mangled(name: str) -> str:
    """LightGBM's own spelling of a column's name."""
    return name.replace(" ", "_")


def _columns(booster: Any, names: list[str]) -> list[str]:
    """The inputs in the order in which the model was fitted on them, which may be another; by place where it knows none."""
    own = {_mangled(name): name for name in names}
    fitted = booster.feature_name()
    return [own[name] for name in fitted] if set(fitted) <= set(own) else names


def _categories(booster: Any, signature: dict[str, Any]) -> dict[str, list[Any]]:
    """Which inputs were pandas categories in training, and in which order. LightGBM keeps only the list of lists."""
    recorded = [list(values) for values in booster.pandas_categorical or []]
    columns = _columns(booster, [item["name"] for item in signature["inputs"]])
    types = {item["name"]: item["type"] for item in signature["inputs"]}
    candidates = [name for name in columns if types[name] == "category"]
    if len(candidates) != len(recorded):
        infos = re.findall(r"^feature_infos=(.*)$", booster.model_to_string(num_iteration=1), re.M)[0].split()
        candidates = [
            name for name, info in zip(columns, infos, strict=True)
            if _CATEGORICAL.fullmatch(info) or types[name] == "category"
        ]  # fmt: skip
    if len(candidates) != len(recorded):
        raise ModelFormatError(
            f"LightGBM was given {len(recorded)} category columns, and it cannot be told which inputs they are",
            hint="Turn exactly the text columns into categories, or encode them in a scikit-learn Pipeline.",
        )
    return dict(zip(candidates, (_plain(values) for values in recorded), strict=True))


def _plain(values: list[Any]) -> list[Any]:
    return [value.item() if isinstance(value, np.generic) else value for value in values]
