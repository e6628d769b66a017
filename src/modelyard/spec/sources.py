"""The files behind a source: what a `uri` names now, and a digest that changes when any of them does."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelyard.digest import digest
from modelyard.errors import DataError
from modelyard.spec.tables import Source
from modelyard.spec.variables import expand
from modelyard.spec.wording import nearest

LISTED = 500


@dataclass(frozen=True)
class File:
    """One file: absolute `path`, `size` in bytes, time of the last change in nanoseconds."""

    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Files:
    """The files of a source, ordered by path; `digest` follows their names, sizes and times, not their content."""

    files: tuple[File, ...]
    digest: str

    @property
    def paths(self) -> list[str]:
        """The absolute paths."""
        return [file.path for file in self.files]


def stat(data_dir: Path | str, source: Source, env: Mapping[str, str] | None = None) -> Files:
    """Find a source's files; relative URIs start at `data_dir`, `${NAME}` is read from `env` (default: the process's).

    DataError when nothing matches.
    """
    root = Path(data_dir).resolve()
    pattern = str(root / expand(source.uri, os.environ if env is None else env))
    found = sorted(path for path in _matches(pattern) if os.path.isfile(path))
    if not found:
        raise DataError(f"no file matches {source.uri}", hint=_hint(Path(pattern), source.uri))
    files = tuple(_file(path) for path in found)
    named = [[os.path.relpath(file.path, root), file.size, file.mtime_ns] for file in files]
    return Files(files, digest(named))


def digests(data_dir: Path | str, sources: Mapping[str, Source]) -> dict[str, str]:
    """The state of every source's files. DataError names the source that has none."""
    found = {}
    for name, source in sources.items():
        try:
            found[name] = stat(data_dir, source).digest
        except DataError as error:
            error.where = f"source {name}"
            raise
    return found


def _matches(pattern: str) -> list[str]:
    return [pattern] if os.path.exists(pattern) else glob.glob(pattern, recursive=True)


def _file(path: str) -> File:
    info = os.stat(path)
    return File(path, info.st_size, info.st_mtime_ns)


def _hint(path: Path, uri: str) -> str:
    if not path.parent.is_dir():
        return "" if glob.has_magic(str(path.parent)) else f"There is no folder {os.path.dirname(uri) or '.'}."
    names = [item.name for item in sorted(path.parent.iterdir())[:LISTED] if item.is_file()]
    return nearest(path.name, names) or "The folder is there, and no file of that name is in it."
