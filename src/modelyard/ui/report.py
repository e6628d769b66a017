"""The page of a simulation: one self-contained HTML file, from the JSON of `yard simulate`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from modelyard.ui import charts, figures, timeline, verdict

Json = dict[str, Any]
WIDE, NARROW = 900, 380
LANES = (
    ("promotion", "new champion"),
    ("rollback", "rolled back"),
    ("canary", "canary step"),
    ("retrain", "retraining"),
    ("alarm", "alarm"),
)


def render(simulation: Json, *, title: str) -> str:
    """The page as text; `simulation` is the JSON of `yard simulate` (DESIGN §9), with `variants` or without.

    With several variants the page tells the story of the best one and shows the others beside it.
    """
    blocks = simulation.get("variants") or [{**simulation, "name": "policy"}]
    told = verdict.best(blocks)
    page = _environment().get_template("report.html.j2")
    return page.render(
        title=title,
        span=_span(told["windows"], simulation.get("span")),
        headline=verdict.headline(told["summary"]),
        sentences=_sentences(blocks, told),
        cards=_cards(told),
        figure=_figure(blocks, told),
        metric=verdict.metric_name(told["summary"]["metric"]),
        better=verdict.better(told["summary"]),
        rows=_rows(told),
        several=len(blocks) > 1,
        told=told,
        variants=_variants(blocks, told) if len(blocks) > 1 else [],
        others=_others(told),
        groups=timeline.groups(told["events"]),
        seconds=simulation["summary"].get("seconds"),
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("modelyard.ui"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=figures.number, signed=figures.signed)
    return environment


def _span(windows: list[Json], span: Json | None) -> str:
    if span:
        return f"{figures.day(span['from'])} – {figures.day(span['to'])}"
    return f"{figures.day(windows[0]['start'])} – {figures.day(windows[-1]['end'])}" if windows else ""


def _labelled(block: Json) -> int:
    return int(block["summary"].get("rows") or sum(window["rows"] for window in block["windows"]))


def _sentences(blocks: list[Json], told: Json) -> list[str]:
    summary = told["summary"]
    said = (
        verdict.comparison(summary, _labelled(told)),
        verdict.record(summary, told["windows"]),
        verdict.work(summary),
        verdict.choice(blocks),
    )
    return [sentence for sentence in said if sentence]


def _cards(told: Json) -> list[Json]:
    """The figures at the top: (label, figure, style)."""
    summary = told["summary"]
    metric = verdict.metric_name(summary["metric"])
    cards = [
        {"label": f"{metric}, policy", "figure": figures.number(summary.get("policy")), "style": "policy"},
        {"label": f"{metric}, static", "figure": figures.number(summary.get("static")), "style": "static"},
    ]
    words = {"retrains": "retrainings", "promotions": "new champions", "rollbacks": "rollbacks", "alerts": "alarms"}
    cards += [{"label": text, "figure": summary[key], "style": ""} for key, text in words.items() if key in summary]
    return cards


def _rows(block: Json) -> list[Json]:
    """The table of windows, each with its gain and the length of its bar in percent of the largest."""
    way = verdict.better(block["summary"])
    gains = [figures.gain(w["policy"], w["static"], way) for w in block["windows"]]
    largest = max((abs(gain) for gain in gains if gain is not None), default=0.0) or 1.0
    return [
        {
            **window,
            "name": figures.period(window["start"], window["end"]),
            "gain": gain,
            "bar": round(50 * abs(gain or 0.0) / largest, 1),
            "standing": figures.standing(window["policy"], window["static"], way),
        }
        for window, gain in zip(block["windows"], gains, strict=True)
    ]


def _figure(blocks: list[Json], told: Json) -> dict[str, Markup]:
    """The chart of quality over time, drawn wide and narrow."""
    lines = [_series("static", "static", told, "static")]
    if len(blocks) > 1:
        shown = {block["name"]: _short(block["name"], blocks) for block in blocks}
        lines += [
            _series(shown[block["name"]], "policy" if block is told else f"other other-{number % 3}", block, "policy")
            for number, block in enumerate(blocks)
        ]
    else:
        lines.append(_series("policy", "policy", told, "policy"))
    marks = [
        charts.Mark(_time(event["at"]), timeline.lane(event), f"{figures.day(event['at'])}: {event['why']}")
        for event in told["events"]
    ]
    title = f"{verdict.metric_name(told['summary']['metric'])} over time, policy against static, with events"
    return {
        name: Markup(charts.draw(lines, marks, LANES, width=width, title=title))
        for name, width in (("wide", WIDE), ("narrow", NARROW))
    }


def _series(name: str, style: str, block: Json, column: str) -> charts.Series:
    points = tuple(
        (
            _time(window["start"]),
            _time(window["end"]),
            window[column],
            f"{figures.period(window['start'], window['end'])}, {name}: {figures.number(window[column])}"
            f" ({window['rows']:,} rows)",
        )
        for window in block["windows"]
    )
    return charts.Series(name, style, points)


def _short(name: str, blocks: list[Json]) -> str:
    """A variant's name without the path that all variants share: `models.late.window=90d` is `window=90d`."""
    paths = {block["name"].rpartition("=")[0] for block in blocks}
    return name.rpartition(".")[2] if len(paths) == 1 and "," not in name else name


def _variants(blocks: list[Json], told: Json) -> list[Json]:
    return [
        {
            "name": block["name"],
            "best": block is told,
            "summary": {"retrains": None, "promotions": None, "rollbacks": None, "alerts": None, **block["summary"]},
            "gain": figures.gain(
                block["summary"].get("policy"), block["summary"].get("static"), verdict.better(block["summary"])
            ),
        }
        for block in blocks
    ]


def _others(told: Json) -> list[Json]:
    """Deployments beside the first, each with its own figures."""
    named = list(told.get("deployments", {}).items())[1:]
    return [{"name": name, "metric_name": verdict.metric_name(item["metric"]), **item} for name, item in named]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
