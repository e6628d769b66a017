"""Recognise a change of unit: all quartiles moved by one known factor, or from one temperature scale to another."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard.stats.distance import Layout
from modelyard.stats.numeric import NumberLayout, deviation, mean, quantiles
from modelyard.stats.tally import Tally

SURE = 8.0
QUARTILES, DECILES = (0.25, 0.5, 0.75), tuple(place / 10 for place in range(1, 10))


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

    @property
    def sure(self) -> bool:
        """Whether no season is so large."""
        return max(abs(self.factor), 1 / abs(self.factor)) >= SURE

    def explains(self, before: Moments, after: Moments) -> bool:
        """Whether the window is the reference in this unit.

        Quartiles agree within 20% of their distance (and 5% of size: that of the bins). A small factor could as well
        be a season or a shift, so then quartiles must agree within 10% of their distance, and mean and deviation, which are
        known exactly, within 3% and 10%; or, where values are ranked, all deciles within 2% of their distance and size,
        whatever the outliers are.
        """
        wanted = sorted(value * self.factor + self.offset for value in before.quartiles)
        if self.factor == 1.0 and abs(self.offset) < 2 * (wanted[-1] - wanted[0]):
            return False  # a step within the spread may be any shift
        width = wanted[-1] - wanted[0]
        off = [(abs(found - want), abs(want)) for want, found in zip(wanted, after.quartiles, strict=True)]
        if any(by > (0.2 if self.sure else 0.1) * width + 0.05 * size for by, size in off):
            return False
        if self.sure or (len(off) > len(QUARTILES) and all(by <= 0.02 * (width + size) for by, size in off)):
            return True
        deviation, average = abs(self.factor) * before.deviation, before.mean * self.factor + self.offset
        return abs(after.deviation - deviation) <= 0.1 * deviation and abs(after.mean - average) <= 0.03 * abs(average)


@dataclass(frozen=True)
class Moments:
    """Where a window's values lie: quartiles (deciles, where both sides are ranked), mean, standard deviation."""

    quartiles: list[float]
    mean: float
    deviation: float


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
    at = DECILES if reference.ranks and window.ranks else QUARTILES
    before, after = _moments(reference, layout, at), _moments(window, layout, at)
    if before is None or after is None or before.quartiles[0] == before.quartiles[-1]:
        return None
    return next((unit for unit in KNOWN if unit.explains(before, after)), None)


def _moments(tally: Tally, layout: NumberLayout, at: tuple[float, ...]) -> Moments | None:
    quartiles, average, spread = quantiles(tally, layout, at), mean(tally, layout), deviation(tally, layout)
    if quartiles is None or average is None or spread is None:
        return None
    return Moments(quartiles, average, spread)
