"""The strategies page: every strategy has a declaration that is valid, and the picture that it draws itself."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from ruamel.yaml import YAML

from modelyard.spec import load
from modelyard.spec.strategies import KINDS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/strategies.md"
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.M | re.S)
PROJECT = """\
project: flights
sources:
  flights: {uri: data/flights.parquet, time: time_hour}
datasets:
  departures: {sql: SELECT * FROM flights, time: time_hour, key: [flight_id]}
models:
  late: {task: binary_classification, data: departures, target: late, train: "train:fit"}
"""


@pytest.fixture(scope="module")
def pictures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "docs/strategies/pictures.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["pictures"] = module  # its dataclasses look for themselves there
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("block", BLOCKS)
def test_every_declaration_shown_is_valid(block: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/flights.parquet").touch()
    (tmp_path / "train.py").write_text("def fit(X, y):\n    return X\n")
    (tmp_path / "yard.yaml").write_text(PROJECT + block)
    assert load(tmp_path).spec.deployments["late-api"].model == "late"


def test_every_strategy_is_shown() -> None:
    shown = [YAML(typ="safe").load(block)["deployments"]["late-api"]["strategy"] for block in BLOCKS]
    kinds = {kind for each in shown for kind in ([each] if isinstance(each, str) else each)}
    assert kinds - {"only"} == {"replace", *KINDS}
    for kind in ("replace", *KINDS):
        assert f"\n## {kind}\n" in PAGE.read_text() and f"strategies/{kind}.svg" in PAGE.read_text()


@pytest.mark.parametrize("kind", ["replace", *KINDS])
def test_every_picture_is_what_the_strategy_does(kind: str, pictures: ModuleType) -> None:
    assert (ROOT / f"docs/strategies/{kind}.svg").read_text() == pictures.draw(kind), (
        "run: python docs/strategies/pictures.py"
    )
