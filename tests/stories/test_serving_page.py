"""What the page about asking a gateway shows works: its requests, and its Python."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from shop_project import Shop

from modelyard.clock import RealClock
from modelyard.serve import Gateway, move
from modelyard.serve.app import create
from modelyard.store import open_store

PAGE = (Path(__file__).resolve().parents[2] / "docs/serving.md").read_text()
REQUESTS = re.findall(r"curl -s localhost:8601(\S+).*?-d '(.*?)'", PAGE, re.S)


@pytest.fixture
def address(shop: Shop) -> Iterator[str]:
    """A gateway of an applied shop on a real port."""
    with open_store(str(shop.directory / ".yard"), project="shop", clock=RealClock()) as store:
        gateway = Gateway(store, clock=store.clock)
        gateway.refresh()
        listening = socket.create_server(("127.0.0.1", 0))
        app = create(gateway)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()
        app.close()


def test_the_requests_and_the_python_of_the_page(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert {path for path, _ in REQUESTS} == {
        "/deployments/buys-api/predict",
        "/deployments/buys-api/invocations",
        "/v2/models/buys-api/infer",
    }
    for path, body in REQUESTS:
        answer = httpx.post(address + path, content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 200, answer.text
    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    exec(compile(example.replace("http://127.0.0.1:8601", address), "docs/serving.md", "exec"), {})
    said = capsys.readouterr().out
    assert "/rows/0/minutes missing" in said and "/rows/0/pages wrong_type" in said


def test_status_shows_what_the_input_policy_did(shop: Shop) -> None:
    shop.edit(
        "{model: buys}", "{model: buys, fallback: baseline, inputs: {pages: {missing: median, out_of_range: fallback}}}"
    )
    assert shop.yard("apply", "--yes", "--as-of", "2024-03-20").code == 0
    before = shop.yard("status", "--json").json["deployments"][0]["policy"]
    assert before == {"rows": 0, "fallback": 0, "uses": []}
    with open_store(str(shop.directory / ".yard"), project="shop", clock=RealClock()) as store:
        gateway = Gateway(store, clock=store.clock)
        gateway.refresh()
        good = {"device": "phone", "pages": 7, "minutes": 3.5}
        columns = {name: [good[name]] * 4 for name in good} | {"pages": [7, None, None, 99]}
        gateway.predict("buys-api", columns=columns)
        gateway.close()
        move(store, "buys-api")
    policy = shop.yard("status", "--json").json["deployments"][0]["policy"]
    assert policy == {
        "rows": 4,
        "fallback": 1,
        "uses": [
            {"input": "pages", "code": "missing", "rows": 2},
            {"input": "pages", "code": "out_of_range", "rows": 1},
        ],
    }
    assert "of 4 rows in a day: fallback answered 1, pages missing 2, pages out_of_range 1" in shop.yard("status").out
