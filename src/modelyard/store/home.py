"""Where a yard keeps its state: a directory, or a PostgreSQL database with a directory for files."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from modelyard.errors import InputError


@dataclass(frozen=True)
class Home:
    """`url` of the metadata database, `files` the root of blobs, tables, locks and logs; `shown` holds no password."""

    url: sa.URL = field(repr=False)
    files: Path
    shown: str

    @property
    def database(self) -> Path | None:
        """The SQLite file, or None on PostgreSQL."""
        return Path(self.url.database or "") if self.url.get_backend_name() == "sqlite" else None


def parse(home: str | Path) -> Home:
    """A directory (database in `yard.db`, files beside it), or `postgresql://user:password@host/db?files=DIR`.

    Without `files` a PostgreSQL home keeps its files in `$YARD_FILES`, else in the user's data directory, under a name made
    of host and database. Every process on one database must see the same files. InputError when the URL cannot be read.
    """
    text = str(home)
    if not re.match(r"postgres(ql)?(\+\w+)?://", text):
        if re.match(r"\w+(\+\w+)?://", text):
            raise InputError(
                f"a home at {text.partition('://')[0]}:// is not known.",
                hint="Give a directory or a postgresql:// URL.",
            )
        directory = _usable(Path(text))
        return Home(
            sa.URL.create("sqlite+pysqlite", database=str(directory / "yard.db")), directory / "files", str(directory)
        )
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        # The URL is not repeated: it may hold a password.
        raise InputError(
            "the home's URL cannot be read.", hint="It looks like postgresql://user:password@host:5432/db."
        ) from None
    files = url.query.get("files")
    url = url.set(drivername="postgresql+psycopg").difference_update_query(["files"])
    directory = Path(files) if isinstance(files, str) else _default_files(url)
    shown = url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)
    return Home(url, _usable(directory), shown)


def _usable(directory: Path) -> Path:
    """The absolute path, unless tables cannot live there: Delta's URLs lose such characters and would write elsewhere."""
    path = directory.expanduser().absolute()
    bad = re.search(r"[\[\]^|\\\x00-\x1f]|%[0-9a-fA-F]{2}", str(path))
    if bad:
        raise InputError(
            f"the path holds {bad[0]!r}, which tables cannot bear.", where=str(path), hint="Choose another."
        )
    return path


def _default_files(url: sa.URL) -> Path:
    """Where a PostgreSQL home without `files` keeps them."""
    declared = os.environ.get("YARD_FILES")
    if declared:
        return Path(declared)
    data = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share")
    name = f"{url.host or 'local'}-{url.port or 5432}-{url.database or url.username or 'postgres'}"
    return data / "modelyard" / re.sub(r"[^\w.-]", "_", name)
