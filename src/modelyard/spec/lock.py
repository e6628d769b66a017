"""The environment of a release: the packages that are installed, beside what the project's lock file declares.

The packages actually installed are what a release is bound to. A complete lock file (`*.lock`), declared or found in
the project, narrows them to those that it names; without one, or with a list of requirements, all that is installed is
frozen.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from modelyard.digest import digest
from modelyard.errors import InputError
from modelyard.spec.types import Packages

FOUND = ("uv.lock", "requirements.lock", "poetry.lock", "requirements.txt")
_NOT_FROZEN = {"pip", "setuptools", "wheel", "modelyard"}
_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*===?\s*([^\s;,#\\]+)\s*(?:;\s*([^#\\]*))?")
_DIST_INFO = re.compile(r"(.+?)-([^-]+)(?:-py[\d.]+)?\.(?:dist|egg)-info")


@dataclass(frozen=True)
class Lock:
    """`text` in the form of requirements.txt, its `digest`, the installed `packages`, and what the file `declared`."""

    text: str
    digest: str
    packages: dict[str, str]
    python: str
    declared: dict[str, str]

    def shown(self) -> dict[str, str]:
        """Name to version, Python among them; both versions where the installed one is not the declared one."""
        shown = {"python": self.python, **self.packages}
        for name, version in self.declared.items():
            installed = self.packages.get(name)
            if installed != version:
                shown[name] = f"{version} (installed: {installed or 'no'})"
        return dict(sorted(shown.items()))


def environment(project_dir: Path | str, packages: Packages) -> Lock:
    """The environment as it is. InputError when a declared lock file is missing or cannot be read."""
    path = _lock_file(Path(project_dir), packages)
    installed = dict(sorted(_installed()))
    declared = dict(sorted(_declared(path).items())) if path else {}
    if path is not None and path.suffix == ".lock" and declared:
        installed = {name: version for name, version in installed.items() if name in declared}
    python = platform.python_version()
    identity = digest({"python": python, "installed": installed, "declared": declared})
    return Lock(_text(path, installed, declared, python), identity, installed, python, declared)


def _lock_file(directory: Path, packages: Packages) -> Path | None:
    if packages.lock is None:
        return next((directory / name for name in FOUND if (directory / name).is_file()), None)
    path = directory / packages.lock
    if not path.is_file():
        hint = f"Expected one such as {', '.join(FOUND[:-1])} or {FOUND[-1]}."
        raise InputError(f"there is no lock file `{packages.lock}`", hint=hint)
    return path


def _declared(path: Path) -> dict[str, str]:
    """The pins of a lock file, by normalised name."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        pins = dict(_toml_pins(text) if path.name in ("uv.lock", "poetry.lock") else _requirement_pins(text))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"the lock file `{path.name}` cannot be read: {error}") from None
    return {name: version for name, version in pins.items() if name not in _NOT_FROZEN}


def _toml_pins(text: str) -> Iterator[tuple[str, str]]:
    for package in tomllib.loads(text).get("package", []):
        if "version" in package and "editable" not in package.get("source", {}):
            yield normal(str(package["name"])), str(package["version"])


def _requirement_pins(text: str) -> Iterator[tuple[str, str]]:
    for line in text.replace("\\\n", " ").splitlines():
        match = _PIN.match(line.strip())
        if match and (not match[3] or _holds(match[3])):
            yield normal(match[1]), match[2]


def _holds(marker: str) -> bool:
    from packaging.markers import InvalidMarker, Marker  # only lock files with markers should pay for it

    try:
        return bool(Marker(marker.split(" --hash")[0].strip()).evaluate())
    except InvalidMarker:
        return True


def _installed() -> Iterator[tuple[str, str]]:
    """What is installed, by the names of its metadata folders: ten times faster than reading their contents."""
    found: dict[str, str] = {}
    for folder in dict.fromkeys(sys.path):
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            match = _DIST_INFO.fullmatch(name)
            if match:
                found.setdefault(normal(match[1]), match[2])
    return ((name, version) for name, version in found.items() if name not in _NOT_FROZEN)


def normal(name: str) -> str:
    """A package's name as indexes compare it (PEP 503).

    >>> normal("Scikit_Learn")
    'scikit-learn'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def _text(path: Path | None, installed: dict[str, str], declared: dict[str, str], python: str) -> str:
    of = f"of {path.name} that are" if path else "that were"
    lines = [f"# Python {python}; the packages {of} installed when this was recorded: a release is bound to these."]
    file = path.name if path else ""
    for name, version in declared.items():
        if installed.get(name) != version:
            lines.append(f"# {file} says {name}=={version}; installed: {installed.get(name, 'no')}")
    return "\n".join([*lines, *(f"{name}=={version}" for name, version in installed.items())]) + "\n"
