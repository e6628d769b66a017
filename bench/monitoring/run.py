"""The experiments of monitoring, ours beside the peers at their defaults: `.venv/bin/python bench/monitoring/run.py`.

Options: numbers of experiments (all), `--no-peers`, `--out FILE` (the table as Markdown, too). Each file in
`experiments/` is one experiment: `TITLE`, `GOAL`, and `run(peers) -> Iterable[Line]`, where `peers` maps the name of
each peer that is installed to its interpreter. Exits with 1 when ours misses a goal.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import time
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import install  # noqa: E402
from table import Line, printed  # noqa: E402


def experiments(chosen: list[str]) -> list[ModuleType]:
    """The experiment modules in order of their number, all or the chosen ones."""
    found = []
    for path in sorted((HERE / "experiments").glob("e[0-9][0-9]_*.py")):
        if not chosen or str(int(path.name[1:3])) in chosen:
            spec = importlib.util.spec_from_file_location(path.stem, path)
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[path.stem] = module
            spec.loader.exec_module(module)
            found.append(module)
    return found


def main() -> None:
    """Install what is missing, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("numbers", nargs="*")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--out", type=Path)
    said = parser.parse_args()
    peers: dict[str, Path] = {}
    for name in () if said.no_peers else install.PEERS:
        why = install.install(name)
        if why:
            print(f"{name} could not be installed and is left out: {why}", file=sys.stderr)
        else:
            peers[name] = install.python(name)
    lines: list[Line] = []
    goals: dict[str, str] = {}
    for module in experiments(said.numbers):
        goals[module.TITLE] = module.GOAL
        start = time.process_time()
        for line in module.run(peers):
            lines.append(line)
            print(f"{module.TITLE}: {line.tool}: {line.measured}", file=sys.stderr, flush=True)
        print(f"{module.TITLE}: {time.process_time() - start:.0f} s of this process", file=sys.stderr, flush=True)
    text = printed(lines, goals)
    print(text)
    if said.out:
        said.out.write_text(text + "\n")
    sys.exit(any(line.reached is False for line in lines if line.tool == "modelyard"))


if __name__ == "__main__":
    main()
