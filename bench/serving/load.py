"""Load from core 1: wrk where it is installed, else a small generator of our own; and what the server used meanwhile."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SERVER_CORE, LOAD_CORE = 0, 1
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Measured:
    """One cell: requests per second, processor milliseconds per request, latencies in milliseconds, failed requests."""

    rate: float
    cpu_ms: float
    p50: float
    p99: float
    failed: int


def measure(
    url: str, bodies: Sequence[bytes], headers: Mapping[str, str], connections: int, seconds: float, pid: int
) -> Measured:
    """Ask as fast as the server answers, one body after the other; `pid` is the server's first process."""
    before = processor(pid)
    if shutil.which("wrk") and len(bodies) == 1:
        requests, spent, p50, p99, failed = _wrk(url, bodies[0], headers, connections, seconds)
    else:
        requests, spent, p50, p99, failed = _own(url, bodies, headers, connections, seconds)
    used = processor(pid) - before
    return Measured(requests / spent, 1000 * used / max(requests, 1), p50, p99, failed)


def tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for each in found:
        try:
            tasks = list(Path(f"/proc/{each}/task").iterdir())
            found += [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def processor(pid: int) -> float:
    """Processor seconds, user and system, of a process and its descendants, the ended ones too."""
    total = 0.0
    for each in tree(pid):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15]) / _TICK
    return total


def resident(pid: int) -> float:
    """Megabytes resident, of all processes, shared pages counted once (PSS)."""
    total = 0
    for each in tree(pid):
        try:
            text = Path(f"/proc/{each}/smaps_rollup").read_text()
        except OSError:
            continue
        total += int(next(line for line in text.splitlines() if line.startswith("Pss:")).split()[1])
    return total / 1024


_LUA = """
local file = io.open("%s", "rb"); wrk.body = file:read("*a"); file:close()
wrk.method = "POST"
%s
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("\\nRESULT %%d %%f %%f %%f %%d\\n", summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, e.status + e.connect + e.read + e.write + e.timeout))
end
"""


def _wrk(url: str, body: bytes, headers: Mapping[str, str], connections: int, seconds: float) -> tuple:
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "body").write_bytes(body)
        lines = "\n".join(f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in headers.items())
        script = Path(place) / "post.lua"
        script.write_text(_LUA % (Path(place) / "body", lines))
        command = [
            "taskset", "-c", str(LOAD_CORE), "wrk", "-t", "1", "-c", str(connections), "-d", f"{max(1, round(seconds))}s",
            "--timeout", "30s", "-s", str(script), url,
        ]  # fmt: skip
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"RESULT (\d+) (\S+) (\S+) (\S+) (\d+)", out)
    assert found is not None, out
    requests, spent, p50, p99, failed = (float(each) for each in found.groups())
    return int(requests), spent, p50, p99, int(failed)


def _own(url: str, bodies: Sequence[bytes], headers: Mapping[str, str], connections: int, seconds: float) -> tuple:
    """The generator below in a process of its own, pinned like wrk."""
    ask = json.dumps({"url": url, "headers": dict(headers), "connections": connections, "seconds": seconds})
    command = ["taskset", "-c", str(LOAD_CORE), sys.executable, __file__, ask]
    out = subprocess.run(command, input=b"\0".join(bodies), capture_output=True, check=True).stdout
    return tuple(json.loads(out))


async def _connection(
    host: str, port: int, messages: Iterator[bytes], until: float, took: list[float], failed: list[int]
) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    while time.monotonic() < until:
        began = time.monotonic()
        writer.write(next(messages))
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        assert length is not None
        await reader.readexactly(int(length[1]))
        took.append(time.monotonic() - began)
        failed[0] += b" 200 " not in head[:16]
    writer.close()


async def _generate(ask: dict, bodies: Sequence[bytes]) -> list[float]:
    host, port, path = re.fullmatch(r"http://([^:]+):(\d+)(/.*)", ask["url"]).groups()
    lines = [f"POST {path} HTTP/1.1", f"host: {host}:{port}"]
    lines += [f"{name}: {value}" for name, value in ask["headers"].items()]
    head = "\r\n".join(lines).encode()
    messages = itertools.cycle(b"%b\r\ncontent-length: %d\r\n\r\n%b" % (head, len(each), each) for each in bodies)
    took: list[float] = []
    failed = [0]
    began = time.monotonic()
    until = began + ask["seconds"]
    some = [_connection(host, int(port), messages, until, took, failed) for _ in range(ask["connections"])]
    await asyncio.gather(*some)
    cuts = statistics.quantiles(took, n=100)
    return [len(took), time.monotonic() - began, 1000 * cuts[49], 1000 * cuts[98], failed[0]]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_generate(json.loads(sys.argv[1]), sys.stdin.buffer.read().split(b"\0")))))
