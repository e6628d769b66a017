"""Commands that look: monitor ..., kpi ..., trigger ..., alert ..., drift, audit ...."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import click

from modelyard.cli import show
from modelyard.cli.command import Words, words, yard


@yard.group()
def monitor() -> None:
    """Look at what monitors saw, or let them look now."""


@monitor.command("run")
@words
def monitor_run(said: Words) -> None:
    """Let every monitor look now."""
    said.tell(said.door().monitor_run(), show.monitors)


@monitor.command("show")
@click.argument("name", required=False)
@click.option("--html", type=click.Path(path_type=Path), help="Write the pictures: a self-contained page.")
@click.option("--from", "start", metavar="TIME", help="Judge what was answered from here on.")
@click.option("--to", "end", metavar="TIME", help="Up to here [now].")
@words
def monitor_show(said: Words, name: str | None, html: Path | None, start: str | None, end: str | None) -> None:
    """What monitors saw, newest first, and what alarms now; read from profiles and records, never from rows."""
    result = said.door().monitor_show(name=name, start=start, end=end)
    if html is not None:
        from modelyard.ui.watch import render

        html.parent.mkdir(parents=True, exist_ok=True)
        html.write_text(render(result, title=name or "all monitors"), encoding="utf-8")
    said.tell(result, lambda value: show.monitors(value, html))


@yard.group()
def kpi() -> None:
    """Business figures: what releases moved, and what models returned."""


@kpi.command("show")
@click.argument("name", required=False)
@words
def kpi_show(said: Words, name: str | None) -> None:
    """What each release moved in each figure, and the return on each model."""
    said.tell(said.door().kpi_show(name=name), show.kpis)


@kpi.command("push")
@click.argument("name")
@click.option("--time", required=True, metavar="TIME", help="When it was so.")
@click.option("--value", required=True, type=float, help="The figure.")
@click.option("--arm", default="", help="The arm of a trial that it was seen in [all].")
@words
def kpi_push(said: Words, name: str, time: str, value: float, arm: str) -> None:
    """Record a value; another value for the same time is a correction."""
    said.tell(said.door().kpi_push(name=name, time=time, value=value, arm=arm), show.pushed)


@yard.group()
def trigger() -> None:
    """Look at what triggers would do."""


@trigger.command("explain")
@click.argument("name", required=False)
@words
def trigger_explain(said: Words, name: str | None) -> None:
    """Why a trigger fires now or does not, condition by condition."""
    said.tell(said.door().trigger_explain(name=name), show.triggers)


@yard.group()
def alert() -> None:
    """What people must know: look, take over, end."""


@alert.command("list")
@click.option("--state", type=click.Choice(["open", "acknowledged", "resolved"]), help="Only these.")
@click.option("--limit", type=click.IntRange(1, 2**31 - 1), default=50, show_default=True)
@words
def alert_list(said: Words, state: str | None, limit: int) -> None:
    """Alerts, newest first, and who was told."""
    said.tell(said.door().alert_list(state=state, limit=limit), show.alerts)


@alert.command("ack")
@click.argument("number", metavar="ALERT", type=click.IntRange(1, 2**31 - 1))
@click.option("--note", default="", help="What you know, or do.")
@words
def alert_ack(said: Words, number: int, note: str) -> None:
    """Take an alert over: it stays, and is not escalated."""
    said.tell(said.door().alert_ack(number=number, note=note), show.alert)


@alert.command("resolve")
@click.argument("number", metavar="ALERT", type=click.IntRange(1, 2**31 - 1))
@click.option("--note", default="", help="What it was.")
@words
def alert_resolve(said: Words, number: int, note: str) -> None:
    """Say that an alert is over. If its cause is seen again, a new one rises."""
    said.tell(said.door().alert_resolve(number=number, note=note), show.alert)


@yard.command()
@click.argument("reference", type=click.Path(path_type=Path))
@click.argument("current", type=click.Path(path_type=Path))
@click.option("--key", metavar="A,B", help="Columns that name a row: no values, and must not come twice.")
@click.option("--time", metavar="COLUMN", help="Each row's time: the reference's own weeks then say what is usual.")
@click.option("--columns", metavar="A,B", help="Look at these columns only.")
@click.option("--exclude", metavar="A,B", help="Pass these columns over.")
@click.option(
    "--min-rows", type=click.IntRange(1, 2**31 - 1), default=200, show_default=True, help="Fewer say nothing."
)
@click.option("--no-joint", is_flag=True, help="Leave out the classifier that looks at all columns at once.")
@click.option("--html", type=click.Path(path_type=Path), help="Write the pictures: a self-contained page.")
@words
def drift(
    said: Words,
    reference: Path,
    current: Path,
    key: str | None,
    time: str | None,
    columns: str | None,
    exclude: str | None,
    min_rows: int,
    no_joint: bool,
    html: Path | None,
) -> None:
    """Compare two files (CSV, also .gz and .zip, or Parquet, also a folder of it), column by column and as whole rows; needs
    no project. Exit code 1 when something warns."""
    from modelyard.api.drift import drift as compare
    from modelyard.cli.drifted import drifted

    found = compare(
        reference,
        current,
        key=_names(key),
        time=time,
        columns=_names(columns),
        exclude=_names(exclude),
        min_rows=min_rows,
        together=not no_joint,
    )
    if html is not None:
        from modelyard.ui.drift import render

        html.parent.mkdir(parents=True, exist_ok=True)
        html.write_text(render(found, names=(reference.name, current.name)), encoding="utf-8")
    said.tell(found.as_json(), lambda value: drifted(value, html))
    if any(result.verdict in ("warn", "page") for result in found.results):
        sys.exit(1)


def _names(text: str | None) -> tuple[str, ...]:
    """Names as a line of CSV has them: one that holds a comma stands in double quotes."""
    return tuple(filter(None, next(csv.reader([text or ""], skipinitialspace=True), ())))


@yard.group()
def audit() -> None:
    """Who did what, and whether the trail is whole."""


@audit.command("list")
@click.option("--limit", type=click.IntRange(1, 2**31 - 1), default=50, show_default=True)
@words
def audit_list(said: Words, limit: int) -> None:
    """The newest entries."""
    said.tell(said.door().audit_list(limit=limit), show.audit)


@audit.command("verify")
@words
def audit_verify(said: Words) -> None:
    """Check the trail's hash chain; exit code 1 and the first bad entry when it does not hold."""
    result = said.door().audit_verify()
    said.tell(result, show.verified)
    if not result["ok"]:
        sys.exit(1)
