"""One gateway process: `python -m modelyard.serve.worker --home DIR --project NAME`. Ends in order on SIGTERM and SIGINT."""

from __future__ import annotations

import argparse
import logging
import socket
from collections.abc import Collection
from pathlib import Path

import uvicorn

from modelyard.clock import RealClock
from modelyard.serve.app import create
from modelyard.serve.gateway import Gateway
from modelyard.serve.http import LOOPBACK
from modelyard.serve.protocol import Protocol, protocol
from modelyard.store import Store, open_store

GRACE_SECONDS = 30


def serve(
    store: Store,
    *,
    listening: socket.socket | None = None,
    host: str = "127.0.0.1",
    port: int = 8601,
    hosts: Collection[str] | None = None,
    spool: Path | None = None,
) -> None:
    """Serve the deployments of `store` until a signal, on a socket that listens already or on `host` and `port`.

    `hosts`: the names it answers under (default: those of the loopback, and `host`).
    """
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
        log_level="warning",
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = uvicorn.Server(config)

    def sweep(now: float) -> None:
        for each in list(server.server_state.connections):
            if isinstance(each, Protocol):
                each.sweep(now)

    app.sweeps = sweep
    server.run(sockets=None if listening is None else [listening])


def main(arguments: list[str] | None = None) -> None:
    """The command line of one worker."""
    parser = argparse.ArgumentParser(description="One gateway process.")
    parser.add_argument("--home", required=True, help="a directory, or a postgresql:// URL")
    parser.add_argument("--project", required=True)
    parser.add_argument("--env", default="dev")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8601)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    with open_store(given.home, project=given.project, env=given.env, clock=RealClock(), create=False) as store:
        serve(store, host=given.host, port=given.port)


if __name__ == "__main__":
    main()
