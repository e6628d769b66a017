"""What a release was worth on rows that it had not seen: what its answers are measured by once labels come, or before.

One bounded loss per task is followed row by row, beside the loss that was to be expected of a row so scored:

| task | loss | expected |
|---|---|---|
| binary_classification | (p - y)² | c(1 - p)² + (1 - c)p², with c the calibrated frequency of p |
| multiclass_classification | 1 where the likeliest class is wrong | 1 - c, with c that of its probability |
| regression | the absolute error as a share of its 99th percentile, at most 1 | its mean where predictions were alike |

The excess, loss less expectation, is what inputs cannot explain: it stays about 0 when rows become harder, and rises
when the world behind the scores changes (concept drift).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from modelyard.stats import metrics
from modelyard.stats.calibration import Bins, Curve, gaps
from modelyard.stats.dle import ErrorBins
from modelyard.stats.natural import FEWEST, Spread, spread_of
from modelyard.stats.slicing import Cut

Floats = npt.NDArray[np.float64]
DAY, WEEK = 86_400.0, 604_800.0
FORMAT = 1
MOST, GRID = 5_000, 256


@dataclass(frozen=True)
class Performance:
    """The reference of a release's quality.

    `excess` and `error`: the mean excess on unseen rows and its standard error; `spread` its deviation from row to
    row; `effect` how many rows count as one, since rows of one day or week err together; `gaps` how far the frequencies of
    its own weeks lay from the expected ones; `metrics` each metric's value and error; `slices` per column and slice (rows,
    summed loss and excess, design effect); `importance` how much the loss grows when a column is shuffled; `grid` inner
    edges by which scores are counted until their labels come; `tenths` the unseen rows by calibrated frequency (None of
    regression, and of releases from before they were kept).
    """

    task: str
    rows: int
    loss: float
    excess: float
    error: float
    spread: float
    effect: float
    gaps: Spread | None = None
    scale: float = 1.0
    curve: Curve = field(default_factory=Curve)
    bins: ErrorBins | None = None
    metrics: Mapping[str, tuple[float, float | None]] = field(default_factory=dict)
    cuts: Mapping[str, Cut] = field(default_factory=dict)
    slices: Mapping[str, Sequence[tuple[float, ...]]] = field(default_factory=dict)
    importance: Mapping[str, float] = field(default_factory=dict)
    grid: tuple[float, ...] = ()
    tenths: Bins | None = field(default=None, compare=False)

    @classmethod
    def of(
        cls,
        task: str,
        y: Any,
        p: Floats,
        *,
        seconds: Floats | None = None,
        classes: Sequence[Any] = (),
        inputs: pa.Table | None = None,
        importance: Mapping[str, float] | None = None,
        also: tuple[Floats, Floats, Floats, pa.Table] | None = None,
    ) -> Performance:
        """From unseen rows in order of time. `seconds`: their times since 1970. `also`: more rows (seen ones), which tell
        how rows of one day or week err together where unseen rows are of few weeks: labels and scores as `reduced` gives
        them, times and inputs."""
        codes, p = metrics.encoded(task, y, p, classes)
        happened, score = reduced(task, codes, p)
        curve, bins, scale = Curve(), None, 1.0
        if task == "regression":
            scale = float(np.quantile(np.abs(happened - score), 0.99)) or 1.0 if len(happened) else 1.0
            bins = ErrorBins.fit(score, happened)
        else:
            curve = Curve.fit(score, happened)
        first = cls(task, len(codes), 0.0, 0.0, 0.0, 1.0, 1.0, None, scale, curve, bins)
        parts = [(happened, score, seconds), *([also[:3]] if also else [])]
        losses = [first.losses(labels, given) for labels, given, _ in parts]
        excesses = [(real - due, when) for (real, due), (_, _, when) in zip(losses, parts, strict=True)]
        loss, excess = losses[0][0], excesses[0][0]
        known = _effect(excesses)
        weeks = [
            gap
            for labels, given, when in (parts if task != "regression" else ())
            for gap in gaps(curve.at(given), labels, when, WEEK)
        ]
        spread = float(excess.std()) if len(excess) else 1.0
        cuts = _cuts(inputs)
        scores: dict[str, tuple[float, float | None]] = {}
        if inputs is not None:
            scores = _scores(task, codes, p)
        return cls(
            task,
            len(codes),
            float(loss.mean()) if len(loss) else 0.0,
            float(excess.mean()) if len(loss) else 0.0,
            float(spread * np.sqrt(known / len(excess))) if len(excess) else 1.0,
            spread,
            known,
            spread_of(weeks) if len(weeks) >= FEWEST else None,
            scale,
            curve,
            bins,
            scores,
            cuts,
            {
                name: _with_effects(cut, name, inputs, loss, excesses, also[3] if also else None)
                for name, cut in cuts.items()
                if inputs is not None and inputs.num_rows == len(loss)
            },
            dict(importance or {}),
            tuple(np.unique(np.quantile(score, np.linspace(0, 1, GRID + 1)[1:-1])).tolist()) if len(score) else (),
            Bins.of(curve.at(score), happened) if task != "regression" and len(score) else None,
        )

    def losses(self, happened: Floats, score: Floats) -> tuple[Floats, Floats]:
        """Per row its loss and the one expected of it, both in [0, 1]; `happened` and `score` as `reduced` gives."""
        if self.task == "regression":
            loss = np.minimum(np.abs(happened - score) / self.scale, 1.0)
            absolute = self.bins.errors(score)[0] if self.bins else np.zeros(len(score))
            return loss, np.minimum(absolute / self.scale, 1.0)
        c = self.curve.at(score)
        if self.task == "multiclass_classification":
            return 1.0 - happened, 1.0 - c
        return (score - happened) ** 2, c * (1 - score) ** 2 + (1 - c) * score**2

    def fitted_again(self, before: Floats, after: Floats) -> Performance:
        """The same of a model fitted on more rows, which answers `after` where the one that was judged had answered `before`.

        It may stand a little higher or lower as a whole, and where scores hardly differ, all of them would lie beyond one
        step of the curve. Only the level is corrected, of a probability: how spread answers are for rows that it has learnt
        says nothing of others.

        >>> known = Performance("binary_classification", 0, 0, 0, 0, 1, 1, curve=Curve((0.2, 0.3), (0.1, 0.5)))
        >>> known.fitted_again(np.array([0.2, 0.3]), np.array([0.1, 0.2])).curve.at(np.array([0.1, 0.15])).round(2).tolist()
        [0.1, 0.3]
        """
        if self.task != "binary_classification" or not len(after):
            return self
        return replace(self, curve=self.curve.moved(float(after.mean() - before.mean())))

    def held_to(self, excess: float) -> Performance:
        """The same with another mean excess on unseen rows, and a mean loss higher or lower by as much."""
        return replace(self, excess=excess, loss=self.loss + excess - self.excess)

    @property
    def floor(self) -> float:
        """No excess lies below."""
        return -1.0

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {
            "format": FORMAT,
            "task": self.task,
            "rows": self.rows,
            **{name: getattr(self, name) for name in ("loss", "excess", "error", "spread", "effect", "scale")},
            "gaps": self.gaps.to_json() if self.gaps else None,
            "curve": [list(self.curve.scores), list(self.curve.frequencies)],
            "bins": [list(self.bins.edges), list(self.bins.absolute), list(self.bins.squared)] if self.bins else None,
            "metrics": {name: list(value) for name, value in self.metrics.items()},
            "cuts": {name: cut.to_json() for name, cut in self.cuts.items()},
            "slices": {name: [list(each) for each in rows] for name, rows in self.slices.items()},
            "importance": dict(self.importance),
            "grid": list(self.grid),
            "tenths": self.tenths.to_json() if self.tenths else None,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Performance:
        """Read what `to_json` wrote."""
        return cls(
            data["task"],
            data["rows"],
            data["loss"],
            data["excess"],
            data["error"],
            data["spread"],
            data["effect"],
            Spread(*data["gaps"]) if data.get("gaps") else None,
            data["scale"],
            Curve(*(tuple(part) for part in data["curve"])),
            ErrorBins(*(tuple(part) for part in data["bins"])) if data["bins"] else None,
            {name: (value[0], value[1]) for name, value in data["metrics"].items()},
            {name: Cut.from_json(cut) for name, cut in data["cuts"].items()},
            {name: [tuple(each) for each in rows] for name, rows in data["slices"].items()},
            dict(sorted(data["importance"].items(), key=lambda each: -each[1])),
            tuple(data["grid"]),
            Bins.from_json(data["tenths"]) if data.get("tenths") else None,
        )


def reduced(task: str, codes: Floats, p: Floats) -> tuple[Floats, Floats]:
    """Labels and predictions as two (n,) arrays: of several classes, whether the likeliest one was right and its
    probability (top-label calibration, Gupta & Ramdas, ICLR 2022)."""
    if task != "multiclass_classification":
        return codes, p
    return (p.argmax(axis=1) == codes).astype(np.float64), p.max(axis=1)


def confidence(task: str, p: Floats) -> Floats:
    """What `reduced` makes of predictions whose labels are not known."""
    return p.max(axis=1) if task == "multiclass_classification" and p.ndim == 2 else p


def design_effect(values: Floats, seconds: Floats | None, width: float) -> float:
    """How many rows of one stretch of `width` seconds count as one, at least 1: V(mean over stretches) against that of
    independent rows. 1 for fewer than four stretches.

    >>> days = np.repeat(np.arange(10.0), 50)
    >>> round(design_effect(np.tile([1.0, -1.0], 250), days * DAY, DAY), 1)
    1.0
    >>> design_effect(np.repeat(np.tile([1.0, -1.0], 5), 50), days * DAY, DAY) > 40
    True
    """
    if seconds is None or len(values) < 2 or values.var() == 0:
        return 1.0
    _, place = np.unique(np.floor(seconds / width), return_inverse=True)
    rows = np.bincount(place)
    sums = np.bincount(place, weights=values - values.mean())
    full = rows >= max(np.median(rows) / 2, 1)
    if full.sum() < 4:
        return 1.0
    return float(max(1.0, np.mean(sums[full] ** 2 / rows[full]) / values.var()))


def by_slice(cut: Cut, array: pa.Array, loss: Floats, excess: Floats) -> list[tuple[float, float, float]]:
    """Rows, summed loss and summed excess per slice."""
    place, size = cut.place(array), len(cut.names)
    parts = (np.ones(len(loss)), loss, excess)
    rows, losses, excesses = (np.bincount(place, weights=part, minlength=size) for part in parts)
    return [(float(a), float(b), float(c)) for a, b, c in zip(rows, losses, excesses, strict=True)]


def _effect(groups: Sequence[tuple[Floats, Floats | None]]) -> float:
    """The largest design effect over days and weeks of any of these rows."""
    return max(design_effect(values, seconds, width) for values, seconds in groups for width in (DAY, WEEK))


def _with_effects(
    cut: Cut,
    name: str,
    inputs: pa.Table,
    loss: Floats,
    excesses: Sequence[tuple[Floats, Floats | None]],
    also: pa.Table | None,
) -> list[tuple[float, ...]]:
    """`by_slice` of unseen rows, with each slice's design effect in these and in more rows: rows of one weather come on the
    same days."""
    tables = [inputs, *([also] if also is not None else [])]
    arrays = [table[name].combine_chunks() for table in tables]
    places = [cut.place(array) for array in arrays]
    found: list[tuple[float, ...]] = []
    for number, sums in enumerate(by_slice(cut, arrays[0], loss, excesses[0][0])):
        groups = [
            (excess[place == number], None if when is None else when[place == number])
            for place, (excess, when) in zip(places, excesses, strict=True)
        ]
        found.append((*sums, round(_effect(groups), 3)))
    return found


def _scores(task: str, codes: Floats, p: Floats) -> dict[str, tuple[float, float | None]]:
    """Every metric with its standard error; of many rows the error is taken from 5,000 evenly apart."""
    thin = np.linspace(0, len(codes) - 1, min(len(codes), MOST)).astype(np.int64) if len(codes) else np.array([], int)
    scores: dict[str, tuple[float, float | None]] = {}
    classes = [float(place) for place in range(p.shape[1])] if p.ndim == 2 else []
    for name, value in metrics.score(task, codes, p, classes).items():
        found = metrics.estimate(task, name, codes[thin], p[thin], classes)
        error = None if found.error is None else found.error * float(np.sqrt(len(thin) / len(codes)))
        scores[name] = (value, error)
    return scores


def _cuts(inputs: pa.Table | None) -> dict[str, Cut]:
    if inputs is None or not inputs.num_rows:
        return {}
    found = {name: Cut.of(inputs[name].combine_chunks()) for name in inputs.column_names}
    return {name: cut for name, cut in found.items() if cut is not None}
