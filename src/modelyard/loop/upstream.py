"""What hangs above an entity: the tables and models that must be there before it. Pure."""

from __future__ import annotations

from modelyard.spec.fingerprints import parents
from modelyard.spec.types import Spec


def of(spec: Spec, entity: str) -> list[str]:
    """Every dataset, feature view and model above `entity`, nearest last."""
    above: list[str] = []
    for parent in parents(spec, entity):
        for name in [*of(spec, parent), parent]:
            if name not in above:
                above.append(name)
    return above


def tables(spec: Spec, model: str) -> list[str]:
    """The datasets and feature views that a model reads, in the order in which they are built."""
    return [name for name in of(spec, f"model.{model}") if name.startswith(("dataset.", "feature."))]
