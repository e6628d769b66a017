"""How long `yard --help`, and a plan with nothing to do on a project of 100 entities, take as whole commands.

    .venv/bin/python bench/commands.py

Prints the median of several runs beside a bare `python -c pass`. Goals: help at most .35 s, the plan at most 1 s.
"""

from __future__ import annotations

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


def seconds(command: list[str]) -> float:
    """The median wall time of a command."""
    taken = []
    for _ in range(RUNS):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def main() -> None:
    """Measure and print."""
    yard = str(Path(sys.executable).with_name("yard"))
    bare = seconds([sys.executable, "-c", "pass"])
    help_time = seconds([yard, "--help"])
    with tempfile.TemporaryDirectory() as place:
        project(Path(place))
        subprocess.run([yard, "apply", "--yes", "--project", place], check=True, stdout=subprocess.DEVNULL)
        done = subprocess.run([yard, "plan", "--project", place], check=True, capture_output=True, text=True)
        assert "nothing to do" in done.stdout, done.stdout
        plan_time = seconds([yard, "plan", "--project", place])
    print(f"bare python          {bare:.3f} s")
    print(f"yard --help          {help_time:.3f} s   goal .35 s   {help_time / bare:.1f} x bare")
    print(f"plan, 100 entities   {plan_time:.3f} s   goal 1 s     {plan_time / bare:.1f} x bare")


if __name__ == "__main__":
    main()
