"""What monitors saw of a change decides what the next model is trained on."""

from __future__ import annotations

from datetime import UTC, datetime

from shop_project import Shop

from modelyard.clock import SimulatedClock
from modelyard.loop.trial import prepare
from modelyard.records import Observation
from modelyard.spec import load
from modelyard.store import open_store

AS_OF = datetime(2024, 3, 20, tzinfo=UTC)


def test_a_model_is_trained_on_what_came_since_the_change(shop: Shop) -> None:
    shop.edit("    target: bought", "    target: bought\n    window: {since: change, min_rows: 150}")
    project = load(shop.directory)
    with open_store(shop.directory / ".yard", project="shop", clock=SimulatedClock(AS_OF)) as store:
        before = prepare(store, project.spec, "buys", as_of=AS_OF)
        assert before.window == "all rows: no change is known" and before.start is None
        with store.transaction(actor="m", action="monitor.alarmed", subject="monitor.buys-health") as tx:
            tx.add(
                Observation(
                    monitor="buys-health",
                    deployment="buys-api",
                    model="buys",
                    kind="concept",
                    start=AS_OF,
                    end=AS_OF,
                    level="page",
                    says="",
                    detail={"began": "2024-03-01"},
                    at=AS_OF,
                )
            )
        after = prepare(store, project.spec, "buys", as_of=AS_OF)
        first, _ = after.times(after.rows)
        assert after.start == first == datetime(2024, 3, 1, tzinfo=UTC)
        assert after.window.endswith("rows to train on since the change of 2024-03-01")
        assert len(after.rows) < len(before.rows)
