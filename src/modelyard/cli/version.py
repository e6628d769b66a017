"""Which Modelyard this is: the version, and the commit when it runs from a source checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path

from modelyard import __version__

_CHECKOUT = Path(__file__).resolve().parents[3]


def version() -> str:
    """Such as `0.1.0`, or `0.1.0 (source checkout, commit 1a2b3c4d, modified)`."""
    if not (_CHECKOUT / "pyproject.toml").is_file() or not (_CHECKOUT / ".git").exists():
        return __version__
    commit = _git("rev-parse", "--short=8", "HEAD")
    modified = ", modified" if _git("status", "--porcelain", "--untracked-files=no") else ""
    return f"{__version__} (source checkout, {f'commit {commit}' if commit else 'unknown commit'}{modified})"


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(_CHECKOUT), *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
