"""How far windows of the reference itself lie from the rest of it: what a world without drift does from week to week.

Real streams have seasons and weather: a week is not a fair sample of a year, and columns such as month differ from
the rest in every week. Each window of the reference is therefore compared with all others (`around`) and with all
before it (`ahead`, as a deployment will meet the next one). A new window is news only when it lies beyond the
prediction interval of those distances: mean + t(k-1) x sd x sqrt(1 + 1/k).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import special

from modelyard.stats import arrow
from modelyard.stats.category import CategoryLayout
from modelyard.stats.distance import Layout, distances
from modelyard.stats.groups import Groups
from modelyard.stats.numeric import NumberLayout, margin
from modelyard.stats.tally import Tally, merge, minus

FEWEST = 4
BEYOND = 1.25
TURNOVER = 0.02
FEWEST_ROWS = 50
NEW = 0.1
"""A value is new when it was held less than a tenth as often."""


@dataclass(frozen=True)
class Spread:
    """`count` windows whose distance had this `mean`, standard deviation `sd` and largest value `most`."""

    count: int
    mean: float
    sd: float
    most: float = 0.0

    def limit(self, t: float) -> float:
        """The upper end of the interval for the next window, for a quantile `t` of Student's distribution; and beyond
        the largest seen, because distances are skewed: one week of holidays is followed by another."""
        return max(self.mean + t * self.sd * float(np.sqrt(1 + 1 / self.count)), BEYOND * self.most)

    def to_json(self) -> list[float]:
        """A JSON list, in the order of the fields."""
        return [self.count, self.mean, self.sd, self.most]


@dataclass(frozen=True)
class Natural:
    """Per distance (see `distance.distances`), the spreads seen among the reference's own windows."""

    spreads: dict[str, tuple[Spread, ...]] = field(default_factory=dict)

    def limit(self, name: str, alpha: float) -> float:
        """Where a distance starts to be news; 0 when the reference has too few windows to tell."""
        spreads = self.spreads.get(name, ())
        if not spreads:
            return 0.0
        # Both series look at the same windows; the longer one tells how well their spread is known.
        t = float(special.stdtrit(max(spread.count for spread in spreads) - 1, 1 - alpha))
        return max(spread.limit(t) for spread in spreads)

    def of_part(self, part: str) -> Natural:
        """What is known of one measure of a text or vector."""
        head = f"{part}: "
        return Natural({name.removeprefix(head): each for name, each in self.spreads.items() if name.startswith(head)})

    def beside(self, other: Natural) -> Natural:
        """What is usual when both are: the wider limit of each distance known here."""
        return Natural({name: spreads + other.spreads.get(name, ()) for name, spreads in self.spreads.items()})

    def widened(self, factor: float) -> Natural:
        """What is usual when all distances are so many times as large."""
        return Natural(
            {
                name: tuple(Spread(s.count, *(factor * value for value in (s.mean, s.sd, s.most))) for s in spreads)
                for name, spreads in self.spreads.items()
            }
        )

    def __bool__(self) -> bool:
        return bool(self.spreads)

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {name: [each.to_json() for each in spreads] for name, spreads in self.spreads.items()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Natural:
        """Read what `to_json` wrote."""
        return cls({name: tuple(Spread(*spread) for spread in spreads) for name, spreads in data.items()})


Variations = dict[int, Natural]
"""Natural variation by the width of windows in seconds."""


def nearest(variations: Variations, span: float | None) -> Natural:
    """The variation of windows as wide as `span` seconds, or the next narrower ones, which vary more; None = the
    widest."""
    widths = sorted(width for width, natural in variations.items() if natural)
    if not widths:
        return Natural()
    fitting = widths if span is None else [width for width in widths if width <= 1.25 * span]
    return variations[fitting[-1] if fitting else widths[0]]


def to_json(variations: Variations) -> dict[str, Any]:
    """A JSON object by width."""
    return {str(width): natural.to_json() for width, natural in variations.items() if natural}


def from_json(data: dict[str, Any]) -> Variations:
    """Read what `to_json` wrote."""
    return {int(width): Natural.from_json(natural) for width, natural in data.items()}


def of_windows(array: pa.Array, layout: Layout, tallies: Sequence[Tally], groups: Groups) -> Natural:
    """The natural variation of one column, from its tallies per window (in order of time) and its values."""
    judged = [w for w in range(len(tallies)) if tallies[w].rows >= FEWEST_ROWS]
    if len(judged) < FEWEST:
        return Natural()
    whole = merge(tallies)
    around = [distances(layout, minus(whole, tallies[w]), tallies[w]) for w in judged]
    later = [w for w in judged if w >= len(tallies) // 2]
    before = list(accumulate(tallies, lambda *both: merge(both)))
    ahead = [distances(layout, before[w - 1], tallies[w]) for w in later]
    if isinstance(layout, NumberLayout):
        ahead = _with("outside", _record_shares(array, layout, tallies, later, groups), ahead)
    if isinstance(layout, CategoryLayout):
        ahead = _with("unseen", _new_shares(array, groups)[later].tolist(), ahead)
    return Natural({name: found for name in (ahead or around)[-1] if (found := _spreads(name, around, ahead))})


def of_others(layout: Layout, reference: Tally, tallies: Sequence[Tally]) -> Natural:
    """How far windows of rows that are not the reference's lie from the whole of it; of few windows, how far all do."""
    windows = [tally for tally in tallies if tally.rows >= FEWEST_ROWS]
    if len(windows) < FEWEST:
        whole = merge(tallies)
        far = distances(layout, reference, whole) if whole.rows >= FEWEST_ROWS else {}
        return Natural({name: (Spread(1, distance, 0.0, distance),) for name, distance in far.items()})
    series = [distances(layout, reference, tally) for tally in windows]
    return Natural({name: found for name in series[-1] if (found := _spreads(name, series))})


def of_same(layout: Layout, tallies: Sequence[Tally]) -> Natural:
    """How far each of some windows that should be alike lies from all others together."""
    windows = [tally for tally in tallies if tally.rows >= FEWEST_ROWS]
    if len(windows) < FEWEST:
        return Natural()
    whole = merge(windows)
    around = [distances(layout, minus(whole, window), window) for window in windows]
    return Natural({name: found for name in around[-1] if (found := _spreads(name, around))})


def of_news(values: npt.NDArray[np.float64], groups: Groups) -> Natural:
    """By how much, in each window, that value's share lies above its share of all others that grew most of those that the
    others (nearly) never hold: as "news". Values come in clumps: a group of guests, a week's price."""
    good = np.isfinite(values)
    words, codes = np.unique(values[good], return_inverse=True)
    inside = groups.take(good)
    whole, news = np.bincount(codes, minlength=len(words)), []
    for window in range(groups.size):
        own = np.bincount(codes[inside.only(window)], minlength=len(words))
        rows, others = own.sum(), max(whole.sum() - own.sum(), 1)
        if rows >= FEWEST_ROWS:
            part, rest = own / rows, (whole - own) / others
            news.append(float(np.max((part - rest) * (rest < NEW * part), initial=0.0)))
    return of_shares({"news": news})


def turns_over(array: pa.Array, groups: Groups) -> bool:
    """Whether a category's values come and go (customers, products), so that ever more are new as time goes on.

    The last quarter of windows is looked at with the vocabulary of the first half. Of values drawn from one
    vocabulary, the share never seen before would be the share that was seen just once (Good 1953).
    """
    assert groups.of is not None, "turnover needs windows"
    codes, words = arrow.codes(array)
    present, window = codes[codes >= 0], groups.of[codes >= 0]
    before = np.bincount(present[window < groups.size / 2], minlength=len(words))
    after = present[window >= groups.size * 3 / 4]
    if min(before.sum(), len(after)) < FEWEST_ROWS:
        return False
    return float((before[after] == 0).mean()) - float((before == 1).sum() / before.sum()) >= TURNOVER


def of_shares(shares: dict[str, Sequence[float]]) -> Natural:
    """The natural variation of shares over windows, by name."""
    return Natural({name: (spread_of(values),) for name, values in shares.items() if len(values) >= FEWEST})


def _spreads(name: str, *series: Sequence[dict[str, float]]) -> tuple[Spread, ...]:
    values = ([distance[name] for distance in part if name in distance] for part in series)
    return tuple(spread_of(part) for part in values if len(part) >= FEWEST)


def spread_of(values: Sequence[float]) -> Spread:
    """Of at least two values."""
    return Spread(len(values), float(np.mean(values)), float(np.std(values, ddof=1)), float(np.max(values)))


def _with(name: str, values: Sequence[float], ahead: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    return [found | {name: value} for found, value in zip(ahead, values, strict=True)]


def _new_shares(array: pa.Array, groups: Groups) -> npt.NDArray[np.float64]:
    """Per window, the share of rows whose value no earlier window held."""
    assert groups.of is not None, "natural variation needs windows"
    rows = np.maximum(np.bincount(groups.of, minlength=groups.size), 1)
    codes, words = arrow.codes(array)
    present, window = codes[codes >= 0], groups.of[codes >= 0]
    first = np.full(len(words), groups.size)
    np.minimum.at(first, present, window)
    return np.bincount(window[first[present] == window], minlength=groups.size) / rows


def _record_shares(
    array: pa.Array, layout: NumberLayout, tallies: Sequence[Tally], later: Sequence[int], groups: Groups
) -> list[float]:
    """For each of the `later` windows, the share of rows beyond what all earlier ones reached. Only windows whose own
    extremes lie beyond are looked through."""
    low = np.minimum.accumulate([np.inf if tally.low is None else tally.low for tally in tallies])
    high = np.maximum.accumulate([-np.inf if tally.high is None else tally.high for tally in tallies])
    values = arrow.numbers(array)[0]
    shares = []
    for w in later:
        room = margin(layout) * (high[w - 1] - low[w - 1]) if np.isfinite(high[w - 1] - low[w - 1]) else 0.0
        least, most = low[w - 1] - room, high[w - 1] + room
        beyond = 0
        if low[w] < least or high[w] > most:
            own = values[groups.only(w)]
            beyond = int(((own < least) | (own > most))[np.isfinite(own)].sum())
        shares.append(beyond / tallies[w].rows)
    return shares
