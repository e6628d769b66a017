"""The migrations make exactly the tables of the records, once, whoever opens first."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from modelyard.clock import RealClock
from modelyard.errors import NotFound, Refused, Unavailable
from modelyard.store import Store, migrations, open_store, schema
from modelyard.store.home import parse

KILLED_WITHIN = """
import os, signal
from alembic import op
make, made = op.create_table, []
def create_table(*parts, **named):
    made.append(make(*parts, **named))
    if len(made) == 5: os.kill(os.getpid(), signal.SIGKILL)
op.create_table = create_table
opened()
"""


def test_the_migrations_make_the_tables_of_the_records(store_factory: Callable[..., Store]) -> None:
    with store_factory().database.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": migrations.VERSION_TABLE, "compare_server_default": True}
        )
        assert compare_metadata(context, schema.METADATA) == []


def test_every_migration_is_known_in_order() -> None:
    files = sorted((Path(migrations.__file__).parent / "versions").glob("[0-9]*.py"))
    found = []
    for file in files:
        spec = importlib.util.spec_from_file_location(file.stem, file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found.append((module.down_revision, module.revision))
    assert found == list(zip([None, *migrations.REVISIONS], migrations.REVISIONS, strict=False))


def test_a_killed_migration_has_not_happened(home: str, python: Callable[[str, str], Any]) -> None:
    process = python(home, KILLED_WITHIN)
    assert process.popen.wait(30) == -9
    with pytest.raises(NotFound):
        open_store(home, project="shop", clock=RealClock(), create=False)
    with open_store(home, project="shop", clock=RealClock()) as store:
        assert sa.inspect(store.database.engine).has_table("marks")


def test_many_open_at_once(home: str, python: Callable[[str, str], Any]) -> None:
    processes = [python(home, "opened(); say('open')") for _ in range(2)]
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: open_store(home, project="shop", clock=RealClock()), range(8)))
    for store in stores:
        store.close()
    assert [process.line() for process in processes] == ["open", "open"]


def test_a_newer_database_is_refused(home: str) -> None:
    with open_store(home, project="shop", clock=RealClock()) as store, store.database.writing() as connection:
        connection.execute(sa.text("UPDATE yard_version SET version_num = '9999'"))
    for create in (True, False):
        with pytest.raises(Refused, match=r"newer Modelyard \(its revision 9999"):
            open_store(home, project="shop", clock=RealClock(), create=create)


def test_without_create_nothing_is_made(home: str) -> None:
    with pytest.raises(NotFound, match="no yard here yet"):
        open_store(home, project="shop", clock=RealClock(), create=False)
    place = parse(home)
    assert not place.files.exists()
    if place.database:
        assert not place.database.parent.exists()
    open_store(home, project="shop", clock=RealClock()).close()
    with open_store(home, project="shop", clock=RealClock(), create=False) as store:
        assert store.read(schema.KINDS[0]) == []


def test_opening_again_needs_no_migration_tool(tmp_path: Path) -> None:
    """Alembic, deltalake, duckdb and pyarrow stay unloaded for who only reads and writes records."""
    open_store(tmp_path, project="shop", clock=RealClock()).close()
    script = (
        "import sys; from modelyard.clock import RealClock; from modelyard.store import open_store;"
        "store = open_store(sys.argv[1], project='shop', clock=RealClock());"
        "store.transaction(actor='a', action='b', subject='c').__enter__();"
        "print([name for name in ('alembic', 'deltalake', 'pyarrow', 'duckdb', 'psycopg') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("home", ["postgresql://ada:s3cret@127.0.0.1:1/yard", "postgres://ada:s3cret@127.0.0.1:1/yard"])
def test_an_absent_server_is_unavailable_and_the_password_stays_out(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YARD_FILES", str(tmp_path))
    with pytest.raises(Unavailable, match="the database cannot be used") as caught:
        open_store(home, project="shop", clock=RealClock())
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
    assert "s3cret" not in repr(parse(home))
    assert re.search(r"ada:\*\*\*@127.0.0.1:1/yard", str(caught.value))


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "yard.db").write_bytes(b"something else entirely" * 100)
    with pytest.raises(Unavailable, match="not a database"):
        open_store(tmp_path, project="shop", clock=RealClock())
