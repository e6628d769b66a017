"""Error budgets: what is left, and which windows say that it goes too fast."""

from __future__ import annotations

import pytest

from modelyard.stats.burn import RULES, burn

MONTH = 30 * 24 * 60
NOW = 100_000
BUDGET = 0.001


def history(*pieces: tuple[int, int, float]) -> dict[int, tuple[int, int]]:
    """Pieces of (minutes ago it began, minutes it lasted, share of bad ones), 10,000 requests a minute."""
    found = {NOW - ago: (10_000, 0) for ago in range(1, MONTH + 1)}
    for ago, lasted, share in pieces:
        found |= {minute: (10_000, round(10_000 * share)) for minute in range(NOW - ago, NOW - ago + lasted)}
    return found


@pytest.mark.parametrize(
    ("says", "pieces", "level", "long"),
    [
        ("nothing wrong", [], "ok", None),
        ("as much as is allowed, for ever", [(MONTH, MONTH, BUDGET * 0.9)], "ok", None),
        ("everything fails since five minutes", [(5, 5, 1.0)], "page", 60),
        ("one failed minute, over by now", [(40, 1, 1.0)], "ok", None),
        ("fifteen times too much for an hour", [(60, 60, 15 * BUDGET)], "page", 60),
        ("thirteen times for an hour is not yet enough", [(60, 60, 13 * BUDGET)], "ok", None),
        ("seven times for six hours", [(360, 360, 7 * BUDGET)], "page", 360),
        ("the same, but it ended an hour ago", [(420, 360, 7 * BUDGET)], "ok", None),
        ("a little too much for three days", [(3 * 1440, 3 * 1440, 1.2 * BUDGET)], "warn", 3 * 1440),
    ],
)
def test_windows_and_rates(says, pieces, level, long):
    found = burn(history(*pieces), budget=BUDGET, window=MONTH, now=NOW)
    assert (found.level, found.rule.long if found.rule else None) == (level, long), says


def test_the_rates_of_the_workbook_are_those_of_thirty_days():
    assert [rule.rate(MONTH) for rule in RULES] == pytest.approx([14.4, 6.0, 1.0])


def test_the_budget_that_is_left_counts_the_whole_window_and_nothing_before():
    found = burn(history((MONTH, 1, 1.0)), budget=BUDGET, window=MONTH, now=NOW)
    assert found.left == pytest.approx(1 - 1 / (BUDGET * MONTH))
    assert burn(history((MONTH, 1, 1.0)), budget=BUDGET, window=MONTH - 1, now=NOW).left == 1
    assert burn(history((600, 600, 1.0)), budget=BUDGET, window=MONTH, now=NOW).left < 0


def test_one_or_two_bad_requests_are_no_trend_and_none_at_all_says_nothing():
    few = {NOW - 2: (10, 1), NOW - 1: (10, 1)}
    assert burn(few, budget=BUDGET, window=MONTH, now=NOW).level == "ok"
    assert burn(few | {NOW - 3: (10, 1)}, budget=BUDGET, window=MONTH, now=NOW).level == "page"
    assert burn({}, budget=BUDGET, window=MONTH, now=NOW) is None
