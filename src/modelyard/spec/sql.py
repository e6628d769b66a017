"""SQL of the declaration as text: where it stands, its normal form, the tables it reads. Nothing is executed."""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.errors import InputError

if TYPE_CHECKING:
    import duckdb

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|--[^\n]*)
    | (?P<dollar>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    | (?P<text>[eE]?'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")*")
    | (?P<word>\w+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)

# DuckDB's reserved words (duckdb_keywords()): unquoted, they are never names, so their case means nothing.
_RESERVED = frozenset(
    """
    all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create
    default deferrable desc describe distinct do else end except false fetch for foreign from group having in
    initially intersect into lambda lateral leading limit not null offset on only or order pivot pivot_longer
    pivot_wider placing primary qualify references returning select show some summarize symmetric table then to
    trailing true union unique unpivot using variadic when where window with
    """.split()  # noqa: SIM905
)
# What brings several rows together.
_OTHERS = frozenset(
    {"over", "group", "join", "distinct", "qualify", "window", "limit", "sample", "tablesample", "pivot", "union"}
)
# Words of SQL by which people call columns.
_COLUMNS = frozenset(
    [
        "at",
        "check",
        "column",
        "columns",
        "default",
        "desc",
        "end",
        "full",
        "group",
        "left",
        "limit",
        "map",
        "offset",
        "order",
        "right",
        "table",
        "to",
        "window",
    ]
)
_READERS = ("from", "join", "pivot", "unpivot")


def read_sql(project_dir: Path | str, text_or_path: str) -> str:
    """The SQL itself: the text, or what the file of that name inside the project says."""
    if not is_path(text_or_path):
        return text_or_path
    root = Path(project_dir).resolve()
    path = (root / text_or_path).resolve()
    if not path.is_relative_to(root):
        raise InputError(f"`{text_or_path}` is outside the project's folder", hint="Move it inside.")
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"there is no file `{text_or_path}`", hint=_similar(root, path)) from None
    except UnicodeDecodeError:
        raise InputError("this file is not UTF-8 text", where=text_or_path, hint="Save it as UTF-8.") from None
    except OSError as error:
        raise InputError(f"`{text_or_path}` cannot be read: {error.strerror}") from None


def is_path(text_or_path: str) -> bool:
    """Whether a declared `sql` names a file.

    >>> is_path("sql/departures.sql"), is_path("SELECT * FROM flights")
    (True, False)
    """
    return text_or_path.lower().endswith(".sql") and not re.search(r"\s", text_or_path.strip())


def _similar(root: Path, path: Path) -> str:
    from modelyard.spec.wording import nearest

    folder = path.parent if path.parent.is_dir() else root
    names = [item.relative_to(root).as_posix() for item in folder.glob("*.sql")]
    return nearest(path.relative_to(root).as_posix(), names) or "Paths start at the project's folder."


def normalise(sql: str) -> str:
    """One spelling of SQL: no comments, one space between tokens, reserved words in capitals, no final semicolon.

    >>> normalise("select a,b  -- both\\nFROM t;")
    'SELECT a , b FROM t'
    """
    return " ".join(token.upper() if token.lower() in _RESERVED else token for token in _tokens(sql))


def _tokens(sql: str) -> list[str]:
    tokens = []
    for match in _TOKEN.finditer(_without_blocks(sql)):
        if match.lastgroup != "space" and not match["space"]:
            tokens.append(match[0])
    while tokens and tokens[-1] == ";":
        tokens.pop()
    return tokens


def _without_blocks(sql: str) -> str:
    """SQL without `/* */` comments, which nest; texts, quoted names and line comments are left alone."""
    kept, depth, position = [], 0, 0
    pattern = re.compile(r"/\*|\*/|--[^\n]*|[eE]?'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\$(\w*)\$.*?\$\1\$", re.DOTALL)
    while match := pattern.search(sql, position):
        found = match[0]
        if not depth:
            kept.append(sql[position : match.start()])
        if found == "/*":
            depth += 1
        elif depth and found == "*/":
            depth -= 1
            kept.append(" " if not depth else "")
        elif depth:
            position = match.start() + 1
            continue
        else:
            kept.append(found)
        position = match.end()
    return "".join(kept) + ("" if depth else sql[position:])


@functools.lru_cache(maxsize=4096)
def tables(sql: str) -> frozenset[str]:
    """The tables that a query reads, in small letters as SQL compares names. InputError when it is no single query."""
    if not _tokens(sql):
        raise InputError("this SQL is empty", hint="Expected a query, such as SELECT * FROM flights.")
    parsed = json.loads(_serialised(sql))
    if parsed["error"]:
        if parsed["error_type"] == "not implemented":
            return _after_readers(sql)
        what = f"this SQL cannot be read: {parsed['error_message']}{_line(sql, parsed)}"
        raise InputError(what, hint=_quoted(sql, str(parsed.get("position", ""))))
    if len(parsed["statements"]) != 1:
        count = len(parsed["statements"])
        raise InputError(f"expected one query, not {count}", hint="Remove what comes after the `;`.")
    return frozenset(_walk(parsed["statements"][0], frozenset()))


def row_by_row(sql: str) -> bool:
    """Whether each row of a query is surely made of one row of its table, so that no other row can change it.

    >>> row_by_row("SELECT a + 1 AS b FROM t WHERE a > 2"), row_by_row("SELECT a, lead(a) OVER (ORDER BY b) FROM t")
    (True, False)
    """
    words = [token.strip('"').lower() for token in _tokens(sql)]
    read = tables(sql)
    return len(read) == 1 and words.count("select") < 2 and words.count(min(read)) == 1 and not _OTHERS & set(words)


def _serialised(sql: str) -> str:
    # As a literal: binding a parameter makes DuckDB import pandas, a second that a plan should not pay.
    literal = "'" + sql.replace("'", "''") + "'"
    row = _connection().execute(f"SELECT json_serialize_sql({literal})").fetchone()
    assert row is not None
    return str(row[0])


@functools.cache
def _connection() -> duckdb.DuckDBPyConnection:
    import duckdb  # a tenth of a second, which only projects with SQL should pay

    return duckdb.connect(":memory:", config={"threads": 1})


def _line(sql: str, parsed: dict[str, Any]) -> str:
    position = str(parsed.get("position", ""))
    return f" in line {sql[: int(position)].count(chr(10)) + 1}" if position.isdigit() else ""


def _quoted(sql: str, position: str) -> str | None:
    """Where a word that SQL keeps for itself may be meant as a column: how to write it."""
    if not position.isdigit():
        return None
    before, here = sql[: int(position)].split(), re.match(r"\w+", sql[int(position) :])
    near = [here[0] if here else "", re.sub(r"\W", "", before[-1]) if before else ""]
    word = next((word for word in near if word.lower() in _COLUMNS), None)
    return f'`{word}` is a word of SQL: if it is a column, write "{word}" in double quotes.' if word else None


def _walk(node: Any, hidden: frozenset[str]) -> Iterator[str]:
    """The base tables below a node of a serialised query, without the names that WITH gives inside of it."""
    if isinstance(node, list):
        for item in node:
            yield from _walk(item, hidden)
    if not isinstance(node, dict):
        return
    if node.get("type") == "BASE_TABLE":
        schema, name = node.get("schema_name", ""), node["table_name"].lower()
        if schema or name not in hidden:
            yield f"{schema.lower()}.{name}" if schema else name
    for entry in node.get("cte_map", {}).get("map", ()):
        name, query = entry["key"].lower(), entry["value"]
        itself = {name} if '"RECURSIVE_CTE_NODE"' in json.dumps(query) else set()
        yield from _walk(query, hidden | itself)
        hidden = hidden | {name}
    for key, value in node.items():
        if key != "cte_map":
            yield from _walk(value, hidden)


def _after_readers(sql: str) -> frozenset[str]:
    """The names after FROM, JOIN and PIVOT: for the few statements that DuckDB does not serialise."""
    pairs = list(itertools.pairwise(token.strip('"').lower() for token in _tokens(sql)))
    named = {after for before, after in pairs if before in _READERS and re.fullmatch(r"\w+", after)}
    given = {before for before, after in pairs if after == "as"}
    return frozenset(named - given - _RESERVED)
