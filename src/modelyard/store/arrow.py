"""Arrow tables as Delta tables hold them: signed integers, plain strings, microseconds in UTC, no column of nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from modelyard.errors import DataError

_TIME = pa.timestamp("us", tz="UTC")
_SIGNED = {pa.uint8(): pa.int16(), pa.uint16(): pa.int32(), pa.uint32(): pa.int64(), pa.uint64(): pa.int64()}


class Rows:
    """The same rows in types that Delta keeps, and in those of `existing` where a column is there already.

    A timestamp without zone is taken as UTC; digits below the microsecond are cut. DataError names a column whose type has
    no place in Delta. A value that does not fit is found only while the batches of `reader` are drawn, by a library that
    would wrap the error in its own: it is left in `failure`.
    """

    def __init__(self, data: pa.Table | pa.RecordBatchReader, existing: pa.Schema | None = None) -> None:
        self.failure: DataError | None = None
        wanted = _schema(data.schema, existing)
        batches = data.to_batches() if isinstance(data, pa.Table) else data
        self.reader = pa.RecordBatchReader.from_batches(wanted, self._cast(batches, wanted))

    def _cast(self, batches: Iterable[pa.RecordBatch], wanted: pa.Schema) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            try:
                columns = [_cast_column(column, field) for column, field in zip(batch.columns, wanted, strict=True)]
            except DataError as error:
                self.failure = error
                raise
            yield pa.record_batch(columns, schema=wanted)


def _schema(given: pa.Schema, existing: pa.Schema | None) -> pa.Schema:
    """The columns as they are written."""
    wanted = pa.schema([pa.field(each.name, _wanted(each, existing)) for each in given])
    repeated = sorted({name for name in wanted.names if wanted.names.count(name) > 1})
    if repeated:
        raise DataError(f"columns are named twice: {', '.join(repeated)}.")
    return wanted


def _wanted(field: pa.Field, existing: pa.Schema | None) -> pa.DataType:
    """The type a column is written in."""
    if existing is None or field.name not in existing.names:
        return _normal_type(field.type, field.name)
    kept = existing.field(field.name).type
    if pa.types.is_null(field.type):
        return kept
    given = _normal_type(field.type, field.name)
    if given != kept and _family(given) != _family(kept):
        raise DataError(
            f"column {field.name!r} holds {given}, and held {kept} before.",
            hint="Cast it in the dataset's SQL, or write the table anew.",
        )
    return kept


def _normal_type(kind: pa.DataType, name: str) -> pa.DataType:
    """The nearest type that Delta has."""
    types = pa.types
    if types.is_dictionary(kind):
        return _normal_type(kind.value_type, name)
    if types.is_null(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return pa.string()
    if types.is_large_binary(kind) or types.is_binary_view(kind) or types.is_fixed_size_binary(kind):
        return pa.binary()
    if types.is_timestamp(kind):
        return _TIME
    if types.is_date(kind):
        return pa.date32()
    if types.is_float16(kind):
        return pa.float32()
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return pa.list_(_normal_type(kind.value_type, name))
    if types.is_struct(kind):
        return pa.struct([pa.field(each.name, _normal_type(each.type, name)) for each in kind])
    if types.is_map(kind):
        return pa.map_(_normal_type(kind.key_type, name), _normal_type(kind.item_type, name))
    if types.is_time(kind) or types.is_duration(kind) or types.is_interval(kind):
        raise DataError(
            f"column {name!r} holds {kind}, which a table cannot keep.", hint="Cast it to a number or text."
        )
    return _SIGNED.get(kind, kind)


def _family(kind: pa.DataType) -> str:
    """Types that are cast into each other, as long as no value is lost."""
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "time"
    if pa.types.is_list(kind):
        return f"list of {_family(kind.value_type)}"
    return str(kind)


def _cast_column(column: pa.Array, field: pa.Field) -> pa.Array:
    """One column in its type; only digits below the microsecond may get lost."""
    if column.type == field.type:
        return column
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        if pa.types.is_timestamp(column.type) and pa.types.is_timestamp(field.type):
            return column.cast(field.type, safe=False)
        return column.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"column {field.name!r} does not fit its type {field.type}: {error}.") from None
