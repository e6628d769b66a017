"""The mistakes that validation finds, as sentences with their places."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, get_origin

from pydantic import BaseModel

from modelyard.errors import Problem
from modelyard.spec import shapes, unbuilt
from modelyard.spec.document import Document, Node, Path
from modelyard.spec.values import Budget, Margin, OutOf, Plain

_TYPES = {
    "int": "expected a whole number",
    "float": "expected a number",
    "decimal": "expected a number",
    "finite": "expected a finite number",
    "bool": "expected true or false",
    "string": "expected a text",
    "dict": "expected a mapping of names to values",
    "tuple": "expected a list",
    "list": "expected a list",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "expected at least {}"),
    "greater_than": ("gt", "expected more than {}"),
    "less_than_equal": ("le", "expected at most {}"),
    "less_than": ("lt", "expected less than {}"),
    "too_short": ("min_length", "expected at least {} item(s)"),
    "string_too_short": ("min_length", "expected at least {} character(s)"),
    "string_too_long": ("max_length", "expected at most {} characters"),
}


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known name, or all of a few; empty when nothing helps.

    >>> nearest("chekcs", ["checks", "params"])
    'Did you mean `checks`?'
    """
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"Did you mean `{close[0]}`?"
    return f"Known here: {', '.join(names)}." if 0 < len(names) <= 25 else ""


def pattern_of(path: Path, root: type[BaseModel]) -> str:
    """A path with names replaced by `*` and indexes by `[]`, as `unbuilt` writes them."""
    text, annotation = "", root
    for step in path:
        named = any(get_origin(item) is dict for item in shapes.options(annotation))
        word = "[]" if isinstance(step, int) else "*" if named else str(step)
        text += word if word == "[]" else f".{word}" if text else word
        annotation = shapes.below(annotation, step)
    return text


def explain(document: Document, root: type[BaseModel], errors: list[Any]) -> list[tuple[Path, Problem]]:
    """One problem per place, with the path of the value that is wrong."""
    groups: dict[tuple[Path, bool], list[Any]] = {}
    for error in errors:
        path, on_key = _locate(document, error)
        if error["type"] != "missing" and _shadowed(document, path, error):
            continue
        groups.setdefault((path, on_key), []).append(error)
    found = []
    for (path, on_key), group in groups.items():
        found.append((path, _problem(document, root, path, on_key, group)))
    return found


def empty_values(document: Document, root: type[BaseModel]) -> list[tuple[Path, Problem]]:
    """Keys that stand there without a value: nothing declared is ever silently ignored."""
    found = []
    for path, node in document.root.walk():
        if not (isinstance(node.value, Plain) and node.value in ("", "~", "null", "Null", "NULL")):
            continue
        annotation = shapes.at(root, path)
        if annotation is None or Any in shapes.options(annotation):
            continue
        says = "this key has no value." if isinstance(path[-1], str) else "this item is empty."
        hint = f"Expected {wanted(annotation)}; or remove it."
        found.append((path, document.problem(path, says, hint, key=True)))
    return found


def internal_names(document: Document, root: type[BaseModel]) -> list[tuple[Path, Problem]]:
    """Field names of ours (`from_`) that are not keys of the language."""
    found = []
    for path, node in document.root.walk():
        for name in node.keys:
            if not name.endswith("_"):
                continue
            models = shapes.classes(shapes.at(root, path))
            if any(name in model.model_fields and name not in shapes.keys(model) for model in models):
                found.append(((*path, name), unknown(document, root, path, name, (*path, name))))
    return found


def wanted(annotation: Any) -> str:
    """What may stand there, in a few words."""
    words = shapes.literals(annotation)
    texts = [f"one of {', '.join(words)}" if len(words) > 1 else words[0]] if words else []
    for item in shapes.options(annotation):
        origin = get_origin(item)
        if isinstance(item, type) and issubclass(item, BaseModel):
            required = [name for name, field in shapes.keys(item).items() if field.is_required()]
            texts.append("{" + ", ".join(f"{name}: ..." for name in required) + "}" if required else "a mapping")
        elif origin in (dict, tuple):
            texts.append("a mapping" if origin is dict else "a list")
        elif item in _WORDS:
            texts.append(_WORDS[item])
    return " or ".join(dict.fromkeys(texts)) or "a value"


_WORDS: dict[Any, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    timedelta: "a duration such as 7d",
    Margin: "a margin such as 2% or 1pp",
    OutOf: "a count such as 2 of 3",
    Budget: "a budget such as 1 per 90d",
}


def _locate(document: Document, error: Any) -> tuple[Path, bool]:
    """The path of an error in the document: the location without the tags of unions; and whether its key is wrong."""
    path: list[str | int] = []
    node: Node | None = document.root
    steps = list(error["loc"])
    for index, step in enumerate(steps):
        last = index == len(steps) - 1
        if step == "[key]":
            return tuple(path), True
        child = node.child(step) if node else None
        if child is not None:
            path.append(step)
            node = child
        elif last and error["type"] == "missing":
            path.append(step)
    return tuple(path), error["type"] in ("extra_forbidden", "missing")


