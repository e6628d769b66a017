"""How long `yard --help`, and a plan with nothing to do on a project of 100 entities, take as whole commands.

    .venv/bin/python bench/commands.py

Prints the median of several runs beside a bare `python -c pass`, and the processor's time, which other work on the
machine does not stretch. Goals: help at most .35 s, the plan at most 1 s.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 7
TABLES, VIEWS, MODELS = 60, 30, 8

MODEL = """\
from sklearn.linear_model import LinearRegression


def fit(X, y):
    return LinearRegression().fit(X, y)
"""


def project(folder: Path) -> None:
    """Write a project of 100 entities: a source, 60 datasets, 30 views, 8 models, 1 deployment."""
    rows = "\n".join(f"{n},2024-01-{n % 28 + 1:02d},{n % 7},{n * 1.5}" for n in range(400))
    (folder / "rows.csv").write_text(f"id,day,x,y\n{rows}\n")
    (folder / "fitting.py").write_text(MODEL)
    lines = ["project: hundred", "sources:", "  rows: {uri: rows.csv, time: day}", "datasets:"]
    for number in range(TABLES):
        sql = f"SELECT *, x + {number} AS x{number} FROM rows"
        lines.append(f"  d{number}: {{sql: '{sql}', key: [id], time: day}}")
    lines.append("features:")
    for number in range(VIEWS):
        lines.append(f"  f{number}: {{entity: [id], from: rows, sql: 'SELECT id, day, x AS z{number} FROM rows'}}")
    lines.append("models:")
    for number in range(MODELS):
        lines.append(
            f"  m{number}: {{task: regression, data: d{number}, features: [f{number}], target: y, train: 'fitting:fit'}}"
        )
    lines += ["deployments:", "  api: {model: m0}"]
    (folder / "yard.yaml").write_text("\n".join(lines) + "\n")


def seconds(command: list[str]) -> tuple[float, float]:
    """The median wall time of a command, and of the processor's time for it."""
    taken = []
    for _ in range(RUNS):
        before, started = _spent(), time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append((time.perf_counter() - started, _spent() - before))
    wall, cpu = (statistics.median(column) for column in zip(*taken, strict=True))
    return wall, cpu


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure and print."""
    yard = str(Path(sys.executable).with_name("yard"))
    measured = {"bare python": seconds([sys.executable, "-c", "pass"])}
    measured["yard --help, goal .35 s"] = seconds([yard, "--help"])
    with tempfile.TemporaryDirectory() as place:
        project(Path(place))
        before, started = _spent(), time.perf_counter()
        subprocess.run([yard, "apply", "--yes", "--project", place], check=True, capture_output=True)
        measured["apply, 100 entities"] = time.perf_counter() - started, _spent() - before
        done = subprocess.run([yard, "plan", "--project", place], check=True, capture_output=True, text=True)
        assert "nothing to do" in done.stdout, done.stdout
        measured["plan, nothing to do, goal 1 s"] = seconds([yard, "plan", "--project", place])
    for what, (wall, cpu) in measured.items():
        print(f"{what:30} {wall:7.3f} s   processor {cpu:7.3f} s")


if __name__ == "__main__":
    main()
