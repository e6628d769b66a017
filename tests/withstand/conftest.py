"""Shops to hurt: one that was never applied, one that was, and copies of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from withstand_yard import Yard, make


@pytest.fixture
def new_yard(tmp_path: Path) -> Yard:
    """A shop that was never applied."""
    return make(tmp_path / "shop")


@pytest.fixture(scope="session")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Yard:
    """A shop that was applied undisturbed; tests only look at it, or copy it."""
    yard = make(tmp_path_factory.mktemp("undisturbed") / "shop")
    said = yard.apply()
    assert said.code == 0, said.out + said.err
    return yard


@pytest.fixture
def yard(applied: Yard, tmp_path: Path) -> Yard:
    """A copy of the applied shop."""
    shutil.copytree(applied.directory, tmp_path / "copy")
    return Yard(tmp_path / "copy")
