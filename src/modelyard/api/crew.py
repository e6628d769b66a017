"""The processes of `yard up`: a gateway worker, the control API, the controller. Each ends when its parent does."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import socket
import sys
import threading
from pathlib import Path

from modelyard.api.context import Context
from modelyard.clock import RealClock
from modelyard.errors import YardError
from modelyard.store import Store, open_store


def main() -> None:
    """Run one role until SIGTERM, or until the parent is gone."""
    parser = argparse.ArgumentParser(prog="modelyard.api.crew")
    parser.add_argument("role", choices=("gateway", "api", "controller"))
    for option in ("--home", "--project", "--name", "--env", "--actor"):
        parser.add_argument(option, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--fd", type=int)
    parser.add_argument(
        "--beat", type=int, help="where to say twice a second that the process lives, and how busy it is"
    )
    parser.add_argument("--every", type=float, default=5.0)
    parser.add_argument("--pages", help="who adds pages to the control API: module:function")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with(arguments.parent)
    try:
        {"gateway": _gateway, "api": _api, "controller": _controller}[arguments.role](arguments)
    except YardError as error:
        print(f"{arguments.role}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def _store(arguments: argparse.Namespace) -> Store:
    return open_store(arguments.home, project=arguments.name, env=arguments.env, clock=RealClock(), create=False)


def _gateway(arguments: argparse.Namespace) -> None:
    from modelyard.serve.worker import serve

    serve(_store(arguments), listening=socket.socket(fileno=arguments.fd), beat=arguments.beat)


def _api(arguments: argparse.Namespace) -> None:
    import uvicorn

    from modelyard.api.http import create

    context = Context(Path(arguments.project), _soon(arguments.home), arguments.env, arguments.actor)
    app = create(context)
    if arguments.pages:
        module, _, function = arguments.pages.partition(":")
        getattr(importlib.import_module(module), function)(app, context)
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=10)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=arguments.fd)])


def _soon(home: str) -> str:
    """A home whose database is given up after two seconds: who asks the control API is told so instead of waiting."""
    if "://" not in home or "connect_timeout=" in home:
        return home
    return f"{home}{'&' if '?' in home else '?'}connect_timeout=2"


def _controller(arguments: argparse.Namespace) -> None:
    from modelyard.loop.controller import run

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())

    def tell(message: str) -> None:
        if not message.startswith("~"):
            print(f"controller: {message}", file=sys.stderr)

    run(_store(arguments), stop, every=arguments.every, progress=tell)


def _end_with(parent: int) -> None:
    """Watch for the parent's death, also before this was called: orphans would hold the port and the lease."""

    def watch() -> None:
        gone = threading.Event()
        while os.getppid() == parent:
            gone.wait(1.0)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()


if __name__ == "__main__":
    main()
