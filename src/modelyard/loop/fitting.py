"""Whether a deployment's declared input rules fit the model that will answer there: known once its inputs are."""

from __future__ import annotations

import json

from modelyard.errors import InputError
from modelyard.loop.yard import Yard
from modelyard.records import Release
from modelyard.serve import policy


def check_inputs(yard: Yard, name: str) -> None:
    """InputError with all rules of the deployment that its model's newest release cannot follow; none is ignored."""
    spec = yard.project.spec.deployments[name]
    newest = next(iter(yard.store.read(Release, model=spec.model, order="number", descending=True, limit=1)), None)
    if newest is None or not spec.inputs:
        return
    signature = newest.body["signature"]
    known = json.loads(yard.store.blobs.get(signature)) if isinstance(signature, str) else signature
    wrong = [f"inputs.{column}: {says}" for column, says in policy.mistakes(known, spec.inputs)]
    if wrong:
        raise InputError("; ".join(wrong), where=f"deployments.{name}", hint=f"See {spec.model}@{newest.number}.")
