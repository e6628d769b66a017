"""The servers that are compared: how each is installed, started, asked and understood."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "modelyard-bench"
HERE = Path(__file__).parent
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Started:
    """How to start a server: its command and environment."""

    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Server:
    """One server in one configuration. `ours`: it runs in this checkout's environment."""

    name: str
    packages: tuple[str, ...]
    start: Callable[[Path, str, int, Path], Started]
    path: str
    body: Callable[[np.ndarray], Any]
    read: Callable[[Any], list[float]]
    ours: bool = False

    def python(self) -> Path:
        """The interpreter of its environment."""
        return Path(sys.executable) if self.ours else CACHE / self.packages[0] / "bin" / "python"

    def install(self) -> None:
        """Make its environment, once."""
        if self.ours or (CACHE / self.packages[0] / ".ready").exists():
            return
        print(f"installing {self.packages[0]} ...", file=sys.stderr, flush=True)
        place = CACHE / self.packages[0]
        if not (place / "bin" / "python").exists():
            subprocess.run([sys.executable, "-m", "venv", place], check=True)
        wanted = [*self.packages, f"scikit-learn=={version('scikit-learn')}"]
        subprocess.run([place / "bin" / "python", "-m", "pip", "install", "-q", *wanted], check=True)
        (place / ".ready").touch()


def _mlflow(models: Path, kind: str, port: int, work: Path) -> Started:
    python = CACHE / "mlflow" / "bin" / "python"
    saved = work / f"mlflow-{kind}"
    if not saved.exists():
        script = (
            "import sys, mlflow; sys.path.insert(0, sys.argv[1]); from proba import Proba; "
            "mlflow.sklearn.save_model(Proba(sys.argv[2]), sys.argv[3], serialization_format='cloudpickle', "
            "pip_requirements=['scikit-learn'], code_paths=[sys.argv[1] + '/proba.py'])"
        )
        subprocess.run(
            [python, "-c", script, HERE / "servers", models / f"{kind}.joblib", saved],
            check=True, capture_output=True,
        )  # fmt: skip
    command = [str(python.parent / "mlflow"), "models", "serve", "-m", str(saved), "-p", str(port)]
    return Started([*command, "--env-manager", "local", "-w", "1"], {"PATH": f"{python.parent}:{os.environ['PATH']}"})


def _bento(batch: bool) -> Callable[[Path, str, int, Path], Started]:
    def start(models: Path, kind: str, port: int, work: Path) -> Started:
        command = [str(CACHE / "bentoml" / "bin" / "bentoml"), "serve", "bento_service:Model"]
        return Started(
            [*command, "--host", "127.0.0.1", "--port", str(port), "--working-dir", str(HERE / "servers")],
            {
                "BENCH_MODEL": str(models / f"{kind}.joblib"), "BENCH_BATCH": str(int(batch)),
                "BENTOML_HOME": str(work / "bento"), "BENTOML_DO_NOT_TRACK": "1",
            },
        )  # fmt: skip

    return start


def _lit(batch: bool) -> Callable[[Path, str, int, Path], Started]:
    def start(models: Path, kind: str, port: int, work: Path) -> Started:
        command = [str(CACHE / "litserve" / "bin" / "python"), str(HERE / "servers" / "lit_server.py"), str(port)]
        return Started(command, {"BENCH_MODEL": str(models / f"{kind}.joblib"), "BENCH_BATCH": str(int(batch))})

    return start


def _mlserver(batch: bool) -> Callable[[Path, str, int, Path], Started]:
    def start(models: Path, kind: str, port: int, work: Path) -> Started:
        place = work / f"mlserver-{kind}-{int(batch)}"
        place.mkdir(parents=True, exist_ok=True)
        settings: dict[str, Any] = {
            "debug": False, "host": "127.0.0.1", "http_port": port, "grpc_port": port + 1, "metrics_port": port + 2,
            "parallel_workers": 0, "use_structured_logging": False,
        }  # fmt: skip
        model: dict[str, Any] = {
            "name": "model", "implementation": "mlserver_runtime.Model",
            "parameters": {"uri": str(models / f"{kind}.joblib")},
        }  # fmt: skip
        if batch:
            model |= {"max_batch_size": 1000, "max_batch_time": 0.002}
        (place / "settings.json").write_text(json.dumps(settings))
        (place / "model-settings.json").write_text(json.dumps(model))
        command = [str(CACHE / "mlserver" / "bin" / "mlserver"), "start", str(place)]
        return Started(command, {"PYTHONPATH": str(HERE / "servers")})

    return start


def _tensor(rows: np.ndarray) -> Any:
    one = {"name": "rows", "shape": list(rows.shape), "datatype": "FP64", "data": rows.ravel().tolist()}
    return {"inputs": [one]}


def _nested(rows: np.ndarray) -> Any:
    return {"rows": rows.tolist()}


PEERS = (
    Server(
        "mlflow", ("mlflow",), _mlflow, "/invocations", lambda rows: {"inputs": rows.tolist()},
        lambda answer: answer["predictions"],
    ),
    Server("bentoml", ("bentoml",), _bento(False), "/predict", _nested, list),
    Server("bentoml+batch", ("bentoml",), _bento(True), "/predict", _nested, list),
    Server("mlserver", ("mlserver",), _mlserver(False), "/v2/models/model/infer", _tensor,
           lambda answer: answer["outputs"][0]["data"]),
    Server("mlserver+batch", ("mlserver",), _mlserver(True), "/v2/models/model/infer", _tensor,
           lambda answer: answer["outputs"][0]["data"]),
    Server("litserve", ("litserve",), _lit(False), "/predict", _nested, lambda answer: answer["predictions"]),
    Server("litserve+batch", ("litserve",), _lit(True), "/predict", _nested, lambda answer: answer["predictions"]),
)  # fmt: skip
