"""Line charts over time as SVG text, styled by the page's CSS classes: no script, no request, prints well.

A chart is drawn for a width in pixels; a page holds a wide and a narrow one and shows the one that fits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape

LANE = 20
MONTH = timedelta(days=31)


@dataclass(frozen=True)
class Series:
    """One line: `style` is its CSS class; a point is (start, end, value or None, what hovering says)."""

    name: str
    style: str
    points: tuple[tuple[datetime, datetime, float | None, str], ...]


@dataclass(frozen=True)
class Mark:
    """One event: `lane` is its CSS class and its row beneath the plot; `says` is shown on hovering."""

    at: datetime
    lane: str
    says: str


@dataclass(frozen=True)
class Frame:
    """Where the plot stands in the picture, and the scales of both axes."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    start: datetime
    end: datetime
    low: float
    high: float

    def x(self, time: datetime) -> float:
        """Pixels from the left."""
        share = (time - self.start) / (self.end - self.start)
        return round(self.left + share * (self.width - self.left - self.right), 1)

    def y(self, value: float) -> float:
        """Pixels from the top."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.bottom - share * (self.bottom - self.top), 1)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers that cover [low, high], some `about` of them.

    >>> ticks(0.37, 0.61)
    [0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65]
    >>> ticks(3, 3)
    [2.5, 3.0, 3.5]
    """
    if high <= low:
        room = abs(low) / 6 or 1.0
        return ticks(low - room, high + room, 2)
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    digits = max(0, 2 - math.floor(math.log10(step)))
    return [round(number * step, digits) for number in range(first, last + 1)]


def dates(start: datetime, end: datetime, most: int) -> list[tuple[datetime, str]]:
    """Dates to write under the axis, at most `most`: months for long spans, days for short ones."""
    if end - start > 3 * MONTH:
        months = list(_months(start, end))
        every = next(n for n in (1, 2, 3, 6, 12, 24, 60, 120) if len(months) <= n * most or n == 120)
        return [(time, f"{time:%b}" if time.month > 1 else f"{time:%b %Y}") for time in months[::every]]
    days = max(1, math.ceil((end - start) / timedelta(days=1) / most))
    count = math.ceil((end - start) / timedelta(days=days))
    return [(time, f"{time.day} {time:%b}") for time in (start + timedelta(days=days * n) for n in range(count))]


def _months(start: datetime, end: datetime) -> Iterator[datetime]:
    year, month = start.year, start.month
    while True:
        time = datetime(year, month, 1, tzinfo=UTC)
        if time >= end:
            return
        if time >= start:
            yield time
        year, month = year + month // 12, month % 12 + 1


def draw(
    series: Sequence[Series], marks: Sequence[Mark], lanes: Sequence[tuple[str, str]], *, width: int, title: str
) -> str:
    """The chart: lines over time, and beneath the plot one row of dots per lane (`(class, label)`).

    Marks of the lanes promotion and rollback cross the plot as vertical lines too. "" when there is nothing to draw.
    """
    values = [value for one in series for *_, value, _ in one.points if value is not None]
    if not values:
        return ""
    used = [item for item in lanes if any(mark.lane == item[0] for mark in marks)]
    frame, levels = _frame(series, values, width, used)
    parts = [
        *_grid(frame, levels),
        *_crossing(frame, marks),
        *_lanes(frame, marks, used),
        *(part for one in series for part in _line(frame, one)),
        *_names(frame, series),
    ]
    return (
        f'<svg viewBox="0 0 {frame.width} {frame.height}" width="{frame.width}" height="{frame.height}" role="img">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _frame(
    series: Sequence[Series], values: list[float], width: int, lanes: Sequence[tuple[str, str]]
) -> tuple[Frame, list[float]]:
    levels = ticks(min(values), max(values), 5 if width > 500 else 4)
    plot = 270 if width > 500 else 200
    top = 14 if width > 500 else 16 + 18 * len(series)
    longest = max([len(one.name) for one in series] + [len(label) for _, label in lanes])
    right = min(170, 18 + 8 * longest) if width > 500 else 10
    bottom = top + plot
    row = LANE if width > 500 else 2 * LANE
    return Frame(
        width,
        bottom + 30 + len(lanes) * row,
        max(50, 14 + 7 * max(map(len, _labels(levels)))),
        right,
        top,
        bottom,
        min(point[0] for one in series for point in one.points),
        max(point[1] for one in series for point in one.points),
        levels[0],
        levels[-1],
    ), levels


