"""Operations on what is declared: validate, plan. They start fast, and create nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from modelyard.api.context import Context, parse_time
from modelyard.errors import InputError, NotFound
from modelyard.loop.ground import survey
from modelyard.spec import Project
from modelyard.spec.advice import advice
from modelyard.store import Store

Json = dict[str, Any]


def validate(context: Context) -> Json:
    """Read the declaration and name every mistake in it; `warnings` are what will not do what it says."""
    spec = context.project().spec
    kinds = ("sources", "datasets", "features", "models", "deployments", "monitors", "triggers")
    declared = {kind: sorted(getattr(spec, kind)) for kind in kinds}
    return {"project": spec.project, "errors": [], "warnings": list(advice(spec)), **declared}


def plan(context: Context, *, as_of: str | None = None) -> Json:
    """Say what apply would do, and why. Creates nothing."""
    project = context.project()
    moment = parse_time(as_of)
    made, _ = survey(project, existing(context, project), as_of=moment or context.clock.now())
    return {**made.as_json(), "as_of": moment.isoformat() if moment else None}


def existing(context: Context, project: Project) -> Store | None:
    try:
        return context.store(project)
    except NotFound:
        return None


def load_frozen(path: Path) -> Json:
    """Read a plan written by `yard plan --out`."""
    try:
        frozen = json.loads(path.read_text())
        frozen["digest"], frozen["changes"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{path} is not a plan", hint="Write one with `yard plan --out FILE`.") from None
    return frozen
