"""Between two turns of the controller: look at every rollout's guards twice a second, and act when one has failed.

The truth is the prediction log, read where gateways write it, before it is moved. A turn may train for minutes; this look
waits for nothing, needs no lease (a change is made against the revision it was decided from), and only ever takes traffic
away from a release, or finishes a switch that every gateway has made.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

from modelyard import release, serve
from modelyard.loop.beside import beside
from modelyard.loop.ground import latest_declaration
from modelyard.records import Deployment
from modelyard.spec.deployments import DeploymentSpec
from modelyard.store import Store

EVERY = 0.5
ACTOR = "controller"


class Guards:
    """The rollouts of one project under watch: what was read of each deployment's log so far."""

    def __init__(self, store: Store, progress: Callable[[str], None]) -> None:
        self._store = store
        self._progress = progress
        self._tails: dict[str, serve.Tail] = {}
        self._declared: tuple[int | None, dict[str, DeploymentSpec]] = (None, {})

    def look(self) -> None:
        """Look once at every deployment that is trying something."""
        trying = {each.name for each in self._store.read(Deployment) if each.rollout}
        self._tails = {name: tail for name, tail in self._tails.items() if name in trying}
        for name, spec in self._specs().items() if trying else ():
            if name in trying:
                self._guard(name, spec)

    def _guard(self, name: str, spec: DeploymentSpec) -> None:
        tail = self._tails.setdefault(name, serve.Tail(self._store, name))
        decision = release.guard(
            self._store,
            name,
            spec,
            now=self._store.clock.now(),
            actor=ACTOR,
            live=tail.rows(),
            running=partial(serve.running, self._store, name),
            ejected=serve.ejected(self._store, name),
        )
        if decision is not None:
            self._progress(f"deployment.{name}: {decision.says}")

    def _specs(self) -> dict[str, DeploymentSpec]:
        """The deployments as they were applied last."""
        declaration = latest_declaration(self._store)
        number = declaration.id if declaration is not None else None
        if declaration is not None and number != self._declared[0]:
            specs = declaration.spec.get("deployments", {})
            self._declared = number, {name: DeploymentSpec.model_validate(each) for name, each in specs.items()}
        return self._declared[1]


def guarding(store: Store, progress: Callable[[str], None], *, every: float = EVERY) -> AbstractContextManager[None]:
    """Within the block a thread looks `every` so many seconds."""
    return beside("guards", Guards(store, progress).look, progress, every=every)
