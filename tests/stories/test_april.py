"""A true story: New York's flights in April 2013, when the furloughs of air traffic controllers delayed thousands of flights.

They began on 21 April and were suspended on the 27th (Reuters, 27 April 2013: "FAA suspends employee furloughs"). No input of
the model knows of them: the same flights in the same weather came late.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from modelyard.cli.main import main

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "flights"


def test_a_world_that_changed_behind_the_inputs_is_called_so_while_it_lasts(tmp_path: Path) -> None:
    project = tmp_path / "flights"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("data", ".yard", "report*", "__pycache__"))
    subprocess.run([sys.executable, "get_data.py"], cwd=project, check=True, capture_output=True)
    played = ["simulate", "--from", "2013-04-01", "--to", "2013-04-28", "--step", "1d", "--json"]
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()), pytest.raises(SystemExit) as left:
        main([*played, "--project", str(project)])
    assert left.value.code == 0
    told = [each for each in json.loads(out.getvalue())["events"] if each["subject"] == "monitor.late-health"]
    concept = [each for each in told if "concept" in each["kind"]]
    assert [each["at"][:10] for each in concept] == ["2013-04-27"], "the sixth day of the furloughs, labels a day late"
    inputs, world = re.search(
        r"([−+-][\d.]+) by what was asked, ([−+-][\d.]+) by the world", concept[0]["why"]
    ).groups()
    assert float(world) > 0.1 > abs(float(inputs.replace("−", "-")))
    before = {each["kind"] for each in told if each["at"] < "2013-04-27"}
    assert before <= {"drift"}, "spring: temperatures beyond those of the winter that was learnt"
