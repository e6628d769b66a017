"""Text to values with their places: every key and scalar of a YAML 1.2 document knows its line and column.

Scalars stay as written (`Plain` when unquoted). Duplicate keys, tags, merges, NaN and several documents are mistakes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from modelyard.errors import Problem
from modelyard.spec.values import Plain

Path = tuple[str | int, ...]
Place = tuple[int, int]

DEEPEST = 60
LARGEST = 200_000
_NOT_A_NUMBER = re.compile(r"[-+]?\.(nan|NaN|NAN|inf|Inf|INF)")
_LARGE_NUMBER = re.compile(r"[-+]?\d+(\.\d*)?[eE]\+?\d{3,}")


@dataclass(slots=True)
class Node:
    """One value of the document: a mapping, a list or a scalar; `place` is 1-based (line, column)."""

    value: dict[str, Node] | list[Node] | str
    place: Place
    keys: dict[str, Place] = field(default_factory=dict)
    size: int = 1
    depth: int = 1

    def child(self, step: str | int) -> Node | None:
        """The value under a key or an index; None when there is none."""
        if isinstance(self.value, dict):
            return self.value.get(str(step))
        if isinstance(self.value, list) and isinstance(step, int) and step < len(self.value):
            return self.value[step]
        return None

    def data(self) -> Any:
        """The value without its places."""
        if isinstance(self.value, dict):
            return {key: node.data() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.data() for node in self.value]
        return self.value

    def walk(self, path: Path = ()) -> Iterator[tuple[Path, Node]]:
        """This node and all below it, with their paths."""
        yield path, self
        if isinstance(self.value, dict):
            for key, node in self.value.items():
                yield from node.walk((*path, key))
        elif isinstance(self.value, list):
            for index, node in enumerate(self.value):
                yield from node.walk((*path, index))


@dataclass(frozen=True)
class Document:
    """A parsed file and its name."""

    file: str
    root: Node

    def find(self, path: Path) -> Node | None:
        """The node at a path."""
        node: Node | None = self.root
        for step in path:
            node = node.child(step) if node else None
        return node

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Where a value (or, with `key`, the key that names it) stands; else the nearest one above it."""
        node, place, named = self.root, self.root.place, self.root.place
        for step in path:
            found = node.child(step)
            if found is None:
                break
            place, named = found.place, node.keys.get(str(step), found.place)
            node = found
        return named if key else place

    def problem(self, path: Path, message: str, hint: str = "", *, key: bool = False) -> Problem:
        """A mistake at a path."""
        line, column = self.place(path, key=key)
        return Problem(self.file, line, column, dotted(path), message, hint)


