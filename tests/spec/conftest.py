"""A small project to declare things about."""

from __future__ import annotations

from pathlib import Path

import pytest

MODEL = '''"""Late flights."""

DEPTH = 3


def fit(X, y, *, params, seed, weights=None):
    """Fit."""
    return None


def plain(X, y):
    return None


def arrivals(flights):
    return flights
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project's folder with SQL and code, and no declaration yet."""
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql/departures.sql").write_text("SELECT * FROM flights -- all\n")
    package = tmp_path / "flights"
    package.mkdir()
    (package / "__init__.py").write_text("from flights.model import fit\n")
    (package / "model.py").write_text(MODEL)
    (package / "broken.py").write_text("def fit(X, y):\n    return (\n")
    return tmp_path
