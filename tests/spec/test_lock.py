"""The environment: what is installed, and what a lock file says."""

from __future__ import annotations

import importlib.metadata
import time
from pathlib import Path

import pytest

from modelyard.errors import InputError
from modelyard.spec.lock import environment, normal
from modelyard.spec.types import Packages

NUMPY = importlib.metadata.version("numpy")


def test_without_a_lock_file_all_that_is_installed_is_frozen(tmp_path: Path) -> None:
    lock = environment(tmp_path, Packages())
    installed = {normal(item.name): item.version for item in importlib.metadata.distributions()}
    assert lock.packages.items() <= installed.items()
    assert installed.keys() - lock.packages.keys() <= {"pip", "setuptools", "wheel", "modelyard"}
    assert f"\nnumpy=={NUMPY}\n" in lock.text
    assert list(lock.packages) == sorted(lock.packages)


def test_it_is_fast(tmp_path: Path) -> None:
    start = time.perf_counter()
    environment(tmp_path, Packages())
    assert time.perf_counter() - start < 0.2


def test_a_lock_file_narrows_it_and_says_where_it_is_not_obeyed(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").write_text(
        "# made by hand\nNumPy==1.0 \\\n    --hash=sha256:aa\ncolorama==0.4 ; os_name == 'nt'\nabsent[x]==3.1  # why\n"
    )
    lock = environment(tmp_path, Packages())
    assert lock.declared == {"absent": "3.1", "numpy": "1.0"}
    assert lock.packages == {"numpy": NUMPY}
    assert f"# requirements.lock says numpy==1.0; installed: {NUMPY}\n" in lock.text
    assert lock.shown()["absent"] == "3.1 (installed: no)"


def test_a_list_of_requirements_does_not_narrow_it(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("numpy>=1\n")
    assert len(environment(tmp_path, Packages()).packages) > 20


@pytest.mark.parametrize("name", ["uv.lock", "poetry.lock"])
def test_lock_files_in_toml(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(
        f'[[package]]\nname = "numpy"\nversion = "{NUMPY}"\n'
        '[[package]]\nname = "me"\nversion = "0"\nsource = { editable = "." }\n'
    )
    lock = environment(tmp_path, Packages())
    assert lock.declared == {"numpy": NUMPY}
    assert "says" not in lock.text


def test_an_edited_lock_file_is_another_environment(tmp_path: Path) -> None:
    digests = set()
    for version in ("1.8.0", "1.9.1", "1.9.1 # again"):
        (tmp_path / "requirements.lock").write_text(f"scikit-learn=={version}\n")
        digests.add(environment(tmp_path, Packages()).digest)
    assert len(digests) == 2


def test_a_declared_lock_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no lock file `uv"):
        environment(tmp_path, Packages(lock="uv.lock"))
    (tmp_path / "uv.lock").write_text("[[")
    with pytest.raises(InputError, match="cannot be read"):
        environment(tmp_path, Packages(lock="uv.lock"))
