"""A policy played over history: what happens, that its figures come from the log, and that it is what production does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from shop_project import Shop

from modelyard.clock import RealClock
from modelyard.loop import replay
from modelyard.records import Deployment, Release
from modelyard.serve import Gateway
from modelyard.serve.app import create
from modelyard.store import Store, open_store

SPAN = ("--from", "2024-02-20", "--to", "2024-04-10", "--step", "1d")


def played(shop: Shop, *words: str) -> dict[str, Any]:
    """Simulate the shop and give its JSON."""
    said = shop.yard("simulate", *SPAN, "--json", *words)
    assert said.code == 0, said.out + said.err
    result: dict[str, Any] = said.json
    return result


def figures(result: dict[str, Any]) -> dict[str, Any]:
    """What must be the same each time: all but how long it took."""
    return {**result, "summary": {key: value for key, value in result["summary"].items() if key != "seconds"}}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, dict[str, Any]]:
    """A shop whose customers change in the middle of the simulation, and what the simulation says."""
    from shop_project import DECLARATION, TRAINING, visits

    shop = Shop(tmp_path_factory.mktemp("world") / "shop")
    (shop.directory / "data").mkdir(parents=True)
    recent = DECLARATION.replace("split: {test: 14d}", "window: 28d\n    split: {test: 7d}")
    (shop.directory / "yard.yaml").write_text(recent)
    (shop.directory / "shop.py").write_text(TRAINING)
    shop.feed(visits(105, shift_after=62))
    report = shop.directory / "report.html"
    return shop, played(shop, "--report", str(report))


def memory(shop: Shop) -> Path:
    """Where the shop's only simulation is kept."""
    (home,) = [
        path for path in (shop.directory / ".yard" / "files" / "simulations").iterdir() if path.name != "history"
    ]
    return home


def sandbox(shop: Shop) -> Store:
    """The memory of the shop's only simulation."""
    return open_store(memory(shop), project="shop", env="simulation", clock=RealClock(), create=False)


def test_a_changed_world_is_found_and_the_model_renewed(world: tuple[Shop, dict[str, Any]]) -> None:
    _, result = world
    kinds = [event["kind"] for event in result["events"]]
    assert "retrain" in kinds and any("drift" in kind for kind in kinds)
    drift = next(event for event in result["events"] if "drift" in event["kind"])
    assert "minutes" in drift["why"] and drift["at"] >= "2024-03-03"
    summary = result["summary"]
    assert summary["metric"] == "log_loss" and summary["policy"] < summary["static"]
    assert summary["retrains"] >= 1 and summary["promotions"] >= 1


def test_windows_tell_rows_releases_and_both_figures(world: tuple[Shop, dict[str, Any]]) -> None:
    _, result = world
    assert {"start", "end", "rows", "policy", "static", "release"} <= set(result["windows"][0])
    assert sum(window["rows"] for window in result["windows"]) == result["summary"]["rows"] == 40 * 49
    assert result["windows"][0]["release"] == "buys@1" and result["windows"][-1]["release"] != "buys@1"


def test_any_stretch_of_time_may_be_looked_at_afterwards(world: tuple[Shop, dict[str, Any]]) -> None:
    shop, _ = world

    def looked(*words: str) -> Any:
        inside = ("--home", str(memory(shop)), "--env", "simulation")
        return shop.yard("monitor", "show", "buys-health", *words, *inside)

    before = looked("--from", "2024-02-21", "--to", "2024-03-03", "--json").json["monitors"][0]["between"]
    after = looked("--from", "2024-03-04", "--to", "2024-03-11", "--json").json["monitors"][0]["between"]
    assert (before["rows"], after["rows"]) == (11 * 40, 7 * 40)
    assert before["releases"][0]["levels"]["drift"] == "ok"
    (first,) = [each for each in after["releases"] if each["release"] == "buys@1"]
    assert first["levels"]["drift"] == "page"
    assert {each["column"] for each in first["columns"]} >= {"minutes"}
    told = looked("--from", "2024-03-04", "--to", "2024-03-11")
    assert told.code == 0 and "minutes: median" in told.out
    wrong = looked("--from", "2024-03-11", "--to", "2024-03-04")
    assert wrong.code == 2 and "the time ends before it begins" in wrong.err


def test_the_report_is_one_file_that_needs_nothing_else(world: tuple[Shop, dict[str, Any]]) -> None:
    shop, _ = world
    page = (shop.directory / "report.html").read_text()
    assert "<svg" in page and "log loss" in page.lower()
    assert "http://" not in page.replace("http://www.w3.org", "") and "<script src" not in page


def test_asked_again_the_answer_is_the_same(world: tuple[Shop, dict[str, Any]]) -> None:
    shop, result = world
    assert figures(played(shop)) == figures(result)


def test_in_a_fresh_memory_the_answer_is_the_same_too(world: tuple[Shop, dict[str, Any]], tmp_path: Path) -> None:
    shop, result = world
    assert figures(played(shop, "--home", str(tmp_path / "home"))) == figures(result)


