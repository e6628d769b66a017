"""One gateway process: `python -m modelyard.serve.worker --home DIR --project NAME`. Ends in order on SIGTERM and SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import socket
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import uvicorn

from modelyard.clock import RealClock
from modelyard.serve import lines
from modelyard.serve.app import Server, create
from modelyard.serve.gateway import Gateway
from modelyard.serve.http import LOOPBACK
from modelyard.serve.lean import without_pandas
from modelyard.serve.protocol import Protocol, protocol
from modelyard.store import Store, open_store

GRACE_SECONDS = 30
UNREADY_SECONDS = 0.5
BEAT_SECONDS = 0.5
COLLECT_AFTER = 50_000


class Worker(uvicorn.Server):
    """uvicorn's server that says it is not ready before it stops listening, and beats while it can answer."""

    def __init__(self, config: uvicorn.Config, app: Server, beat: int | None) -> None:
        super().__init__(config)
        self._app = app
        self._beat = beat

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Load what is served, then listen; what is loaded by now is no business of the garbage collector."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(COLLECT_AFTER)
        self._beating = asyncio.create_task(self._live())

    async def _live(self) -> None:
        """Sweep connections, and beat: not while a model hangs, for then another process must take over."""
        loop = asyncio.get_running_loop()
        used, at = time.process_time(), loop.time()
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            now = loop.time()
            for each in list(self.server_state.connections):
                if isinstance(each, Protocol):
                    each.sweep(now)
            busy = (time.process_time() - used) / max(now - at, 1e-6)
            used, at = time.process_time(), now
            if self._beat is not None and not self._app.stuck(now):
                with suppress(BlockingIOError, BrokenPipeError):
                    os.write(self._beat, bytes([min(100, round(100 * busy))]))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Unready first, so that nobody sends more; then finish what is here, for at most `GRACE_SECONDS`."""
        self._app.stopping = True
        await asyncio.sleep(UNREADY_SECONDS)
        await super().shutdown(sockets)
        self._beating.cancel()


def serve(
    store: Store,
    *,
    listening: socket.socket | None = None,
    host: str = "127.0.0.1",
    port: int = 8601,
    hosts: Collection[str] | None = None,
    spool: Path | None = None,
    beat: int | None = None,
) -> None:
    """Serve the deployments of `store` until a signal, on a socket that listens already or on `host` and `port`.

    `hosts`: the names it answers under (default: those of the loopback, and `host`). `beat`: a pipe to beat into.
    """
    without_pandas()
    lines.set_up()
    gateway = Gateway(store, clock=store.clock, spool=spool)
    app = create(gateway, hosts=LOOPBACK | {host} if hosts is None else hosts)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=protocol(app),
        loop="uvloop",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    if beat is not None:
        os.set_blocking(beat, False)
    Worker(config, app, beat).run(sockets=None if listening is None else [listening])


def main(arguments: list[str] | None = None) -> None:
    """The command line of one worker."""
    parser = argparse.ArgumentParser(description="One gateway process.")
    parser.add_argument("--home", required=True, help="a directory, or a postgresql:// URL")
    parser.add_argument("--project", required=True)
    parser.add_argument("--env", default="dev")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8601)
    given = parser.parse_args(arguments)
    with open_store(given.home, project=given.project, env=given.env, clock=RealClock(), create=False) as store:
        serve(store, host=given.host, port=given.port)


if __name__ == "__main__":
    main()
