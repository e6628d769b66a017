"""What gateway processes say of themselves: which routes each runs. A rollout's step counts when every one runs them.

Each process keeps a small file beside the log, and a lock on another for as long as it lives: a report whose lock nobody
holds is a dead process's, and counts no more.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from modelyard.store import Store, durable


class _Runs(msgspec.Struct):
    """The revision of a deployment's routes that a process runs, since when, and the releases that it does not ask now."""

    revision: int
    since: datetime
    ejected: list[str] = []


def place(store: Store) -> Path:
    """Where the reports of a project's gateways are."""
    return store.files / "gateways" / store.project / store.env


class Report:
    """The report of this process; nothing is written before the first `tell`."""

    def __init__(self, place: Path, now: Callable[[], datetime]) -> None:
        self._path = place / f"{os.getpid()}-{secrets.token_hex(4)}"
        self._now = now
        self._lock: int | None = None
        self._told: dict[str, _Runs] = {}

    def tell(self, revisions: Mapping[str, int], ejected: Mapping[str, list[str]] | None = None) -> None:
        """Say which revision of each deployment's routes this process runs now, and which releases are `ejected`."""
        now, before, out = self._now(), self._told, ejected or {}
        told = {}
        for name, revision in revisions.items():
            same = name in before and before[name].revision == revision
            told[name] = _Runs(revision, before[name].since if same else now, list(out.get(name, ())))
        if self._lock is not None and told == before:
            return
        self._told = told
        if self._lock is None:
            durable.make_directory(self._path.parent)
            # Locked before it has its name: nobody who sees it can take it for a dead one.
            new = self._path.with_suffix(".new")
            self._lock = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            new.rename(self._path.with_suffix(".alive"))
        young = self._path.with_suffix(".part")
        young.write_bytes(msgspec.json.encode(self._told))
        young.rename(self._path.with_suffix(".json"))

    def close(self) -> None:
        """Take the report back."""
        if self._lock is not None:
            _remove(self._path.with_suffix(".alive"))
            os.close(self._lock)
            self._lock = None


def running(store: Store, deployment: str, revision: int) -> tuple[bool, datetime | None]:
    """Whether every living gateway process runs these routes (or later ones), and since when the last of them does.

    True and None where no process lives: nothing is served by old routes then.
    """
    since = None
    for path in place(store).glob("*.alive"):
        if not _alive(path):
            _remove(path)
            continue
        try:
            told = _decode(path.with_suffix(".json").read_bytes())
        except (OSError, msgspec.DecodeError):
            return False, None  # it has just begun
        run = told.get(deployment)
        if run is None or run.revision < revision:
            return False, None
        since = run.since if since is None else max(since, run.since)
    return True, since


def ejected(store: Store, deployment: str) -> set[str]:
    """The releases that some living gateway process does not ask now, because they only failed."""
    found: set[str] = set()
    for path in place(store).glob("*.alive"):
        if _alive(path):
            try:
                run = _decode(path.with_suffix(".json").read_bytes()).get(deployment)
            except (OSError, msgspec.DecodeError):
                continue
            found.update(run.ejected if run is not None else ())
    return found


def memory(store: Store) -> list[int]:
    """The resident memory in bytes of each living gateway process of this host; empty where the system does not tell."""
    found = (resident(int(path.name.partition("-")[0])) for path in place(store).glob("*.alive") if _alive(path))
    return sorted(size for size in found if size)


def resident(process: int) -> int:
    """The resident memory of a process in bytes; 0 where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


_decode = msgspec.json.Decoder(dict[str, _Runs]).decode


def _alive(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _remove(path: Path) -> None:
    for suffix in (".json", ".part", ".alive"):
        path.with_suffix(suffix).unlink(missing_ok=True)
