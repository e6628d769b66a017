"""Bytes by their digest: artefacts, code, logs, manifests. Written once, checked whenever they are read."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path, PurePosixPath

from modelyard.digest import canonical
from modelyard.errors import DataError, InputError, NotFound
from modelyard.store import durable


class Blobs:
    """Content-addressed files under one directory, `ab/cdef...`; concurrent writers of the same content do no harm."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def put(self, data: bytes) -> str:
        """Keep `data` for good and return its SHA-256 (64 hex digits)."""
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(digest)
        if path.is_file() and path.read_bytes() == data:
            # Perhaps another process renamed it a moment ago: its name must last before we say so.
            durable.sync(path.parent)
        else:
            durable.write(path, data, mode=0o444)
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes. NotFound when there are none, DataError when they are not what was put."""
        path = self._path(digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise NotFound(f"there is no blob {digest}.", where=str(self.directory)) from None
        if hashlib.sha256(data).hexdigest() != digest:
            raise DataError(
                "the stored bytes do not match their digest: the file was changed or damaged.",
                where=str(path),
                hint="Restore it from a backup, or build again what it belongs to.",
            )
        return data

    def path(self, digest: str) -> Path:
        """A file with the bytes, read-only and checked as `get` does."""
        self.get(digest)
        return self._path(digest)

    def has(self, digest: str) -> bool:
        """Whether there is such a blob (its bytes are not read)."""
        return self._path(digest).is_file()

    def put_tree(self, directory: Path) -> str:
        """Keep all files below `directory`; the digest is that of a manifest {relative path: digest}.

        InputError on symbolic links and on anything that is neither file nor directory. Empty directories are not kept.
        """
        directory = Path(directory)
        if not directory.is_dir():
            raise NotFound("there is no such directory.", where=str(directory))
        return self.put(
            canonical({name: self.put(path.read_bytes()) for name, path in sorted(_files(directory).items())})
        )

    def manifest(self, tree: str) -> dict[str, str]:
        """What `put_tree` kept: {relative path: digest}. DataError when the blob is no manifest."""
        try:
            manifest = json.loads(self.get(tree))
        except ValueError:
            manifest = None
        if not isinstance(manifest, dict) or not all(isinstance(each, str) for each in manifest.values()):
            raise DataError("this blob is not the manifest of a directory.", where=tree)
        return manifest

    def checkout(self, tree: str, directory: Path) -> None:
        """Write the files of a tree below `directory`, each checked; nothing is written through a symbolic link.

        DataError when the manifest points outside of `directory` or stored bytes are damaged.
        """
        directory = Path(directory)
        manifest = self.manifest(tree)
        for name in manifest:
            _check_inside(name, tree)
        directory.mkdir(parents=True, exist_ok=True)
        for name, digest in manifest.items():
            _write_inside(directory, name, self.get(digest))

    def _path(self, digest: str) -> Path:
        if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise InputError("a blob is named by the 64 hex digits of its SHA-256.", where=repr(digest)[:80])
        return self.directory / digest[:2] / digest[2:]


def _files(directory: Path) -> dict[str, Path]:
    """All regular files below `directory`, by relative path with `/`."""
    found: dict[str, Path] = {}
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                found |= {f"{entry.name}/{name}": path for name, path in _files(Path(entry.path)).items()}
            elif entry.is_file(follow_symlinks=False):
                found[entry.name] = Path(entry.path)
            else:
                raise InputError("only files and directories can be kept, no links or devices.", where=entry.path)
    return found


def _check_inside(name: str, tree: str) -> None:
    """Refuse a path that leaves the directory."""
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in name or "\\" in name or str(path) != name:
        raise DataError(f"the manifest names a path outside of its directory: {name!r}.", where=tree)


def _write_inside(directory: Path, name: str, data: bytes) -> None:
    """Write one file, creating directories, following no link below `directory`."""
    path = directory / name
    for parent in reversed(path.relative_to(directory).parents[:-1]):
        if (directory / parent).is_symlink():
            raise InputError("a symbolic link is in the way.", where=str(directory / parent))
        (directory / parent).mkdir(exist_ok=True)
    if path.is_symlink():
        raise InputError("a symbolic link is in the way.", where=str(path))
    path.unlink(missing_ok=True)
    path.write_bytes(data)
