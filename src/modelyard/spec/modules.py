"""A Python module as a value: what its top-level statements define, use and import. Read, never run.

Formatting, comments and docstrings are not part of it.
"""

from __future__ import annotations

import ast
import functools
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from modelyard.errors import InputError

Chain = tuple[str, ...]
"""A name and the attributes read from it: `a.b.c` is ("a", "b", "c")."""


@dataclass(frozen=True)
class Import:
    """One imported name. `local` is what it is called here ("*" for all names); `name` is None for a module itself."""

    local: str
    module: str
    name: str | None = None
    dotted: bool = False


@dataclass(frozen=True)
class Statement:
    """One top-level statement: its normal form, the names it binds, what it reads and imports (at any depth)."""

    form: str
    binds: frozenset[str]
    reads: frozenset[Chain]
    imports: tuple[Import, ...]
    decorators: frozenset[str] = frozenset()
    parameters: frozenset[str] | None = None
    only_imports: bool = False
    binds_nothing: bool = False


@dataclass(frozen=True)
class Module:
    """A module of the project: dotted `name`, relative `path`, and its statements in order."""

    name: str
    path: str
    text: str
    statements: tuple[Statement, ...]

    def binding(self, name: str) -> list[Statement]:
        """The statements that bind a name, in order."""
        return [statement for statement in self.statements if name in statement.binds]

    def stars(self) -> list[Import]:
        """What is imported by `*`, the last first, as it wins."""
        found = [item for statement in self.statements for item in statement.imports if item.local == "*"]
        return found[::-1]

    def functions(self) -> list[str]:
        """The names of the functions defined at the top level."""
        return [name for item in self.statements if item.parameters is not None for name in item.binds]


@functools.lru_cache(maxsize=1024)
def parse(text: str, name: str, path: str, package: bool) -> Module:
    """Read a module's text. InputError, with its line, when it is not Python."""
    parent = name if package else name.rpartition(".")[0]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        _normalise(tree)
        statements = tuple(_statement(node, parent) for node in tree.body if not _main_guard(node))
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        raise InputError(f"this is not valid Python: {said}", where=f"{path}{line}") from None
    except RecursionError:
        hint = "Such as a sum of a thousand parts, or an if with hundreds of elif: make a table of it."
        raise InputError("a statement nests too deep to be read", where=path, hint=hint) from None
    return Module(name, path, text, statements)


def _normalise(tree: ast.AST) -> None:
    """Take out docstrings and the prefixes of literals."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.kind = None
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and _documented(node):
            del node.body[0]
            if not node.body and not isinstance(node, ast.Module):
                node.body.append(ast.Pass())


def _documented(node: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    first = node.body[0] if node.body else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)


def _main_guard(node: ast.stmt) -> bool:
    """Whether a statement is `if __name__ == "__main__":`, which an import does not enter."""
    return isinstance(node, ast.If) and ast.dump(node.test) == _MAIN and not node.orelse


_MAIN = ast.dump(ast.parse('__name__ == "__main__"', mode="eval").body)


def _statement(node: ast.stmt, parent: str) -> Statement:
    imports = tuple(_imports(node, parent))
    binds = frozenset(_binds(node))
    decorators = getattr(node, "decorator_list", [])
    return Statement(
        form=ast.dump(node),
        binds=binds,
        reads=frozenset(_reads(node)),
        imports=imports,
        decorators=frozenset(chain[0] for item in decorators for chain in _reads(item)),
        parameters=_parameters(node),
        only_imports=isinstance(node, ast.Import | ast.ImportFrom),
        binds_nothing=not binds and not isinstance(node, ast.Import | ast.ImportFrom),
    )


def _parameters(node: ast.stmt) -> frozenset[str] | None:
    if not isinstance(node, ast.FunctionDef):
        return None
    args = node.args
    names = {item.arg for item in (*args.posonlyargs, *args.args, *args.kwonlyargs)}
    return frozenset(names | ({"**"} if args.kwarg else set()))


def _imports(node: ast.AST, parent: str) -> Iterator[Import]:
    for item in ast.walk(node):
        if isinstance(item, ast.Import):
            for alias in item.names:
                local = alias.asname or alias.name.partition(".")[0]
                yield Import(local, alias.name, dotted=alias.asname is None)
        elif isinstance(item, ast.ImportFrom):
            module = _absolute(item, parent)
            for alias in item.names:
                yield Import(alias.asname or alias.name, module, alias.name)


def _absolute(node: ast.ImportFrom, parent: str) -> str:
    if not node.level:
        return node.module or ""
    steps = parent.split(".") if parent else []
    base = steps[: len(steps) - (node.level - 1)]
    return ".".join([*base, *([node.module] if node.module else [])])


def _binds(node: ast.stmt) -> Iterator[str]:
    """The names that a statement binds, or whose contents it changes, at module level."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
        return
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        return
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield from _binds(child)
        elif isinstance(child, ast.ExceptHandler | ast.match_case):
            for statement in child.body:
                yield from _binds(statement)
        else:
            yield from _targets(child)


def _targets(node: ast.AST) -> Iterator[str]:
    for item in ast.walk(node):
        if isinstance(item, ast.Name | ast.Attribute | ast.Subscript) and not isinstance(item.ctx, ast.Load):
            root: ast.expr = item
            while isinstance(root, ast.Attribute | ast.Subscript):
                root = root.value
            if isinstance(root, ast.Name):
                yield root.id


def _reads(node: ast.AST) -> Iterator[Chain]:
    if isinstance(node, ast.Name):
        yield (node.id,)
        return
    if isinstance(node, ast.Attribute):
        attributes: list[str] = []
        root: ast.expr = node
        while isinstance(root, ast.Attribute):
            attributes.append(root.attr)
            root = root.value
        if isinstance(root, ast.Name):
            yield (root.id, *reversed(attributes))
            return
        yield from _reads(root)
        return
    for child in ast.iter_child_nodes(node):
        yield from _reads(child)
