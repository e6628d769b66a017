"""Figures as people read them: numbers, metric names, dates, and which of two figures is better."""

from __future__ import annotations

from datetime import datetime

METRICS = {
    "log_loss": "log loss",
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "brier": "Brier score",
    "rmse": "RMSE",
    "mae": "MAE",
    "mape": "MAPE",
    "r2": "R²",
    "f1": "F1",
}
EVEN = 0.001  # two figures closer than this share of the static one are called even


def metric_name(metric: str) -> str:
    """The name of a metric in a sentence.

    >>> metric_name("log_loss"), metric_name("mean_pinball_loss")
    ('log loss', 'mean pinball loss')
    """
    return METRICS.get(metric, metric.replace("_", " "))


def number(value: float | None, digits: int = 4) -> str:
    """A figure with `digits` significant digits, a thousands separator, and a dash where there is none.

    >>> number(0.49991), number(1234567), number(12.3), number(None)
    ('0.4999', '1,234,567', '12.30', '–')
    """
    if value is None:
        return "–"
    if float(value).is_integer() and abs(value) >= 10:
        return f"{value:,.0f}".replace("-", "−")
    if abs(value) >= 1000:
        return f"{value:,.1f}".replace("-", "−")
    return f"{value:#.{digits}g}".replace("-", "−")


def distance(value: float) -> str:
    """The size of a difference.

    >>> distance(-0.0123), distance(2.5), distance(0.00001234)
    ('0.0123', '2.50', '1.23e−05')
    """
    size = abs(value)
    return f"{size:.4f}" if 0.0005 <= size < 1 else number(size, 3)


def signed(value: float | None) -> str:
    """A difference, with its sign.

    >>> signed(0.0123), signed(-2.5), signed(0.0), signed(None)
    ('+0.0123', '−2.50', '0', '–')
    """
    if value is None:
        return "–"
    return "0" if value == 0 else ("+" if value > 0 else "−") + distance(value)


def percent(share: float) -> str:
    """A share of one, as a percentage.

    >>> percent(0.0213)
    '2.1%'
    """
    return f"{abs(share):.1%}"


def day(text: str) -> str:
    """The date of an ISO time: `1 Apr 2013`.

    >>> day("2013-04-01T00:00:00+00:00")
    '1 Apr 2013'
    """
    time = datetime.fromisoformat(text)
    return f"{time.day} {time:%b %Y}"


def period(start: str, end: str) -> str:
    """A window's name: its month when it is (part of) one, else its first day.

    >>> period("2013-04-01T00:00:00+00:00", "2013-05-01T00:00:00+00:00")
    'April 2013'
    """
    low, high = datetime.fromisoformat(start), datetime.fromisoformat(end)
    inside = high.month == low.month or (high.day == 1 and (high - low).days <= 31)
    return f"{low:%B %Y}" if inside and (high - low).days > 14 else day(start)


def gain(policy: float | None, static: float | None, better: str) -> float | None:
    """How much better the policy is than the static model, in the metric's unit: positive is better.

    >>> round(gain(0.50, 0.51, "lower"), 3), gain(None, 0.5, "higher")
    (0.01, None)
    """
    if policy is None or static is None:
        return None
    return static - policy if better == "lower" else policy - static


def standing(policy: float | None, static: float | None, better: str) -> str:
    """`ahead`, `behind`, `even`, or `unknown`.

    >>> standing(0.50, 0.51, "lower"), standing(0.5101, 0.51, "lower"), standing(0.6, 0.7, "higher")
    ('ahead', 'even', 'behind')
    """
    more = gain(policy, static, better)
    if more is None or static is None:
        return "unknown"
    if abs(more) <= EVEN * abs(static):
        return "even"
    return "ahead" if more > 0 else "behind"
