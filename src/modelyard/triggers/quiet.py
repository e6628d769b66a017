"""Hours in which messages wait. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from modelyard.spec.alerts import Quiet


def not_before(quiet: Quiet | None, priority: str, now: datetime) -> datetime:
    """When a message of this priority may be sent at the earliest: now, or when the quiet hours end.

    >>> night = Quiet.model_validate({"from": "22:00", "to": "07:00", "timezone": "Europe/Berlin"})
    >>> not_before(night, "P3", datetime(2024, 3, 1, 23, tzinfo=UTC)).isoformat()
    '2024-03-02T06:00:00+00:00'
    >>> not_before(night, "P1", datetime(2024, 3, 1, 23, tzinfo=UTC)).hour
    23
    """
    if quiet is None or priority not in quiet.priority:
        return now
    begin, end = time.fromisoformat(quiet.from_), time.fromisoformat(quiet.to)
    local = now.astimezone(ZoneInfo(quiet.timezone))
    clock = local.time()
    held = begin <= clock < end if begin < end else clock >= begin or clock < end
    if not held:
        return now
    day = local.date() + timedelta(days=1 if begin > end and clock >= begin else 0)
    return datetime.combine(day, end, local.tzinfo).astimezone(UTC)
