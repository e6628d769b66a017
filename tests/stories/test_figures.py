"""A test between two releases decided by what they earn: its effect in the figure's unit, and the return on the model."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from shop_project import DECLARATION, TRAINING, Shop, visits

from modelyard.api.context import Context
from modelyard.api.http import create

SPAN = ("--from", "2024-02-20", "--to", "2024-04-18", "--step", "1d")
"""A week and more after the test, on whichever day it is decided: shares go by a hash of the release."""
EARNED = """
costs: {cpu_hour: 3600, thousand_predictions: 100, currency: EUR}
kpis:
  earned:
    sql: >-
      SELECT "at" AS time, CASE WHEN prediction > 0.5 THEN label * 20.0 - 10 ELSE 0 END AS value, arm
      FROM "buys-api" WHERE label IS NOT NULL
    direction: up
    unit: EUR
    value_per_unit: 40
  complaints: {direction: down, unit: letters, value_per_unit: 5}
"""


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, dict[str, Any], tuple[str, ...]]:
    """A shop whose customers change, so that a new release earns more than the old one beside which it is tried; what its
    simulation says, and the words that look into the simulation's memory."""
    shop = Shop(tmp_path_factory.mktemp("tested") / "shop")
    (shop.directory / "data").mkdir(parents=True)
    declared = DECLARATION.replace("split: {test: 14d}", "window: 21d\n    split: {test: 5d}")
    by_earnings = "{ab_test: {kpi: earned, split: 50%, within: 28d, guard: {error_rate: {margin: 5pp}}}}"
    declared = declared.replace("buys-api: {model: buys}", f"buys-api: {{model: buys, strategy: {by_earnings}}}")
    (shop.directory / "yard.yaml").write_text(declared + EARNED)
    (shop.directory / "shop.py").write_text(TRAINING)
    shop.feed(visits(118, shift_after=52))
    said = shop.yard("simulate", *SPAN, "--json")
    assert said.code == 0, said.out + said.err
    simulations = shop.directory / ".yard" / "files" / "simulations"
    (home,) = [path for path in simulations.iterdir() if path.name != "history"]
    return shop, said.json, ("--home", str(home), "--env", "simulation")


def over_http(shop: Shop, inside: tuple[str, ...], method: str, path: str, **more: Any) -> Any:
    """Ask the control API of the simulation's memory."""
    app = create(Context.of(shop.directory, home=inside[1], env=inside[3]))

    async def asked() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
            return await client.request(method, f"/api/v1{path}", **more)

    answer = asyncio.run(asked())
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_arm_that_earns_more_wins_and_what_it_earns_more_is_told_of_the_release(tested: Any) -> None:
    shop, result, inside = tested
    whys = [each["why"] for each in result["events"]]
    assert any("buys@2 is promoted: it won the test: earned" in why and "proven better" in why for why in whys)
    said = shop.yard("kpi", "show", "earned", "--json", *inside)
    assert said.code == 0, said.err
    (earned,) = said.json["kpis"]
    arms = {each["release"]: each for each in earned["arms"]}
    assert set(arms) == {"buys@2", "buys@3"}, (
        "the release that is tried next is another; what runs in shadow earns nothing"
    )
    assert arms["buys@2"]["periods"] >= 7 and not arms["buys@3"]["shown"], "the third is as good as the second"
    effect = arms["buys@2"]["effect"]
    assert arms["buys@2"]["shown"] and 0 < effect["low"] < effect["estimate"] < effect["high"]
    assert "better: +" in arms["buys@2"]["says"] and "EUR per period (95%: +" in arms["buys@2"]["says"]
    assert f"arm buys@2       since {arms['buys@2']['at'][:10]} better" in shop.yard("kpi", "show", *inside).out


def test_the_return_is_what_the_arm_moved_less_training_and_serving(tested: Any) -> None:
    shop, _, inside = tested
    shown = over_http(shop, inside, "GET", "/kpis")
    earned = next(each for each in shown["kpis"] if each["name"] == "earned")
    first, second = earned["releases"]
    assert first["worth"] is None and "insufficient data" in first["says"]
    effect = next(each["effect"] for each in earned["arms"] if each["release"] == "buys@2")
    expected = {end: effect[end] * 40 * second["periods"] for end in ("estimate", "low", "high")}
    assert second["worth"] == pytest.approx(expected | {"by": "arms"})
    (returns,) = shown["returns"]
    assert returns["value"] == pytest.approx(expected)
    assert returns["training"]["runs"] >= 3
    rows = returns["serving"]["predictions"]
    assert rows == 2 * 58 * 40, (
        "in a simulation the first release is asked everything, too, in shadow: that costs as much"
    )
    assert returns["serving"]["cost"] == pytest.approx(rows / 10)
    assert returns["net"] == pytest.approx(expected["estimate"] - returns["training"]["cost"] - rows / 10)
    assert "EUR" in shop.yard("kpi", "show", *inside).out


def test_a_pushed_figure_is_tested_for_what_the_release_moved(tested: Any) -> None:
    shop, _, inside = tested
    (_, second) = shop.yard("kpi", "show", "earned", "--json", *inside).json["kpis"][0]["releases"]
    since = datetime.fromisoformat(second["at"])
    days = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(108)]
    letters = [30 + day.weekday() + number % 3 - 8 * (day >= since) for number, day in enumerate(days)]
    values = [{"time": day.isoformat(), "value": value} for day, value in zip(days, letters, strict=True)]
    pushed = over_http(shop, inside, "POST", "/kpis/complaints", json={"values": values})
    assert pushed["recorded"] == 108
    (complaints,) = shop.yard("kpi", "show", "complaints", "--json", *inside).json["kpis"]
    moved = next(each for each in complaints["releases"] if each["release"] == "buys@2")
    assert moved["effect"]["low"] < -8 < moved["effect"]["high"] < 0
    assert moved["says"].startswith("better: -") and "letters per period" in moved["says"]
    assert moved["worth"]["by"] == "series" and moved["worth"]["low"] > 0
