"""Load that does not wait: so many requests a second, whatever becomes of them; a process of its own, so that it measures
the server and not itself.

    python offered.py '{"port": …, "path": …, "body": …, "rate": 100, "seconds": 3, "processor": 1}'

`rate` 0: `connections` ask as fast as they are answered. Prints `{"sent", "behind", "by": {status: [count, p50, p99, max]}}`,
latencies in milliseconds from sending; `behind`: how late the client itself sent at its worst.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from contextlib import suppress


class Connection(asyncio.Protocol):
    """One connection with at most one request on its way."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.transport: asyncio.Transport | None = None
        self.sent = 0.0
        self.data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self.transport = transport  # type: ignore[assignment]

    def ask(self) -> None:
        """Send the question."""
        self.sent, self.data = time.monotonic(), b""
        assert self.transport is not None
        self.transport.write(self.load.message)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self.data += data
        head, gap, body = self.data.partition(b"\r\n\r\n")
        if not gap:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) >= length:
            self.load.answered(self, head[9:12].decode())

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio.Protocol."""
        if self.sent:
            self.load.answered(self, "broken")


class Load:
    """The requests of one run, and what became of each."""

    def __init__(self, ask: dict) -> None:
        self.ask = ask
        body = ask["body"].encode()
        lines = [f"POST {ask['path']} HTTP/1.1", f"host: 127.0.0.1:{ask['port']}", "content-type: application/json"]
        self.message = "\r\n".join([*lines, f"content-length: {len(body)}"]).encode() + b"\r\n\r\n" + body
        self.idle: list[Connection] = []
        self.took: dict[str, list[float]] = {}
        self.until = 0.0
        self.behind = 0.0
        self.sent = 0

    def answered(self, connection: Connection, status: str) -> None:
        """An answer came."""
        self.took.setdefault(status, []).append(time.monotonic() - connection.sent)
        connection.sent = 0.0
        if status == "broken":
            return
        if self.ask["rate"]:
            self.idle.append(connection)
        elif time.monotonic() < self.until:
            self.send(connection, time.monotonic())

    def send(self, connection: Connection, due: float) -> None:
        """Ask on a connection."""
        self.sent += 1
        self.behind = max(self.behind, time.monotonic() - due)
        connection.ask()

    async def open(self) -> Connection:
        """Another connection."""
        _, made = await asyncio.get_running_loop().create_connection(
            lambda: Connection(self), "127.0.0.1", self.ask["port"]
        )
        return made

    async def run(self) -> None:
        """Ask, and wait for the last answers."""
        some = [await self.open() for _ in range(self.ask.get("connections", 16))]
        began = time.monotonic()
        self.until = began + self.ask["seconds"]
        if not self.ask["rate"]:
            for each in some:
                self.send(each, time.monotonic())
            await asyncio.sleep(self.ask["seconds"])
        else:
            self.idle = some
            number = 0
            while (now := time.monotonic()) < self.until:
                while (due := began + number / self.ask["rate"]) <= now:
                    number += 1
                    self.send(self.idle.pop() if self.idle else await self.open(), due)
                await asyncio.sleep(max(0.0, due - time.monotonic()))
        deadline = time.monotonic() + 5
        while sum(map(len, self.took.values())) < self.sent and time.monotonic() < deadline:
            await asyncio.sleep(0.01)

    def result(self) -> dict:
        """What is printed."""
        by = {}
        for status, took in self.took.items():
            ordered = sorted(1000 * each for each in took)
            cut = [ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.99)]
            by[status] = [len(ordered), *(round(each, 2) for each in (*cut, ordered[-1]))]
        return {"sent": self.sent, "behind": round(1000 * self.behind, 2), "by": by}


if __name__ == "__main__":
    asked = json.loads(sys.stdin.read() if len(sys.argv) < 2 else sys.argv[1])
    with suppress(OSError, KeyError):
        os.sched_setaffinity(0, {asked["processor"]})
    load = Load(asked)
    asyncio.run(load.run())
    print(json.dumps(load.result()))
