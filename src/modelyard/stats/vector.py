"""What is measured of vectors (embeddings, arrays of one length): their norm, and where they point.

Direction is the cosine with the mean direction of the reference, and with three fixed directions that are drawn at
random once for each dimension: what turns away from the mean shows in the first, what turns around it in the others.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.stats import arrow

NORM, DIRECTION = "norm", "direction"
SIDES = ("side 1", "side 2", "side 3")
PARTS = (NORM, DIRECTION, *SIDES)
FEWEST = 2
SAME = 0.9
_SAMPLE = 100_000


def dimension(column: pa.ChunkedArray | pa.Array) -> int:
    """The length that at least 90% of a column's lists of numbers have; 0 when they have none in common."""
    kind = column.type
    if not arrow.is_list(kind) or arrow.family(kind.value_type) not in ("integer", "number"):
        return 0
    lengths = np.asarray(arrow.plain(column.slice(0, _SAMPLE)).drop_null().value_lengths())
    if len(lengths) == 0:
        return 0
    values, counts = np.unique(lengths, return_counts=True)
    best = int(counts.argmax())
    return int(values[best]) if counts[best] >= SAME * len(lengths) and values[best] >= FEWEST else 0


def direction(column: pa.ChunkedArray | pa.Array, size: int) -> tuple[float, ...]:
    """The mean of the unit vectors of the first 100,000 rows, as a unit vector; empty when they cancel out."""
    vectors, _ = matrix(arrow.plain(column.slice(0, _SAMPLE)), size)
    norms = np.linalg.norm(vectors, axis=1)
    usable = np.isfinite(norms) & (norms > 0)
    if not usable.any():
        return ()
    mean = (vectors[usable] / norms[usable, None]).mean(axis=0)
    length = float(np.linalg.norm(mean))
    return tuple(float(f"{value:.7g}") for value in mean / length) if length > 1e-9 else ()


def measure(piece: pa.Array, size: int, toward: tuple[float, ...]) -> tuple[dict[str, arrow.Floats], np.ndarray]:
    """Per vector (n,): norm and cosines, NaN where there is none; and in which rows there is one of another length."""
    vectors, odd = matrix(piece, size)
    norms = np.linalg.norm(vectors, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        # Row by row: what a matrix product gives of a row depends, in the last bit, on the rows beside it.
        along = [np.einsum("ij,j->i", vectors, each) for each in _directions(size, toward)]
        cosines = np.column_stack(along) / norms[:, None]
    cosines[norms == 0] = np.nan
    return {NORM: norms, **{name: cosines[:, i] for i, name in enumerate((DIRECTION, *SIDES))}}, odd


def _directions(size: int, toward: tuple[float, ...]) -> npt.NDArray[np.float64]:
    sides = np.random.default_rng(size).normal(size=(len(SIDES), size))
    mean = np.array(toward) if toward else sides[0]
    return np.vstack([mean, sides / np.linalg.norm(sides, axis=1, keepdims=True)])


def matrix(piece: pa.Array, size: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """(n, size), NaN where there is no vector of that length, and where there is one of another."""
    vectors = np.full((len(piece), size), np.nan)
    if not arrow.is_list(piece.type) or arrow.family(piece.type.value_type) not in ("integer", "number"):
        return vectors, np.asarray(pc.is_valid(piece))
    lengths = np.asarray(pc.fill_null(pc.list_value_length(piece), -1))
    fits = lengths == size
    values = arrow.floats(arrow.plain(pc.list_flatten(piece.filter(pa.array(fits)))))
    assert values is not None, "lists of numbers"
    vectors[fits] = values.reshape(-1, size)
    return vectors, (lengths >= 0) & ~fits
