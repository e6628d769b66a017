"""A small project that behaves like a real one: visits to a shop, a label that comes a day later, a world that changes."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard.cli.main import main

DECLARATION = """\
project: shop
sources:
  visits: {uri: data/visits.csv, time: at}
datasets:
  visits_clean:
    sql: SELECT * FROM visits
    key: [visit]
    time: at
    known_at: [{columns: [bought], after: 1d}]
    checks: [{unique: [visit]}, {row_count: {min: 50}}]
models:
  buys:
    task: binary_classification
    data: visits_clean
    target: bought
    split: {test: 14d}
    train: shop:fit
    params: {C: 1.0}
    baseline: {by: [device]}
    checks:
      - {metric: {name: roc_auc, min: 0.6}}
      - {better_than: {release: baseline, metric: log_loss}}
deployments:
  buys-api: {model: buys}
monitors:
  buys-health: {deployment: buys-api, every: 7d, window: 7d, quality: {metric: roc_auc, min: 0.6}}
triggers:
  refresh: {model: buys, when: {any: [{schedule: 28d}, {drift: buys-health}]}, cooldown: 7d}
"""

TRAINING = '''\
"""Train a small classifier."""

from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def columns():
    return make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["device"]), (StandardScaler(), ["pages", "minutes"])
    )


def fit(X, y, *, params, seed):
    return make_pipeline(columns(), LogisticRegression(random_state=seed, **params)).fit(X, y)
'''

START = datetime(2024, 1, 1, tzinfo=UTC)


def visits(days: int, *, a_day: int = 40, seed: int = 3, shift_after: int | None = None) -> list[str]:
    """CSV lines of visits; after `shift_after` days people stay longer and buy for another reason."""
    rng = np.random.default_rng(seed)
    lines = ["visit,at,device,pages,minutes,bought"]
    for number in range(days * a_day):
        day = number // a_day
        shifted = shift_after is not None and day >= shift_after
        at = START + timedelta(days=day, minutes=(number % a_day) * 30)
        device = rng.choice(["phone", "tablet", "desktop"])
        pages = int(rng.poisson(6)) + 1
        minutes = round(float(rng.gamma(2.0, 2.0)) + (6 if shifted else 0), 2)
        push = 0.8 * minutes - 0.1 * pages - 9 if shifted else 0.5 * pages + (device == "desktop") - 4
        bought = int(rng.random() < 1 / (1 + np.exp(-push)))
        lines.append(f"v{number},{at:%Y-%m-%dT%H:%M:%SZ},{device},{pages},{minutes},{bought}")
    return lines


@dataclass
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


@dataclass
class Shop:
    """A project folder and the command line on it."""

    directory: Path

    def yard(self, *words: str) -> Said:
        """Run `yard WORDS --project DIR` in this process."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main([*words, "--project", str(self.directory)])
        return Said(int(ended.value.code or 0), out.getvalue(), err.getvalue())

    def edit(self, old: str, new: str, file: str = "yard.yaml") -> None:
        """Replace text in a file of the project; it must stand there."""
        path = self.directory / file
        text = path.read_text()
        assert old in text, f"{old!r} is not in {file}"
        path.write_text(text.replace(old, new))

    def feed(self, lines: list[str]) -> None:
        """Write the source's file."""
        (self.directory / "data" / "visits.csv").write_text("\n".join(lines) + "\n")
