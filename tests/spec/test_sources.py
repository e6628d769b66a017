"""The files of a source."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modelyard.errors import DataError
from modelyard.spec.sources import stat
from modelyard.spec.tables import Source


def test_a_glob_names_files_in_order(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "c.txt"):
        (tmp_path / name).write_text("x")
    found = stat(tmp_path, Source(uri="*.csv"))
    assert [Path(path).name for path in found.paths] == ["a.csv", "b.csv"]


def test_the_digest_follows_names_sizes_and_times(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("x")
    os.utime(file, ns=(1, 1))
    digests = {stat(tmp_path, Source(uri="*.csv")).digest}
    assert stat(tmp_path, Source(uri="a.csv")).digest in digests
    file.write_text("xy")
    os.utime(file, ns=(1, 1))
    digests.add(stat(tmp_path, Source(uri="*.csv")).digest)
    os.utime(file, ns=(2, 2))
    digests.add(stat(tmp_path, Source(uri="*.csv")).digest)
    (tmp_path / "b.csv").write_text("")
    digests.add(stat(tmp_path, Source(uri="*.csv")).digest)
    assert len(digests) == 4


def test_a_name_with_the_characters_of_globs_is_a_name_where_it_exists(tmp_path: Path) -> None:
    (tmp_path / "a[1].csv").write_text("x")
    assert len(stat(tmp_path, Source(uri="a[1].csv")).files) == 1


def test_what_matches_nothing_is_named_without_the_values_of_variables(tmp_path: Path) -> None:
    (tmp_path / "flights.csv").write_text("x")
    with pytest.raises(DataError) as raised:
        stat(tmp_path, Source(uri="${ROOT}/flight.csv"), {"ROOT": str(tmp_path)})
    assert raised.value.message == "no file matches ${ROOT}/flight.csv"
    assert raised.value.hint == "Did you mean `flights.csv`?"


def test_variables_are_expanded_at_use(tmp_path: Path) -> None:
    (tmp_path / "flights.csv").write_text("x")
    assert stat("/nowhere", Source(uri="${ROOT}/flights.csv"), {"ROOT": str(tmp_path)}).files[0].size == 1
