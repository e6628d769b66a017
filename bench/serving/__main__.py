"""Serving beside its peers, in one run: the same models, the same core, everything of ours switched on.

    .venv/bin/python bench/serving [--only ours,mlflow] [--models hgb,lr] [--seconds 3] [--rounds 1] [--out DIR]

The server runs on core 0 with one worker, the load (wrk) on core 1; only loopback. Each peer is installed into an
environment of its own under the cache folder. A server that predicts wrongly is left out. Prints, per model: requests per
second, processor milliseconds per request, p50 and p99, resident memory, and our ratios; writes `serving.svg` and
`serving.json` into --out. The processor's milliseconds are what to compare on a machine that others use too.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

import httpx
import numpy as np
from load import SERVER_CORE, Measured, measure, resident
from ours import OURS
from peers import JSON, PEERS, Server
from picture import draw
from problem import MODELS, prepare

CELLS = {"1 row, c=1": (1, 1), "1 row, c=64": (1, 64), "256 rows, c=16": (256, 16)}
PORT = 18_700
PATIENCE = 180.0


@contextmanager
def running(server: Server, models: Path, kind: str, port: int, work: Path) -> Iterator[subprocess.Popen]:
    """The server on core 0 until the end of the block; ready when it has answered."""
    how = server.start(models, kind, port, work)
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with (work / f"{server.name}-{kind}.log").open("ab") as log:
        process = subprocess.Popen(
            ["taskset", "-c", str(SERVER_CORE), *how.command],
            env={**os.environ, **threads, **how.environment}, cwd=work, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def check(server: Server, url: str, rows: np.ndarray, right: np.ndarray, process: subprocess.Popen) -> str:
    """Wait until the server answers, and compare: "" or what is wrong."""
    deadline = time.monotonic() + PATIENCE
    with httpx.Client(trust_env=False, timeout=30) as client:
        while True:
            try:
                answer = client.post(url, json=server.body(rows), headers=JSON)
                if answer.status_code == 200:
                    break
                says = f"{answer.status_code}: {answer.text[:200]}"
            except httpx.TransportError as error:
                says = str(error)
            if process.poll() is not None or time.monotonic() > deadline:
                return f"no answer: {says}"
            time.sleep(0.2)
    found = np.asarray(server.read(answer.json()), dtype=float)
    if found.shape != right.shape:
        return f"{found.shape} answers for {right.shape}"
    largest = float(np.abs(found - right).max())
    return "" if largest <= 1e-4 else f"answers differ by up to {largest:.2g}"


def run(server: Server, models: Path, kind: str, number: int, work: Path, seconds: float) -> dict[str, object]:
    """Start it, check it, measure every cell."""
    port = PORT + 10 * number
    url = f"http://127.0.0.1:{port}{server.path}"
    rows, right = np.load(models / "rows.npy"), np.load(models / f"{kind}.npy")
    found: dict[str, object] = {}
    with running(server, models, kind, port, work) as process:
        wrong = check(server, url, rows, right, process) or check(server, url, rows[:1], right[:1], process)
        if wrong:
            return {"wrong": wrong}
        for cell, (count, connections) in CELLS.items():
            body = json.dumps(server.body(rows[:count])).encode()
            measure(url, [body], JSON, connections, 1, process.pid)
            found[cell] = asdict(measure(url, [body], JSON, connections, seconds, process.pid))
        found["rss"] = resident(process.pid)
    return found


def best(rounds: list[dict]) -> dict:
    """Of several rounds the least disturbed: per cell the one with the least processor time per request."""
    good = [each for each in rounds if "wrong" not in each]
    if not good:
        return rounds[0]
    cells = {cell: min((each[cell] for each in good), key=lambda one: one["cpu_ms"]) for cell in CELLS}
    return {**cells, "rss": min(each["rss"] for each in good)}


def show(kind: str, results: dict[str, dict]) -> None:
    """A table, and our ratios, by the processor's time and by the rate."""
    print(f"\n{kind}: requests/s, processor ms/request, p50/p99 ms")
    print(f"{'':16}" + "".join(f"{cell:>34}" for cell in CELLS) + f"{'MB':>7}")
    for name, result in results.items():
        if "wrong" in result:
            print(f"{name:16}  left out: {result['wrong']}")
            continue
        line = "".join(_cell(Measured(**result[cell])) for cell in CELLS)
        print(f"{name:16}{line}{result['rss']:7.0f}")
    ours = {name: result for name, result in results.items() if name.startswith("ours") and "wrong" not in result}
    peers = {name: result for name, result in results.items() if name not in ours and "wrong" not in result}
    for mine in ours:
        for cell in CELLS if peers else ():
            against = {name: result[cell]["cpu_ms"] / ours[mine][cell]["cpu_ms"] for name, result in peers.items()}
            rates = {name: ours[mine][cell]["rate"] / result[cell]["rate"] for name, result in peers.items()}
            hardest = min(against, key=against.__getitem__)
            says = f"{mine}, {cell}: {against[hardest]:.1f} x the best peer ({hardest}) by processor time"
            says += f", {min(rates.values()):.1f} x ({min(rates, key=rates.__getitem__)}) by rate"
            if "mlflow" in against:
                says += f"; {against['mlflow']:.1f} x and {rates['mlflow']:.1f} x MLflow"
            print(says)
    if "ours" in ours and "ours off" in ours:
        for cell in CELLS:
            print(
                f"on / off, {cell}: {ours['ours'][cell]['cpu_ms'] / ours['ours off'][cell]['cpu_ms']:.2f} x the processor time"
            )


def _cell(each: Measured) -> str:
    failed = f" {each.failed} FAILED" if each.failed else ""
    return f"{f'{each.rate:,.0f}/s {each.cpu_ms:.3f} ms {each.p50:.1f}/{each.p99:.1f}{failed}':>34}"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = (*OURS, *PEERS)
    parser.add_argument("--only", help="of: " + ", ".join(each.name for each in every))
    parser.add_argument("--models", default="hgb,lr")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()))
    given = parser.parse_args()
    names = [each.name for each in every] if given.only is None else [each.strip() for each in given.only.split(",")]
    unknown = set(names) - {each.name for each in every} | set(given.models.split(",")) - set(MODELS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    chosen = [each for each in every if each.name in names]
    for server in chosen:
        server.install()
    work = Path(tempfile.mkdtemp(prefix="yard-bench-"))
    results: dict[str, dict[str, dict]] = {}
    try:
        prepare(work / "models")
        print(f"load average {os.getloadavg()[0]:.1f} at the start, {given.rounds} x {given.seconds:g} s a cell")
        for kind in given.models.split(","):
            rounds: dict[str, list[dict]] = {server.name: [] for server in chosen}
            for _ in range(given.rounds):
                for number, server in enumerate(chosen):
                    print(f"{server.name} ...", end="\r", file=sys.stderr, flush=True)
                    rounds[server.name].append(run(server, work / "models", kind, number, work, given.seconds))
            results[kind] = {name: best(each) for name, each in rounds.items()}
            show(kind, results[kind])
        print(f"load average {os.getloadavg()[0]:.1f} at the end")
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "serving.json").write_text(json.dumps(results, indent=1))
        (given.out / "serving.svg").write_text(draw(results, list(CELLS)))
        print(f"wrote {given.out / 'serving.json'} and serving.svg")
    finally:
        if os.environ.get("BENCH_KEEP"):
            print(f"kept {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
