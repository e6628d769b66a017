"""The project's own files as they were applied: kept in the store, so that the loop never reads a moving checkout."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from modelyard.spec import Project
from modelyard.store import Blobs

KINDS = {".py", ".sql", ".yaml", ".yml", ".toml", ".lock", ".txt", ".md"}
LARGEST = 1_000_000


def snapshot(project: Project, blobs: Blobs) -> str:
    """Store the project's declaration, SQL, code and lock files; the digest of the tree."""
    with tempfile.TemporaryDirectory() as staging:
        for path in files(project.directory):
            target = Path(staging) / path.relative_to(project.directory)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        return blobs.put_tree(Path(staging))


def files(directory: Path) -> Iterator[Path]:
    """Text files of a project, in order; hidden folders and virtual environments are none of it."""
    for folder, names, entries in os.walk(directory):
        names[:] = sorted(name for name in names if not _foreign(Path(folder) / name))
        for entry in sorted(entries):
            path = Path(folder) / entry
            if path.suffix in KINDS and path.is_file() and path.stat().st_size <= LARGEST:
                yield path


def _foreign(folder: Path) -> bool:
    return folder.name.startswith(".") or folder.name == "__pycache__" or (folder / "pyvenv.cfg").exists()
