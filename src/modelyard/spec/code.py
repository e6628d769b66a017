"""Functions of a project, found and fingerprinted by reading their files; nothing of them is ever run.

A fingerprint follows what the function reaches: helpers, constants, classes, and through imports inside the project at
any depth. What modules do when they are imported belongs to it too. Formatting, comments and docstrings do not.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from modelyard.digest import digest
from modelyard.errors import InputError
from modelyard.spec.modules import Chain, Import, Module, Statement, parse
from modelyard.spec.wording import nearest

_REFERENCE = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)")
_FOREIGN = {"__pycache__", "node_modules", "site-packages"}


@dataclass(frozen=True)
class Code:
    """A function: its `fingerprint`, and the text of every project file that its imports reach, by relative path."""

    function: str
    fingerprint: str
    files: dict[str, str]


@dataclass(frozen=True)
class Found:
    """Where a function is defined, and what it takes; "**" stands for any further keyword."""

    module: Module
    name: str
    parameters: frozenset[str]


def read_function(project_dir: Path | str, function: str) -> Code:
    """The code of `module:function`. InputError when it is not there or a file cannot be read."""
    return Codebase(Path(project_dir)).read(function)


class Codebase:
    """The Python files of a project; each is read once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._modules: dict[str, Module | None] = {}
        self._codes: dict[str, Code] = {}

    def read(self, function: str) -> Code:
        """A function's fingerprint and files."""
        if function not in self._codes:
            found = self.find(function)
            reached = _Reach(self)
            reached.follow(found.module, (found.name,))
            files = {module.path: module.text for module in self._closure(found.module)}
            self._codes[function] = Code(function, reached.fingerprint(), dict(sorted(files.items())))
        return self._codes[function]

    def find(self, function: str) -> Found:
        """Where `module:function` is defined; names that a module only passes on are followed inside the project."""
        match = _REFERENCE.fullmatch(function)
        if not match:
            raise InputError(f"`{function}` is not a function", hint="Expected module:function, such as my.module:fit.")
        module = self.module(match[1])
        if module is None:
            hint = nearest(match[1], self._names()) or f"Expected the file {match[1].replace('.', '/')}.py."
            raise InputError(f"there is no module `{match[1]}` in the project", hint=hint)
        found = self._definition(module, match[2], set())
        if found is not None:
            return found
        where, name = module.path, match[2]
        if module.binding(name):
            raise InputError(f"`{name}` is not a function", where=where, hint=f"Define it there: def {name}(...).")
        raise InputError(f"there is no function `{name}`", where=where, hint=nearest(name, module.functions()))

    def _definition(self, module: Module, name: str, seen: set[tuple[str, str]]) -> Found | None:
        """The function that a name of a module means, through imports inside the project; None when it means none."""
        if (module.name, name) in seen:
            return None
        seen.add((module.name, name))
        binding = module.binding(name)
        if binding and binding[-1].parameters is not None:
            return Found(module, name, binding[-1].parameters)
        imports = [item for item in binding[-1].imports if item.local == name] if binding else module.stars()
        for item in imports:
            origin = self.module(item.module)
            if origin is not None and item.name:
                found = self._definition(origin, name if item.name == "*" else item.name, seen)
                if found is not None:
                    return found
        return None

    def module(self, name: str) -> Module | None:
        """A module of the project by its dotted name; None when the project has none of that name."""
        if name not in self._modules:
            self._modules[name] = self._load(name)
        return self._modules[name]

    def _load(self, name: str) -> Module | None:
        if not name:
            return None
        base = self.directory.joinpath(*name.split("."))
        for path, package in ((base / "__init__.py", True), (base.with_name(base.name + ".py"), False)):
            if path.is_file():
                relative = path.relative_to(self.directory).as_posix()
                return parse(_text(path, relative), name, relative, package)
        return None

    def package(self, name: str) -> bool:
        """Whether the project has a folder for a dotted name, with or without `__init__.py`."""
        return bool(name) and self.directory.joinpath(*name.split(".")).is_dir()

    def parents(self, name: str) -> Iterator[Module]:
        """The packages above a module, outermost first, as far as they have an `__init__.py`."""
        steps = name.split(".")
        for index in range(1, len(steps)):
            found = self.module(".".join(steps[:index]))
            if found is not None:
                yield found

    def imported(self, items: Iterable[Import]) -> Iterator[Module]:
        """The project's modules that imports load."""
        for item in items:
            names = [item.module, f"{item.module}.{item.name}"] if item.name else [item.module]
            for name in names:
                found = self.module(name)
                if found is not None:
                    yield from self.parents(name)
                    yield found

    def _closure(self, start: Module) -> Iterator[Module]:
        """Every project module that importing `start`, and calling into it, can load."""
        seen: set[str] = set()
        queue = deque([*self.parents(start.name), start])
        while queue:
            module = queue.popleft()
            if module.name in seen:
                continue
            seen.add(module.name)
            yield module
            queue.extend(self.imported(item for statement in module.statements for item in statement.imports))

    def _names(self) -> list[str]:
        found = []
        for path in sorted(self.directory.rglob("*.py"))[:2000]:
            steps = path.relative_to(self.directory).with_suffix("").parts
            if not any(step.startswith(".") or step in _FOREIGN for step in steps):
                found.append(".".join(steps[:-1] if steps[-1] == "__init__" else steps))
        return [name for name in found if name]


