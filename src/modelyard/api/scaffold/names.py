"""Names of a declaration, and scalars of YAML, out of whatever a file or a column is called."""

from __future__ import annotations

import json
import keyword
import re
import unicodedata
from datetime import date
from pathlib import Path
from typing import Any

_SUFFIXES = (".csv.gz", ".csv.zip", ".csv", ".parquet")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
_TAKEN = {"raw", "order", "group", "table", "select", "from", "where", "all", "end", "user", "column", "limit", "union"}


def name(text: str, otherwise: str) -> str:
    """A name of small letters, digits and `_` that is like `text`; `otherwise` when nothing is left of it.

    >>> name("Größe (cm)", "column"), name("2013 sales", "table"), name("売上", "target")
    ('grosse_cm', 'table_2013_sales', 'target')
    """
    folded = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9]+", "_", folded).strip("_")
    if plain and not plain[0].isalpha():
        plain = f"{otherwise}_{plain}"
    return plain[:50].strip("_") or otherwise


def stem(path: Path) -> str:
    """The name of a dataset made from the file `path`; no word of SQL, and not `raw`, which is the source."""
    bare = path.name.removesuffix(suffix(path)) if suffix(path) else path.stem
    made = name(bare, "table")
    return f"{made}_rows" if made in _TAKEN or keyword.iskeyword(made) else made


def suffix(path: Path) -> str:
    """The ending that says how a file is read.

    >>> suffix(Path("a.b.CSV.gz"))
    '.csv.gz'
    """
    return next((ending for ending in _SUFFIXES if path.name.lower().endswith(ending)), path.suffix.lower())


def known(path: Path) -> bool:
    """Whether the name says a kind of file that can be read, and no hidden one."""
    return suffix(path) in _SUFFIXES and not path.name.startswith(".")


def scalar(value: Any) -> str:
    """A value as YAML writes it in one line, so that it is read back as what it is.

    >>> scalar("origin"), scalar("no"), scalar("a: b"), scalar("7"), scalar(7), scalar(True), scalar(0.1)
    ('origin', '"no"', '"a: b"', '"7"', '7', 'true', '0.1')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return json.dumps(value.isoformat())
    if isinstance(value, str):
        plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value) and value.lower() not in _WORDS
        return value if plain else json.dumps(value, ensure_ascii=not value.isprintable())
    return json.dumps(value)


def scalars(values: Any) -> str:
    """A list in one line."""
    return f"[{', '.join(scalar(value) for value in values)}]"
