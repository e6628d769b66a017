"""Texts and vectors alarm by what is measured of them, and say which measure moved."""

import json

import numpy as np
import pyarrow as pa
import pytest

from modelyard.stats import Groups, Profile, compare, compare_frames
from modelyard.stats.text import measure, vocabulary

WORDS = ["late", "early", "parcel", "delivery", "good", "thanks", "broken", "fine", "again", "never"]
SIZE = 3_000


def notes(seed, words=WORDS, longest=12, edit=lambda text: text):
    rng = np.random.default_rng(seed)
    return pa.array([edit(" ".join(rng.choice(words, rng.integers(3, longest))) + f" {i}") for i in range(SIZE)])


def vectors(seed, turn=0.0, scale=1.0, size=16):
    rng = np.random.default_rng(seed)
    mean = np.zeros(size)
    mean[0], mean[1] = 2 * np.cos(turn), 2 * np.sin(turn)
    return pa.array((scale * (mean + rng.normal(size=(SIZE, size)))).tolist(), pa.list_(pa.float32()))


def result(known, now):
    found = compare_frames(pa.table({"t": known}), pa.table({"t": now}))["columns"]
    return next(c for c in found if c["column"] == "t")


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (notes(2, longest=40), "length"),
        (notes(2, [*WORDS, *(f"{w}x" for w in WORDS)]), "words never seen before"),
        (notes(2, edit=str.upper), "upper case"),
        (notes(2, edit=lambda text: text.replace("e", "é")), "beyond ASCII"),
        (notes(2, edit=lambda text: text.replace(" ", ", ")), "punctuation"),
        (pa.array([None if i % 5 == 0 else t for i, t in enumerate(notes(2).to_pylist())]), "missing"),
    ],
)
def test_a_change_of_texts_is_named(now, said):
    found = result(notes(1), now)
    assert found["verdict"] in ("warn", "page") and said in found["says"]


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (vectors(2, scale=2.0), "norm"),
        (vectors(2, turn=1.0), "cosine"),
        (vectors(2, size=8), "unreadable"),
    ],
)
def test_a_change_of_vectors_is_named(now, said):
    found = result(vectors(1), now)
    assert found["verdict"] in ("warn", "page") and said in found["says"]


@pytest.mark.parametrize("make", [notes, vectors])
def test_no_change_is_quiet(make):
    known = Profile.of(pa.table({"t": make(1)}))
    for seed in range(2, 8):
        assert [r.verdict for r in compare(known, Profile.of(pa.table({"t": make(seed)}), known))] == ["ok"]


@pytest.mark.parametrize("make", [notes, vectors])
def test_a_union_is_the_merge_and_survives_storage(make):
    known = Profile.of(pa.table({"t": make(1)}))
    rows, place = pa.table({"t": make(2)}), np.random.default_rng(3).integers(0, 3, SIZE)
    parts = Profile.of_groups(rows, Groups(3, place), known)
    merged, union = Profile.merge(parts[::-1]), Profile.of(rows, known)

    def cells(profile):
        return {name: part.cells.tolist() for name, part in profile.columns["t"].tally.parts.items()}

    assert cells(merged) == cells(union) and len(cells(union)) >= 5
    assert np.array_equal(merged.sample.hashes, union.sample.hashes)
    again = Profile.from_json(json.loads(json.dumps(known.to_json(), allow_nan=False)))
    assert again.to_json() == known.to_json()
    read = Profile.from_json(json.loads(json.dumps(union.to_json(layouts=False))), again)
    assert cells(read) == cells(union)


def test_texts_are_measured_without_knowing_their_language():
    texts = pa.array(["Ab 1!", "日本 語", "", None])
    found = measure(texts, vocabulary(texts))
    assert found["length"][:3].tolist() == [5, 4, 0] and np.isnan(found["length"][3])
    assert found["upper case"][0] == found["digits"][0] == found["punctuation"][0] == 0.2
    assert found["beyond ASCII"][1] == 0.75
