"""What a simulation found, in one sentence and a few more; honest where the policy did not pay."""

from __future__ import annotations

from typing import Any

from modelyard.spec.metrics import METRICS
from modelyard.ui.figures import distance, gain, metric_name, number, percent, period, standing

Json = dict[str, Any]


def better(summary: Json) -> str:
    """Whether `higher` or `lower` is better for the metric of a summary."""
    known = {name: way for metrics in METRICS.values() for name, way in metrics.items()}
    return str(summary.get("better") or known.get(summary["metric"], "lower"))


def best(blocks: list[Json]) -> Json:
    """The variant with the best policy; one without a figure is never it, unless all are."""
    way = better(blocks[0]["summary"])
    sign = 1 if way == "higher" else -1
    known = [block for block in blocks if block["summary"].get("policy") is not None]
    return max(known, key=lambda block: sign * block["summary"]["policy"]) if known else blocks[0]


def headline(summary: Json) -> str:
    """The sentence at the top."""
    match standing(summary.get("policy"), summary.get("static"), better(summary)):
        case "ahead":
            return "The policy beat the static model."
        case "behind":
            return "The policy did not pay: the static model was better."
        case "even":
            return "The policy and the static model did equally well."
        case _:
            return "Nothing can be said yet: there are no labelled rows to compare on."


def comparison(summary: Json, rows: int) -> str:
    """The figures behind the headline."""
    policy, static = summary.get("policy"), summary.get("static")
    more = gain(policy, static, better(summary))
    if more is None or not static:
        return f"{rows:,} labelled rows."
    less = (policy or 0) < static
    change = "the same" if more == 0 else f"{percent(more / static)} {'lower' if less else 'higher'}"
    name, way = metric_name(summary["metric"]), better(summary)
    return (
        f"{name[0].upper()}{name[1:]} {number(policy)} against {number(static)} ({change}; {way} is better) "
        f"over {rows:,} labelled rows."
    )


def record(summary: Json, windows: list[Json]) -> str:
    """In how many windows the policy was ahead, and where it lost most."""
    way = better(summary)
    judged = [window for window in windows if gain(window["policy"], window["static"], way) is not None]
    if len(judged) < 2:
        return ""
    gains = {period(w["start"], w["end"]): gain(w["policy"], w["static"], way) or 0.0 for w in judged}
    ahead = sum(standing(w["policy"], w["static"], way) == "ahead" for w in judged)
    high, low = max(gains, key=lambda name: gains[name]), min(gains, key=lambda name: gains[name])
    text = f"Ahead in {ahead} of {len(judged)} windows"
    if gains[high] > 0:
        text += f", most in {high} (by {distance(gains[high])})"
    if gains[low] < 0:
        text += f"; behind most in {low} (by {distance(gains[low])})"
    return text + "."


def work(summary: Json) -> str:
    """What the policy cost and did, as a sentence."""
    said = counted(summary)
    return f"It took {', '.join(said[:-1])} and {said[-1]}." if len(said) > 1 else ""


def counted(summary: Json) -> list[str]:
    """How many retrainings, new champions, rollbacks and alarms there were."""
    parts = (
        ("retrains", "retraining", "retrainings"),
        ("promotions", "new champion", "new champions"),
        ("rollbacks", "rollback", "rollbacks"),
        ("alerts", "alarm", "alarms"),
    )
    return [f"{summary[key]} {one if summary[key] == 1 else many}" for key, one, many in parts if key in summary]


def choice(blocks: list[Json]) -> str:
    """Which variant was best, and by how much over the worst."""
    way, winner = better(blocks[0]["summary"]), best(blocks)
    figures = [b["summary"]["policy"] for b in blocks if b["summary"].get("policy") is not None]
    if len(figures) < 2:
        return ""
    if max(figures) == min(figures):
        return f"All {len(blocks)} variants came out the same."
    other = max(figures) if way == "lower" else min(figures)
    return (
        f"Best of {len(blocks)} variants: {winner['name']}, with {number(winner['summary']['policy'])}; "
        f"the worst had {number(other)}."
    )
