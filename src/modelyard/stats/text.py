"""What is measured of free texts, without knowing their language: length, sorts of characters, words never seen.

A word is what stands between spaces, in lower case, without punctuation at its ends. The vocabulary is that of the
reference's rows with an even hash; unseen words are looked for in rows with an odd hash only, in the reference and in
every window alike. So the reference itself shows how many new words are usual, and nothing need be set aside.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.stats import arrow, hashing

VOCABULARY = 20_000
LENGTH, UNSEEN = "length", "unseen words"
SORTS = ("upper case", "lower case", "digits", "spaces", "punctuation", "beyond ASCII")
PARTS = (LENGTH, *(sort for sort in SORTS if sort != "lower case"), UNSEEN)
_PUNCTUATION = ".,;:!?()[]{}<>\"'`´…-–—/|"
_NONE = len(SORTS)


def _sorts() -> npt.NDArray[np.int64]:
    """The sort of each byte of UTF-8; the bytes that continue a character are none."""
    sorts = np.full(256, SORTS.index("punctuation"), dtype=np.int64)
    for name, low, high in (("upper case", "A", "Z"), ("lower case", "a", "z"), ("digits", "0", "9")):
        sorts[ord(low) : ord(high) + 1] = SORTS.index(name)
    sorts[[9, 10, 11, 12, 13, 32]] = SORTS.index("spaces")
    sorts[0x80:0xC0] = _NONE
    sorts[0xC0:] = SORTS.index("beyond ASCII")
    return sorts


_SORTS = _sorts()


def measure(texts: pa.Array, known: npt.NDArray[np.uint32]) -> dict[str, arrow.Floats]:
    """Per text (n,): its length in characters, the share of each sort of characters but lower case letters, and the
    share of its words that are not `known` (sorted hashes). NaN where there is no text or no word."""
    array = arrow.plain(texts).cast(pa.large_string())
    characters = _characters(array)
    length = characters.sum(axis=1).astype(np.float64)
    shares = characters / np.maximum(length, 1)[:, None]
    absent = ~np.asarray(pc.is_valid(array))
    found = {name: shares[:, SORTS.index(name)] for name in PARTS if name in SORTS}
    found |= {LENGTH: length, UNSEEN: _unseen(array, known)}
    for values in found.values():
        values[absent] = np.nan
    return found


def vocabulary(texts: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.uint32]:
    """Sorted 32-bit hashes of the most frequent 20,000 words in texts with an even hash."""
    array = arrow.plain(texts).cast(pa.large_string()).drop_null()
    even = hashing.texts(array) % np.uint64(2) == 0
    words = pc.list_flatten(_words(array.filter(pa.array(even))))
    counted = pc.value_counts(words)
    hashes = _short(counted.field("values"))
    counts = counted.field("counts").to_numpy()
    order = np.lexsort((hashes, -counts))[:VOCABULARY]
    return np.unique(hashes[order])


def _characters(array: pa.Array) -> npt.NDArray[np.int64]:
    """(n, 6) characters of each sort."""
    buffers, size = array.buffers(), len(array)
    offsets = np.frombuffer(buffers[1], dtype=np.int64)[array.offset : array.offset + size + 1]
    if size == 0 or offsets[-1] == offsets[0]:
        return np.zeros((size, len(SORTS)), dtype=np.int64)
    data = np.frombuffer(buffers[2], dtype=np.uint8)[offsets[0] : offsets[-1]]
    row = np.repeat(np.arange(size), np.diff(offsets))
    counts = np.bincount(row * (_NONE + 1) + _SORTS[data], minlength=size * (_NONE + 1))
    return counts.reshape(size, _NONE + 1)[:, :_NONE]


def _unseen(array: pa.Array, known: npt.NDArray[np.uint32]) -> arrow.Floats:
    odd = np.zeros(len(array), dtype=bool)
    valid = np.asarray(pc.is_valid(array))
    odd[valid] = hashing.texts(array.drop_null()) % np.uint64(2) == 1
    result = np.full(len(array), np.nan)
    words = _words(array.filter(pa.array(odd)))
    if len(words) == 0:
        return result
    lengths = np.asarray(pc.list_value_length(words))
    row = np.repeat(np.arange(len(words)), lengths)
    new = ~np.isin(_short(pc.list_flatten(words)), known)
    counts = np.bincount(row[new], minlength=len(words))
    result[odd] = np.where(lengths > 0, counts / np.maximum(lengths, 1), np.nan)
    return result


def _words(array: pa.Array) -> pa.Array:
    return pc.utf8_split_whitespace(pc.utf8_trim_whitespace(pc.utf8_lower(array)))


def _short(words: pa.Array) -> npt.NDArray[np.uint32]:
    trimmed = pc.utf8_trim(words, characters=_PUNCTUATION)
    return (hashing.texts(trimmed) >> np.uint64(32)).astype(np.uint32)