def _grid(frame: Frame, levels: list[float]) -> Iterator[str]:
    right = frame.width - frame.right
    for level, label in zip(levels, _labels(levels), strict=True):
        y = frame.y(level)
        yield f'<line class="grid" x1="{frame.left}" x2="{right}" y1="{y}" y2="{y}"/>'
        yield f'<text class="tick" x="{frame.left - 8}" y="{y + 4}" text-anchor="end">{label}</text>'
    for time, text in dates(frame.start, frame.end, 12 if frame.width > 500 else 5):
        x = frame.x(time)
        yield f'<line class="grid" x1="{x}" x2="{x}" y1="{frame.bottom}" y2="{frame.bottom + 5}"/>'
        yield f'<text class="tick" x="{x + 3}" y="{frame.bottom + 17}">{text}</text>'


def _labels(levels: Sequence[float]) -> list[str]:
    """What stands beside the levels of an axis, all with as many digits.

    >>> _labels([0.0, 2.5, 5.0]), _labels([0.0, 200000.0])
    (['0.0', '2.5', '5.0'], ['0', '200,000'])
    """
    digits = max((len(f"{level:.6f}".rstrip("0").split(".")[1]) for level in levels), default=0)
    return [f"{level:,.{digits}f}" for level in levels]


def _crossing(frame: Frame, marks: Sequence[Mark]) -> Iterator[str]:
    for mark in marks:
        if mark.lane in ("promotion", "rollback") and frame.start <= mark.at <= frame.end:
            x = frame.x(mark.at)
            yield f'<line class="cross {mark.lane}" x1="{x}" x2="{x}" y1="{frame.top}" y2="{frame.bottom}"/>'


def _lanes(frame: Frame, marks: Sequence[Mark], lanes: Sequence[tuple[str, str]]) -> Iterator[str]:
    for number, (lane, label) in enumerate(lanes):
        wide = frame.width > 500
        y = frame.bottom + (34 + number * LANE if wide else 54 + number * 2 * LANE)
        right = frame.width - frame.right
        yield f'<line class="lane" x1="{frame.left}" x2="{right}" y1="{y}" y2="{y}"/>'
        place = f'x="{right + 10}" y="{y + 4}"' if wide else f'x="{frame.left}" y="{y - 10}"'
        yield f'<text class="tick" {place}>{escape(label)}</text>'
        for mark in marks:
            if mark.lane == lane and frame.start <= mark.at <= frame.end:
                yield _dot(f"dot {lane}", frame.x(mark.at), y, 4.5, mark.says)


def _line(frame: Frame, series: Series) -> Iterator[str]:
    placed = [
        None if value is None else (frame.x(start + (end - start) / 2), frame.y(value), says)
        for start, end, value, says in series.points
    ]
    path, pen = [], "M"
    for point in placed:
        if point is None:
            pen = "M"
            continue
        path.append(f"{pen}{point[0]} {point[1]}")
        pen = "L"
    yield f'<path class="line {series.style}" d="{"".join(path)}"/>'
    for point in placed:
        if point is not None:
            x, y, says = point
            yield _dot(f"point {series.style}", x, y, 3.5, says)


def _dot(style: str, x: float, y: float, radius: float, says: str) -> str:
    return f'<circle class="{style}" cx="{x}" cy="{y}" r="{radius}"><title>{escape(says)}</title></circle>'


def _names(frame: Frame, series: Sequence[Series]) -> Iterator[str]:
    """Names at the lines' ends, pushed apart; in a narrow picture above the plot."""
    if frame.width <= 500:
        for number, one in enumerate(series):
            yield f'<text class="name {one.style}" x="{frame.left}" y="{16 + 18 * number}">{escape(one.name)}</text>'
        return
    floor = -math.inf
    for y, one in sorted(_ends(frame, series), key=lambda end: end[0]):
        floor = max(y, floor + 16)
        x = frame.width - frame.right + 10
        yield f'<text class="name {one.style}" x="{x}" y="{floor + 4}">{escape(one.name)}</text>'


def _ends(frame: Frame, series: Sequence[Series]) -> Iterator[tuple[float, Series]]:
    for one in series:
        known = [value for _, _, value, _ in one.points if value is not None]
        if known:
            yield frame.y(known[-1]), one
