"""Rooms stand on floors: imports go down only, and rooms on one floor are strangers. Deferred imports count too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src"

FLOORS = """
testing
cli client
ui
api
loop
data train evaluate release serve monitor triggers
engines models channels
store
plan features stats plugins
records
spec
clock errors digest environ
"""
HEIGHT = {room: -level for level, line in enumerate(FLOORS.split("\n")) for room in line.split()}


def room_of(module: str) -> str:
    """The room of a module of ours: its second name; "" for the package itself, which stands on no floor."""
    return [*module.split("."), ""][1]


def imports(file: Path, module: str) -> Iterator[tuple[int, str]]:
    """Line and full name of every module of ours that a file imports, at any depth, in code of any kind."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            steps = package.split(".")
            base = ".".join(steps[: len(steps) - node.level + 1]) + "." if node.level else ""
            start = (base + (node.module or "")).rstrip(".")
            yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and _loads(node):
            yield from ((node.lineno, item.value) for item in node.args if isinstance(item, ast.Constant))


def _loads(node: ast.Call) -> bool:
    """`importlib.import_module("modelyard...")` and `__import__`: imports by another name."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    first = node.args[0] if node.args else None
    text = isinstance(first, ast.Constant) and isinstance(first.value, str)
    return name in ("import_module", "__import__") and text


def violations(source: Path) -> list[str]:
    """Every import that goes up or sideways, and every room that stands on no floor."""
    found = []
    for file in sorted(source.rglob("*.py")):
        relative = file.relative_to(source)
        steps = relative.with_suffix("").parts
        module = ".".join(steps[:-1] if steps[-1] == "__init__" else steps)
        here = room_of(module)
        if here and here not in HEIGHT:
            found.append(f"{relative}: no floor for {here}")
            continue
        for line, name in imports(file, module):
            there = room_of(name) if name.split(".")[0] == "modelyard" else ""
            if there and here and there != here and there in HEIGHT and HEIGHT[there] >= HEIGHT[here]:
                found.append(f"{relative}:{line}: {here} must not import {there}")
    return sorted(set(found))


def test_imports_go_down_only() -> None:
    assert violations(SOURCE) == []


def test_every_room_has_a_floor() -> None:
    rooms = {
        path.stem
        for path in (SOURCE / "modelyard").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert rooms - {"__init__"} <= set(HEIGHT)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("plan/make.py", "from modelyard.store import Store"),
        ("plan/make.py", "def f():\n    import modelyard.store.blobs"),
        ("plan/make.py", "from modelyard import store"),
        ("plan/make.py", "from ..store import Store"),
        ("plan/__init__.py", "from ..store import Store"),
        ("plan/deep/make.py", "from ...store import Store"),
        ("plan/make.py", "if TYPE_CHECKING:\n    from modelyard.store import Store"),
        ("plan/make.py", "import importlib\nimportlib.import_module('modelyard.store')"),
        ("plan/make.py", "from modelyard.stats import profile"),
        ("plan/make.py", "from modelyard.features import join"),
        ("serve/app.py", "from modelyard.monitor import observe"),
        ("errors.py", "from modelyard.clock import Clock"),
        ("spec/load.py", "from modelyard.records import Version"),
        ("utils/all.py", "x = 1"),
    ],
)
def test_a_planted_violation_is_found(tmp_path: Path, file: str, text: str) -> None:
    planted = tmp_path / "modelyard" / file
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(text)
    assert len(violations(tmp_path)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "from modelyard.plan.steps import Step",
        "from .steps import Step",
        "from modelyard.records import Version",
        "from modelyard.spec.types import Spec",
        "from modelyard import __version__",
        "import json\nfrom store import Store",
    ],
)
def test_imports_down_and_inside_are_fine(tmp_path: Path, text: str) -> None:
    planted = tmp_path / "modelyard/plan/make.py"
    planted.parent.mkdir(parents=True)
    planted.write_text(text)
    assert violations(tmp_path) == []
