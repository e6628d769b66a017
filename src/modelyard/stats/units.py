"""Recognise a change of unit: all quartiles moved by one known factor, or from one temperature scale to another."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard.stats.distance import Layout
from modelyard.stats.numeric import NumberLayout, quantiles
from modelyard.stats.tally import Tally

TOLERANCE = 0.08


@dataclass(frozen=True)
class Unit:
    """value -> value x `factor` + `offset`, and what that usually means."""

    factor: float
    offset: float
    meaning: str

    def __str__(self) -> str:
        if self.offset:
            return f"x·{self.factor:.4g}{self.offset:+.4g} ({self.meaning})"
        return f"×{self.factor:.4g} ({self.meaning})"

    def close(self, before: list[float], after: list[float]) -> bool:
        """Whether all quartiles followed this change, within 8% of their size."""
        pairs = [(value * self.factor + self.offset, found) for value, found in zip(before, after, strict=True)]
        width = abs(pairs[-1][0] - pairs[0][0])
        return all(abs(found - wanted) <= TOLERANCE * max(abs(wanted), width) for wanted, found in pairs)


_SCALES = (
    (10.0, "a decimal place"),
    (100.0, "shares and percent, metres and centimetres"),
    (1000.0, "thousands, kilo"),
    (1e6, "millions"),
    (60.0, "minutes and seconds, hours and minutes"),
    (3600.0, "hours and seconds"),
    (24.0, "days and hours"),
    (12.0, "months and years, feet and inches"),
    (2.54, "inches and centimetres"),
    (25.4, "inches and millimetres"),
    (3.28084, "metres and feet"),
    (1.609344, "miles and kilometres"),
    (1.852, "nautical miles and kilometres"),
    (2.204623, "kilograms and pounds"),
    (3.6, "metres per second and kilometres per hour"),
    (3.785412, "gallons and litres"),
    (33.8639, "inches of mercury and hectopascal"),
    (6.894757, "psi and kilopascal"),
    (1024.0, "bytes and kibibytes"),
)
KNOWN = (
    *(Unit(factor, 0.0, meaning) for factor, meaning in _SCALES),
    *(Unit(1 / factor, 0.0, meaning) for factor, meaning in _SCALES),
    Unit(-1.0, 0.0, "sign turned"),
    Unit(1.8, 32.0, "Celsius to Fahrenheit"),
    Unit(1 / 1.8, -32 / 1.8, "Fahrenheit to Celsius"),
    Unit(1.0, 273.15, "Celsius to Kelvin"),
    Unit(1.0, -273.15, "Kelvin to Celsius"),
)


def change(layout: Layout, reference: Tally, window: Tally) -> Unit | None:
    """The known change of unit that explains a window, or None. Values near zero or all alike cannot tell."""
    if not isinstance(layout, NumberLayout) or layout.kind not in ("number", "integer"):
        return None
    before, after = quantiles(reference, layout), quantiles(window, layout)
    if before is None or after is None or before[0] == before[-1] or before[1] == 0:
        return None
    if Unit(1.0, 0.0, "").close(before, after):
        return None
    return next((unit for unit in KNOWN if unit.close(before, after)), None)
