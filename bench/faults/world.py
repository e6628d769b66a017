"""What the scenes happen to: a home with two releases, a worker (or all of `yard up`) over it, and someone who asks."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
from sklearn.linear_model import LogisticRegression

from modelyard import models
from modelyard.clock import RealClock
from modelyard.digest import canonical, digest
from modelyard.models import compiling
from modelyard.models import signature as signatures
from modelyard.records import Deployment, Release
from modelyard.serve import move
from modelyard.spec.deployments import DeploymentSpec
from modelyard.store import open_store, predictions

ROWS = pa.table({"x": np.linspace(-1, 1, 50), "z": np.linspace(1, 0, 50), "late": np.arange(50) % 3 == 0})
YARD = """project: flights
sources: {s: {uri: data.csv, time: t}}
datasets: {d: {sql: "select * from s", key: [id], time: t}}
models: {late: {task: binary_classification, data: d, target: late, train: "m:fit"}}
deployments: {late: {model: late}}
"""


IMPATIENT = """from modelyard.api import keeping
keeping.BUSY, keeping.BUSY_SECONDS, keeping.IDLE, keeping.IDLE_SECONDS = 0.1, 1.0, 0.05, 3.0
from modelyard.cli.main import main
main()
"""


class World:
    """A home, in `place` unless it is named. `made`: it is there already."""

    def __init__(self, place: Path, *, made: bool = False, home: str = "", **policy: Any) -> None:
        place.mkdir(parents=True, exist_ok=True)
        self.place = place
        self.home = home or str(place / "home")
        self.policy = policy
        self.question = {"rows": [{"x": 0.5, "z": 0.5}]}
        self.store = open_store(self.home, project="flights", clock=RealClock(), create=not made)
        if not made:
            self.releases = [self._release(number) for number in (1, 2)]
            self.answers = dict(self.releases)
            self.route(0)

    def _release(self, number: int) -> tuple[str, float]:
        signature = signatures.infer(ROWS, ["x", "z"], "late", "binary_classification", True)
        y = np.asarray(ROWS["late"]).astype(int)
        model = LogisticRegression(C=10.0**number).fit(ROWS.select(["x", "z"]).to_pandas(), y)
        directory = self.store.files / f"model-{number}"
        models.save(model, directory, signature=signature)
        compiling.compile(models.load(directory, signature=signature), directory, ROWS, signature, 1e-4)
        body = {
            "signature": self.store.blobs.put(canonical(signature)),
            "artefact": self.store.blobs.put_tree(directory),
        }
        at = datetime.now(UTC)
        about = {"created": at, "as_of": at, "author": "bench", "body": body}
        with self.store.transaction(actor="bench", action="release.created", subject="late") as transaction:
            transaction.add(Release(model="late", number=number, digest=digest(body), state="live", **about))
        answer = models.load(directory, signature=signature).predict(pa.table({"x": [0.5], "z": [0.5]}))
        return digest(body), float(answer[0])

    def route(self, number: int) -> None:
        """Route everything to one of the two releases, the other warm."""
        names = [each for each, _ in self.releases]
        arms = [{"arm": "champion", "release": names[number], "weight": 1.0}]
        routes = {"arms": arms, "shadows": [], "warm": [names[1 - number]], "salt": "s"}
        declared = DeploymentSpec(model="late", **self.policy).model_dump(mode="json", by_alias=True)
        at = datetime.now(UTC)
        with self.store.transaction(actor="bench", action="rollout.replaced", subject="late") as transaction:
            before = transaction.one(Deployment, name="late")
            if before is None:
                transaction.add(
                    Deployment(name="late", model="late", revision=1, routes=routes, policy=declared, at=at)
                )
            else:
                transaction.change(Deployment, {"name": "late"}, routes=routes, revision=before.revision + 1, at=at)

    def right(self, answer: dict[str, Any]) -> bool:
        """Whether the prediction is that of the release which the answer names."""
        return abs(answer["predictions"][0] - self.answers[answer["release"]]) < 1e-6

    def url(self, port: int) -> str:
        """Where to ask."""
        return f"http://127.0.0.1:{port}/deployments/late/predict"

    def ask(self, port: int) -> httpx.Response:
        """One question."""
        return httpx.post(self.url(port), json=self.question, timeout=20, trust_env=False)

    def again(self) -> None:
        """Open the store anew, after its database was away."""
        self.store.close()
        self.store = open_store(self.home, project="flights", clock=RealClock())

    def close(self) -> None:
        """Close the store, so that its file system can be unmounted."""
        self.store.close()

    @contextmanager
    def worker(self, core: int | None = None) -> Iterator[Worker]:
        """One gateway worker, ready; alone on a processor core where one is named."""
        port = free()
        pinned = [] if core is None else ["taskset", "-c", str(core)]
        command = [*pinned, sys.executable, "-m", "modelyard.serve.worker", "--home", self.home, "--project", "flights"]
        process = subprocess.Popen([*command, "--port", str(port)], stderr=subprocess.DEVNULL)
        try:
            ready(port)
            yield Worker(process, port)
        finally:
            process.kill()
            process.wait()

    @contextmanager
    def crew(self, workers: int | None, replicas: str = "", impatient: bool = False) -> Iterator[Crew]:
        """All of `yard up`, ready; with None as many workers as the declared `replicas` say.

        `impatient`: a tenth of a core is busy after a second already, and three seconds are idle enough.
        """
        declared = f"{{model: late, replicas: {replicas}}}" if replicas else "{model: late}"
        (self.place / "yard.yaml").write_text(YARD.replace("{model: late}", declared))
        (self.place / "m.py").write_text("def fit(X, y):\n    raise NotImplementedError\n")
        port, api = free(), free()
        start = ["-c", IMPATIENT] if impatient else ["-m", "modelyard.cli.main"]
        command = [sys.executable, *start, "up", "--project", str(self.place), "--home", self.home]
        command += ["--gateway-port", str(port), "--api-port", str(api), "--every", "3600"]
        command += [] if workers is None else ["--workers", str(workers)]
        log = (self.place / "up.log").open("wb")
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            ready(port)
            crew = Crew(process, port, self.place / "up.log")
            deadline = time.monotonic() + 120
            while len(crew.gateways()) < (workers or 1) and time.monotonic() < deadline:
                time.sleep(0.1)
            while "Ctrl-C ends" not in crew.log.read_text() and time.monotonic() < deadline:
                time.sleep(0.1)
            yield crew
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
            log.close()


@dataclass
class Worker:
    """A gateway worker."""

    process: subprocess.Popen[bytes]
    port: int

    def megabytes(self) -> float:
        """Its resident memory."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


