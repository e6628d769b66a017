"""A deployment as it stands, with the releases of its model: what decisions are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from modelyard.records import Alias, Audit, Deployment, Release
from modelyard.release.names import name
from modelyard.release.state import Rollout, Situation
from modelyard.spec.deployments import DeploymentSpec
from modelyard.spec.strategies import Strategy
from modelyard.store import Store, Transaction

TRIABLE = ("approved", "rolling_out", "live")
"""States in which a release may be tried in a deployment: approved, or already with another deployment of its model."""


@dataclass(frozen=True)
class Place:
    """One deployment as it stands, and the releases of its model."""

    name: str
    spec: DeploymentSpec | None
    record: Deployment | None
    releases: dict[str, Release]
    situation: Situation

    @property
    def warm(self) -> tuple[str, ...]:
        """Releases kept loaded for a rollback by hand, the last champion first."""
        return tuple(self.record.routes.get("warm", ())) if self.record else ()

    @property
    def strategy(self) -> Strategy:
        """The declared strategy."""
        return self.spec.strategy if self.spec else Strategy()

    def called(self, release: str) -> str:
        """`late@3` for a digest."""
        found = self.releases.get(release)
        return name(found) if found else release[:12]


def look(store: Store | Transaction, deployment: str, spec: DeploymentSpec | None = None) -> Place:
    """The deployment as it stands. Without `spec`, of the model that it serves."""
    record = store.one(Deployment, name=deployment)
    model = spec.model if spec else (record.model if record else "")
    releases = {release.digest: release for release in store.read(Release, model=model, order="number")}
    champion = _champion(record) if record is not None and record.model == model else None
    rollout = Rollout.of(record.rollout) if record is not None and champion else None
    warm = record.routes.get("warm", ()) if record is not None else ()
    situation = Situation(
        champion,
        rollout,
        _candidate(store, model, releases, champion, rollout),
        warm[0] if warm else None,
        _switched(store, deployment, spec),
    )
    return Place(deployment, spec, record, releases, situation)


SWITCHES = ("rollout.replaced", "rollout.promoted", "rollout.rolled_back", "rollout.drilled")


def _switched(store: Store | Transaction, deployment: str, spec: DeploymentSpec | None) -> datetime | None:
    """When traffic last went to another release; asked only where drills are declared."""
    declared = spec.strategy.blue_green if spec is not None else None
    if declared is None or declared.drill is None:
        return None
    subject = f"deployment.{deployment}"
    last = store.read(Audit, action=SWITCHES, subject=subject, order="id", descending=True, limit=1)
    return last[0].at if last else None


def _champion(record: Deployment) -> str | None:
    found = [arm["release"] for arm in record.routes.get("arms", ()) if arm["arm"] == "champion"]
    return found[0] if found else None


def _candidate(
    store: Store | Transaction,
    model: str,
    releases: Mapping[str, Release],
    champion: str | None,
    rollout: Rollout | None,
) -> str | None:
    """The release to try next: the model's champion in a new deployment, else the newest after what is here."""
    triable = [release for release in releases.values() if release.state in TRIABLE]
    if champion is None:
        alias = store.one(Alias, model=model, alias="champion")
        serving = [release for release in triable if alias is not None and release.number == alias.number]
        first = serving or triable[-1:]
        return first[0].digest if first else None
    here = [releases[each].number for each in (champion, *(rollout.challengers if rollout else ())) if each in releases]
    later = [release for release in triable if release.number > max(here, default=0)]
    return later[-1].digest if later else None