def _shadowed(document: Document, path: Path, error: Any) -> bool:
    """Whether an error belongs to an alternative of a union that the writer did not mean."""
    node = document.find(path)
    if node is None or not any(isinstance(step, str) and _is_tag(step) for step in error["loc"][len(path) :]):
        return False
    structural = error["type"] in ("model_type", "dict_type", "tuple_type", "list_type")
    scalar = isinstance(node.value, str)
    return structural if scalar else not structural and error["type"] != "extra_forbidden"


def _is_tag(step: str) -> bool:
    return not re.fullmatch(r"[a-z][a-z0-9_-]*", step) or step in ("str", "int", "float", "bool")


def _problem(document: Document, root: type[BaseModel], path: Path, on_key: bool, group: list[Any]) -> Problem:
    kinds = {error["type"] for error in group}
    if "extra_forbidden" in kinds:
        name = next(str(error["loc"][-1]) for error in group if error["type"] == "extra_forbidden")
        if path and name == str(path[-1]):
            return unknown(document, root, path[:-1], name, path)
        return unknown(document, root, path, name, path)  # a short form: the text `bandit` for {bandit: {}}
    if "missing" in kinds:
        wants = wanted(shapes.at(root, path))
        return document.problem(path, f"`{path[-1]}` is required here.", f"Expected {wants}.", key=True)
    return _wrong_value(document, root, path, on_key, group)


def unknown(document: Document, root: type[BaseModel], parent: Path, name: str, path: Path) -> Problem:
    """The problem of a key that the class at `parent` does not have."""
    key = parent != path
    if name in unbuilt.KEYS.get(pattern_of(parent, root), ()):
        message = f"known, but not built yet: `{name}`."
        return document.problem(path, message, "Remove it: nothing declared is ever silently ignored.", key=key)
    known = [key for model in shapes.classes(shapes.at(root, parent) or root) for key in shapes.keys(model)]
    elsewhere = unbuilt.ELSEWHERE.get(pattern_of(parent, root), {}).get(name)
    if elsewhere:
        return document.problem(path, f"unknown key `{name}`.", f"It is declared as {elsewhere}.", key=key)
    says = f"unknown key `{name}`." if key else f"there is no `{name}` here."
    return document.problem(path, says, nearest(name, known), key=key)


def _wrong_value(document: Document, root: type[BaseModel], path: Path, on_key: bool, group: list[Any]) -> Problem:
    annotation = shapes.at(root, path)
    node = document.find(path)
    text = node.value if node and isinstance(node.value, str) else None
    if on_key or "string_pattern_mismatch" in {error["type"] for error in group}:
        return _bad_name(document, path, on_key, group)
    if text is not None and text in unbuilt.VALUES.get(pattern_of(path, root), ()):
        return document.problem(path, f"known, but not built yet: `{text}`.", f"Expected {wanted(annotation)}.")
    words = shapes.literals(annotation)
    if words and text is not None:
        close = nearest(text, words)
        return document.problem(path, f"expected {wanted(annotation)}.", close if close.startswith("Did") else "")
    sentences = list(dict.fromkeys(_sentence(error, annotation) for error in group))
    message = sentences[0] + "".join(f", or {text.removeprefix('expected ')}" for text in sentences[1:])
    return document.problem(path, f"{message}{_instead(node, group)}.")


def _sentence(error: Any, annotation: Any) -> str:
    kind, context = error["type"], error.get("ctx") or {}
    if kind in ("value_error", "assertion_error"):
        return str(context["error"]).rstrip(".")
    if kind in _BOUNDS:
        name, says = _BOUNDS[kind]
        bound = context[name]
        # A bound of durations comes in pydantic's words: "3 days", and the least of all as code.
        return says.format(bound.replace("datetime.timedelta(0)", "0s") if type(bound) is str else f"{bound:g}")
    if kind in ("model_type", "model_attributes_type"):
        return f"expected {wanted(annotation)}"
    return _TYPES.get(kind.split("_")[0], f"expected {wanted(annotation)}")


def _instead(node: Node | None, group: list[Any]) -> str:
    """What stands there instead, when its very shape is wrong."""
    if node is None or not any(error["type"].endswith("_type") for error in group):
        return ""
    shape = "a mapping" if isinstance(node.value, dict) else "a list" if isinstance(node.value, list) else "one value"
    return f", not {shape}"


def _bad_name(document: Document, path: Path, on_key: bool, group: list[Any]) -> Problem:
    loose = any((error.get("ctx") or {}).get("pattern", "").endswith("_-]*$") for error in group)
    node = document.find(path)
    name = str(path[-1]) if on_key else str(node.value) if node else ""
    allowed = "small letters, digits, `_` and `-`" if loose else "small letters, digits and `_`"
    message = f"`{name}` is not a name: expected {allowed}, a letter first, at most 63 characters."
    proposal = re.sub(r"[^a-z0-9_-]+" if loose else r"[^a-z0-9_]+", "_", name.lower()).strip("_-")
    valid = re.match(r"[a-z]", proposal) and len(proposal) <= 63 and proposal != name
    return document.problem(path, message, f"Did you mean `{proposal}`?" if valid else "", key=on_key)
