"""What is refused before it reaches the log: an alarm of the schema when there is more of it than there was."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.monitor import refused
from modelyard.monitor.refused import judge
from modelyard.monitor.seen import Seen
from modelyard.store import minutes
from modelyard.store.minutes import Minute

NOW = datetime(2024, 3, 15, tzinfo=UTC)


def counted(requests: int) -> Counter[str]:
    return Counter({"": requests, "adults wrong_type": requests})


@pytest.mark.parametrize(
    ("before", "after", "level"),
    [
        ((0, 1000), (300, 700), "page"),
        ((0, 1000), (40, 960), "warn"),
        ((0, 1000), (300, 0), "page"),
        ((0, 0), (300, 0), "page"),
        ((300, 700), (300, 700), None),
        ((30, 970), (45, 955), None),
        ((0, 1000), (20, 0), None),
        ((0, 100_000), (90, 99_910), None),
    ],
)
def test_more_than_there_was_by_share_and_beyond_chance(before, after, level) -> None:
    seen = judge(counted(before[0]), counted(after[0]), before[1], after[1])
    assert (seen.level if seen else None) == level
    assert seen is None or f"adults wrong type ({after[0]})" in seen.says


@given(st.integers(0, 3_000), st.integers(1, 3_000))
def test_what_does_not_change_is_no_news(requests: int, answered: int) -> None:
    assert judge(counted(requests), counted(requests), answered, answered) is None


def test_it_is_told_with_what_the_columns_say(world, declared) -> None:
    gone = [Minute("api", int((NOW - timedelta(hours=each)).timestamp()) // 60, refused=10) for each in range(1, 20)]
    other = [Minute("other", gone[0].minute, refused=99), Minute("api", gone[0].minute, n=5)]
    minutes.append(world.store, "gateway", [*gone, *other])
    monitor = declared().monitors["health"]
    ok, lost = Seen("schema", "ok", "as in training"), Seen("schema", "warn", "kind came as number.")
    (seen,) = refused.beside(world.store, monitor, NOW, [], [ok])
    assert seen.level == "page" and "100.0% of 190 requests were refused" in seen.says
    (seen,) = refused.beside(world.store, monitor, NOW, [], [lost])
    assert seen.level == "page" and seen.says.startswith("kind came as number; 100.0% of 190")
    assert refused.beside(world.store, monitor, NOW, [], []) == [], "where it is declared off"
    assert refused.beside(world.store, monitor, NOW + timedelta(days=30), [], [ok]) == [ok]