def _text(path: Path, relative: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("this file is not UTF-8 text", where=relative, hint="Save it as UTF-8.") from None
    except OSError as error:
        raise InputError(f"it cannot be read: {error.strerror}", where=relative) from None


class _Reach:
    """Collects the statements that a name reaches."""

    def __init__(self, code: Codebase) -> None:
        self.code = code
        self.statements: dict[tuple[str, int], str] = {}
        self.foreign: set[str] = set()
        self._entered: set[str] = set()
        self._followed: set[tuple[str, Chain]] = set()
        self._queue: deque[tuple[Module, Chain, tuple[Import, ...]]] = deque()

    def fingerprint(self) -> str:
        """One hash of all that was reached."""
        forms = [[name, form] for (name, _), form in sorted(self.statements.items())]
        return digest({"statements": forms, "imports": sorted(self.foreign)})

    def follow(self, module: Module, chain: Chain) -> None:
        """Reach a name of a module, and all that it reaches in turn."""
        self._queue.append((module, chain, ()))
        while self._queue:
            self._name(*self._queue.popleft())

    def _name(self, module: Module, chain: Chain, nearby: tuple[Import, ...]) -> None:
        for item in nearby:
            if item.local == chain[0]:
                self._import(item, chain)
        if (module.name, chain) in self._followed:
            return
        self._followed.add((module.name, chain))
        self._enter(module)
        binding = module.binding(chain[0])
        for statement in binding:
            if not statement.only_imports:
                self._take(module, statement)
            for item in statement.imports:
                if item.local == chain[0]:
                    self._import(item, chain)
        if not binding:
            self._from_stars(module, chain)

    def _from_stars(self, module: Module, chain: Chain) -> None:
        for item in module.stars():
            origin = self.code.module(item.module)
            if origin is None:
                self.foreign.add(f"from {item.module} import *")
            elif origin.binding(chain[0]) or origin.stars():
                self._queue.append((origin, chain, ()))

    def _take(self, module: Module, statement: Statement) -> None:
        place = (module.name, module.statements.index(statement))
        if place in self.statements:
            return
        self.statements[place] = statement.form
        for chain in statement.reads:
            self._queue.append((module, chain, statement.imports))

    def _enter(self, module: Module) -> None:
        """A module's name is used, so the module is imported: what that does counts."""
        if module.name in self._entered:
            return
        self._entered.add(module.name)
        for parent in self.code.parents(module.name):
            self._enter(parent)
        for statement in module.statements:
            if statement.binds_nothing or any(self._ours(module, name) for name in statement.decorators):
                self._take(module, statement)
            if statement.only_imports:
                for found in self.code.imported(statement.imports):
                    self._enter(found)

    def _ours(self, module: Module, name: str) -> bool:
        """Whether a name is the project's own: such a decorator may register what it decorates."""
        for statement in module.binding(name):
            if not statement.only_imports:
                return True
            if any(item.local == name and any(self.code.imported([item])) for item in statement.imports):
                return True
        return False

    def _import(self, item: Import, chain: Chain) -> None:
        """A chain whose first name is imported: reach what it means in its own module."""
        if item.name is None:
            self._module(item.module, chain if item.dotted else (*item.module.split("."), *chain[1:]))
        else:
            self._module(item.module, (*item.module.split("."), item.name, *chain[1:]))

    def _module(self, loaded: str, full: Chain) -> None:
        """Reach a full dotted path: the longest part that is a module, and then a name in it."""
        for length in range(len(full), 0, -1):
            module = self.code.module(".".join(full[:length]))
            if module is None:
                continue
            if length == len(full):
                self._whole(module)
            else:
                self._queue.append((module, full[length:], ()))
            return
        if not self.code.package(full[0]):
            self.foreign.add(".".join(full) if loaded in ("", ".".join(full)) else f"{loaded}: {'.'.join(full)}")

    def _whole(self, module: Module) -> None:
        """A module itself is passed around: all of it counts."""
        self._enter(module)
        for statement in module.statements:
            if not statement.only_imports:
                self._take(module, statement)
            for name in statement.binds:
                self._queue.append((module, (name,), ()))