def dotted(path: Path) -> str:
    """A path as people write it.

    >>> dotted(("models", "late", "checks", 2, "better_than", "by"))
    'models.late.checks[2].better_than.by'
    """
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def parse(content: bytes, file: str) -> tuple[Document | None, list[Problem]]:
    """Read a document; None when its syntax is broken."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _place_of(content[: error.start].decode("utf-8-sig"))
        return None, [Problem(file, line, column, "", "this file is not UTF-8 text.", "Save it as UTF-8.")]
    return _compose(text, file)


def _compose(text: str, file: str) -> tuple[Document | None, list[Problem]]:
    from ruamel.yaml import YAML  # a tenth of a second, which a gateway that only needs the types should not pay
    from ruamel.yaml.error import MarkedYAMLError
    from ruamel.yaml.reader import ReaderError

    builder = _Builder(file)
    try:
        root = builder.document(iter(YAML(typ="safe", pure=True).parse(text)))
    except _Broken as broken:
        return None, [*builder.problems, broken.problem]
    except MarkedYAMLError as error:
        return None, [*builder.problems, _syntax_problem(error, text, file)]
    except ReaderError as error:
        line, column = _place_of(text[: error.position])
        return None, [Problem(file, line, column, "", "a control character is not allowed here.", "Remove it.")]
    if root is None:
        return None, [Problem(file, 1, 1, "", "this file is empty.", "The first line could be `project: my_project`.")]
    if not isinstance(root.value, dict):
        message = "expected a mapping of keys to values, such as `project: my_project`."
        return None, [*builder.problems, Problem(file, *root.place, "", message)]
    return Document(file, root), builder.problems


def _place_of(before: str) -> Place:
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _syntax_problem(error: Any, text: str, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    lines = text.splitlines()
    source = lines[line - 1] if line <= len(lines) else ""
    if "\t" in source[: max(column, 1)] and not source[: max(column - 1, 0)].strip():
        return Problem(file, line, column, "", "a tab stands where spaces are expected.", "Indent with spaces.")
    said = " ".join(str(error.problem or error.context or "it cannot be read").split())
    hint = "Quote the value that contains `${...}`." if "${" in source else ""
    return Problem(file, line, column, "", f"this is not valid YAML: {said}.", hint)


def _short(tag: Any) -> str:
    return str(tag).replace("tag:yaml.org,2002:", "!!")


class _Broken(Exception):
    """A mistake after which reading cannot go on."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class _Builder:
    """Turns parser events into nodes and collects the mistakes that need no schema."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.anchors: dict[str, Node] = {}

    def document(self, events: Iterator[Any]) -> Node | None:
        """The root of the only document."""
        root = None
        for event in events:
            match type(event).__name__:
                case "DocumentStartEvent" if root is not None:
                    raise self._broken(event, "a second document starts here.", "Keep one document in the file.")
                case "ScalarEvent" | "MappingStartEvent" | "SequenceStartEvent" | "AliasEvent":
                    root = self._node(event, events, ())
        if root is not None and isinstance(root.value, Plain) and root.value == "":
            return None
        return root

    def _node(self, event: Any, events: Iterator[Any], path: Path) -> Node:
        if len(path) > DEEPEST:
            raise self._broken(event, f"this is nested more than {DEEPEST} levels deep.", "", path)
        kind = type(event).__name__
        if kind == "AliasEvent":
            return self._alias(event, path)
        if getattr(event, "tag", None):
            self._note(event, path, f"the tag {_short(event.tag)} is not allowed.", "Write the plain value.")
        node = Node("", self._place(event))
        match kind:
            case "MappingStartEvent":
                self._mapping(node, events, path)
            case "SequenceStartEvent":
                self._sequence(node, events, path)
            case _:
                node.value = self._scalar(event, path)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _alias(self, event: Any, path: Path) -> Node:
        node = self.anchors.get(event.anchor)
        if node is None:
            raise self._broken(event, f"no anchor &{event.anchor} stands before this alias.", "", path)
        return node

    def _mapping(self, node: Node, events: Iterator[Any], path: Path) -> None:
        items: dict[str, Node] = {}
        node.value = items
        for event in events:
            if type(event).__name__ == "MappingEndEvent":
                return
            key = self._key(event, path)
            value = self._node(next(events), events, (*path, key))
            if key == "<<":
                self._note(event, (*path, key), "merge keys are not part of YAML 1.2.", "Write the keys out.")
                merged = value.value if isinstance(value.value, dict) else {}
                items.update({name: item for name, item in merged.items() if name not in items})
                continue
            if key in node.keys:
                first = node.keys[key][0]
                self._note(event, (*path, key), f"`{key}` is declared twice; first on line {first}.", "Remove one.")
                continue
            items[key] = value
            node.keys[key] = self._place(event)
            self._grow(node, value, event, path)

    def _key(self, event: Any, path: Path) -> str:
        if type(event).__name__ != "ScalarEvent":
            raise self._broken(event, "a key must be plain text.", "Quote `${...}` and other braces.", path)
        if event.tag:
            self._note(event, path, f"the tag {_short(event.tag)} is not allowed.", "Write the plain key.")
        return str(event.value)

    def _sequence(self, node: Node, events: Iterator[Any], path: Path) -> None:
        items: list[Node] = []
        node.value = items
        for event in events:
            if type(event).__name__ == "SequenceEndEvent":
                return
            value = self._node(event, events, (*path, len(items)))
            items.append(value)
            self._grow(node, value, event, path)

    def _grow(self, node: Node, value: Node, event: Any, path: Path) -> None:
        """Count values, those behind aliases every time they are used: a small text must not become a huge value."""
        node.size += value.size
        node.depth = max(node.depth, value.depth + 1)
        if node.depth > DEEPEST:
            raise self._broken(event, f"this is nested more than {DEEPEST} levels deep.", "Use fewer aliases.", path)
        if node.size > LARGEST:
            raise self._broken(event, f"this declares more than {LARGEST} values.", "Use fewer aliases.", path)

    def _scalar(self, event: Any, path: Path) -> str:
        if event.style:
            return str(event.value)
        text = str(event.value)
        if _NOT_A_NUMBER.fullmatch(text):
            self._note(event, path, f"{text} is not a value.", "Write a finite number.")
        elif _LARGE_NUMBER.fullmatch(text) and math.isinf(float(text)):
            self._note(event, path, "this number is too large.", "Write a number below 1e308.")
        return Plain(text)

    def _place(self, event: Any) -> Place:
        return event.start_mark.line + 1, event.start_mark.column + 1

    def _note(self, event: Any, path: Path, message: str, hint: str) -> None:
        self.problems.append(Problem(self.file, *self._place(event), dotted(path), message, hint))

    def _broken(self, event: Any, message: str, hint: str, path: Path = ()) -> _Broken:
        return _Broken(Problem(self.file, *self._place(event), dotted(path), message, hint))
