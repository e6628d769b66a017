"""A team is told, takes over, looks at its figures: by the command line and over HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from markupsafe import escape
from shop_project import Shop

from modelyard.api.context import Context
from modelyard.api.http import create
from modelyard.ui.console import pages

WATCHED = """
charter: {priority: P1}
costs: {cpu_hour: 3600, thousand_predictions: 1000, currency: EUR}
kpis:
  revenue: {sql: 'SELECT "at" AS time, bought * 10.0 AS value FROM visits_clean', direction: up, unit: EUR, gather: sum}
  answered: {sql: 'SELECT "at" AS time, 1 AS value, arm FROM "buys-api"', direction: up, gather: sum}
  complaints: {direction: down, value_per_unit: 5}
alerts:
  ops: {webhook: "${OPS_WEBHOOK}", allow_private: true, kinds: [stale_source]}
"""


@contextmanager
def receiver() -> Iterator[tuple[str, list[Any]]]:
    """A web server on this machine, and what it was posted."""
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *words: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/secret-path", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Api:
    """The control API of a shop, asked over HTTP in this process."""

    def __init__(self, shop: Shop) -> None:
        self.app = create(Context.of(shop.directory))

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1/api/v1") as client:
                return await client.request(method, path, **more)

        return asyncio.run(asked())

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.ask("GET", path, params=params)

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.ask("POST", path, json=body)


def test_a_stale_source_is_told_taken_over_and_ended(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as (url, got):
        monkeypatch.setenv("OPS_WEBHOOK", url)
        shop.edit("visits: {uri: data/visits.csv, time: at}", "visits: {uri: data/visits.csv, time: at, freshness: 2d}")
        yaml = shop.directory / "yard.yaml"
        yaml.write_text(yaml.read_text() + WATCHED)
        assert shop.yard("monitor", "run", "--json").code == 0
        assert shop.yard("monitor", "run", "--json").code == 0
        assert [(each["kind"], each["priority"], each["event"]) for each in got] == [("stale_source", "P1", "opened")]
        (alert,) = [each for each in shop.yard("status", "--json").json["alerts"] if each["kind"] == "stale_source"]
        assert alert["subject"] == "source.visits" and "old" in alert["says"]
        number = str(alert["id"])
        assert "stale_source" in shop.yard("status").out
        monkeypatch.delenv("OPS_WEBHOOK")
        assert shop.yard("plan").code == 2, "it would be used"
        assert shop.yard("alert", "list").code == shop.yard("status").code == 0, "whoever is on duty need not know it"
        assert shop.yard("alert", "ack", number, "--note", "the warehouse is down").code == 0
        api = Api(shop)
        listed = api.get("/alerts", state="acknowledged").json()["alerts"]
        assert [(each["id"], each["note"]) for each in listed] == [(alert["id"], "the warehouse is down")]
        assert listed[0]["messages"][0]["state"] == "sent"
        assert api.post("/alerts/resolve", {"number": alert["id"]}).json()["state"] == "resolved"
        again = api.post("/alerts/resolve", {"number": alert["id"]})
        assert (again.status_code, again.json()["code"]) == (409, "refused")
        assert api.post("/alerts/ack", {"number": "many"}).status_code == 422
        assert shop.yard("alert", "ack", "99").code == 2
        assert "resolved" in shop.yard("alert", "list").out
    kept = b"".join(path.read_bytes() for path in (shop.directory / ".yard").rglob("*") if path.is_file())
    assert b"secret-path" not in kept


def test_the_console_draws_what_the_command_line_tells(shop: Shop) -> None:
    assert shop.yard("monitor", "run", "--json").code == 0
    api = Api(shop)
    pages(api.app, Context.of(shop.directory))

    def page(path: str) -> httpx.Response:
        return api.ask("GET", f"http://127.0.0.1{path}")

    (seen,) = shop.yard("monitor", "show", "--json").json["monitors"]
    whole, one = page("/"), page(f"/monitors/{seen['monitor']}")
    for each in (whole, one):
        assert each.status_code == 200 and each.headers["content-type"].startswith("text/html")
        assert all(escape(kind["says"]) in each.text for kind in seen["observations"])
    assert page("/monitors/nothing").status_code == 404
    shop.yard("monitor", "show", seen["monitor"], "--html", str(shop.directory / "page.html"))
    assert (shop.directory / "page.html").read_text() == one.text


def test_figures_are_computed_pushed_corrected_and_shown(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_WEBHOOK", "http://127.0.0.1:1/")
    yaml = shop.directory / "yard.yaml"
    yaml.write_text(yaml.read_text() + WATCHED)
    rows = "\n".join(f"q{number},2024-03-21T00:00:00Z,phone,{number},2.5,0" for number in range(5))
    (shop.directory / "in.csv").write_text(f"visit,at,device,pages,minutes,bought\n{rows}\n")
    assert (
        shop.yard("predict", "buys-api", str(shop.directory / "in.csv"), "-o", str(shop.directory / "out.csv")).code
        == 0
    )
    assert shop.yard("monitor", "run", "--json").code == 0
    api = Api(shop)
    values = [{"time": f"2024-02-{day:02}", "value": day} for day in range(1, 11)]
    pushed = api.post("/kpis/complaints", {"values": values})
    assert pushed.json() == {"kpi": "complaints", "recorded": 10, "corrected": 0, "unchanged": 0}
    one = api.post("/kpis/complaints", {"time": "2024-02-01", "value": 7.5}).json()
    assert (one["corrected"], one["unchanged"]) == (1, 0)
    assert api.post("/kpis/complaints", {"values": values[1:]}).json()["unchanged"] == 9
    for body in (
        {}, {"time": "2024-02-01"}, {"time": "2024-02-01", "value": "7"}, {"time": "2099-01-01", "value": 1},
        {"values": [{"time": "x", "value": 1}]}, {"values": 3}, {"values": [1]}, {"value": True, "time": "2024-02-01"},
    ):  # fmt: skip
        assert api.post("/kpis/complaints", body).status_code == 422, body
    assert api.post("/kpis/revenue", {"time": "2024-02-01", "value": 1}).status_code == 409
    assert api.post("/kpis/none", {"time": "2024-02-01", "value": 1}).status_code == 404
    assert shop.yard("kpi", "push", "complaints", "--time", "2024-02-11", "--value", "3").out.startswith("1 recorded")
    said = shop.yard("kpi", "show", "--json")
    assert said.code == 0, said.err
    figures = {each["name"]: each for each in said.json["kpis"]}
    assert figures["revenue"]["periods"] > 60 and figures["revenue"]["values"][0]["value"] % 10 == 0
    assert figures["answered"]["periods"] == 0, "the day goes on"
    assert figures["complaints"]["values"][0] == {"time": "2024-02-01T00:00:00+00:00", "value": 7.5}
    (effect,) = figures["complaints"]["releases"]
    assert effect["release"] == "buys@1" and effect["effect"] is None and "insufficient data" in effect["says"]
    (returns,) = said.json["returns"]
    assert returns["training"]["runs"] == 1 and 0 < returns["training"]["cost"] < 600, "seconds, at one EUR each"
    assert returns["currency"] == "EUR" and returns["value"] is None
    assert "MODEL" in shop.yard("kpi", "show").out


def test_a_trigger_explains_itself(shop: Shop) -> None:
    said = shop.yard("trigger", "explain", "refresh", "--json")
    (told,) = said.json["triggers"]
    assert (
        told["name"] == "refresh" and told["do"] == ["retrain"] and told["conditions"][0]["says"].startswith("schedule")
    )
    assert {condition["holds"] for condition in told["conditions"]} <= {True, False, None}
    assert "schedule: last trained" in shop.yard("trigger", "explain").out
    assert shop.yard("trigger", "explain", "nothing").code == 2
