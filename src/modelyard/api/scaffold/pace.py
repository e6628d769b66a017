"""Durations that suit a table: how much to test on, how often to look and to retrain, from the time it spans. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_ROUND = (
    _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 3 * _DAY, 7 * _DAY, 14 * _DAY, 28 * _DAY, 56 * _DAY,
    90 * _DAY, 180 * _DAY, 365 * _DAY,
)  # fmt: skip

ENOUGH = 250


@dataclass(frozen=True)
class Pace:
    """How a table's time is divided."""

    test: timedelta
    every: timedelta
    window: timedelta
    schedule: timedelta
    cooldown: timedelta
    min_rows: int | None = None


def pace(span: timedelta, last_fifth: timedelta, rows: int) -> Pace:
    """Durations for `rows` over `span`, of which the newest fifth came in `last_fifth`.

    Windows are wide enough to judge what comes in them; `min_rows` is set where no bearable width has 250 rows. What is
    tested on is no longer than the time between trainings, if that holds 250 rows: else a candidate would be judged by a
    fit that knows less than the champion does.

    >>> pace(timedelta(days=365), timedelta(days=70), 20_000)
    Pace(test=datetime.timedelta(days=28), every=datetime.timedelta(days=1), window=datetime.timedelta(days=7), \
schedule=datetime.timedelta(days=28), cooldown=datetime.timedelta(days=7), min_rows=None)
    >>> pace(timedelta(days=365), timedelta(days=70), 1500).window.days, pace(timedelta(days=1461), _DAY, 1461).min_rows
    (63, 58)
    """
    every = min(max(_nearest(span / 300), _HOUR), 7 * _DAY)
    schedule = max(_nearest(span / 13), 4 * every)
    windows = [7 * every * times for times in (1, 2, 4, 9) if times == 1 or 7 * every * times <= span / 5]
    window = next((width for width in windows if rows * (width / span) >= ENOUGH), windows[min(1, len(windows) - 1)])
    expected = rows * (window / span)
    tests = [width for width in _ROUND if width >= schedule and rows * (width / span) >= ENOUGH]
    return Pace(
        test=min([_nearest(last_fifth), *tests]),
        every=every,
        window=window,
        schedule=schedule,
        cooldown=max(every, _nearest(schedule / 4)),
        min_rows=None if expected >= ENOUGH else max(50, int(expected * 0.6)),
    )


def _nearest(length: timedelta) -> timedelta:
    """The round duration nearest in proportion."""
    seconds = max(length.total_seconds(), 1.0)
    return min(
        _ROUND, key=lambda item: abs(item.total_seconds() / seconds - 1) + abs(seconds / item.total_seconds() - 1)
    )
