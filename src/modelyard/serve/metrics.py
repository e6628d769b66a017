"""Counters and a latency histogram in Prometheus' text format."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
HELP = {
    "modelyard_requests_total": "Requests by deployment, operation and HTTP status.",
    "modelyard_rows_total": "Rows answered, by deployment, arm and release.",
    "modelyard_unlogged_rows": "Rows answered though the log could not be written (`when_full: answer`).",
    "modelyard_warnings_total": "Warnings about rows, by deployment and code.",
    "modelyard_policy_total": "Values that the input policy acted on, by deployment, input, code and action.",
    "modelyard_refusals_total": "Requests that were not answered, by deployment and code.",
    "modelyard_shadows_dropped_total": "Requests that shadows did not answer because too many were waiting.",
    "modelyard_slo_requests_total": "Requests that count for a declared service level, by deployment and objective.",
    "modelyard_slo_bad_total": "Those of them that broke it.",
    "modelyard_slo_budget_left": "The share of an objective's budget that is left; below 0 it is broken.",
    "modelyard_request_seconds": "Time from a request's last byte to its answer.",
}
Labels = tuple[tuple[str, str], ...]


class Metrics:
    """What a gateway process has counted since it started; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, dict[Labels, float]] = {}
        self._buckets: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def count(self, name: str, by: float = 1, **labels: str) -> None:
        """Add to a counter."""
        key = tuple(sorted(labels.items()))
        with self._lock:
            counts = self._counts.setdefault(name, {})
            counts[key] = counts.get(key, 0) + by

    def time(self, seconds: float, **labels: str) -> None:
        """Put a duration into the histogram `modelyard_request_seconds`."""
        self.times((seconds,), **labels)

    def times(self, durations: Sequence[float], **labels: str) -> None:
        """Put many durations into it."""
        key = tuple(sorted(labels.items()))
        with self._lock:
            buckets = self._buckets.setdefault(key, [0] * (len(BUCKETS) + 1))
            for seconds in durations:
                buckets[bisect_left(BUCKETS, seconds)] += 1
            self._sums[key] = self._sums.get(key, 0.0) + sum(durations)

    def text(self, gauges: Mapping[str, Mapping[Labels, float]]) -> str:
        """All of it, and `gauges` as they are now."""
        with self._lock:
            lines = [line for name, values in self._counts.items() for line in _lines(name, "counter", values.items())]
            lines += self._histogram()
        lines += [line for name, values in gauges.items() for line in _lines(name, "gauge", values.items())]
        return "\n".join(lines) + "\n"

    def _histogram(self) -> list[str]:
        name = "modelyard_request_seconds"
        lines = [f"# HELP {name} {HELP[name]}", f"# TYPE {name} histogram"] if self._buckets else []
        for key, buckets in self._buckets.items():
            below = 0
            for edge, number in zip([*map(str, BUCKETS), "+Inf"], buckets, strict=True):
                below += number
                lines.append(f"{name}_bucket{_shown((*key, ('le', edge)))} {below}")
            lines += [f"{name}_sum{_shown(key)} {self._sums[key]:.6f}", f"{name}_count{_shown(key)} {below}"]
        return lines


def _lines(name: str, kind: str, values: Iterable[tuple[Labels, float]]) -> list[str]:
    head = [f"# HELP {name} {HELP[name]}"] if name in HELP else []
    return [*head, f"# TYPE {name} {kind}", *(f"{name}{_shown(key)} {value:g}" for key, value in values)]


def _shown(labels: Labels) -> str:
    escaped = (f'{name}="{_escape(value)}"' for name, value in labels)
    return "{" + ",".join(escaped) + "}" if labels else ""


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
