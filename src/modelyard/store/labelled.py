"""Rows of the prediction log beside the label that each had by a moment, as Arrow tables, and the types it comes in."""

from __future__ import annotations

import json
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

LABEL = ("label", "label_time", "label_received")
"""The columns that a row gets."""
Places = npt.NDArray[np.int64]


def latest(rows: pa.Table, given: pa.Table, known_by: datetime | None = None) -> pa.Table:
    """The latest of some labels (columns as `labels.SCHEMA`) of each row, as it was by `known_by`; null where none is.

    A row may be labelled by its request and by its key: what came last holds.
    """
    if known_by is not None:
        known = (pc.less_equal(given[name], pa.scalar(known_by, given[name].type)) for name in LABEL[1:])
        given = given.filter(pc.and_(*known))
    requests, keys = pc.unique(rows["request_id"]), pc.unique(rows["key"])
    wanted, mine = (_codes(each["request_id"], requests, each["row"]) for each in (rows, given))
    by_row = _last(wanted, mine, given["sequence"])
    if not pc.any(pc.equal(given["request_id"], "")).as_py():
        return _taken(given, by_row)
    mine = np.where(_filled(given["request_id"]), -1, _codes(given["key"], keys))
    by_key = _last(_codes(rows["key"], keys), mine, given["sequence"])
    received = given["label_received"].cast(pa.int64()).to_numpy()
    own = (by_row >= 0) & ((by_key < 0) | (received[by_row] >= received[by_key]))
    return _taken(given, np.where(own, by_row, by_key))


def _codes(values: pa.ChunkedArray, known: pa.Array, rows: pa.ChunkedArray | None = None) -> Places:
    """A number for each value (and row of it) that is not empty and among the `known` ones, -1 for others."""
    places = pc.fill_null(pc.index_in(values, value_set=known), -1).to_numpy().astype(np.int64)
    if rows is not None:
        places = np.where(places < 0, -1, places << 32 | rows.to_numpy())
    return np.where(_filled(values), places, -1)


def _filled(values: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    return np.asarray(pc.fill_null(pc.not_equal(values, ""), False).to_numpy(), dtype=np.bool_)


def _last(wanted: Places, given: Places, sequence: pa.ChunkedArray) -> Places:
    """For each number that is wanted the place where it was given with the greatest sequence, -1 where it never was."""
    order = np.lexsort((sequence.to_numpy(), given))
    numbers = given[order]
    ends = np.flatnonzero(np.append(numbers[1:] != numbers[:-1], True) & (numbers >= 0)) if len(numbers) else numbers
    if not len(ends):
        return np.full(len(wanted), -1)
    found = np.minimum(np.searchsorted(numbers[ends], wanted), len(ends) - 1)
    return np.where(numbers[ends][found] == wanted, order[ends][found], -1)


def _taken(given: pa.Table, places: Places) -> pa.Table:
    return given.select(LABEL).take(pa.array(places, mask=places < 0))


def typed(joined: pa.Table) -> pa.Table:
    """The label as number, or as text when any is the name of a class: a model's task may have changed meanwhile."""
    labels = joined["label"].combine_chunks()
    if pc.any(pc.starts_with(labels, '"')).as_py():
        decoded = labels.dictionary_encode()
        names = [json.loads(each) if each.startswith('"') else each for each in decoded.dictionary.to_pylist()]
        labels = pa.array(names, pa.string()).take(decoded.indices)
    else:
        labels = labels.cast(pa.float64())
    return joined.set_column(joined.column_names.index("label"), "label", labels)
