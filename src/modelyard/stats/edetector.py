"""Has a mean risen above what it was? Asked after every row, for ever, with a bounded rate of false alarms.

An e-detector (Shin, Ramdas, Rinaldo, "E-detectors", New England Journal of Statistics in Data Science 2023; harmful
shift as in Podkopaev & Ramdas, ICLR 2022) of CUSUM's form: with bets `L_i = 1 + λ(x_i - m)`, whose mean is at most 1
while that of `x_i` is at most `m`,

    M_t = max(M_{t-1}, 1) · L_t,        alarm when M_t ≥ A.

No distribution is assumed but a lower bound of the values. The mean time until a false alarm is at least A rows. λ is
not chosen but mixed over a grid: the mean of e-detectors is one. (Shiryaev and Roberts' form, M + 1 in place of the
maximum, holds the same promise with less to spare: of 50 streams of 20,000 rows it alarmed on 8, this one on 1.)

Rows of one day or week err together. With design effect d, n rows are worth n/d: log L is divided by d. A power below
one of an e-value is an e-value (Jensen), so that the promise holds for independent rows whatever d is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
RUN_LENGTH = 20_000
"""Rows until a false alarm, at the least and on average."""
TOLERANCE = 0.005
"""A rise of the mean loss by less is no harm."""
BETS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64)
"""λ as shares of its largest possible value, each as likely as the others."""
MOST = 300.0
"""The largest logarithm of evidence that is told; the state itself goes on."""


@dataclass(frozen=True)
class EDetector:
    """Evidence that the mean of values, none below `floor`, exceeds `limit`; a value, `update` gives the next one.

    `logs` are the logarithms of M per bet, `rows` how many were seen. The alarm latches: `alarmed` is the number of
    rows at which it rose, or None.

    >>> calm = EDetector.above(0.2).update(np.tile([1.0, 0, 0, 0, 0], 1000))
    >>> calm.alarmed is None, calm.update(np.ones(60)).alarmed
    (True, 5010)
    """

    limit: float
    run_length: float = RUN_LENGTH
    floor: float = 0.0
    logs: tuple[float, ...] = field(default=(-np.inf,) * len(BETS))
    rows: int = 0
    alarmed: int | None = None

    @classmethod
    def above(
        cls, mean: float, *, tolerance: float = TOLERANCE, run_length: float = RUN_LENGTH, floor: float = 0.0
    ) -> EDetector:
        """Watch for a mean more than `tolerance` above `mean`."""
        return cls(mean + tolerance, run_length, floor)

    def update(self, values: Floats, *, shift: Floats | float = 0.0, effect: float = 1.0) -> EDetector:
        """After these values in order of time. `shift`: by how much the limit is higher for each (its season).

        `effect` ≥ 1 is the design effect of rows that err together.
        """
        values = np.asarray(values, dtype=np.float64)
        if not len(values):
            return self
        limit = np.minimum(self.limit + shift, 1e300)
        bets = np.array(BETS)[:, None] / np.maximum(limit - self.floor, 1e-12)
        increments = np.log1p(np.maximum(bets * (values - limit), -1 + 1e-12)) / max(effect, 1.0)
        whole = np.cumsum(increments, axis=1)
        # M_t is the largest product of bets that ends at t, wherever it began.
        begun = np.concatenate([np.array(self.logs)[:, None], increments - whole], axis=1)
        path = whole + np.maximum.accumulate(begun, axis=1)[:, 1:]
        evidence = np.logaddexp.reduce(path, axis=0) - np.log(len(BETS))
        alarmed = self.alarmed
        if alarmed is None and (over := np.flatnonzero(evidence >= np.log(self.run_length))).size:
            alarmed = self.rows + int(over[0]) + 1
        return EDetector(
            self.limit, self.run_length, self.floor, tuple(path[:, -1].tolist()), self.rows + len(values), alarmed
        )

    @property
    def mixed(self) -> float:
        """The e-value now: `run_length` alarms. However long an alarm lasts, it stays a number."""
        return float(np.exp(min(np.logaddexp.reduce(np.array(self.logs)) - np.log(len(BETS)), MOST)))

    @property
    def evidence(self) -> float:
        """The e-value as a share of what alarms: 1 alarms."""
        return self.mixed / self.run_length

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {
            "limit": self.limit,
            "run_length": self.run_length,
            "floor": self.floor,
            "logs": [None if np.isinf(each) else round(each, 6) for each in self.logs],
            "rows": self.rows,
            "alarmed": self.alarmed,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> EDetector:
        """Read what `to_json` wrote."""
        logs = tuple(-np.inf if each is None else float(each) for each in data["logs"])
        return cls(data["limit"], data["run_length"], data["floor"], logs, data["rows"], data["alarmed"])
