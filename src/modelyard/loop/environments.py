"""Environments of releases: a virtual environment with the very packages of a lock, built once and kept in the store."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import modelyard
from modelyard.engines.local import LocalEngine, Running
from modelyard.errors import Refused
from modelyard.store import Store

_PATIENCE = timedelta(minutes=30)
_READY = "ready"
_UNREACHABLE = ("Failed to establish a new connection", "Failed to resolve", "ConnectTimeout", "connection timed out")
"""What pip says of an index that it cannot reach."""


@dataclass(frozen=True)
class InEnvironment:
    """An engine whose Python commands run in another environment."""

    engine: LocalEngine
    python: Path

    def running(
        self,
        argv: list[str],
        *,
        cwd: Path,
        log: Path,
        timeout: timedelta,
        memory_mb: int | None = None,
        env: Mapping[str, str] | None = None,
    ) -> AbstractContextManager[Running]:
        """As the engine, with this environment's interpreter in place of our own."""
        command = [str(self.python), *argv[1:]] if argv[0] == sys.executable else argv
        return self.engine.running(command, cwd=cwd, log=log, timeout=timeout, memory_mb=memory_mb, env=env)


def prepare(store: Store, engine: LocalEngine, lock: str, text: str, progress: Callable[[str], None]) -> Path:
    """The interpreter of the environment with lock digest `lock`, whose pins are `text`. Built when it is not there.

    Refused when the Python of the lock, or one of its packages, cannot be had.
    """
    home = store.files / "envs" / lock
    python = home / "bin" / "python"
    if (home / _READY).exists():
        return python
    shutil.rmtree(home, ignore_errors=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    progress("~building the release's environment")
    log = home.parent / f"{lock}.log"
    base = interpreter(text)
    _must(engine, [base, "-m", "venv", str(home)], log)
    pins = home / "pins.txt"
    pins.write_text(text)
    # What our own child process imports comes with it, at the lock's versions where the lock names them.
    needed = [each for each in importlib.metadata.requires("modelyard") or () if "extra ==" not in each]
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "2"]
    _must(engine, [*pip, "-r", str(pins), *needed], log)
    packages = next((home / "lib").glob("python*/site-packages"))
    shutil.copytree(
        Path(modelyard.__file__).parent, packages / "modelyard", ignore=shutil.ignore_patterns("__pycache__")
    )
    (home / _READY).touch()
    return python


def interpreter(text: str) -> str:
    """A Python of the lock's minor version: ours, or one on the path. The lock's first line names it: `# Python 3.11.7;`.

    >>> interpreter("# no version\\n") == sys.executable
    True
    """
    head = text.partition("\n")[0]
    named = head.partition("Python ")[2].split(";")[0].strip()
    minor = ".".join(named.split(".")[:2])
    if not minor or minor == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    found = shutil.which(f"python{minor}")
    if found is None:
        raise Refused(f"the release was built with Python {named}, which is not here.", hint=f"Install Python {minor}.")
    return found


def _must(engine: LocalEngine, argv: list[str], log: Path) -> None:
    outcome = engine.run(argv, cwd=log.parent, log=log, timeout=_PATIENCE)
    if outcome.ok:
        return
    said = log.read_text(errors="replace").strip()
    if any(each in said for each in _UNREACHABLE):
        raise Refused(
            "no package index can be reached, and the release needs packages that are not installed here.",
            where=str(log),
            hint="Try again with a network, or with PIP_INDEX_URL or PIP_FIND_LINKS naming a place that has them.",
        )
    tail = said.splitlines()[-1:] or ["it said nothing"]
    raise Refused(
        f"the release's environment could not be built: {tail[0]}",
        where=str(log),
        hint="Its packages must be installable from a package index.",
    )
