"""The ground of a plan: what is declared, what the sources look like, what is recorded. Reads; changes nothing."""

from __future__ import annotations

from datetime import datetime

from modelyard.plan import Plan, Recorded, make
from modelyard.records import Alias, Declaration, Deployment, Release, Request, Version
from modelyard.spec import Project
from modelyard.spec.fingerprints import fingerprints
from modelyard.spec.sources import digests
from modelyard.store import Store


def survey(project: Project, store: Store | None, *, as_of: datetime) -> tuple[Plan, dict[str, dict[str, str]]]:
    """Plan the difference between the declaration and the records; also the fingerprints that it is based on.

    Without a store nothing is recorded yet, and everything is new.
    """
    parts = fingerprints(project)
    sources = digests(project.data, project.spec.sources)
    return make(project.spec, parts, sources, recorded(store), as_of), parts


def recorded(store: Store | None) -> Recorded:
    """What the store remembers that a plan depends on."""
    if store is None:
        return Recorded()
    return Recorded(
        declaration=latest_declaration(store),
        versions=latest_versions(store),
        releases=store.read(Release, order="id"),
        aliases=store.read(Alias, order="id"),
        deployments=store.read(Deployment, order="id"),
        requests=store.read(Request, state="open", order="id"),
    )


def latest_declaration(store: Store) -> Declaration | None:
    """The declaration applied last."""
    found = store.read(Declaration, order="id", descending=True, limit=1)
    return found[0] if found else None


def latest_versions(store: Store) -> dict[str, Version]:
    """The newest version of each dataset, feature view and model."""
    return {version.entity: version for version in store.read(Version, order="id")}