@dataclass
class Crew:
    """`yard up`."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def said(self) -> str:
        """What it said last."""
        return " / ".join(self.log.read_text().splitlines()[-12:])

    def gateways(self) -> list[int]:
        """Its gateway workers."""
        found = []
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                try:
                    words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if b"modelyard.api.crew" in words and b"gateway" in words:
                    found.append(int(child))
        return sorted(found)

    def alive(self, pid: int) -> bool:
        """Whether a worker is still there."""
        return pid in self.gateways()


class Asking:
    """Someone who asks at about `rate` requests a second over some connections until the end of the block."""

    def __init__(
        self, port: int, *, rate: float, connections: int = 8, check: Callable[[dict[str, Any]], bool] | None = None
    ) -> None:
        self.url = f"http://127.0.0.1:{port}/deployments/late/predict"
        self.acknowledged: list[str] = []
        self.releases: list[str] = []
        self.took: list[float] = []
        self.failed = self.wrong = self.broken = 0
        self._pause = connections / rate
        self._check = check
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(connections)]

    def __enter__(self) -> Asking:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for each in self._threads:
            each.join()

    def _ask(self) -> None:
        with httpx.Client(timeout=20, trust_env=False) as client:
            while not self._stop.is_set():
                began = time.monotonic()
                try:
                    answer = client.post(self.url, json={"rows": [{"x": 0.5, "z": 0.5}]})
                except httpx.TransportError:
                    self.broken += 1
                    self._stop.wait(0.05)
                    continue
                took = time.monotonic() - began
                if answer.status_code == 200:
                    document = answer.json()
                    self.acknowledged.append(document["request_id"])
                    self.releases.append(document["release"])
                    self.took.append(took)
                    self.wrong += self._check is not None and not self._check(document)
                else:
                    self.failed += 1
                self._stop.wait(max(0.0, self._pause - took))

    def until(self, count: int, patience: float = 120.0) -> None:
        """Wait until so many were acknowledged."""
        deadline = time.monotonic() + patience
        while len(self.acknowledged) < count and time.monotonic() < deadline:
            time.sleep(0.01)

    def percentile(self, q: float) -> float:
        """A percentile of the time an answer took, in milliseconds."""
        return 1000 * float(np.percentile(self.took, q))


def tree(pid: int) -> list[int]:
    """A process and its children."""
    return [pid, *(int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def offered(ask: dict[str, Any]) -> dict[str, Any]:
    """What became of a load (`offered.py`), which another process offers."""
    script = Path(__file__).with_name("offered.py")
    run = subprocess.run(
        [sys.executable, str(script)], input=json.dumps(ask), capture_output=True, text=True, check=True
    )
    return json.loads(run.stdout)


def free() -> int:
    """A port nobody uses."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def ready(port: int) -> None:
    """Wait until a gateway is ready."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise SystemExit("the gateway is not ready")


def logged(world: World) -> Counter[str]:
    """How often each request id is in the table of predictions, once all segments are moved; and moved again."""
    for _ in range(2):
        move(world.store, "late")
    window = predictions.window(
        world.store, "late", start=datetime(2000, 1, 1, tzinfo=UTC), end=datetime(2100, 1, 1, tzinfo=UTC)
    )
    return Counter(window["request_id"].to_pylist())


@contextmanager
def mounted(image: Path, place: Path, *, megabytes: int = 0, make: bool = True) -> Iterator[Path]:
    """An ext4 image on a loop device."""
    place.mkdir(exist_ok=True)
    if make:
        with image.open("wb") as file:
            file.truncate(megabytes << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)
