"""Install the peers, each at its current release into an environment of its own, outside the checkout.

Four environments, not one: a common one would be a compromise of their requirements, and none would run as released.
`python bench/monitoring/install.py` installs what is missing; `--again` starts over.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

# Beside each peer stands what it needs and does not ask for, in the versions that it was written for.
PEERS = {
    "evidently": ["evidently>=0.7,<0.8", "pandas<3"],
    "nannyml": ["nannyml>=0.13,<0.14", "pandas<3", "statsmodels"],
    "whylogs": ["whylogs[viz]>=1.6,<1.7", "pandas<3", "numpy<2", "pyarrow<22", "setuptools<81"],
    "alibi-detect": ["alibi-detect>=0.12,<0.14", "pyarrow<22"],
    "river": ["river>=0.21"],
}
CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "modelyard-bench"


def python(peer: str) -> Path:
    """The interpreter of a peer's environment, whether it is there or not."""
    return CACHE / peer / "bin" / "python"


def installed(peer: str) -> bool:
    """Whether a peer is there, whole."""
    return (CACHE / peer / ".whole").exists()


def install(peer: str, *, again: bool = False) -> str:
    """Make a peer's environment; returns "" or why it could not be made."""
    home = CACHE / peer
    if installed(peer) and not again:
        return ""
    shutil.rmtree(home, ignore_errors=True)
    base = shutil.which("python3.11") or sys.executable
    subprocess.run([base, "-m", "venv", home], check=True)
    command = [python(peer), "-m", "pip", "install", "-q", "--disable-pip-version-check", "pyarrow", *PEERS[peer]]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["pip failed"])[-1][:200]
    (home / ".whole").touch()
    return ""


def main() -> None:
    """Install all peers, and say honestly which could not be."""
    for peer in PEERS:
        why = install(peer, again="--again" in sys.argv)
        print(f"{peer:<14} {why or 'installed'}", flush=True)


if __name__ == "__main__":
    main()
