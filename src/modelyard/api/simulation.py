"""The operation `simulate`: play a policy over recorded history, and write its report."""

from __future__ import annotations

from typing import Any

from modelyard.api.context import Context, parse_time
from modelyard.errors import InputError
from modelyard.loop.simulate import simulate as play
from modelyard.loop.variants import Choice
from modelyard.spec.values import parse_duration
from modelyard.store.home import parse


def simulate(context: Context, *, start: str, end: str, step: str = "1d", vary: tuple[str, ...] = ()) -> dict[str, Any]:
    """Play the project from `start` to `end`; `vary` holds texts such as `models.late.window=90d,365d`."""
    project = context.project()
    low, high = parse_time(start), parse_time(end)
    assert low is not None and high is not None
    try:
        length = parse_duration(step)
    except ValueError as error:
        raise InputError(f"{step!r}: {error}", where="--step") from error
    if length.total_seconds() <= 0:
        raise InputError("a step takes some time", where="--step", hint="Give a duration such as 1d.")
    return play(
        project,
        parse(context.home).files,
        start=low,
        end=high,
        step=length,
        variants=tuple(choice(text) for text in vary),
        progress=context.progress,
    )


def choice(text: str) -> Choice:
    """Read `PATH=VALUE,VALUE`."""
    path, equals, values = text.partition("=")
    if not equals or not path or not all(values.split(",")):
        raise InputError(f"{text!r} is not a choice", where="--vary", hint="Write --vary models.late.window=90d,365d")
    return path.strip(), tuple(value.strip() for value in values.split(","))
