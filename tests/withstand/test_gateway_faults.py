"""A real gateway worker under a small load: swapped, killed, out of disk. `bench/faults` does the same at length."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FAULTS = Path(__file__).parents[2] / "bench" / "faults"


@pytest.fixture(scope="module", autouse=True)
def world() -> Iterator[object]:
    """What `bench/faults` has for this."""
    sys.path.insert(0, str(FAULTS))
    try:
        import world

        yield world
    finally:
        sys.path.remove(str(FAULTS))
        sys.modules.pop("world", None)


def test_swapped_and_killed_under_load_nothing_fails_mixes_or_is_lost(world, tmp_path):
    home = world.World(tmp_path)
    with home.worker() as worker, world.Asking(worker.port, rate=200, check=home.right) as asking:
        asking.until(20)
        for number in (1, 0, 1, 0, 1):
            home.route(number)
            wanted = home.releases[number][0]
            asking.until(len(asking.acknowledged) + 20)
            while asking.releases[-1] != wanted:
                asking.until(len(asking.acknowledged) + 1)
        assert (asking.failed, asking.broken, asking.wrong) == (0, 0, 0)
        worker.process.kill()
    counts = world.logged(home)
    home.close()
    assert len(asking.acknowledged) >= 100
    assert [counts[each] for each in asking.acknowledged] == [1] * len(asking.acknowledged)
    assert set(counts.values()) == {1}, "what was written and not acknowledged is not there twice either"


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs prlimit")
@pytest.mark.parametrize("when_full", ["refuse", "answer"])
def test_when_nothing_can_be_written_it_refuses_or_answers_as_declared_and_recovers(world, tmp_path, when_full):
    home = world.World(tmp_path, log={"when_full": when_full})
    with home.worker() as worker:

        def limit(size: str) -> None:
            command = ["prlimit", "--pid", str(worker.process.pid), f"--fsize={size}:unlimited"]
            subprocess.run(command, check=True)

        assert home.ask(worker.port).status_code == 200
        limit("1")
        during = home.ask(worker.port)
        limit("unlimited")
        after = home.ask(worker.port)
    counts = world.logged(home)
    home.close()
    if when_full == "refuse":
        assert (during.status_code, during.json()["code"]) == (503, "log_unavailable")
        assert during.headers["retry-after"] == "1"
    else:
        assert during.status_code == 200 and counts[during.json()["request_id"]] == 0
    assert after.status_code == 200 and counts[after.json()["request_id"]] == 1
