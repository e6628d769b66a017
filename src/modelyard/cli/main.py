"""`yard`: the command line. Words become calls of the door's operations; results become words, JSON and exit codes.

Rooms are imported inside commands, so that `yard --help` starts fast.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelyard import __version__
from modelyard.cli import show
from modelyard.cli.drifted import drifted
from modelyard.cli.output import Progress, emit, fail
from modelyard.errors import InputError, YardError

if TYPE_CHECKING:
    from modelyard.api.door import Door

INTERNAL, INTERRUPTED, CHANGES = 70, 130, 3
PORT = click.IntRange(1, 65535)


class Words:
    """What a user said before the command's own words: project, home, environment, form of output."""

    def __init__(self) -> None:
        self.directory = "."
        self.home: str | None = None
        self.env = "dev"
        self.json = False
        self.progress = Progress()

    def door(self) -> Door:
        """The door to the project: in this process, or over HTTP when YARD_URL is set."""
        from modelyard.api.door import open_door

        return open_door(self.directory, self.home, self.env, progress=self.progress)

    def tell(self, value: Any, shown: Any = None) -> None:
        """Print a result: as JSON when asked, else through `shown(value)`."""
        self.progress.close()
        if self.json or shown is None:
            emit(value)
        else:
            shown(value)


words = click.make_pass_decorator(Words, ensure=True)


def _set(name: str) -> Any:
    def callback(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value not in (None, False):
            setattr(context.ensure_object(Words), name, value)

    return callback


def _common(command: Any) -> Any:
    """The options of every command, in front of it or behind it."""
    for option in (
        click.option(
            "--json",
            "as_json",
            is_flag=True,
            expose_value=False,
            callback=_set("json"),
            help="One JSON document on standard output.",
        ),
        click.option("--env", metavar="NAME", expose_value=False, callback=_set("env"), help="Environment [dev]."),
        click.option(
            "--home",
            metavar="DIR|URL",
            expose_value=False,
            callback=_set("home"),
            help="Where the state is [.yard in the project; YARD_HOME].",
        ),
        click.option(
            "--project",
            metavar="DIR",
            expose_value=False,
            callback=_set("directory"),
            help="The project's folder [here].",
        ),
    ):
        command = option(command)
    return command


class Yard(click.Group):
    """The command group: every command gets the common options and one way to fail."""

    def command(self, *args: Any, **kwargs: Any) -> Any:
        """Register a command, with the common options."""
        make = super().command(*args, **kwargs)
        return lambda function: make(_common(function))

    def group(self, *args: Any, **kwargs: Any) -> Any:
        """Register a group whose commands get the common options too."""
        kwargs.setdefault("cls", Yard)
        return super().group(*args, **kwargs)


@click.group(cls=Yard, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="yard")
@_common
def yard() -> None:
    """Modelyard: declare data, features, models, checks, approval, serving and watching in yard.yaml; make it so; keep
    it so.

    \b
    A first round:   yard init DIR --from data.csv --target y
                     yard plan --project DIR      what would happen, and why
                     yard apply --project DIR     make it so
                     yard up --project DIR        serve, watch, renew

    Exit codes: 0 done, 1 a check failed or the operation was refused, 2 bad input, 3 the plan has changes (with
    --detailed-exitcode), 70 internal error, 130 interrupted.
    """


@yard.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--from", "data", type=click.Path(path_type=Path), help="A table: .csv, .csv.gz, .csv.zip or .parquet.")
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
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 3 when there are changes.")
@words
def plan(said: Words, as_of: str | None, out: Path | None, detailed_exitcode: bool) -> None:
    """Say what apply would do, and why. Changes nothing."""
    made = said.door().plan(as_of=as_of)
    if out is not None:
        out.write_text(json.dumps(made, indent=2))
    said.tell(made, show.plan)
    if detailed_exitcode and made["changes"]:
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
    run(context, api_port=api_port, gateway_port=gateway_port, workers=workers, every=every)


@yard.group()
def release() -> None:
    """Look at releases, approve them, roll back, reproduce."""


@release.command("list")
@words
def release_list(said: Words) -> None:
    """Every release, with its state and aliases."""
    said.tell(said.door().release_list(), show.releases)


@release.command("show")
@click.argument("ref", metavar="RELEASE")
@words
def release_show(said: Words, ref: str) -> None:
    """One release: what it binds, how it was judged, what happened to it."""
    said.tell(said.door().release_show(ref=ref), show.release)


@release.command("approve")
@click.argument("ref", metavar="RELEASE")
@click.option("--role", help="The role in which you approve [the first that the model asks for].")
@click.option("--reason", default="", help="Why.")
@words
def release_approve(said: Words, ref: str, role: str | None, reason: str) -> None:
    """Approve a release (its digest). Who: YARD_ACTOR, or the system's user."""
    said.tell(said.door().release_approve(ref=ref, role=role, reason=reason), show.decided)


@release.command("reject")
@click.argument("ref", metavar="RELEASE")
@click.option("--role", help="The role in which you reject.")
@click.option("--reason", default="", help="Why.")
@words
def release_reject(said: Words, ref: str, role: str | None, reason: str) -> None:
    """Reject a release (its digest)."""
    said.tell(said.door().release_reject(ref=ref, role=role, reason=reason), show.decided)


@release.command("promote")
@click.argument("ref", metavar="RELEASE")
@click.option("--deployment", help="Only in this deployment [every one that tries it].")
@click.option("--reason", default="", help="Why.")
@words
def release_promote(said: Words, ref: str, deployment: str | None, reason: str) -> None:
    """Make a release that is being tried the champion, whatever its guards know yet."""
    said.tell(said.door().release_promote(ref=ref, deployment=deployment, reason=reason), show.promoted)


@release.command("rollback")
@click.argument("ref", metavar="DEPLOYMENT|MODEL")
@click.option("--reason", default="", help="Why.")
@words
def release_rollback(said: Words, ref: str, reason: str) -> None:
    """Put the last champion back, at once."""
    said.tell(said.door().release_rollback(ref=ref, reason=reason), show.rolled_back)


@release.command("diff")
@click.argument("a", metavar="RELEASE")
@click.argument("b", metavar="RELEASE")
@words
def release_diff(said: Words, a: str, b: str) -> None:
    """What differs between two releases: data, features, code, parameters, packages, metrics."""
    said.tell(said.door().release_diff(a=a, b=b))


@release.command("reproduce")
@click.argument("ref", metavar="RELEASE")
@words
def release_reproduce(said: Words, ref: str) -> None:
    """Build a release again from what the store holds alone, and compare."""
    report = said.door().release_reproduce(ref=ref)
    said.tell(report, show.reproduced)
    if not report["agrees"]:
        sys.exit(1)


@release.command("checkout")
@click.argument("ref", metavar="RELEASE")
@click.argument("folder", metavar="DIR")
@words
def release_checkout(said: Words, ref: str, folder: str) -> None:
    """Write a release's project, code and lock into a new folder."""
    said.tell(said.door().release_checkout(ref=ref, folder=folder), show.checked_out)


@yard.command()
@click.argument("deployment")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), help="Where the answers go: .csv, .parquet."
)
@words
def predict(said: Words, deployment: str, source: Path, out: Path) -> None:
    """Answer every row of a file through a deployment, and log the answers."""
    said.tell(said.door().predict(deployment=deployment, source=source, out=out), show.predicted)


