"""The bench's picture: per model and cell, a bar per server of the processor's milliseconds per request (log scale)."""

from __future__ import annotations

import math
from html import escape

_LEFT, _BAR, _WIDTH, _GAP = 130, 16, 420, 40


def draw(results: dict[str, dict[str, dict]], cells: list[str]) -> str:
    """An SVG."""
    parts: list[str] = []
    y = 20
    for kind, servers in results.items():
        good = {name: result for name, result in servers.items() if "wrong" not in result}
        for cell in cells if good else ():
            parts.append(
                f'<text x="4" y="{y}" font-weight="bold">{escape(kind)}, {escape(cell)}: processor ms per request</text>'
            )
            y += 8
            values = {name: result[cell]["cpu_ms"] for name, result in good.items()}
            low = 10 ** math.floor(math.log10(min(values.values())))
            span = math.log10(max(values.values()) / low) or 1.0
            for name, value in sorted(values.items(), key=lambda each: each[1]):
                width = max(2.0, _WIDTH * math.log10(value / low) / span)
                colour = "#2563eb" if name.startswith("ours") else "#9ca3af"
                parts.append(f'<text x="{_LEFT - 6}" y="{y + 12}" text-anchor="end">{escape(name)}</text>')
                parts.append(f'<rect x="{_LEFT}" y="{y}" width="{width:.0f}" height="{_BAR - 4}" fill="{colour}"/>')
                parts.append(f'<text x="{_LEFT + width + 5:.0f}" y="{y + 11}">{value:.3f}</text>')
                y += _BAR
            y += _GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 80}" height="{y}" font-family="sans-serif" font-size="12">'
    return head + '<rect width="100%" height="100%" fill="#fff"/>' + "".join(parts) + "</svg>\n"
