"""The command `yard` itself: the options of every command, what a user said by them, and how results are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from modelyard.cli.output import Progress, emit

if TYPE_CHECKING:
    from modelyard.api.door import Door


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


NOT_BUILT = ("export", "score", "token")
"""Commands of the design that are not there yet; they are refused as such."""


def _version(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from modelyard.cli.version import version

        click.echo(f"yard, version {version()}")
        context.exit()


class Yard(click.Group):
    """The command group: every command gets the common options and one way to fail."""

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        """The command that is meant."""
        if context.parent is None and args[0] in NOT_BUILT:
            context.fail(f"known, but not built yet: `{args[0]}`")
        return super().resolve_command(context, args)

    def command(self, *args: Any, **kwargs: Any) -> Any:
        """Register a command, with the common options."""
        make = super().command(*args, **kwargs)
        return lambda function: make(_common(function))

    def group(self, *args: Any, **kwargs: Any) -> Any:
        """Register a group whose commands get the common options too."""
        kwargs.setdefault("cls", Yard)
        return super().group(*args, **kwargs)


@click.group(cls=Yard, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version.")
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
