"""Commands that declare, build and serve: init, validate, schema, plan, apply, status, up, simulate, doctor, help."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from modelyard.cli import show
from modelyard.cli.command import Words, words, yard
from modelyard.cli.output import emit

CHANGES = 3
PORT = click.IntRange(1, 65535)


@yard.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--from",
    "data",
    type=click.Path(path_type=Path),
    help="A table: .csv, .csv.gz, .csv.zip or .parquet, a folder of such files, or a quoted pattern.",
)
@click.option("--target", help="The column to predict.")
@click.option("--time", help="The column with each row's time [found by looking].")
@click.option("--name", help="The project's name [from DIR].")
@words
def init(
    said: Words, directory: Path, data: Path | None, target: str | None, time: str | None, name: str | None
) -> None:
    """Write a new project: from a table of yours, or a small example that runs as it is."""
    from modelyard.api.scaffold import init as write

    files = write(directory, data=data, target=target, time=time, name=name)
    said.tell({"files": [str(path) for path in files]}, lambda value: show.init(value, directory))


@yard.command()
@words
def validate(said: Words) -> None:
    """Read yard.yaml and name every mistake in it, with file, line and column."""
    said.tell(said.door().validate(), show.validate)


@yard.command()
def schema() -> None:
    """Print the JSON Schema of yard.yaml, for editors."""
    from modelyard.spec import json_schema

    emit(json_schema())


@yard.command()
@click.option("--as-of", metavar="TIME", help="Plan for the world as it was known then.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the plan to a file, for `yard apply FILE`.")
@click.option(
    "--detailed-exitcode", is_flag=True, help="Exit with 3 when there are changes to make, not only to record."
)
@words
def plan(said: Words, as_of: str | None, out: Path | None, detailed_exitcode: bool) -> None:
    """Say what apply would do, and why. Changes nothing."""
    made = said.door().plan(as_of=as_of)
    if out is not None:
        out.write_text(json.dumps(made, indent=2))
    said.tell(made, show.plan)
    if detailed_exitcode and any(change["category"] != "none" for change in made["changes"]):
        sys.exit(CHANGES)


@yard.command()
@click.argument("frozen", metavar="[PLAN]", required=False, type=click.Path(path_type=Path))
@click.option("--as-of", metavar="TIME", help="Apply to the world as it was known then.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@words
def apply(said: Words, frozen: Path | None, as_of: str | None, yes: bool) -> None:
    """Make the declaration so: build, train, judge, release, deploy. A second run goes on where the first stopped."""
    from modelyard.api.declaring import load_frozen

    door = said.door()
    plan = load_frozen(frozen) if frozen else None
    if not yes and plan is None and sys.stdin.isatty() and not said.json:
        made = door.plan(as_of=as_of)
        show.plan(made)
        if made["changes"]:
            click.confirm("Apply these changes?", abort=True, default=True)
    applied = door.apply(as_of=as_of, frozen=plan)
    said.tell(applied, show.applied)
    if not applied["ok"]:
        sys.exit(1)


@yard.command()
@words
def status(said: Words) -> None:
    """Say what serves, what is pending and what is wrong."""
    said.tell(said.door().status(), show.status)


@yard.command()
@click.option("--api-port", type=PORT, default=8600, show_default=True, help="Control API.")
@click.option("--gateway-port", type=PORT, default=8601, show_default=True, help="Predictions and feedback.")
@click.option(
    "--workers", type=click.IntRange(1, 256), help="Gateway processes; default: as declared (`replicas`), else 1."
)
@click.option(
    "--every",
    type=click.FloatRange(0.05, 86400),
    default=5.0,
    show_default=True,
    help="Seconds between turns of the controller.",
)
@words
def up(said: Words, api_port: int, gateway_port: int, workers: int | None, every: float) -> None:
    """Run the gateway, the control API and the controller until Ctrl-C."""
    from modelyard.api.context import Context
    from modelyard.api.up import run

    context = Context.of(said.directory, said.home, said.env, said.progress)
    run(
        context,
        api_port=api_port,
        gateway_port=gateway_port,
        workers=workers,
        every=every,
        pages="modelyard.ui.console:pages",
    )


@yard.command()
@click.option("--from", "start", required=True, metavar="TIME", help="Where the simulation begins.")
@click.option("--to", "end", required=True, metavar="TIME", help="Where it ends.")
@click.option("--step", default="1d", show_default=True, help="Time between turns of the controller.")
@click.option("--report", type=click.Path(path_type=Path), help="Write a self-contained HTML page.")
@click.option("--vary", multiple=True, metavar="KEY=A,B,…", help="Play variants, e.g. models.late.window=90d,365d")
@words
def simulate(said: Words, start: str, end: str, step: str, report: Path | None, vary: tuple[str, ...]) -> None:
    """Play the policy over recorded history: what would retraining, canaries and thresholds have done?"""
    result = said.door().simulate(start=start, end=end, step=step, vary=vary)
    if report is not None:
        from modelyard.ui.report import render

        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(render(result, title=result["project"]), encoding="utf-8")
    said.tell(result, lambda value: show.simulated(value, report))


@yard.command()
@words
def doctor(said: Words) -> None:
    """Check what Modelyard needs here: Python, libraries, the home, the declaration."""
    from modelyard.api.doctor import examine

    report = examine(said.directory, said.home, said.env)
    said.tell(report, show.doctor)
    if not report["ok"]:
        sys.exit(1)


@yard.command("help")
@click.argument("topic", nargs=-1, metavar="[TOPIC]")
@click.pass_context
def explain_topic(context: click.Context, topic: tuple[str, ...]) -> None:
    """Explain a command, or a term of the glossary; without a topic, list both."""
    from modelyard.cli import glossary

    command = yard.get_command(context, topic[0]) if topic else None
    parent = context.parent or context
    for word in topic[1:]:
        command = command.get_command(context, word) if isinstance(command, click.Group) else None
    if command is not None:
        if definition := glossary.terms().get(" ".join(topic)):
            click.echo(f"{' '.join(topic)}: {definition}\n")
        click.echo(command.get_help(click.Context(command, info_name=" ".join(topic), parent=parent)))
    elif topic:
        for term, definition in glossary.lookup(" ".join(topic)).items():
            click.echo(f"{term}: {definition}")
    else:
        click.echo(yard.get_help(parent))
        click.echo(f"\nTerms (`yard help TERM`): {', '.join(glossary.terms())}")
