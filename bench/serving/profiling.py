"""What watching adds to serving: processor time of a gateway under load, and of profiling the rows that it logs.

    .venv/bin/python bench/serving/profiling.py [--seconds 15] [--model hgb]

One worker, "ours" of this bench, answers on core 0 and logs. Beside the load, on core 1, a second process does with the
log what the controller does, every second: it moves what is closed (after 5 s) into the table, and profiles it against the
release's training rows: 20 numbers and the prediction. A gateway itself profiles nothing. Printed are milliseconds of the
processor per 1,000 rows, and what profiling adds to the gateway. Goal: 10%; exits with 1 when it is more.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from load import LOAD_CORE, SERVER_CORE, Measured, measure
from ours import body, make
from peers import JSON
from problem import NAMES, table

from modelyard import monitor, serve
from modelyard.clock import RealClock
from modelyard.store import open_store

CELLS = {"1 row, c=1": (1, 1), "1 row, c=64": (1, 64), "256 rows, c=16": (256, 16)}
GOAL, PORT, WARM = 0.10, 18_650, 2.0


def collect(home: Path) -> None:
    """Move and profile every second until the input ends, and then the rest; prints rows and the processor's seconds of both.

    The first piece is not counted: with it libraries and the reference are loaded. It says "ready" after that.
    """
    first, rows, moving, profiling = True, 0, 0.0, 0.0
    with open_store(home, project="bench", clock=RealClock()) as store:
        going = True
        while going:
            going = not select.select([sys.stdin], [], [], 1.0)[0]
            start = time.process_time()
            moved = serve.move(store, "late")
            between = time.process_time()
            monitor.profile_segments(store, "late")
            if moved and first:
                first = False
                print("ready", flush=True)
            elif moved:
                rows += sum(segment.rows for segment in moved)
                moving, profiling = moving + between - start, profiling + time.process_time() - between
    print(json.dumps([rows, moving, profiling]))


def cell(home: Path, rows: int, connections: int, seconds: float) -> tuple[Measured, list[float]]:
    """A gateway under one load: what it took, and what `collect` beside it did."""
    worker = [sys.executable, "-m", "modelyard.serve.worker", "--home", home, "--project", "bench", "--port", str(PORT)]
    beside = ["taskset", "-c", str(LOAD_CORE), sys.executable, __file__, "--collect", home]
    url = f"http://127.0.0.1:{PORT}/deployments/late/predict"
    # All rows that there are, one after the other: of few rows asked again and again a profile looks for what got stuck.
    known = table().select(NAMES).to_pandas().to_numpy()
    given = [json.dumps(body(known[place : place + rows])).encode() for place in range(0, len(known) - rows + 1, rows)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    server = subprocess.Popen(["taskset", "-c", str(SERVER_CORE), *worker], env={**os.environ, **threads})
    try:
        _ready(server)
        collecting = subprocess.Popen(beside, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        measure(url, given, JSON, connections, WARM, server.pid)
        assert collecting.stdout is not None
        collecting.stdout.readline()
        gateway = measure(url, given, JSON, connections, seconds, server.pid)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
    return gateway, json.loads(collecting.communicate()[0])


def _ready(server: subprocess.Popen) -> None:
    while server.poll() is None:
        try:
            if httpx.get(f"http://127.0.0.1:{PORT}/readyz", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise SystemExit("the gateway ended before it was ready")


def main() -> None:
    """Measure every load, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--model", default="hgb")
    parser.add_argument("--collect", type=Path, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.collect:
        return collect(said.collect)
    print("| load | rows/s | gateway | moving | profiling | profiling adds |\n|---|---|---|---|---|---|")
    most = 0.0
    for name, (rows, connections) in CELLS.items():
        with tempfile.TemporaryDirectory(prefix="yard-profiling-") as place:
            make(Path(place), said.model, watched=True)
            gateway, (moved, *spent) = cell(Path(place), rows, connections, said.seconds)
        took, moving, profiling = 1000 * gateway.cpu_ms / rows, *(1e6 * each / moved for each in spent)
        most = max(most, profiling / took)
        print(
            f"| {name} | {rows * gateway.rate:,.0f} | {took:.1f} ms | {moving:.1f} ms | {profiling:.1f} ms "
            f"| {profiling / took:.0%} |",
            flush=True,
        )
    sys.exit(most > GOAL)


if __name__ == "__main__":
    main()
