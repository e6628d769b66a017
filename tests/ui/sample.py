"""A simulation's JSON as `yard simulate` writes it, small and made up, with the shapes of every kind of event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

POLICY = (0.594, 0.461, 0.545, 0.554, 0.505, 0.378, 0.433, 0.444, 0.588)
STATIC = (0.594, 0.468, 0.570, 0.590, 0.513, 0.391, 0.448, 0.441, 0.584)
KINDS = (
    ("retrain", "late", "schedule: 28d since the last training"),
    ("release", "late@{n}", "checks passed: roc_auc 0.71 (at least 0.62); log_loss 6% better than the baseline"),
    ("approval", "late@{n}", "approved by the simulated model_owner after 1d"),
    ("canary", "late-api", "late@{n} answers 100% in shadow"),
    ("canary", "late-api", "late@{n} takes 5% of traffic: log_loss no worse than the margin of 2%"),
    ("promotion", "late-api", "late@{n} is champion: every step passed"),
)


def simulation(policy: tuple[float | None, ...] = POLICY, static: tuple[float | None, ...] = STATIC) -> dict[str, Any]:
    """Nine months; the figures of the summary are plain means of the windows'."""
    months = [datetime(2013, month, 1, tzinfo=UTC) for month in range(4, 13)] + [datetime(2013, 12, 31, tzinfo=UTC)]
    windows = [
        {
            "start": low.isoformat(),
            "end": high.isoformat(),
            "rows": 27_000 + 11 * n,
            "policy": p,
            "static": s,
            "release": f"late@{n + 1}",
        }
        for n, (low, high, p, s) in enumerate(zip(months, months[1:], policy, static, strict=False))
    ]
    events = []
    for n, low in enumerate(months[:8]):
        for step, (kind, subject, why) in enumerate(KINDS):
            at = (low + timedelta(days=2 * step + n)).isoformat()
            events.append({"at": at, "kind": kind, "subject": subject.format(n=n + 2), "why": why.format(n=n + 2)})
        events.append(
            {
                "at": (low + timedelta(days=14)).isoformat(),
                "kind": "drift",
                "subject": "late-health",
                "why": "temp: median 39.0 → 62.1, PSI 0.41; dewp: median 24 → 51, PSI 0.38",
            }
        )
    events.append(
        {
            "at": "2013-08-20T00:00:00+00:00",
            "kind": "rollback",
            "subject": "late-api",
            "why": "log_loss of late@5 worse than the margin of 2% on 3,100 paired rows",
        }
    )
    known = [(p, s) for p, s in zip(policy, static, strict=True) if p is not None and s is not None]
    mean = (lambda i: sum(pair[i] for pair in known) / len(known)) if known else (lambda i: None)
    return {
        "project": "flights",
        "span": {"from": months[0].isoformat(), "to": months[-1].isoformat(), "step_seconds": 86400.0},
        "summary": {
            "metric": "log_loss",
            "better": "lower",
            "policy": mean(0),
            "static": mean(1),
            "rows": sum(w["rows"] for w in windows),
            "windows": len(windows),
            "retrains": 8,
            "promotions": 8,
            "rollbacks": 1,
            "alerts": 8,
            "seconds": 97.3,
        },
        "windows": windows,
        "events": sorted(events, key=lambda event: event["at"]),
        "deployments": {},
    }
