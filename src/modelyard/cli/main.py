"""`yard`: the command line. Words become calls of the door's operations; results become words, JSON and exit codes.

Rooms are imported inside commands, so that `yard --help` starts fast.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import click

from modelyard.cli import building, releases, watching
from modelyard.cli.command import Words, yard
from modelyard.cli.output import fail
from modelyard.errors import InputError, YardError

INTERNAL, INTERRUPTED = 70, 130
COMMANDS = (building, releases, watching)
"""What gives `yard` its commands, by being imported."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    said = Words()
    try:
        with _ctrl_c():
            code = yard.main(arguments, prog_name="yard", obj=said, standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        said.progress.close()
        click.echo("interrupted: nothing half-done is visible, a second run goes on", err=True)
        # The interpreter would wait for threads of libraries, which may be far from an end.
        os._exit(INTERRUPTED)
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


@contextmanager
def _ctrl_c() -> Iterator[None]:
    """After Ctrl-C, whatever error ends the block is a KeyboardInterrupt: a library that it fell into may raise one of its
    own instead (DuckDB does: RuntimeError, "Query interrupted"). A second one ends the process at once: a library may take
    long to let go of what it does."""
    came = False

    def heard(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = True
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        with suppress(OSError):
            os.write(2, b"\ninterrupting: once more ends at once\n")
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, heard)
    try:
        yield
    except Exception as error:
        if came:
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, before)


if __name__ == "__main__":
    main()
