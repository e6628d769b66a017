"""A release as a folder again: the project as it was, the code that trained it, and its lock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelyard.digest import canonical
from modelyard.errors import InputError
from modelyard.records import Declaration, Release
from modelyard.release.names import find, name
from modelyard.store import Store

LOCK = "requirements.lock"
RELEASE = "release.json"


def checkout(store: Store, ref: str, folder: str | Path) -> Path:
    """Write the release `ref` into the new (or empty) `folder` and return it.

    The project's files as they were applied (yard.yaml, SQL, code), over them the code that trained this very release,
    its lock as `requirements.lock` and the whole record as `release.json`. Sources are not copied: their URIs stand.
    """
    release = find(store, ref)
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError("the folder is there already and not empty.", where=str(target), hint="Name a new one.")
    target.mkdir(parents=True, exist_ok=True)
    declaration = declared(store, release)
    if declaration is not None and declaration.tree:
        store.blobs.checkout(declaration.tree, target)
    code = release.body.get("code", {}).get("blob")
    if code:
        store.blobs.checkout(code, target)
    lock = release.body.get("lock", {}).get("blob")
    if lock:
        (target / LOCK).write_bytes(store.blobs.get(lock))
    (target / RELEASE).write_bytes(canonical(described(release)) + b"\n")
    return target


def declared(store: Store, release: Release) -> Declaration | None:
    """The declaration that the release was built under: the one in force when it was created, or the first one after.

    An apply records its declaration when it has finished, so the release of a first apply is older than any.
    """
    declarations = store.read(Declaration, order="id")
    before = [each for each in declarations if each.at <= release.created]
    return before[-1] if before else (declarations[0] if declarations else None)


def described(release: Release) -> dict[str, Any]:
    """The release as one JSON object."""
    return {
        "name": name(release),
        "digest": release.digest,
        "created": release.created.isoformat(),
        "as_of": release.as_of.isoformat(),
        "author": release.author,
        "body": release.body,
    }
