"""The page of `yard drift`: for each alarm the picture, reference against now; one self-contained HTML file."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from modelyard.stats.drift import ColumnResult, severity
from modelyard.stats.frames import JOINT, Comparison
from modelyard.stats.picture import Picture, picture
from modelyard.ui import bars

Json = dict[str, Any]
MOST = 60
"""Columns with a picture: a page of thousands is read by nobody."""
ROWS = {"repeated": "repeat another row", "replayed": "in the reference"}
WORDS = {"page": "page", "warn": "warning", "info": "for information"}


def render(found: Comparison, *, names: tuple[str, str]) -> str:
    """The page as text; `names` are those of the two tables."""
    environment = Environment(
        loader=PackageLoader("modelyard.ui"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    told = [result for result in found.results if severity(result.verdict) >= 1]
    return environment.get_template("drift.html.j2").render(
        names=names,
        rows=found.rows,
        headline=headline(found),
        cards=_cards(found),
        shown=[_shown(result, found) for result in told[:MOST]],
        more=len(told) - MOST,
        table=[_line(result) for result in found.results],
    )


def headline(found: Comparison) -> str:
    """The sentence at the top: how many columns alarm.

    What is said of whole rows or of all columns together is counted as a finding beside the columns.
    """
    alarms = [result for result in found.results if severity(result.verdict) >= 2]
    judged = [result for result in found.results if result.verdict != "insufficient_data"]
    if not judged:
        return "Too little data to say anything."
    if not alarms:
        return "Nothing has drifted."
    columns = sum(not result.column.startswith("(") for result in alarms)
    parts = [f"{columns} of {_count(found)} columns drifted"] if columns else []
    parts += [_of_rows(result) for result in alarms if result.column.startswith("(")]
    text = ", and ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _count(found: Comparison) -> int:
    return sum(not result.column.startswith("(") for result in found.results)


def _of_rows(result: ColumnResult) -> str:
    if result.kinds == ("rows",):
        return "hardly any rows are left" if result.after["rows"] else "no rows are left"
    if "repeated_keys" in result.before:
        return "keys repeat"
    said = {"duplicates": "rows repeat", "replay": "old rows came again", "joint": "columns changed together"}
    return said.get(result.kinds[0], "rows changed")


def _cards(found: Comparison) -> list[tuple[str, str]]:
    counts = {word: sum(result.verdict == level for result in found.results) for level, word in WORDS.items()}
    return [
        ("rows in the reference", f"{found.rows['reference']:,}"),
        ("rows now", f"{found.rows['current']:,}"),
        *((word, str(count)) for word, count in counts.items()),
    ]


def _shown(result: ColumnResult, found: Comparison) -> Json:
    column = found.reference.columns.get(result.column)
    now = found.current.columns.get(result.column)
    drawn = picture(column, now.tally) if column is not None and now is not None else None
    return {
        **_line(result),
        "of": drawn.of if drawn else "",
        "picture": Markup(_drawn(drawn, result.column)) if drawn and result.kinds != ("missing",) else "",
        "missing": Markup(_shares(result, found.rows)),
        "before": _figures(result.before),
        "after": _figures(result.after),
    }


def _shares(result: ColumnResult, rows: Json) -> str:
    """Two bars of each side, for what no distribution shows; `rows` are the figures of whole rows."""
    if result.column == JOINT:
        auc = float(result.after["auc"])
        return bars.pairs(
            ("told right", "told wrong"), (0.5, 0.5), (auc, 1 - auc), title="a row of each side, told apart"
        )
    gone = result.kinds == ("schema",) and not result.after
    if not gone and "missing" not in result.kinds:
        return _repeated(result, rows)
    before, after = float(result.before.get("missing", 0.0)), 1.0 if gone else float(result.after["missing"])
    return bars.pairs(
        ("missing", "a value"), (before, 1 - before), (after, 1 - after), title=f"{result.column}, missing values"
    )


def _repeated(result: ColumnResult, rows: Json) -> str:
    """Shares of whole rows, of which no column has a picture."""
    if result.kinds == ("rows",):
        return bars.pairs(("rows",), (1.0,), (rows["current"] / rows["reference"],), title="rows, of the reference's")
    if "repeated_keys" in result.before:
        ends = ((result.before, rows["reference"]), (result.after, rows["current"]))
        before, after = (each["repeated_keys"] / max(size, 1) for each, size in ends)
        labels, first, second = ("key came before", "a new key"), (before, 1 - before), (after, 1 - after)
        return bars.pairs(labels, first, second, title=f"{result.column}, repeated keys")
    shares = {name: said for name, said in ROWS.items() if name in result.before and name in result.after}
    known, now = ([float(each[name]) for name in shares] for each in (result.before, result.after))
    return bars.pairs(list(shares.values()), known, now, title="whole rows") if shares else ""


def _drawn(drawn: Picture, name: str) -> str:
    title = f"{name}, reference against now"
    if drawn.kind == "values":
        return bars.pairs(drawn.labels, drawn.before, drawn.after, title=title)
    return bars.histogram(drawn.edges, drawn.before, drawn.after, title=title)


def _line(result: ColumnResult) -> Json:
    return {
        "column": result.column,
        "verdict": result.verdict.replace("_", " "),
        "style": result.verdict,
        "kinds": ", ".join(result.kinds),
        "psi": None if result.psi is None else f"{max(result.psi, 0):.3f}",
        "p": None if result.p_value is None else f"{result.p_value:.2g}" if result.p_value else "< 1e-300",
        "says": result.says.removeprefix(f"{result.column}: "),
    }


def _figures(values: Json) -> str:
    """A window in a few figures: `median 40.1, mean 40.2, missing 1.0%`."""
    shown = []
    for name, value in values.items():
        if name == "missing" and isinstance(value, float):
            shown.append(f"missing {value:.1%}")
        elif isinstance(value, (int, float)) and name != "rows":
            shown.append(f"{name.replace('_', ' ')} {value:{',' if abs(value) >= 10_000 else ''}}")
        elif isinstance(value, str):
            shown.append(f"{name} {value}")
    return ", ".join(shown)
