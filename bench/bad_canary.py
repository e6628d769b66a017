"""A bad canary of the flights example, watched while it is rolled back: a real `yard up`, on loopback, in its own folder.

    python bench/bad_canary.py [--fault errors some slow] [--rate 10]

A first release answers; a second one, just as good on paper, becomes a canary of half the traffic; then it breaks:
`errors` all of its answers, `some` a fifth of them, `slow` twice the latency. What is printed is what happened when,
in seconds since it broke. Goals at 5 canary requests a second or more: 5 s, 30 s, 60 s.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as parquet

ROOT = Path(__file__).resolve().parents[1]
FLIGHTS = ROOT / "examples/flights"
COMMAND = [sys.executable, "-c", "from modelyard.cli.main import main; main()"]
GOALS = {"errors": 5.0, "some": 30.0, "slow": 60.0}
PATIENCE = 120.0

MODEL = '''

import time
from datetime import UTC, datetime
from pathlib import Path


class Breakable:
    """A model that takes 20 ms to answer and breaks as the file says, while there is one."""

    def __init__(self, inner, switch):
        self.inner, self.switch, self.classes_ = inner, switch, inner.classes_

    def predict_proba(self, X):
        path = Path(self.switch) if self.switch else None
        fault = path.read_text() if path is not None and path.exists() else ""
        if fault == "errors" or (fault == "some" and (X["distance"] % 5 == 0).any()):
            raise RuntimeError("the feature service does not answer")
        time.sleep(0.02 + (float(fault.split()[1]) if fault.startswith("slow") else 0.0))
        return self.inner.predict_proba(X)


_fit = fit


def fit(X, y, *, params, seed):
    params = dict(params)
    switch = params.pop("switch", "")
    return Breakable(_fit(X, y, params=params, seed=seed), switch)
'''


def project(folder: Path) -> None:
    """The flights of four weeks, whose new releases go live by a canary of half the traffic."""
    shutil.copytree(FLIGHTS, folder, ignore=shutil.ignore_patterns("data", ".yard", "report.html", "__pycache__"))
    (folder / "data").mkdir()
    until = pa.scalar(datetime(2013, 1, 28, tzinfo=UTC), pa.timestamp("us", "UTC"))
    for name in ("flights", "weather", "planes"):
        table = parquet.read_table(FLIGHTS / "data" / f"{name}.parquet")
        if "time_hour" in table.column_names:
            table = table.filter(pc.less(table["time_hour"].cast(until.type), until))
        parquet.write_table(table, folder / "data" / f"{name}.parquet")
    model = folder / "flights/model.py"
    model.write_text(model.read_text() + MODEL)
    path = folder / "yard.yaml"
    text = path.read_text()
    text = text[: text.index("monitors:")]  # nothing is watched or retrained in a minute
    text = re.sub(r"    window: 365d.*\n", "", text)  # counted from now, which is years later
    text = text.replace("    approval: {required: 1, roles: [model_owner]}\n", "")
    text = text.replace("metric: log_loss, by: 2%", "metric: log_loss, by: -50%").replace("min: 0.62", "min: 0.5")
    text = text.replace("max_iter: 50", "max_iter: 20")
    start, end = text.index("        steps:"), text.index("        within:")
    text = (
        text[:start]
        + "        steps: [{traffic: 50%, for: 10m}, {traffic: 100%}]\n"
        + "        guard: {error_rate: {margin: 1pp}, latency_p95: {margin: 20%}}\n"
        + text[end:]
    )
    path.write_text(text)


def yard(folder: Path, *words: str) -> str:
    """Run a command of the yard to its end."""
    done = subprocess.run([*COMMAND, *words, "--project", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"yard {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@contextmanager
def up(folder: Path) -> Iterator[tuple[str, str]]:
    """A running `yard up`: the addresses of its gateway and control API."""
    api, gateway = free_port(), free_port()
    words = ["up", "--project", str(folder), "--api-port", str(api), "--gateway-port", str(gateway)]
    with subprocess.Popen([*COMMAND, *words], stderr=subprocess.DEVNULL) as process:
        try:
            wait(lambda: httpx.get(f"http://127.0.0.1:{gateway}/readyz", timeout=2).is_success)
            yield f"http://127.0.0.1:{gateway}", f"http://127.0.0.1:{api}"
        finally:
            process.send_signal(signal.SIGINT)


def wait(what: Any) -> None:
    """Poll until something is so."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if what():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    sys.exit("waited in vain")


def a_row(folder: Path) -> dict[str, Any]:
    """A flight as a request has it: the middle of the training data."""
    from modelyard.clock import RealClock
    from modelyard.records import Release
    from modelyard.store import open_store

    with open_store(folder / ".yard", project="flights", clock=RealClock(), create=False) as store:
        signature = json.loads(store.blobs.get(store.read(Release)[0].body["signature"]))
    middle = {
        each["name"]: each["median"] if each["median"] is not None else each["mode"] for each in signature["inputs"]
    }
    return {name: value for name, value in middle.items() if value is not None}


