"""A command runs in a process group of its own, within its limits, and leaves nothing behind."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from modelyard.engines import LocalEngine
from modelyard.engines.local import resident_bytes
from modelyard.engines.log import tail

MINUTE = timedelta(minutes=1)


def run(tmp_path: Path, code: str, *, timeout=MINUTE, memory_mb=None, env=None, cap=10_000_000):
    engine = LocalEngine(log_cap=cap)
    argv = [sys.executable, "-c", code]
    return engine.run(argv, cwd=tmp_path, log=tmp_path / "log", timeout=timeout, memory_mb=memory_mb, env=env)


def gone(pid: int) -> bool:
    """Whether a process is dead (a zombie nobody reaps yet is dead too)."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            if ") Z " in Path(f"/proc/{pid}/stat").read_text():
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
    return False


def test_status_and_both_outputs_are_kept(tmp_path):
    outcome = run(tmp_path, "import sys; print('out', flush=True); print('err', file=sys.stderr)")
    assert (outcome.status, outcome.reason, outcome.ok) == (0, "", True)
    assert (tmp_path / "log").read_text() == "out\nerr\n"


def test_what_waits_for_a_command_works_meanwhile_and_keeps_the_rest(tmp_path):
    go, there = tmp_path / "go", tmp_path / "there"
    code = "import pathlib\nwhile not pathlib.Path('go').exists(): pass\npathlib.Path('there').touch()"

    def work():
        for number in itertools.count():
            if number == 2:
                go.touch()
            yield number

    pieces = work()
    with LocalEngine().running(
        [sys.executable, "-c", code], cwd=tmp_path, log=tmp_path / "log", timeout=MINUTE
    ) as command:
        assert command.until(there.exists, pieces)
        assert next(pieces) > 2
        assert not command.until(lambda: False, pieces), "work without an end does not hide that the command has ended"


def test_a_failing_command_is_a_crash_with_its_status(tmp_path):
    outcome = run(tmp_path, "raise SystemExit(3)")
    assert (outcome.status, outcome.reason) == (3, "crash")


def test_death_by_a_signal_is_a_crash(tmp_path):
    outcome = run(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert (outcome.status, outcome.reason) == (-signal.SIGSEGV, "crash")


def test_a_timeout_ends_the_whole_group(tmp_path):
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    outcome = run(tmp_path, code, timeout=timedelta(seconds=1))
    assert outcome.reason == "timeout" and outcome.seconds < 10
    assert gone(int((tmp_path / "log").read_text()))


def test_a_helper_that_outlives_the_command_is_ended_too(tmp_path):
    code = "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid)"
    outcome = run(tmp_path, code)
    assert outcome.ok and outcome.seconds < 10
    assert gone(int((tmp_path / "log").read_text()))


@pytest.mark.skipif(not Path("/proc").exists(), reason="memory is watched through /proc")
def test_too_much_memory_is_said(tmp_path):
    outcome = run(tmp_path, "x = bytearray(400_000_000); import time; time.sleep(60)", memory_mb=150)
    assert outcome.reason == "memory" and outcome.seconds < 20
    assert resident_bytes(os.getpgrp()) > 1_000_000


def test_a_gigabyte_of_output_fills_neither_disk_nor_memory(tmp_path):
    code = "import sys\nfor i in range(300): sys.stdout.write('x' * 1_000_000)\nprint('the end')"
    outcome = run(tmp_path, code, cap=100_000)
    text = (tmp_path / "log").read_text()
    assert outcome.ok
    assert len(text) < 300_000
    assert "bytes of this log were cut here" in text and text.endswith("the end\n")
    assert tail(tmp_path / "log", 8) == "the end\n"


def test_a_log_of_exactly_the_cap_is_whole(tmp_path):
    run(tmp_path, "print('a' * 99)", cap=100)
    assert (tmp_path / "log").read_text() == "a" * 99 + "\n"


def test_the_environment_is_passed_without_credentials(tmp_path, monkeypatch):
    monkeypatch.setenv("YARD_TOKEN", "sesame")
    run(tmp_path, "import os; print(os.environ.get('YARD_TOKEN'), os.environ['COLOUR'])", env={"COLOUR": "blue"})
    assert (tmp_path / "log").read_text() == "None blue\n"


def test_ctrl_c_ends_the_child(tmp_path):
    script = (
        "import sys; from datetime import timedelta; from pathlib import Path\n"
        "from modelyard.engines import LocalEngine\n"
        "code = 'import os, time; print(os.getpid(), flush=True); time.sleep(60)'\n"
        "LocalEngine().run([sys.executable, '-c', code], cwd=Path('.'), log=Path('log'), timeout=timedelta(minutes=1))"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, stderr=subprocess.DEVNULL)
    pid = _first_line(tmp_path / "log")
    parent.send_signal(signal.SIGINT)
    assert parent.wait(timeout=10) != 0
    assert gone(pid)


def test_a_child_dies_with_its_killed_parent(tmp_path):
    script = (
        "import sys; from datetime import timedelta; from pathlib import Path\n"
        "from modelyard.engines import LocalEngine\n"
        "code = 'import os, time; from modelyard.engines.function import die_with_parent; die_with_parent();'\\\n"
        "    'print(os.getpid(), flush=True); time.sleep(60)'\n"
        "LocalEngine().run([sys.executable, '-c', code], cwd=Path('.'), log=Path('log'), timeout=timedelta(minutes=1))"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path)
    pid = _first_line(tmp_path / "log")
    parent.kill()
    parent.wait(timeout=10)
    assert gone(pid)


def _first_line(log: Path) -> int:
    deadline, pause = time.monotonic() + 20, threading.Event()
    while time.monotonic() < deadline:
        if log.exists() and log.read_text().endswith("\n"):
            return int(log.read_text().split()[0])
        pause.wait(0.02)
    raise AssertionError("the child never spoke")
