"""A store, an engine and a table to fit on."""

import textwrap
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from modelyard.clock import SimulatedClock
from modelyard.engines.local import LocalEngine
from modelyard.models import signature
from modelyard.store import open_store


@dataclass
class Code:
    """A function's text, as `spec.code` gives it."""

    text: str
    function: str = "flightmodel:fit"
    files: dict = field(init=False)

    def __post_init__(self):
        self.files = {"flightmodel.py": textwrap.dedent(self.text)}


@pytest.fixture
def store(tmp_path):
    with open_store(
        tmp_path / "yard", project="flights", clock=SimulatedClock(datetime(2026, 1, 1, tzinfo=UTC))
    ) as store:
        yield store


@pytest.fixture
def engine():
    return LocalEngine(log_cap=20_000)


@pytest.fixture(scope="session")
def table():
    rng = np.random.default_rng(1)
    distance = rng.normal(1000, 300, 200)
    return pa.table({"distance": distance, "origin": rng.choice(["EWR", "JFK"], 200).tolist(), "late": distance > 1000})


@pytest.fixture(scope="session")
def sig(table):
    return signature.infer(table, ["distance", "origin"], "late", "binary_classification")
