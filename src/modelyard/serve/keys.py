"""The dataset's key as text: the same for a request's row, a replayed row and a label, whatever way it came."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from modelyard.serve.columns import typed

# As digest.canonical writes it; the encoder is made once, not for every row.
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def of_columns(columns: Mapping[str, pa.Array], rows: int) -> list[str] | None:
    """The key of each row as canonical JSON ("" where a part is missing), or None when the request has no key."""
    if not columns:
        return None
    values = {name: array.to_pylist() for name, array in columns.items()}
    if len(values) == 1:
        (name, column), *_ = values.items()
        return ["" if value is None else text({name: value}) for value in column]
    parts = (dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True))
    return ["" if None in part.values() else text(part) for part in parts]


def of_label(key: Any, kinds: Mapping[str, str]) -> str | None:
    """The key a label is given by, or None when it is not all of `kinds` (column to type) with right values."""
    if not isinstance(key, Mapping) or not key or set(key) != set(kinds):
        return None
    columns = {name: typed([key[name]], kind) for name, kind in kinds.items()}
    if any(column.faults or column.values.null_count for column in columns.values()):
        return None
    found = of_columns({name: column.values for name, column in columns.items()}, 1)
    return found[0] if found else None


def text(key: Mapping[str, Any]) -> str:
    """One key as canonical JSON; times as ISO 8601 in UTC."""
    return _canonical({name: _plain(value) for name, value in key.items()})


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | date) else value
