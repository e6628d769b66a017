"""Read `yard.yaml`: parse, validate, check what it refers to. Every mistake is reported at once, with its place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from modelyard.errors import Problem, SpecError
from modelyard.spec import document, shapes, wording
from modelyard.spec.document import Document
from modelyard.spec.lock import Lock, environment
from modelyard.spec.look import Look
from modelyard.spec.rules import RULES, resolve_inputs
from modelyard.spec.types import Spec

FILE = "yard.yaml"
ROUNDS = 20


@dataclass(frozen=True)
class Project:
    """A valid declaration and where it stands: `directory` holds the code, `data` is where relative URIs start.

    `lock`: the environment that it is bound to; None: whatever is installed when somebody asks.
    """

    directory: Path
    spec: Spec
    text: str
    data: Path
    lock: Lock | None = None

    def environment(self) -> Lock:
        """The packages that releases are bound to."""
        return self.lock or environment(self.directory, self.spec.packages)


def load(
    project_dir: Path | str,
    env_vars: Mapping[str, str] | None = None,
    *,
    data: Path | None = None,
    variables: bool = True,
) -> Project:
    """Read and check the declaration in a folder. SpecError holds every mistake; nothing of the project is run.

    `env_vars` (default: the process's) is asked only whether a variable is set; nothing is, without `variables`. `data` is
    where relative URIs start when that is not the folder itself.
    """
    directory = Path(project_dir)
    text, parsed, problems = _read(directory)
    env = (os.environ if env_vars is None else env_vars) if variables else None
    return Project(directory, _checked(parsed, problems, directory, env), text, data or directory)


def read(text: str, project_dir: Path | str) -> Spec:
    """The declaration that a text would be in a folder's place of `yard.yaml`; as `load`."""
    parsed, problems = document.parse(text.encode(), FILE)
    return _checked(parsed, problems, Path(project_dir), os.environ)


def _checked(parsed: Document | None, problems: list[Problem], directory: Path, env: Mapping[str, str] | None) -> Spec:
    """The declaration of a parsed file; SpecError with every mistake, beside the `problems` of its syntax."""
    if parsed is None:
        raise SpecError(problems)
    spec, found, broken = _validate(parsed)
    problems = [*problems, *found]
    if spec is not None:
        look = Look(parsed, spec, directory, env, frozenset(broken))
        for rule in RULES:
            rule(look)
        problems += look.problems
    if problems or spec is None:
        raise SpecError(_in_order(problems))
    return resolve_inputs(spec, directory)


def _read(directory: Path) -> tuple[str, Document | None, list[Problem]]:
    path = directory / FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        hint = "Write one, or let `yard init DIR --from data.csv --target COLUMN` write it."
        return "", None, [Problem(FILE, 1, 1, "", f"there is no {FILE} in {directory}.", hint)]
    except OSError as error:
        return "", None, [Problem(FILE, 1, 1, "", f"it cannot be read: {error.strerror}.")]
    parsed, problems = document.parse(content, FILE)
    return (content.decode("utf-8-sig") if parsed else ""), parsed, problems


def _in_order(problems: list[Problem]) -> list[Problem]:
    unique = dict.fromkeys(problems)
    return sorted(unique, key=lambda problem: (problem.line, problem.column))


def _validate(parsed: Document) -> tuple[Spec | None, list[Problem], set[document.Path]]:
    """The declaration, the mistakes in it, and their paths.

    What is wrong is taken out and the rest read again, so that mistakes of reference are found beside those of form.
    The declaration is None when nothing can be made of it.
    """
    value = parsed.root.data()
    found = [*wording.empty_values(parsed, Spec), *wording.internal_names(parsed, Spec)]
    broken = {path for path, _ in found}
    for path in broken:
        _take_out(value, path)
    for _ in range(ROUNDS):
        try:
            return Spec.model_validate(value), [problem for _, problem in found], broken
        except ValidationError as error:
            for path, problem in wording.explain(parsed, Spec, error.errors(include_url=False)):
                if path in broken:  # what was put in its place is no good either
                    _take_out(value, path[:-1])
                    continue
                found.append((path, problem))
                broken.add(path)
                _take_out(value, path)
    return None, [problem for _, problem in found], broken


def _take_out(value: Any, path: document.Path) -> None:
    """Remove the value at `path`; where one is required, put something of its kind in its place."""
    for step in path[:-1]:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return
    last = path[-1] if path else ""
    annotation = shapes.at(Spec, path)
    parent = shapes.at(Spec, path[:-1])
    if isinstance(value, list) and isinstance(last, int) and last < len(value):
        value[last] = _stand_in(annotation)
    elif isinstance(value, dict) and _required(parent, str(last)):
        value[str(last)] = _stand_in(annotation)
    elif isinstance(value, dict):
        value.pop(str(last), None)


def _required(parent: Any, key: str) -> bool:
    return any(key in shapes.keys(model) and shapes.keys(model)[key].is_required() for model in shapes.classes(parent))


def _stand_in(annotation: Any) -> Any:
    """A value of the kind that is expected, in the place of one that is wrong or missing."""
    words = shapes.literals(annotation)
    if words:
        return words[0]
    for item in shapes.options(annotation):
        if isinstance(item, type) and issubclass(item, BaseModel):
            fields = shapes.keys(item).items()
            return {name: _stand_in(shapes.whole(field)) for name, field in fields if field.is_required()}
        if item in _STAND_INS:
            return _STAND_INS[item]
    return []


_STAND_INS: dict[Any, Any] = {str: "unknown", int: 1, float: 0.5, bool: False}