class Traffic:
    """Requests at a steady rate from one thread per slot, so that a slow answer does not hold up the others."""

    def __init__(self, url: str, row: dict[str, Any], rate: float) -> None:
        self.rate = rate
        self.answers: dict[str, int] = {}
        self.seconds: deque[float] = deque(maxlen=400)
        self.refused = 0
        self._url, self._row, self._stop = f"{url}/deployments/late-api/predict", row, threading.Event()
        slots = 4
        self._threads = [threading.Thread(target=self._send, args=(slots / rate, n / rate)) for n in range(slots)]

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self, every: float, offset: float) -> None:
        following = time.monotonic() + offset
        distance = 500
        with httpx.Client(timeout=10) as client:
            while not self._stop.wait(max(0.0, following - time.monotonic())):
                following += every
                distance = 500 + (distance + 1) % 500  # every fifth is a multiple of five
                began = time.monotonic()
                response = client.post(self._url, json={"rows": [self._row | {"distance": distance}]})
                self.seconds.append(time.monotonic() - began)
                if response.is_success:
                    arm = response.json()["arm"]
                    self.answers[arm] = self.answers.get(arm, 0) + 1
                else:
                    self.refused += 1


def arms(api: str) -> dict[str, float]:
    """Shares of the traffic by release."""
    found = httpx.get(f"{api}/api/v1/status", timeout=30).json()["deployments"][0]["arms"]
    return {arm["release"]: arm["weight"] for arm in found}


def main() -> None:
    """Build, break, watch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fault", nargs="+", choices=list(GOALS), default=["errors"])
    parser.add_argument("--rate", type=float, default=10.0, help="requests a second, half of them to the canary")
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if not (FLIGHTS / "data/flights.parquet").exists():
        subprocess.run([sys.executable, str(FLIGHTS / "get_data.py")], check=True)
    with tempfile.TemporaryDirectory(prefix="bad-canary-") as temporary:
        seconds = play(Path(temporary) / "flights", given.fault, given.rate)
    for fault, took in seconds.items():
        print(f"{fault}: the traffic was gone after {took:.1f} s, goal {GOALS[fault]:g} s")
    sys.exit(0 if all(took <= GOALS[fault] for fault, took in seconds.items()) else 1)


def tell(text: str, since: float) -> None:
    """A line with the seconds since then."""
    print(f"{time.monotonic() - since:7.1f} s  {text}", flush=True)


def play(folder: Path, faults: list[str], rate: float) -> dict[str, float]:
    """The whole story: per fault, how many seconds after it broke the bad release had no traffic any more."""
    began = time.monotonic()
    project(folder)
    tell("yard apply: the first release is trained, judged and deployed", began)
    yard(folder, "apply", "--yes")
    row = a_row(folder)
    with up(folder) as (gateway, api), Traffic(gateway, row, rate) as traffic:
        return {
            fault: watch(folder, api, traffic, fault, f"late@{number}", began)
            for number, fault in enumerate(faults, start=2)
        }


def watch(folder: Path, api: str, traffic: Traffic, fault: str, release: str, began: float) -> float:
    """Make a canary, break it, and say what happens until its traffic is gone."""
    tell(f"yard apply: {release} becomes a canary while {traffic.rate:g} requests a second are answered", began)
    switch, path = folder.parent / f"switch-{fault}", folder / "yard.yaml"
    text = re.sub(r', switch: "[^"]*"', "", path.read_text())
    path.write_text(text.replace("learning_rate: 0.1}", f'learning_rate: 0.1, switch: "{switch}"}}'))
    yard(folder, "apply", "--yes")
    before = traffic.answers.get("challenger", 0)
    wait(lambda: len(arms(api)) == 2 and traffic.answers.get("challenger", 0) > before)
    tell(f"the canary answers: {told(arms(api))}; now it breaks ({fault}). Seconds since then:", began)
    # Doubled: as much more as 95% of the answers take now, on a machine that may have other things to do.
    p95 = sorted(traffic.seconds)[int(0.95 * len(traffic.seconds))]
    switch.write_text(f"slow {p95:.3f}" if fault == "slow" else fault)
    broke, said = time.monotonic(), 0.0
    while len(shares := arms(api)) == 2 and time.monotonic() - broke < PATIENCE:
        if time.monotonic() - said >= 1:
            said = time.monotonic()
            tell(f"{told(shares)}; answers {traffic.answers}, refused {traffic.refused}", broke)
        time.sleep(0.1)
    seconds = time.monotonic() - broke
    tell(f"its traffic is gone: {told(arms(api))}", broke)
    print(f"$ yard release show {release}")
    print("\n".join(yard(folder, "release", "show", release).splitlines()[:4]))
    return seconds


def told(shares: dict[str, float]) -> str:
    """Shares in words."""
    return ", ".join(f"{release} {share:.0%}" for release, share in shares.items())


if __name__ == "__main__":
    main()
