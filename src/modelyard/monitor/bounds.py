"""What a metric must keep: the declared bounds, or the release's own figure less the declared tolerance."""

from __future__ import annotations

from modelyard.records import Release
from modelyard.spec.monitors import Quality
from modelyard.stats import metrics

Bounds = tuple[float | None, float | None]


def bounds(quality: Quality | None, release: Release, metric: str) -> Bounds:
    """(at least, at most); None where there is no bound."""
    if quality is None or quality.metric != metric:
        return None, None
    low, high = quality.min, quality.max
    at_release = (release.body.get("metrics") or {}).get("test") or {}
    if quality.tolerance is not None and metric in at_release:
        room = quality.tolerance.absolute(at_release[metric])
        if metrics.better(metric) == "higher":
            low = max(filter(None, (low, at_release[metric] - room)))
        else:
            limit = at_release[metric] + room
            high = limit if high is None else min(high, limit)
    return low, high
