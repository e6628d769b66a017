"""Which types may be rebuilt from a model file: an allow-list, on top of what skops itself trusts.

Trusted are scikit-learn's own classes (also the internal ones that fitted trees, binners and calibrators hold),
numpy's dtypes and scalars, scipy's splines, LightGBM's wrappers (rebuilt from text), and, in a runner of its own,
what the release's own code files define. Functions are trusted by name only.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable
from pathlib import Path

import numpy as np

_NAMED = {
    "builtins.object",
    "collections.OrderedDict",
    "collections.defaultdict",
    "functools.partial",  # what it wraps is judged by itself
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
    "numpy.dtype",
    "scipy._lib.array_api_compat.numpy._aliases.asarray",
    "scipy.interpolate._bsplines.BSpline",
    "sklearn.compose._column_transformer.make_column_selector",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
}
_SCORERS = ("sklearn.feature_selection.", "sklearn.metrics.")


def refused(types: Iterable[str], modules: Iterable[str] = ()) -> list[str]:
    """Those of the type names that are neither on the allow-list nor defined in one of the project's `modules`."""
    own = set(modules)
    return sorted(name for name in types if not (_allowed(name) or of_project(name, own)))


def of_project(name: str, modules: Iterable[str]) -> bool:
    """Whether a qualified type name is defined in one of the project's modules; a lambda never is."""
    module, _, attribute = name.rpartition(".")
    return module in set(modules) and attribute.isidentifier()


def modules(code: Path) -> set[str]:
    """The importable module names of a folder of code files."""
    names = set()
    for path in sorted(code.rglob("*.py")):
        parts = list(path.relative_to(code).with_suffix("").parts)
        names.add(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names - {""}


def _allowed(name: str) -> bool:
    if name in _NAMED:
        return True
    module, _, attribute = name.rpartition(".")
    if module == "numpy":
        return _is_class(getattr(np, attribute, None), np.generic) or attribute == "ndarray"
    if not module.startswith("sklearn."):
        return False
    found = _find(module, attribute)
    defined_there = str(getattr(found, "__module__", "")).startswith("sklearn.")
    return defined_there and (inspect.isclass(found) or (callable(found) and module.startswith(_SCORERS)))


def _is_class(value: object, base: type) -> bool:
    return isinstance(value, type) and issubclass(value, base)


def _find(module: str, attribute: str) -> object:
    try:
        return getattr(importlib.import_module(module), attribute, None)
    except ImportError:
        return None
