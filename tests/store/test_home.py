"""Where a home keeps its database and its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelyard.clock import RealClock
from modelyard.errors import InputError
from modelyard.store import open_store
from modelyard.store.home import parse


def test_a_directory_holds_the_database_and_the_files(tmp_path: Path) -> None:
    home = parse(tmp_path / "yard")
    assert home.database == tmp_path / "yard" / "yard.db"
    assert home.files == tmp_path / "yard" / "files"
    assert home.shown == str(tmp_path / "yard")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_files_are_named_in_the_url_and_not_sent_to_the_server(scheme: str) -> None:
    home = parse(f"{scheme}://ada:pw%40x@db:5433/yard?files=/srv/yard&sslmode=require")
    assert home.files == Path("/srv/yard")
    assert home.database is None
    assert home.url.drivername == "postgresql+psycopg"
    assert home.url.password == "pw@x"
    assert dict(home.url.query) == {"sslmode": "require"}
    assert home.shown == "postgresql://ada:***@db:5433/yard"


def test_files_else_come_from_the_environment_else_from_the_users_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YARD_FILES", "/srv/files")
    assert parse("postgresql://db/yard").files == Path("/srv/files")
    monkeypatch.delenv("YARD_FILES")
    monkeypatch.setenv("XDG_DATA_HOME", "/home/ada/data")
    assert parse("postgresql://db/yard").files == Path("/home/ada/data/modelyard/db-5432-yard")


@pytest.mark.parametrize("home", ["mysql://root:s3cret@h/db", "postgresql://root:s3cret@h:port/db", "https://h"])
def test_other_homes_are_refused_without_repeating_a_password(home: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(home)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("name", ["a%20b", "a[1]", "a\nb", "a^b"])
def test_a_path_that_tables_cannot_bear_is_refused_at_once(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="tables cannot bear"):
        parse(tmp_path / name)


@pytest.mark.parametrize("name", ["a b", "day=1", "größe 漢", "100%", "what?", "a'b", "*", "#1&x;"])
def test_other_paths_work_for_all_parts(tmp_path: Path, name: str) -> None:
    import duckdb
    import pyarrow as pa

    with open_store(tmp_path / name, project="shop", clock=RealClock()) as store:
        table = store.table("t")
        table.append(pa.table({"n": [1]}))
        table.append(pa.table({"n": [2]}))
        assert all(Path(file).is_file() for file in table.files())
        with duckdb.connect() as connection:
            assert sorted(connection.sql(f"SELECT * FROM {table.scan()}").fetchall()) == [(1,), (2,)]
        assert store.blobs.get(store.blobs.put(b"x")) == b"x"
        with store.lease("a"):
            pass


def test_a_home_that_cannot_be_made_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="files cannot be kept here"):
        open_store(tmp_path / "file", project="shop", clock=RealClock())


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", "-x", "a\0"])
def test_projects_and_environments_have_plain_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot name it"):
        open_store(tmp_path, project=name, clock=RealClock())
    with pytest.raises(InputError, match="cannot name it"):
        open_store(tmp_path, project="shop", env=name, clock=RealClock())
