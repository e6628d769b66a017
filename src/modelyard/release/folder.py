"""A release as a folder again: the project as it was, the code that trained it, and its lock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelyard.digest import canonical, digest
from modelyard.errors import InputError
from modelyard.records import Declaration, Release
from modelyard.release.names import find, name
from modelyard.store import Store

LOCK = "requirements.lock"
RELEASE = "release.json"


def checkout(store: Store, ref: str, folder: str | Path) -> Path:
    """Write the release `ref` into the new (or empty) `folder` and return it.

    The project's files as they were applied (yard.yaml, SQL, code), over them the code that trained this very release,
    its lock as `requirements.lock` and the whole record as `release.json`. Sources are not copied: a relative URI is a
    link to where it led when the project was applied.
    """
    release = find(store, ref)
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError("the folder is there already and not empty.", where=str(target), hint="Name a new one.")
    target.mkdir(parents=True, exist_ok=True)
    declaration = declared(store, release)
    if declaration is not None and declaration.tree:
        store.blobs.checkout(declaration.tree, target)
        for uri in relative(declaration):
            _link(Path(declaration.directory).absolute(), Path(uri).parts, target)
    code = release.body.get("code", {}).get("blob")
    if code:
        store.blobs.checkout(code, target)
    lock = release.body.get("lock", {}).get("blob")
    if lock:
        (target / LOCK).write_bytes(store.blobs.get(lock))
    (target / RELEASE).write_bytes(canonical(described(release)) + b"\n")
    return target


def relative(declaration: Declaration) -> list[str]:
    """The URIs of sources that start at the project's folder."""
    uris = (source["uri"] for source in declaration.spec.get("sources", {}).values())
    return [uri for uri in uris if "://" not in uri and "${" not in uri and not Path(uri).is_absolute()]


def _link(origin: Path, steps: tuple[str, ...], target: Path) -> None:
    """Link what the first step of a URI names, or the next step where the project's own files have that folder."""
    first, rest = steps[0], steps[1:]
    if first == "..":
        return
    for found in [origin / first] if (origin / first).exists() else sorted(origin.glob(first)):
        place = target / found.name
        if rest and place.is_dir() and not place.is_symlink():
            _link(found, rest, place)
        elif found != origin and not place.exists():
            place.symlink_to(found)


def declared(store: Store, release: Release) -> Declaration | None:
    """The declaration that the release was built under.

    The first whose model part has the release's fingerprint and that was in force when it was created or recorded after
    that (an apply records its declaration when it has finished); where none has it, the one in force then, or the first.
    """
    declarations = store.read(Declaration, order="id")
    wanted = release.body.get("version", {}).get("fingerprint")
    entity = f"model.{release.model}"
    same = [each for each in declarations if digest(each.fingerprints.get(entity, {})) == wanted]
    before = [each for each in same or declarations if each.at <= release.created]
    return before[-1] if before else next(iter(same or declarations), None)


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
