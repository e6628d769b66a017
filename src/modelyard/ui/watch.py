"""The page of `yard monitor show --html`: for each alarm its message and picture, and the figures over time."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from modelyard.monitor.course import USUAL
from modelyard.ui import bars, charts

Json = dict[str, Any]
WIDTH = 900
ORDER = ("page", "warn", "info", "insufficient_data", "ok")
WORDS = {
    "page": "page",
    "warn": "warning",
    "info": "for information",
    "insufficient_data": "insufficient data",
    "ok": "ok",
}


def render(shown: Json, *, title: str) -> str:
    """The page as text, from the JSON of `yard monitor show`."""
    environment = Environment(
        loader=PackageLoader("modelyard.ui"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("watch.html.j2").render(
        title=title, monitors=[_monitor(each) for each in shown["monitors"]], words=WORDS
    )


def _monitor(seen: Json) -> Json:
    last: dict[str, Json] = {}
    for each in seen["observations"]:
        last.setdefault(each["kind"], each)
    alarming = {alarm["kind"] for alarm in seen["alarms"]}
    kinds = sorted(last.values(), key=lambda each: (ORDER.index(each["level"]), each["kind"]))
    return {
        "name": seen["monitor"],
        "headline": headline(seen),
        "alarms": [
            {**alarm, "text": _text(alarm), "series": _charts(seen["series"], {alarm["kind"]})}
            for alarm in seen["alarms"]
        ],
        "pictures": [{**each, "svg": Markup(_drawn(each))} for each in seen["pictures"]],
        "series": _charts(seen["series"], {each["kind"] for each in seen["series"]} - alarming),
        "kinds": kinds,
        "end": kinds[0]["end"][:16].replace("T", " ") if kinds else "",
    }


def _text(alarm: Json) -> str:
    """What was told when it rose, and how it stands now, where that is something else."""
    now = f" Now: {alarm['now']}" if alarm["now"] else ""
    return f"{alarm['message'] or alarm['says']}{now}"


def headline(seen: Json) -> str:
    """How the monitor stands, in a sentence; what is not known is not called well."""
    if not seen["observations"]:
        return "It has not looked yet."
    if seen["alarms"]:
        first = [alarm for alarm in seen["alarms"] if not alarm["part_of"]] or seen["alarms"]
        worst, *others = [f"{each['kind']} alarms since {each['since'][:10]}" for each in first]
        return ", ".join([worst, *(each.replace(" alarms", "") for each in others)]) + "."
    unknown = [kind for kind, level in seen["levels"].items() if level == "insufficient_data"]
    if unknown:
        return f"No alarm, but of {', '.join(unknown)} too little is known."
    return "Nothing alarms."


def _drawn(each: Json) -> str:
    title = f"{each['column']}, reference against now"
    if each["form"] == "values":
        return bars.pairs(each["labels"], each["before"], each["after"], title=title)
    return bars.histogram(each["edges"], each["before"], each["after"], title=title)


def _charts(series: list[Json], kinds: set[str]) -> list[Markup]:
    """One chart per figure of these kinds: their units have nothing in common. Each look is drawn at the end of its window."""
    found = {(each["kind"], each["name"]): each["points"] for each in series}
    drawn = []
    for (kind, name), points in found.items():
        if kind not in kinds or len(points) < 2 or name.endswith(USUAL) or not any(value for *_, value in points):
            continue
        usual = found.get((kind, f"{name}{USUAL}"), [])
        lines = [charts.Series("now", "policy", _points(points))]
        lines += [charts.Series("usual", "static", _points(usual))] if usual else []
        svg = charts.draw(lines, [], [], width=WIDTH, title=name)
        drawn.append(Markup("<figure>{}<figcaption>{}</figcaption></figure>").format(Markup(svg), name))
    return drawn


GAP = 2.5
"""Where so many usual distances lie between two looks, nothing was known: no line leads across."""


def _points(points: list[list[Any]]) -> tuple[tuple[datetime, datetime, float | None, str], ...]:
    ends = [(datetime.fromisoformat(end), value) for _, end, value in points]
    apart = [later - earlier for (earlier, _), (later, _) in pairwise(ends)]
    usual = sorted(apart)[len(apart) // 2] if apart else timedelta(0)
    drawn: list[tuple[datetime, datetime, float | None, str]] = []
    for place, (end, value) in enumerate(ends):
        if place and apart[place - 1] > GAP * usual:
            drawn.append((end, end, None, ""))
        drawn.append((end, end, value, f"{end:%Y-%m-%d %H:%M}: {value:.4g}"))
    return tuple(drawn)
