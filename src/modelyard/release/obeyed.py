"""What gateways obey: the routing table of a deployment, and the declared policy beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from modelyard.errors import Refused
from modelyard.records import Release
from modelyard.release.decide import routes
from modelyard.release.names import name
from modelyard.release.place import Place
from modelyard.release.state import Rollout
from modelyard.spec.deployments import DeploymentSpec
from modelyard.spec.predicate import misfit, parse


def obeyed(place: Place, rollout: Rollout | None, champion: str, warm: tuple[str, ...]) -> dict[str, Any]:
    """The routing table that gateways obey: arms and shadows of the strategy, by what rows are routed, and which."""
    spec = place.spec
    if rollout is not None and rollout.kind != place.strategy.kind and place.record is not None:
        return dict(place.record.routes)  # the rollout is about to be ended, or tried anew
    made = routes(rollout, champion, place.strategy, warm)
    if spec is None:
        before = place.record.routes if place.record else {}
        return made | {key: before[key] for key in ("route_by", "segment") if key in before}
    if spec.route_by is not None:
        made["route_by"] = spec.route_by
    if spec.strategy.only is not None:
        made["segment"] = listed(parse(spec.strategy.only.segment))
    return made


def listed(parsed: Any) -> Any:
    """Nested tuples as JSON has them, so that routes read back are equal."""
    return [listed(each) for each in parsed] if isinstance(parsed, tuple) else parsed


def routable(place: Place, release: str, kinds: Callable[[Release], Mapping[str, str]]) -> None:
    """Refuse to put a release to work whose inputs the declared routing cannot ask."""
    spec = place.spec
    if spec is None or (spec.route_by is None and spec.strategy.only is None):
        return
    found = place.releases[release]
    known = kinds(found)
    where = f"deployments.{place.name}"
    if spec.route_by is not None and spec.route_by not in known:
        raise Refused(
            f"`{spec.route_by}` is neither an input of {name(found)} nor a key of its dataset.",
            where=f"{where}.route_by",
            hint=f"There are: {', '.join(sorted(known))}.",
        )
    why = misfit(parse(spec.strategy.only.segment), known) if spec.strategy.only is not None else ""
    if why:
        raise Refused(f"{why} ({name(found)}).", where=f"{where}.strategy.only.segment", hint="Mend the condition.")


def policy(spec: DeploymentSpec) -> dict[str, Any]:
    """What a gateway needs to know of the declaration beside the routes: input rules, fallback, output, log, limits."""
    return spec.model_dump(mode="json", by_alias=True, exclude={"strategy", "was", "model"})
