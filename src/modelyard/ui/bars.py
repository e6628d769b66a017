"""Two distributions in one picture, reference against now, as SVG text styled by the page: no script, prints well.

The reference is filled, what is now is an outline with a pattern of its own: told apart by form, not by colour alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape

from modelyard.ui.charts import ticks

WIDTH, HEIGHT = 560, 190
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 8, 24
ROW = 30
NAMES = 170

Scale = Callable[[float], float]


def histogram(edges: Sequence[float], before: Sequence[float], after: Sequence[float], *, title: str) -> str:
    """Shares of rows per interval; the outermost bars hold what lies beyond."""
    top = max(*before, *after, 1e-9)
    levels = [level for level in ticks(0.0, top, 3) if level >= 0]
    high, low, span = levels[-1], edges[0], edges[-1] - edges[0]

    def x(value: float) -> float:
        return round(LEFT + (value - low) / span * (WIDTH - LEFT - RIGHT), 1)

    def y(share: float) -> float:
        return round(HEIGHT - BOTTOM - share / high * (HEIGHT - TOP - BOTTOM), 1)

    parts = [
        *(_level(y(level), f"{level:.3g}" if level < 0.01 else f"{level:.0%}") for level in levels),
        *(_tick(x(value), text) for value, text in _along(edges[0], edges[-1])),
        *_filled(edges, before, x, y),
        *_outline(edges, after, x, y),
        *_hover(edges, before, after, x),
    ]
    return _svg(HEIGHT, title, parts)


def pairs(labels: Sequence[str], before: Sequence[float], after: Sequence[float], *, title: str) -> str:
    """Shares of rows per value: two bars each, one above the other."""
    top = max(*before, *after, 1e-9)
    room = WIDTH - NAMES - 60
    parts = []
    for number, (label, first, second) in enumerate(zip(labels, before, after, strict=True)):
        y = 4 + number * ROW
        short = label if len(label) <= 24 else label[:23] + "…"
        parts.append(f'<text class="tick" x="{NAMES - 8}" y="{y + 16}" text-anchor="end">{escape(short)}</text>')
        for place, (style, share) in enumerate((("before", first), ("after", second))):
            size, at = round(share / top * room, 1), y + 2 + place * 11
            parts.append(f'<rect class="{style}" x="{NAMES}" y="{at}" width="{size}" height="9"/>')
            parts.append(f'<text class="share" x="{NAMES + size + 5}" y="{at + 8}">{share:.1%}</text>')
    return _svg(8 + len(labels) * ROW, title, parts)


def _svg(height: int, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _level(y: float, text: str) -> str:
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
        f'<text class="tick" x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{text}</text>'
    )


def _tick(x: float, text: str) -> str:
    anchor = "end" if x > WIDTH - RIGHT - 20 else "middle"
    return f'<text class="tick" x="{x}" y="{HEIGHT - 8}" text-anchor="{anchor}">{text}</text>'


def _along(low: float, high: float) -> Iterator[tuple[float, str]]:
    for value in ticks(low, high, 5):
        if low <= value <= high:
            yield value, _plain(value, 6)


def _plain(value: float, digits: int = 4) -> str:
    """A number on an axis; one of four figures may be a year, so separators begin after it."""
    return (f"{value:.{digits}g}" if abs(value) < 10_000 else f"{value:,.{digits}g}").replace("-", "−")


def _filled(edges: Sequence[float], before: Sequence[float], x: Scale, y: Scale) -> Iterator[str]:
    for place, share in enumerate(before):
        left, right = x(edges[place]), x(edges[place + 1])
        height = round(y(0) - y(share), 1)
        yield f'<rect class="before" x="{left}" y="{y(share)}" width="{max(right - left - 1, 0.5):.1f}" height="{height}"/>'


def _outline(edges: Sequence[float], after: Sequence[float], x: Scale, y: Scale) -> Iterator[str]:
    path = f"M{x(edges[0])} {y(0)}"
    for place, share in enumerate(after):
        path += f"V{y(share)}H{x(edges[place + 1])}"
    yield f'<path class="after" d="{path}V{y(0)}"/>'


def _hover(edges: Sequence[float], before: Sequence[float], after: Sequence[float], x: Scale) -> Iterator[str]:
    last = len(before) - 1
    for place, (first, second) in enumerate(zip(before, after, strict=True)):
        left, right = x(edges[place]), x(edges[place + 1])
        low, high = _plain(edges[place]), _plain(edges[place + 1])
        ends = f"up to {high}" if place == 0 else f"from {low} to {high}" if place < last else f"from {low}"
        says = escape(f"{ends}: {first:.1%} → {second:.1%}")
        yield (
            f'<rect class="over" x="{left}" y="{TOP}" width="{right - left:.1f}" height="{HEIGHT - TOP - BOTTOM}">'
            f"<title>{says}</title></rect>"
        )
