"""A sample of whole rows by hash: how many rows are repeated, and how many a former window held already.

Keeps the smallest distinct row hashes with how often each came (bottom-k, Cohen & Kaplan 2007): a fair sample of the
distinct rows that merges exactly, because a hash among the smallest of a union is among the smallest of every part
that holds it.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from modelyard.stats.groups import Groups
from modelyard.stats.hashing import Hashes

KEPT = 1024


@dataclass(frozen=True, eq=False)
class RowSample:
    """`hashes` (k,) increasing, `counts` (k,) rows with that hash."""

    hashes: Hashes
    counts: npt.NDArray[np.int64]

    @property
    def repeated(self) -> float | None:
        """The share of rows that repeat another row of the window; None without rows."""
        return None if len(self.counts) == 0 else 1.0 - len(self.counts) / int(self.counts.sum())

    @property
    def familiar(self) -> float:
        """How likely the next row of an unchanged world is one that was here already (Good 1953: less the rows that
        came once)."""
        return 1.0 - int((self.counts == 1).sum()) / max(int(self.counts.sum()), 1)

    def seen_in(self, earlier: RowSample) -> float | None:
        """The share of rows that an earlier window held too; None when either is empty."""
        seen, rows = self.overlap(earlier)
        return seen / rows if rows else None

    def overlap(self, earlier: RowSample) -> tuple[int, int]:
        """Of the rows whose hash is small enough to be in both samples: how many the earlier one holds, and how many
        there are."""
        if len(self.hashes) == 0 or len(earlier.hashes) == 0:
            return 0, 0
        inside = self.hashes <= min(self._bound(), earlier._bound())
        seen = np.isin(self.hashes[inside], earlier.hashes)
        return int(self.counts[inside][seen].sum()), int(self.counts[inside].sum())

    def same(self, other: RowSample) -> bool:
        """Whether both are samples of the same rows, as far as samples tell."""
        return np.array_equal(self.hashes, other.hashes) and np.array_equal(self.counts, other.counts)

    def _bound(self) -> int:
        return int(self.hashes[-1]) if len(self.hashes) == KEPT else 2**64 - 1

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        hashes = base64.b64encode(self.hashes.astype("<u8").tobytes()).decode()
        often = {str(i): int(self.counts[i]) for i in np.flatnonzero(self.counts > 1)}
        return {"hashes": hashes, "often": often}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RowSample:
        """Read what `to_json` wrote."""
        hashes = np.frombuffer(base64.b64decode(data["hashes"]), dtype="<u8").astype(np.uint64)
        counts = np.ones(len(hashes), dtype=np.int64)
        for place, count in data["often"].items():
            counts[int(place)] = count
        return cls(hashes, counts)


def samples(hashes: Hashes, groups: Groups) -> list[RowSample]:
    """The sample of each group of rows."""
    return [_sample(hashes[groups.only(g)]) for g in range(groups.size)]


def _sample(hashes: Hashes) -> RowSample:
    if len(hashes) > 64 * KEPT:
        hashes = _small(hashes)
    distinct, counts = np.unique(hashes, return_counts=True)
    return RowSample(distinct[:KEPT], counts[:KEPT].astype(np.int64))


def _small(hashes: Hashes) -> Hashes:
    """Without the hashes that are surely not among the smallest, so that little is left to sort."""
    low = hashes[hashes < np.uint64(2**64 // len(hashes) * 16 * KEPT)]
    return low if len(np.unique(low)) >= KEPT else hashes


def merge(parts: Sequence[RowSample]) -> RowSample:
    """The sample of all rows together."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return RowSample(np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64))
    hashes, place = np.unique(np.concatenate([part.hashes for part in parts]), return_inverse=True)
    counts = np.bincount(place, weights=np.concatenate([part.counts for part in parts]), minlength=len(hashes))
    return RowSample(hashes[:KEPT], counts.astype(np.int64)[:KEPT])


def all_but_one(parts: Sequence[RowSample]) -> list[RowSample]:
    """For each part the sample of all others together."""
    before, after = [merge([])], [merge([])]
    for part in parts[:-1]:
        before.append(merge([before[-1], part]))
    for part in parts[:0:-1]:
        after.append(merge([after[-1], part]))
    return [merge(list(pair)) for pair in zip(before, after[::-1], strict=True)] if parts else []
