"""The part of the conformance suite that is about files: the same whatever the database, so tried on one."""

from pathlib import Path

import pytest

from modelyard.testing.store_suite import TestBlobs, TestTables, store  # noqa: F401


@pytest.fixture
def home(tmp_path: Path) -> str:
    """A directory."""
    return str(tmp_path / "yard")
