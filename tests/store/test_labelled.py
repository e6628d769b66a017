"""The label of a logged row: the last one given to its request and row, or to its key; what came later holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from modelyard.store.labelled import LABEL, latest
from modelyard.store.labels import SCHEMA

START = datetime(2013, 4, 1, tzinfo=UTC)
names = st.sampled_from(["", "a", "b", "c"])
places = st.sampled_from([0, 1, 2**31 - 1])
hours = st.integers(0, 5).map(lambda n: START + timedelta(hours=n))
rows = st.lists(st.tuples(names, places, st.none() | names), max_size=8)
given_labels = st.lists(st.tuples(names, places, names, hours, hours), max_size=12)


def labels_of(drawn: list[tuple[str, int, str, datetime, datetime]]) -> list[dict[str, Any]]:
    """Labels as the database has them: by request or by key, corrections with a greater sequence, in no order."""
    found: list[dict[str, Any]] = []
    for number, (request, row, key, time, received) in enumerate(drawn):
        address = {"request_id": request, "row": row if request else 0, "key": "" if request else key}
        before = sum(all(each[name] == value for name, value in address.items()) for each in found)
        times = {"label_time": time, "label_received": received}
        found.append({"id": number, **address, "sequence": before, "label": str(number), **times})
    return found[::-1]


def plainly(row: tuple[str, int, str | None], labels: list[dict[str, Any]], known_by: datetime | None) -> Any:
    """The same, label by label."""
    request, number, key = row
    known = [each for each in labels if known_by is None or max(each["label_time"], each["label_received"]) <= known_by]
    own = [each for each in known if request and (each["request_id"], each["row"]) == (request, number)]
    keyed = [each for each in known if key and not each["request_id"] and each["key"] == key]
    first, second = (max(each, key=lambda label: label["sequence"], default=None) for each in (own, keyed))
    if first is None or (second is not None and second["label_received"] > first["label_received"]):
        first = second
    return {name: first and first[name] for name in LABEL}


@given(rows=rows, drawn=given_labels, known_by=st.none() | hours)
def test_the_last_label_holds(
    rows: list[tuple[str, int, str | None]],
    drawn: list[tuple[str, int, str, datetime, datetime]],
    known_by: datetime | None,
) -> None:
    labels = labels_of(drawn)
    types = {"request_id": pa.string(), "row": pa.int64(), "key": pa.string()}
    logged = pa.table(
        [
            pa.array(each, kind)
            for each, kind in zip(zip(*rows, strict=True) if rows else ((), (), ()), types.values(), strict=True)
        ],
        names=list(types),
    )
    found = latest(logged, pa.Table.from_pylist(labels, schema=SCHEMA), known_by)
    assert found.to_pylist() == [plainly(row, labels, known_by) for row in rows]
