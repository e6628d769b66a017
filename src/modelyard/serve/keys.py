"""The dataset's key as text: the same for a request's row, a replayed row and a label, whatever way it came."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from modelyard.digest import canonical
from modelyard.serve.columns import typed

_ESCAPED = r'["\\\x00-\x1f]'
"""What JSON writes otherwise than it is."""


def of_columns(columns: Mapping[str, pa.Array], rows: int) -> list[str] | None:
    """The key of each row as canonical JSON ("" where a part is missing), or None when the request has no key."""
    if not columns:
        return None
    # All rows at once, as `text` writes one.
    parts: list[pa.Array | str] = []
    for name, array in sorted(columns.items()):
        parts += [f"{',' if parts else '{'}{canonical(name).decode()}:", _written(array)]
    joined = pc.binary_join_element_wise(*parts, "}", "")
    return list(pc.fill_null(joined, "").to_pylist())


def _written(array: pa.Array) -> pa.Array:
    """The values as JSON, null where there is none."""
    kind = array.type
    if pa.types.is_integer(kind):
        return array.cast(pa.string())
    if pa.types.is_string(kind) and not pc.any(pc.match_substring_regex(array, _ESCAPED)).as_py():
        return pc.binary_join_element_wise('"', array, '"', "")
    return pa.array([None if value is None else canonical(_plain(value)).decode() for value in array.to_pylist()])


def of_label(key: Any, kinds: Mapping[str, str]) -> str | None:
    """The key a label is given by, or None when it is not all of `kinds` (column to type) with right values."""
    if not isinstance(key, Mapping) or not key or set(key) != set(kinds):
        return None
    columns = {name: typed([key[name]], kind) for name, kind in kinds.items()}
    if any(column.faults or column.values.null_count for column in columns.values()):
        return None
    return text({name: column.values[0].as_py() for name, column in columns.items()})


def text(key: Mapping[str, Any]) -> str:
    """One key as canonical JSON; times as ISO 8601 in UTC."""
    return canonical({name: _plain(value) for name, value in key.items()}).decode()


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | date) else value
