"""The tools that look at windows: ours in this process, each peer in its own, all by one question.

Which columns of each window alarm? A peer is a script in `peers/` that reads a reference and windows from Parquet and
answers one JSON line per window: `{"alarms": [...]}` or `{"error": "..."}`.
"""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from modelyard.stats import compare_frames

HERE = Path(__file__).parent
PROCESSOR, MEMORY = 600, 8 << 30
"""A peer is ended after ten minutes of processor, or at 8 GB."""
DRIFT = ("evidently", "nannyml", "whylogs", "alibi-detect")


@dataclass(frozen=True)
class Seen:
    """The columns that alarm in one window, or the error that there was instead."""

    alarms: frozenset[str]
    error: str = ""


def ours(reference: pa.Table, windows: Iterable[pa.Table]) -> list[Seen]:
    """What warns or pages, by `compare_frames` at its defaults."""
    return [Seen(alarms(compare_frames(reference, window))) for window in windows]


def alarms(result: dict[str, list[dict[str, str]]]) -> frozenset[str]:
    """The columns of a result of ours that alarm."""
    return frozenset(c["column"] for c in result["columns"] if c["verdict"] in ("warn", "page"))


def asked(peer: str, interpreter: Path, reference: pa.Table, windows: Iterable[pa.Table]) -> list[Seen]:
    """What a peer at its defaults says of each window."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        pq.write_table(reference, place / "reference.parquet")
        paths = []
        for number, window in enumerate(windows):
            paths.append(place / f"{number:04d}.parquet")
            pq.write_table(window, paths[-1])
        script = HERE / "peers" / f"{peer.replace('-', '_')}_.py"
        command = [interpreter, "-W", "ignore", script, place / "reference.parquet", *paths]
        done = subprocess.run(command, capture_output=True, text=True, preexec_fn=_limited)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if len(lines) != len(paths):
        why = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
            why = f"ended after {PROCESSOR // 60} minutes of processor"
        elif "MemoryError" in done.stderr or done.returncode == -signal.SIGABRT:
            why = f"ended at {MEMORY >> 30} GB"
        lines += [{"error": why}] * (len(paths) - len(lines))
    return [Seen(frozenset(line.get("alarms", ())), line.get("error", "")) for line in lines]


def _limited() -> None:
    """What a peer may use for one question."""
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR, PROCESSOR + 5))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def by_tool(
    peers: Mapping[str, Path], reference: pa.Table, windows: list[pa.Table], *, of_peers: int | None = None
) -> dict[str, list[Seen]]:
    """Ours on all windows, and the peers on the first `of_peers`, because most of them take seconds for each."""
    found = {"modelyard": ours(reference, windows)}
    for name in DRIFT:
        if name in peers:
            found[name] = asked(name, peers[name], reference, windows[:of_peers])
    return found


def children_cpu() -> float:
    """CPU seconds of all processes that ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
