"""A small yard that serves: linear formulas as models, behind the same protocol as real ones, in a real store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest

from modelyard.clock import SimulatedClock
from modelyard.records import Deployment
from modelyard.serve import Gateway
from modelyard.serve.app import Server, create
from modelyard.serve.releases import Served
from modelyard.spec.deployments import DeploymentSpec
from modelyard.store import Store, open_store

START = datetime(2013, 4, 1, tzinfo=UTC)
CHAMPION, CHALLENGER = "a" * 64, "b" * 64


def _input(name: str, kind: str, **known: Any) -> dict[str, Any]:
    empty = dict.fromkeys(("min", "max", "median", "mode", "values"))
    return {"name": name, "type": kind, "nullable": False, "missing": 0.0, "more": False, **empty, **known}


SIGNATURE = {
    "task": "regression",
    "classes": None,
    "positive": None,
    "target": {"name": "y", "type": "number"},
    "inputs": [
        _input("temp", "number", min=-10.0, max=40.0, median=12.5, mode=12.0),
        _input("stops", "integer", min=0, max=3, median=1, mode=1),
        _input("dest", "category", values=["SEA", "PDX"], mode="SEA", nullable=True),
        _input("night", "boolean", mode=False, nullable=True),
        _input("when", "timestamp", min="2013-01-01T00:00:00+00:00", max="2013-03-31T00:00:00+00:00", nullable=True),
        _input("day", "date", min="2013-01-01", max="2013-03-31", nullable=True),
    ],
}


@dataclass
class Formula:
    """`scale * temp + stops`, and 100 more for SEA; fails on the temperatures named."""

    signature: dict[str, Any] = field(default_factory=lambda: SIGNATURE)
    scale: float = 1.0
    raises_at: float | None = None
    nan_at: float | None = None
    calls: list[int] = field(default_factory=list)

    def predict(self, table: pa.Table) -> np.ndarray:
        """One number per row, or P(positive), or one column per class."""
        self.calls.append(len(table))
        temp = np.nan_to_num(np.array(table["temp"].to_pylist(), dtype=float), nan=-1.0)
        if self.raises_at is not None and (temp == self.raises_at).any():
            raise ValueError("this model does not like it")
        stops = np.array([value or 0 for value in table["stops"].to_pylist()], dtype=float)
        sea = np.array([value == "SEA" for value in table["dest"].to_pylist()], dtype=float)
        values = self.scale * temp + stops + 100 * sea
        if self.nan_at is not None:
            values[temp == self.nan_at] = np.nan
        task = self.signature["task"]
        if task == "regression":
            return values
        share = 1 / (1 + np.exp(-values / 100))
        return share if task == "binary_classification" else np.stack([share / 2, share / 2, 1 - share], axis=1)


@dataclass
class Heuristic:
    """Always 7."""

    def predict(self, table: pa.Table) -> np.ndarray:
        """7 for every row."""
        return np.full(len(table), 7.0)


PREDICT = "/deployments/late-api/predict"
JSON = {"content-type": "application/json"}


class Client:
    """Speaks to the application of a gateway in this process."""

    def __init__(self, app: Server) -> None:
        self.app = app

    def send(self, method: str, path: str, **how: Any) -> httpx.Response:
        """One request."""

        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(
                transport=transport, base_url=how.pop("base", "http://127.0.0.1:8601")
            ) as client:
                return await client.request(method, path, **how)

        return asyncio.run(go())

    def post(self, body: Any, path: str = PREDICT, headers: dict[str, str] | None = None) -> httpx.Response:
        """Ask; a body that is not bytes is sent as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send("POST", path, content=content, headers={**JSON, **(headers or {})})


@dataclass
class Yard:
    """A store, a clock, releases by digest, and a gateway over them."""

    store: Store
    clock: SimulatedClock
    releases: dict[str, Served]
    loads: list[str] = field(default_factory=list)
    gateways: list[Gateway] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)

    def deploy(
        self, arms: dict[str, tuple[str, float]] | None = None, *, shadows: dict[str, tuple[str, float]] | None = None,
        warm: tuple[str, ...] = (), name: str = "late-api", routing: dict[str, Any] | None = None, **policy: Any,
    ) -> Deployment:  # fmt: skip
        """Record the routes of a deployment: arm name to (release, weight), shadow name to (release, share)."""
        routes = {
            "arms": [
                {"arm": arm, "release": release, "weight": weight}
                for arm, (release, weight) in (arms or {"champion": (CHAMPION, 1.0)}).items()
            ],
            "shadows": [
                {"arm": arm, "release": release, "share": share} for arm, (release, share) in (shadows or {}).items()
            ],
            "warm": list(warm),
            "salt": "salt",
            **(routing or {}),
        }
        declared = DeploymentSpec(model="late", **policy).model_dump(mode="json", by_alias=True)
        before = self.store.one(Deployment, name=name)
        with self.store.transaction(actor="test", action="rollout.replaced", subject=name) as transaction:
            if before is None:
                record = Deployment(
                    name=name, model="late", revision=1, routes=routes, policy=declared, at=self.clock.now()
                )
                return transaction.add(record)
            transaction.change(
                Deployment,
                {"name": name},
                revision=before.revision + 1,
                routes=routes,
                policy=declared,
                at=self.clock.now(),
            )
        found = self.store.one(Deployment, name=name)
        assert found is not None
        return found

    def load(self, digest: str) -> Served:
        """As the gateway loads releases."""
        self.loads.append(digest)
        return self.releases[digest]

    def serve(self, digest: str, model: Formula | None = None, **about: Any) -> Formula:
        """Have a release."""
        model = model or Formula()
        about = {"key": {"flight": "integer"}, "time": "time_hour", "baseline": Heuristic()} | about
        self.releases[digest] = Served(digest, f"late@{len(self.releases) + 1}", model.signature, model, **about)
        return model

    def gateway(self, **options: Any) -> Gateway:
        """A gateway that has looked once."""
        gateway = Gateway(self.store, clock=self.clock, load=self.load, **options)
        gateway.refresh()
        self.gateways.append(gateway)
        return gateway

    def client(self, **options: Any) -> Client:
        """A client of the application over a gateway."""
        client = Client(create(self.gateway(), **options))
        self.clients.append(client)
        return client


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    """A yard with a champion (scale 1) and a challenger (scale 2), and nothing deployed."""
    clock = SimulatedClock(START)
    with open_store(tmp_path / "home", project="flights", clock=clock) as store:
        made = Yard(store, clock, {})
        made.serve(CHAMPION)
        made.serve(CHALLENGER, Formula(scale=2.0))
        yield made
        for client in made.clients:
            client.app.close()
        for gateway in made.gateways:
            gateway.close()


@pytest.fixture
def row() -> Callable[..., dict[str, Any]]:
    """A row within all ranges, with changes; a value of `...` leaves the name out."""

    def make(**changes: Any) -> dict[str, Any]:
        whole = {
            "temp": 10.0, "stops": 1, "dest": "SEA", "night": False,
            "when": "2013-02-03T04:05:06Z", "day": "2013-02-03",
        } | changes  # fmt: skip
        return {name: value for name, value in whole.items() if value is not ...}

    return make
