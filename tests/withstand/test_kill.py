"""`kill -9` at any moment: the next start goes on, and ends as if nothing had happened."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from withstand_yard import AS_OF, Up, Yard, make, up, wait_for

from modelyard.clock import RealClock
from modelyard.errors import NotFound
from modelyard.loop.controller import rehydrate
from modelyard.loop.ground import latest_declaration
from modelyard.records import Label
from modelyard.serve import move
from modelyard.store import open_store


def test_a_killed_apply_goes_on_and_releases_the_same(new_yard: Yard, applied: Yard) -> None:
    files = new_yard.directory / ".yard" / "files"
    apply = ("apply", "--yes", "--as-of", AS_OF)
    moments = {
        "a database": lambda: (new_yard.directory / ".yard" / "yard.db").exists(),
        "rows of a table": lambda: any((files / "tables").rglob("*.parquet")),
        "a recorded dataset": lambda: "dataset.built" in new_yard.actions(),
        "a fit": lambda: any((files / "jobs").glob("*/job.json")),
        "a model on its way": lambda: any((files / "jobs").glob("*/result.json")),
        "a built model": lambda: "model.built" in new_yard.actions(),
    }
    killed = 0
    for says, moment in moments.items():
        killed += new_yard.kill_when(moment, says, *apply)
        status = new_yard.yard("status", "--json")
        assert status.code == 0
        assert status.json["deployments"][0]["release"] in (None, "buys@1")
    assert killed >= 4

    said = new_yard.apply("--json")
    assert said.code == 0 and said.json["ok"]
    assert [(r["name"], r["state"], r["digest"]) for r in new_yard.releases] == [
        ("buys@1", "live", applied.releases[0]["digest"])
    ]
    assert new_yard.actions().count("release.created") == new_yard.actions().count("model.built") == 1
    assert new_yard.yard("audit", "verify").code == 0
    assert new_yard.yard("plan", "--json", "--as-of", AS_OF).json["changes"] == []


def test_a_killed_simulation_ends_with_the_same_figures(tmp_path: Path) -> None:
    yard = make(tmp_path / "shop", days=56, shift_after=46)
    yard.edit("schedule: 28d", "schedule: 3d")
    yard.edit("cooldown: 7d", "cooldown: 1d")
    play = ("simulate", "--from", "2024-02-15", "--to", "2024-02-19", "--json")
    undisturbed = yard.yard(*play)
    assert undisturbed.code == 0, undisturbed.err
    shutil.rmtree(yard.directory / ".yard")

    home = yard.directory / ".yard" / "files" / "simulations"

    def answers() -> list[Path]:
        return [path for path in home.glob("*/files/log/*/*/*/*.log") if path.stat().st_size]

    def fits() -> list[Path]:
        return list(home.glob("*/files/jobs/*/job.json"))

    killed = sum(yard.kill_when(moment, "a moment", *play) for moment in (fits, answers, answers, fits))
    assert killed >= 3
    again = yard.yard(*play)
    assert again.code == 0, again.err
    assert _but_seconds(again.json) == _but_seconds(undisturbed.json)


def _but_seconds(result: dict[str, Any]) -> dict[str, Any]:
    result["summary"].pop("seconds")
    return result


def test_killed_processes_of_up_lose_and_double_nothing(yard: Yard) -> None:
    acknowledged: list[str] = []
    with up(yard, "--workers", "2") as running:
        for role in ("gateway", "controller", "api", "gateway"):
            before = running.members()
            acknowledged += _traffic(running, f"{role}-{len(acknowledged)}", 10)
            os.kill(before[role][0], signal.SIGKILL)
            acknowledged += _traffic(running, f"after-{role}-{len(acknowledged)}", 10)
            wait_for(lambda role=role, before=before: _replaced(running, role, before), f"another {role}")
        wait_for(running.ready, "all of them again")
        ports = running.gateway.rpartition(":")[2], running.api.rpartition(":")[2]
        running.process.kill()
        wait_for(lambda: not running.members(), "the end of orphans")
    with yard.start("up", "--gateway-port", ports[0], "--api-port", ports[1], "--every", "0.2") as process:
        again = Up(yard, process, running.api, running.gateway)
        try:
            wait_for(again.ready, "yard up on the same ports")
            acknowledged += _traffic(again, "again", 5)
            repeated = again.predict("again-0")
            assert repeated.status_code == 200
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
            process.communicate()
    logged, labels = _recorded(yard)
    assert sorted(logged) == sorted(acknowledged)
    assert sorted(labels) == sorted(acknowledged)


def test_a_declaration_is_rehydrated_whole_or_not_at_all(yard: Yard) -> None:
    with open_store(yard.directory / ".yard", project="shop", clock=RealClock(), create=False) as store:
        declaration = latest_declaration(store)
        assert declaration is not None
        last = store.blobs.path(list(store.blobs.manifest(declaration.tree).values())[-1])
        kept = last.read_bytes()
        last.unlink()
        with pytest.raises(NotFound):
            rehydrate(store, declaration)
        assert list((store.files / "projects").iterdir()) == []
        last.write_bytes(kept)
        assert (rehydrate(store, declaration) / "shop.py").read_text() == (yard.directory / "shop.py").read_text()


def _traffic(running: Up, prefix: str, count: int) -> list[str]:
    """Send rows and their labels; the ids of those that were acknowledged. A request that failed is sent again."""
    sent = []
    for number in range(count):
        request_id = f"{prefix}-{number}"
        wait_for(lambda request_id=request_id: _sent(running, request_id), f"an answer to {request_id}")
        sent.append(request_id)
    return sent


def _sent(running: Up, request_id: str) -> bool:
    try:
        return running.predict(request_id).status_code == 200 and running.feedback(request_id, 1).status_code == 200
    except httpx.HTTPError:
        return False


def _replaced(running: Up, role: str, before: dict[str, list[int]]) -> bool:
    now = running.members().get(role, [])
    return len(now) == len(before[role]) and before[role][0] not in now


def _recorded(yard: Yard) -> tuple[list[str], list[str]]:
    """Request ids of all logged answers, and of all labels."""
    with open_store(yard.directory / ".yard", project="shop", clock=RealClock(), create=False) as store:
        move(store, "buys-api")
        rows = duckdb.sql(f"SELECT request_id FROM {store.table('predictions/buys-api').scan()} WHERE role = 'answer'")
        return [each for (each,) in rows.fetchall()], [each.request_id for each in store.read(Label)]