def test_simulated_answers_equal_the_answers_over_http(world: tuple[Shop, dict[str, Any]]) -> None:
    shop, _ = world
    store = sandbox(shop)
    deployment = store.one(Deployment, name="buys-api")
    assert deployment is not None
    first = min(store.read(Release, model="buys"), key=lambda release: release.number).digest
    newest = max(store.read(Release, model="buys"), key=lambda release: release.number).digest
    arms = [
        {"arm": "champion", "release": first, "weight": 0.6},
        {"arm": "challenger", "release": newest, "weight": 0.4},
    ]
    with store.transaction(actor="test", action="test.split", subject="deployment.buys-api") as tx:
        tx.change(
            Deployment, {"name": "buys-api"}, routes={**deployment.routes, "arms": arms, "shadows": []}, revision=99
        )
    gateway = Gateway(store, clock=RealClock())
    gateway.refresh()
    names = ["visit", "at", "device", "pages", "minutes"]
    rows = [line.split(",")[:5] for line in (shop.directory / "data" / "visits.csv").read_text().splitlines()[1:1001]]
    table = replay.pa.table(
        {
            "visit": [row[0] for row in rows],
            "at": replay.pa.array([row[1] for row in rows]).cast(replay.pa.timestamp("us", "UTC")),
            "device": [row[2] for row in rows],
            "pages": [int(row[3]) for row in rows],
            "minutes": [float(row[4]) for row in rows],
        }
    )
    keys = [f"key {number}" for number in range(len(rows))]
    simulated = gateway.replay("buys-api", table, request_id="all", routing_keys=keys, times=table["at"])
    records = [dict(zip(names, [row[0], row[1], row[2], int(row[3]), float(row[4])], strict=True)) for row in rows]
    asked = asyncio.run(ask(create(gateway), records, keys))
    gateway.close()
    assert [answer["arm"] for answer in asked] == list(simulated.arms)
    # A compiled form computes in float32, whose last digit depends on how many rows go at once.
    answered = [answer["predictions"][0] for answer in asked]
    assert answered == pytest.approx(list(simulated.predictions), abs=1e-6)
    assert {answer["arm"] for answer in asked} == {"champion", "challenger"}


async def ask(app: Any, records: list[dict[str, Any]], keys: list[str]) -> list[dict[str, Any]]:
    """Answers over HTTP, one request a row."""
    transport = httpx.ASGITransport(app=app)
    answers = []
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        for record, key in zip(records, keys, strict=True):
            response = await client.post(
                "/deployments/buys-api/predict",
                content=json.dumps({"rows": [record]}),
                headers={"content-type": "application/json", "x-routing-key": key},
            )
            assert response.status_code == 200, response.text
            answers.append(response.json())
    return answers


def broken_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every number arrives a hundred times too large."""
    from modelyard.serve import gateway as gateways

    real = gateways.Gateway.replay

    def scaled(self: Any, name: str, table: Any, **words: Any) -> Any:
        column = replay.pc.multiply(table["minutes"], 100.0)
        return real(self, name, table.set_column(table.column_names.index("minutes"), "minutes", column), **words)

    monkeypatch.setattr(gateways.Gateway, "replay", scaled)


def broken_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels go to the row after the one they belong to."""
    from modelyard.serve import feedback

    real = feedback.receive

    def shifted(store: Any, deployment: str, labels: Any, **words: Any) -> Any:
        return real(store, deployment, replace(labels, row=[row + 1 for row in labels.row]), **words)

    monkeypatch.setattr(feedback, "receive", shifted)


@pytest.mark.parametrize("sabotage", [broken_policy, broken_labels])
def test_figures_come_from_the_log_so_a_broken_gateway_shows(
    sabotage: Callable[[pytest.MonkeyPatch], None],
    world: tuple[Shop, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop, result = world
    sabotage(monkeypatch)
    broken = played(shop, "--home", str(tmp_path / "home"))
    assert broken["summary"]["static"] != result["summary"]["static"]


def test_a_router_that_ignores_the_routes_shows(
    world: tuple[Shop, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelyard.serve import board

    shop, result = world
    real = board.build

    def stuck(record: Any, companions: Any, load: Any, kept: Any) -> Any:
        first = next(iter(companions.values()), record.routes["arms"][0]["release"])
        arms = [{"arm": "champion", "release": first, "weight": 1.0}]
        return real(replace(record, routes={**record.routes, "arms": arms}), companions, load, kept)

    monkeypatch.setattr(board, "build", stuck)
    broken = played(shop, "--home", str(tmp_path / "home"))
    assert broken["summary"]["policy"] != result["summary"]["policy"]
    assert broken["summary"]["policy"] == pytest.approx(broken["summary"]["static"])


def test_variants_of_a_policy_stand_side_by_side(world: tuple[Shop, dict[str, Any]]) -> None:
    shop, _ = world
    result = played(shop, "--vary", "triggers.refresh.cooldown=7d,60d")
    assert [block["name"] for block in result["variants"]] == [
        "triggers.refresh.cooldown=7d",
        "triggers.refresh.cooldown=60d",
    ]
    assert result["variants"][0]["summary"]["static"] == result["variants"][1]["summary"]["static"]


def test_a_world_that_does_not_change_leaves_the_loop_quiet(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(105)
    shop.edit("any: [{schedule: 28d}, {drift: buys-health}]", "any: [{drift: buys-health}, {quality: buys-health}]")
    result = played(shop)
    assert result["summary"]["retrains"] == 0 and result["summary"]["alerts"] == 0
    assert result["summary"]["policy"] == pytest.approx(result["summary"]["static"])
