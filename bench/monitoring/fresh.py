"""Experiments 8 and 10 on seeds that nothing was set by: `.venv/bin/python bench/monitoring/fresh.py 8|10 FIRST COUNT`.

Prints a line per seed and their sum. A mend that was tuned on a seed is shown on others: give a FIRST never used before.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from dataclasses import fields

from run import experiments


def main() -> None:
    """Run the seeds, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", choices=["8", "10"])
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    said = parser.parse_args()
    (module,) = experiments([said.experiment])
    runs = []
    for seed in range(said.first, said.first + said.count):
        runs.append(module.measured(seed))
        print(seed, runs[-1], flush=True)
    for field in fields(runs[0]):
        values = [getattr(each, field.name) for each in runs]
        told = sum(values) if field.type == "int" or field.type is int else values
        print(f"{field.name}: {told}")


if __name__ == "__main__":
    main()
