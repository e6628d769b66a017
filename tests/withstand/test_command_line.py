"""What happens to the command line: Ctrl-C, closed pipes, taken ports, strange homes; its answer stays one document."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from withstand_yard import AS_OF, COMMAND, PATIENCE, Yard, free_port, up, wait_for


def test_ctrl_c_ends_an_apply_with_130_and_the_next_one_goes_on(new_yard: Yard, applied: Yard) -> None:
    jobs = new_yard.directory / ".yard" / "files" / "jobs"
    with new_yard.start("apply", "--yes", "--as-of", AS_OF, "--json") as process:
        wait_for(lambda: any(jobs.glob("*/job.json")) or process.poll() is not None, "a fit")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130 and out == "" and "goes on" in err and "Traceback" not in err
    assert new_yard.apply().code == 0
    assert new_yard.releases[0]["digest"] == applied.releases[0]["digest"]


def test_ctrl_c_ends_a_simulation_with_130(yard: Yard) -> None:
    simulations = yard.directory / ".yard" / "files" / "simulations"
    with yard.start("simulate", "--from", "2024-02-15", "--to", "2024-02-20") as process:
        wait_for(lambda: any(simulations.glob("*/yard.db")) or process.poll() is not None, "a simulation")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130 and "Traceback" not in err


QUERY = """
import os, signal, sys, threading
import duckdb
from modelyard.cli import main as command

def query(*words, **options):
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    connection = duckdb.connect()  # not closed: that may wait for the query's threads
    connection.execute(sys.argv[1]).fetchall()

command.yard.main = query
command.main(["apply"])
"""


def test_ctrl_c_inside_a_query_is_an_interruption_though_duckdb_raises_an_error_of_its_own() -> None:
    long = "SELECT sum(sin(range)) FROM range(1_000_000_000_000)"
    ended = subprocess.run([sys.executable, "-c", QUERY, long], capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode == 130 and "goes on" in ended.stderr and "Traceback" not in ended.stderr


def test_a_second_ctrl_c_ends_at_once_what_does_not_let_go() -> None:
    stubborn = "SELECT count(*) FROM range(1_000_000) a, range(1_000_000) b WHERE sin(a.range * b.range) > 2"
    with subprocess.Popen([sys.executable, "-c", QUERY, stubborn]) as process:

        def ended() -> bool:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            return process.poll() is not None

        wait_for(ended, "its end")
    assert process.returncode in (130, -signal.SIGINT)


def test_help_loads_none_of_the_libraries_that_work_needs() -> None:
    heavy = {
        "numpy",
        "pandas",
        "pyarrow",
        "scipy",
        "sklearn",
        "duckdb",
        "sqlalchemy",
        "pydantic",
        "deltalake",
        "starlette",
    }
    script = f"import sys, modelyard.cli.main; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_ctrl_c_ends_up_in_order(yard: Yard) -> None:
    with up(yard) as running:
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(60) == 0
        assert running.members() == {}


def test_a_closed_pipe_is_no_failure(yard: Yard) -> None:
    with yard.start("audit", "list", "--json") as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
        process.wait()
    assert process.returncode in (0, 1) and err == ""


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "--as-of", "32.13.2024"),
        ("plan", "--as-of", "0001-01-01T00:00+05:00"),
        ("score", "buys"),
        ("release", "show", "buys@²"),
        ("plan", "--env", "a/b"),
        ("plan", "--no-such-option"),
        ("no-such-command",),
        ("release", "show", "buys@9"),
        ("release", "rollback", "nope"),
        ("simulate", "--from", "2024-02-20", "--to", "2024-02-15"),
        ("simulate", "--from", "2024-02-15", "--to", "2024-02-20", "--step", "0d"),
        ("predict", "buys-api", "nowhere.csv", "-o", "out.csv"),
        ("predict", "nope", "data/visits.csv", "-o", "out.csv"),
        ("up", "--gateway-port", "99999"),
        ("up", "--workers", "0"),
        ("apply", "nowhere.json"),
        ("plan", "--out", "/nowhere/plan.json"),
        ("status", "--home", "mysql://x/y"),
        ("apply", "--home", "/etc/passwd"),
        ("apply", "--home", "postgresql://nobody@127.0.0.1:1/x?files=/tmp/unused"),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_json_document_and_no_defect(yard: Yard, words: tuple[str, ...]) -> None:
    home = () if "--home" in words else ("--home", str(yard.directory / ".yard"))
    ended = subprocess.run(
        [*COMMAND, *words, "--json", "--project", ".", *home], cwd=yard.directory, capture_output=True, text=True
    )
    assert ended.returncode == (1 if "postgresql" in words[-1] else 2), ended.stderr
    errors = json.loads(ended.stdout)["errors"]
    assert errors and all(each["message"] for each in errors)
    assert "Traceback" not in ended.stderr


def test_rows_that_a_deployment_cannot_answer_are_named_with_what_is_missing(yard: Yard) -> None:
    odd, out = yard.directory / "odd.csv", yard.directory / "out.csv"
    odd.write_text("odd\n1\n")
    said = yard.yard("predict", "buys-api", str(odd), "-o", str(out), "--json")
    (error,) = json.loads(said.out)["errors"]
    assert said.code == 2 and error["where"] == str(odd) and "dataset" in error["hint"]
    assert {"pointer": "/columns/odd", "code": "unknown_feature"}.items() <= error["faults"][-1].items()
    assert not out.exists()


def test_a_taken_port_is_named(yard: Yard) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = yard.yard("up", "--gateway-port", port, "--api-port", str(free_port()))
    assert said.code == 2 and f"port {port} is taken" in said.err and "--gateway-port" in said.err


def test_a_user_without_home_and_name(yard: Yard, tmp_path: Path) -> None:
    with yard.start("status", "--json", HOME="", LOGNAME="", USER="", LNAME="", USERNAME="") as process:
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert json.loads(out)["deployments"][0]["release"] == "buys@1"
