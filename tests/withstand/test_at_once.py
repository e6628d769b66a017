"""Two at once on one home: nothing happens twice, and who slept past its lease is refused and recovers by itself."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
from withstand_yard import AS_OF, make, wait_for


def test_two_applies_at_once_do_everything_once(home: str, tmp_path: Path) -> None:
    yard = make(tmp_path / "shop")
    yard.home = home
    apply = ("apply", "--yes", "--json", "--as-of", AS_OF)
    with yard.start(*apply) as one, yard.start(*apply) as other:
        said = [process.communicate()[1] for process in (one, other)]
    assert [one.returncode, other.returncode] == [0, 0], said
    entries = yard.yard("audit", "list", "--limit", "500", "--json").json["entries"]
    actions = [entry["action"] for entry in entries]
    for once in ("dataset.built", "model.built", "release.created", "rollout.replaced", "declaration.applied"):
        assert actions.count(once) == 1, once
    assert [each["name"] for each in yard.releases] == ["buys@1"]
    assert yard.yard("audit", "verify").code == 0


def test_a_controller_that_slept_past_its_lease_is_refused_and_recovers(postgres_url: str, tmp_path: Path) -> None:
    yard = make(tmp_path / "shop")
    yard.home = postgres_url
    yard.edit("{schedule: 28d}, ", "")
    assert yard.apply().code == 0
    command = [
        sys.executable, "-m", "modelyard.api.crew", "controller", "--home", postgres_url, "--project",
        str(yard.directory), "--name", "shop", "--env", "dev", "--actor", "ops", "--parent", str(os.getpid()),
        "--every", "0.1",
    ]  # fmt: skip

    def lease() -> tuple[str, int]:
        with psycopg.connect(postgres_url.rpartition("files=")[0].rstrip("?&")) as connection:
            row = connection.execute("SELECT holder, token FROM leases WHERE name = 'loop'").fetchone()
        return (row[0].split(":")[1], row[1]) if row else ("", 0)

    with subprocess.Popen(command) as sleeper, subprocess.Popen(command) as awake:
        try:
            wait_for(lambda: _asleep_with(lease, sleeper), "the sleeper to hold the lease")
            before = lease()[1]
            wait_for(lambda: lease()[0] == str(awake.pid) and lease()[1] > before, "the other to take over")
            sleeper.send_signal(signal.SIGCONT)
            wait_for(lambda: lease()[0] == str(sleeper.pid), "the sleeper to have its turn again")
            assert sleeper.poll() is None and awake.poll() is None
        finally:
            for process in (sleeper, awake):
                process.send_signal(signal.SIGCONT)
                process.terminate()
    assert yard.yard("audit", "verify").code == 0
    assert [each["name"] for each in yard.releases] == ["buys@1"]


def _asleep_with(lease: Any, process: subprocess.Popen[bytes]) -> bool:
    """Stop the process where it stands; let it go on unless it holds the lease."""
    process.send_signal(signal.SIGSTOP)
    if lease()[0] == str(process.pid):
        return True
    process.send_signal(signal.SIGCONT)
    return False


def test_a_whole_story_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    yard = make(tmp_path / "shop")
    yard.home = postgres_url
    assert yard.apply().code == 0
    rows, labels, answers = (tmp_path / name for name in ("rows.csv", "labels.csv", "answers.csv"))
    keys = [f"p{number}" for number in range(40)]
    rows.write_text(
        "visit,at,device,pages,minutes\n" + "".join(f"{k},2024-03-21T00:00:00Z,phone,3,2.5\n" for k in keys)
    )
    labels.write_text("visit,label\n" + "".join(f"{key},1\n" for key in keys))
    assert yard.yard("predict", "buys-api", str(rows), "-o", str(answers)).code == 0
    assert len(answers.read_text().splitlines()) == 41
    for _ in range(2):
        assert yard.yard("feedback", "buys-api", str(labels), "--json").json["statuses"] == {"200": 40}
    labels.write_text("visit,label\np1,0\n")
    assert yard.yard("feedback", "buys-api", str(labels), "--json").json["statuses"] == {"409": 1}
    yard.edit("C: 1.0", "C: 0.5")
    frozen = tmp_path / "plan.json"
    assert yard.yard("plan", "--as-of", AS_OF, "--out", str(frozen)).code == 0
    yard.edit("C: 0.5", "C: 0.6")
    assert yard.yard("apply", str(frozen), "--yes").code == 1, "its ground has moved"
    yard.edit("C: 0.6", "C: 0.5")
    assert yard.yard("apply", str(frozen), "--yes").code == 0
    assert yard.yard("release", "rollback", "buys-api").code == 0
    assert [(each["name"], each["state"]) for each in yard.releases] == [("buys@1", "live"), ("buys@2", "rolled_back")]
    reproduced = yard.yard("release", "reproduce", "buys@1", "--json")
    assert reproduced.code == 0 and reproduced.json["identical"]
    assert yard.yard("monitor", "run").code == 0
    assert yard.yard("status", "--env", "prod", "--json").json["deployments"][0]["release"] is None
    assert yard.yard("audit", "verify").code == 0
    shutil.rmtree(yard.directory / "data")
    assert yard.yard("status", "--json").json["deployments"][0]["release"] == "buys@1"
