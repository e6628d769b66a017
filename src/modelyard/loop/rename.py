"""A declared rename (`was: old_name`): the history of an entity goes on under its new name."""

from __future__ import annotations

from modelyard.errors import Refused
from modelyard.loop.yard import Yard
from modelyard.records import Alias, Deployment, Observation, Record, Release, Request, Run, Verdict, Version
from modelyard.store import Held

# Of a model, what is known by the model's own name, and under which column.
OF_A_MODEL: tuple[tuple[type[Record], str], ...] = (
    (Release, "model"),
    (Alias, "model"),
    (Run, "model"),
    (Deployment, "model"),
    (Observation, "model"),
    (Request, "subject"),
)


def rename(yard: Yard, entity: str, was: str, held: Held) -> str:
    """Carry versions, verdicts, and for a model its releases, runs and requests, over to the new name."""
    kind, _, name = entity.partition(".")
    former = was.partition(".")[2]
    if kind not in ("dataset", "feature", "model"):
        raise Refused(
            f"a {kind} cannot be renamed: its log and labels are addressed by its name",
            where=entity,
            hint="Declare a new one beside the old, move your callers, then remove the old one.",
        )
    detail = {"why": f"{was} is called {entity} now"}
    with yard.store.transaction(
        actor=yard.actor, action="entity.renamed", subject=entity, detail=detail, fence=held
    ) as tx:
        tx.change(Version, {"entity": was}, entity=entity)
        tx.change(Verdict, {"entity": was}, entity=entity)
        if kind == "model":
            for table, column in OF_A_MODEL:
                tx.change(table, {column: former}, **{column: name})
    return detail["why"]
