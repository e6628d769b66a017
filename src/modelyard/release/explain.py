"""Why a release serves, is being tried, or is gone: one sentence from the records, with what the guards say beside it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from modelyard.records import Audit, Deployment, Release
from modelyard.release.decide import findings
from modelyard.release.names import name
from modelyard.release.place import look
from modelyard.release.rollout import consider
from modelyard.release.state import Rollout
from modelyard.release.story import ACTIONS
from modelyard.spec.deployments import DeploymentSpec
from modelyard.store import Store

_TOLD = frozenset(ACTIONS) - {"rollout.drill_started", "rollout.drilled"}


def explain(
    store: Store, release: Release, deployments: Mapping[str, DeploymentSpec], *, now: datetime
) -> dict[str, Any]:
    """`{"says", "guards"}`: what is decided about a release now, or was decided last, and by which findings.

    Each guard has its verdict, what was seen, margin, alpha and bounds; `data` names the rows it was seen on.
    """
    for record in store.read(Deployment, order="name"):
        rollout, spec = Rollout.of(record.rollout), deployments.get(record.name)
        if rollout is not None and spec is not None and release.digest in rollout.challengers:
            decision, evidence = consider(store, record.name, spec, now=now)
            seen = look(store, record.name, spec).situation.rollout or rollout
            guards = findings(seen, spec.strategy, evidence).get(release.digest, ())
            says = f"{name(release)} is tried in {record.name} ({rollout.kind.replace('_', ' ')}): {decision.says}"
            return {"says": says, "guards": [each.as_json() for each in guards]}
    called = name(release)
    entries = [
        entry
        for entry in store.read(Audit, action=tuple(_TOLD), order="id")
        if called in (entry.detail.get("release"), entry.detail.get("superseded"))
    ]
    if not entries:
        return {
            "says": f"{called} is {release.state.replace('_', ' ')}; nothing has been decided about it",
            "guards": [],
        }
    last = entries[-1]
    where = f" in {last.subject.partition('.')[2]}" if last.subject.startswith("deployment.") else ""
    says = f"{last.at:%Y-%m-%d %H:%M:%S}{where}, by {last.actor}: {last.detail.get('why', '')}"
    told: dict[str, Any] = {key: last.detail[key] for key in ("data", "compared", "strategy") if key in last.detail}
    return {"says": says, "guards": last.detail.get("guards", []), **told}
