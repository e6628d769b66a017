"""A process that was started ahead is like one that was started for its job, and each runs one job alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from modelyard.engines import AheadEngine, Outcome

MODULE = """
import os, sys
from modelyard.engines.ahead import awaited_job
ahead = len(sys.argv) < 2
job = awaited_job() if ahead else sys.argv[1]
print(ahead, os.getpid(), job, os.getcwd(), repr(sys.stdin.read()), os.environ["SEED"], os.getpgid(0) == os.getpid())
sys.exit(int(job))
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[AheadEngine]:
    (tmp_path / "worker.py").write_text(MODULE)
    with AheadEngine(["worker"]) as engine:
        yield engine


def run(
    engine: AheadEngine, folder: Path, job: str, seed: str = "1", module: str = "worker"
) -> tuple[Outcome, list[str]]:
    place = folder / f"job-{job}"
    place.mkdir(exist_ok=True)
    outcome = engine.run(
        [sys.executable, "-m", module, job],
        cwd=place,
        log=folder / "log",
        timeout=timedelta(minutes=1),
        env={"PYTHONPATH": f"{folder}:{':'.join(sys.path)}", "SEED": seed},
    )
    return outcome, (folder / "log").read_text().split()


def test_the_second_run_finds_its_process_started(engine: AheadEngine, tmp_path: Path) -> None:
    said = [run(engine, tmp_path, job) for job in ("0", "0", "3")]
    assert [outcome.status for outcome, _ in said] == [0, 0, 3]
    assert [words[0] for _, words in said] == ["False", "True", "True"]
    assert len({words[1] for _, words in said}) == 3
    assert [words[2:] for _, words in said] == [
        [job, str(tmp_path / f"job-{job}"), "''", "1", "True"] for job in ("0", "0", "3")
    ]


def test_another_environment_is_another_process(engine: AheadEngine, tmp_path: Path) -> None:
    said = [run(engine, tmp_path, "0", seed)[1] for seed in ("1", "2", "2", "2")]
    assert [(words[0], words[5]) for words in said] == [("False", "1"), ("False", "2"), ("False", "2"), ("True", "2")]


def test_one_that_died_while_it_waited_is_replaced(engine: AheadEngine, tmp_path: Path) -> None:
    run(engine, tmp_path, "0")
    assert engine._waiting is not None
    os.kill(engine._waiting.pid, 9)
    engine._waiting.wait()
    assert run(engine, tmp_path, "0")[1][0] == "False"


def test_what_waits_ends_with_the_engine(engine: AheadEngine, tmp_path: Path) -> None:
    run(engine, tmp_path, "0")
    waiting = engine._waiting
    assert waiting is not None and waiting.poll() is None
    engine.close()
    assert waiting.poll() is not None
