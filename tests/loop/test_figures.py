"""The figures and the story of a simulation, from values."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from modelyard.loop import scoreboard, story
from modelyard.records import Audit

NOW = datetime(2024, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("kind", [pa.float64(), pa.list_(pa.float64())])
def test_rows_that_one_of_both_refused_are_left_out(kind):
    def answers(name, values):
        given = [v if v is None or kind == pa.float64() else [v, 1 - v] for v in values]
        return pa.table({"request_id": ["a"] * 4, "row": [0, 1, 2, 3], name: pa.array(given, kind)})

    both = scoreboard.beside(answers("policy", [0.1, 0.2, None, 0.4]), answers("static", [0.5, None, 0.7, 0.8]))
    assert both["row"].to_pylist() == [0, 3]


def audit(number, action, subject, why=""):
    return Audit(
        sequence=number, at=NOW, actor="a", action=action, subject=subject, detail={"why": why}, previous="", hash=""
    )


def test_data_that_keeps_failing_is_told_once_until_it_is_mended_and_counts_as_an_alert():
    entries = [
        audit(1, "table.failed", "dataset.hours", "4 of 17,111 rows share at"),
        audit(2, "table.failed", "dataset.hours", "4 of 17,255 rows share at"),
        audit(3, "table.failed", "dataset.days", "no row"),
        audit(4, "table.mended", "dataset.hours", "it could be built again"),
        audit(5, "table.failed", "dataset.hours", "the file is empty"),
    ]
    events = story.told(entries)
    assert [(each["kind"], each["subject"], each["why"]) for each in events] == [
        ("data_failed", "dataset.hours", "4 of 17,111 rows share at"),
        ("data_failed", "dataset.days", "no row"),
        ("data", "dataset.hours", "it could be built again"),
        ("data_failed", "dataset.hours", "the file is empty"),
    ]
    assert story.counts(events)["alerts"] == 3


def test_a_doubt_about_data_is_told_beside_a_failure_and_until_its_checks_pass_again():
    entries = [
        audit(1, "table.doubted", "dataset.hours", "3 of 10 rows are outside"),
        audit(2, "table.failed", "dataset.hours", "no row"),
        audit(3, "table.doubted", "dataset.hours", "4 of 12 rows are outside"),
        audit(4, "table.cleared", "dataset.hours", "its checks pass again"),
        audit(5, "table.doubted", "dataset.hours", "1 of 14 rows is outside"),
    ]
    kinds = [each["kind"] for each in story.told(entries)]
    assert kinds == ["data_doubted", "data_failed", "data", "data_doubted"]
