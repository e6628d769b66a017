"""Rules for declared functions: found in a file of the project, by reading it only."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from modelyard.errors import InputError, Problem
from modelyard.spec.code import Codebase
from modelyard.spec.document import Path
from modelyard.spec.look import Look


def functions(look: Look) -> None:
    """Every `module:function` is a top-level function of the project."""
    code = Codebase(look.directory)
    for path, function in declared(look):
        try:
            found = code.find(function)
        except InputError as error:
            where = f"{error.where}: " if error.where else ""
            look.wrong(path, f"{where}{error.message}.", error.hint or "")
            continue
        if path[0] == "models":
            _weights(look, path, found.parameters)


def declared(look: Look) -> Iterator[tuple[Path, str]]:
    """Every function that the declaration names, with its place."""
    for name, model in look.spec.models.items():
        if look.fine("models", name, "train"):
            yield ("models", name, "train"), model.train
    for name, dataset in look.spec.datasets.items():
        if dataset.python is not None:
            yield ("datasets", name, "python"), dataset.python
    for section, tables in (("datasets", look.spec.datasets), ("features", look.spec.features)):
        for name, table in tables.items():
            for index, check in enumerate(table.checks):
                if check.python is not None:
                    yield (section, name, "checks", index, "python"), check.python


def _weights(look: Look, path: Path, parameters: frozenset[str]) -> None:
    model = look.spec.models[str(path[1])]
    if model.half_life is not None and not parameters & {"weights", "**"}:
        message = f"`half_life` weights rows, and {model.train} takes no `weights`."
        look.wrong((*path[:2], "half_life"), message, "Add the parameter `weights` to the function.")


def hidden_modules(look: Look) -> None:
    """A module of the project must not hide one of the standard library: everything that imports it would break."""
    for entry in sorted(look.directory.iterdir()):
        name = entry.stem if entry.suffix == ".py" else entry.name
        if name not in sys.stdlib_module_names:
            continue
        package = entry.is_dir() and any(entry.glob("*.py"))
        if entry.suffix == ".py" or package:
            file = f"{entry.name}/__init__.py" if package else entry.name
            message = f"this module hides the standard module `{name}`."
            look.problems.append(Problem(file, 1, 1, "", message, f"Rename it, for example to my_{name}."))
