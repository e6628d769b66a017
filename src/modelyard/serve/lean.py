"""What a worker does without: pandas, which pyarrow would load at its first array to know its objects (25 MB or more)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

import pyarrow as pa


class _NotYet:
    """A finder that does not find pandas."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """See importlib.abc.MetaPathFinder."""
        if name == "pandas":
            raise ModuleNotFoundError(name)
        return None


def without_pandas() -> None:
    """Let pyarrow's one attempt fail; who imports pandas afterwards gets it, and converts tables as ever."""
    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, _NotYet)  # type: ignore[arg-type]
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(_NotYet)  # type: ignore[arg-type]