@yard.command()
@click.argument("deployment")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@words
def feedback(said: Words, deployment: str, source: Path) -> None:
    """Give labels from a file: request_id, row, label; or the dataset's key columns and label."""
    said.tell(said.door().feedback(deployment=deployment, source=source), show.fed_back)


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
        report.write_text(render(result, title=result["project"]))
    said.tell(result, lambda value: show.simulated(value, report))


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
    """Compare two files (CSV, also .gz and .zip, or Parquet), column by column and as whole rows; needs no project.
    Exit code 1 when something warns."""
    from modelyard.api.drift import drift as compare

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
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


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


@yard.command()
@words
def doctor(said: Words) -> None:
    """Check what Modelyard needs here: Python, libraries, the home, the declaration."""
    from modelyard.api.doctor import examine

    report = examine(said.directory, said.home, said.env)
    said.tell(report, show.doctor)
    if not report["ok"]:
        sys.exit(1)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    said = Words()
    try:
        code = yard.main(arguments, prog_name="yard", obj=said, standalone_mode=False)
    except click.exceptions.Abort:
        said.progress.close()
        click.echo("interrupted: nothing half-done is visible, a second run goes on", err=True)
        sys.exit(INTERRUPTED)
    except KeyboardInterrupt:
        said.progress.close()
        click.echo("interrupted: nothing half-done is visible, a second run goes on", err=True)
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        if "--json" in (sys.argv[1:] if arguments is None else arguments):
            fail(InputError(error.format_message(), hint="See `yard --help`."), as_json=True)
        else:
            error.show()
        sys.exit(2)
    except YardError as error:
        said.progress.close()
        fail(error, as_json=said.json)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if os.environ.get("YARD_DEBUG"):
            raise
        said.progress.close()
        place = None if error.filename is None else os.fsdecode(error.filename)
        reason = error.strerror or str(error)
        fail(
            InputError(f"the system refused: {reason}", where=place, hint="Check path, rights and free space."),
            as_json=said.json,
        )
        sys.exit(2)
    except Exception as error:
        if os.environ.get("YARD_DEBUG"):
            raise
        said.progress.close()
        click.echo(f"internal error: {type(error).__name__}: {error}", err=True)
        click.echo("This is a defect of Modelyard. Run again with YARD_DEBUG=1 for the trace.", err=True)
        sys.exit(INTERNAL)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
