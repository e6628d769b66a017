"""The area under the curve without labels, on the US census set that NannyML ships: 41 chunks of 5,000."""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from table import Line

from modelyard.monitor.estimate import estimate
from modelyard.stats import metrics
from modelyard.stats.performance import Performance

TITLE = "9 estimate without labels"
GOAL = "AUC error ≤ .0045; alerts agree in ≥ 40 of 41; better never pages"
HERE = Path(__file__).parent.parent
CHUNK = 5_000


def run(peers: Mapping[str, Path]) -> Iterator[Line]:
    """Both on the same rows, with the same thresholds (those of the reference's chunks, mean ± 3 sd, as NannyML's)."""
    if "nannyml" not in peers:
        yield Line(TITLE, "modelyard", "not run: the set comes with NannyML")
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [peers["nannyml"], "-W", "ignore", HERE / "peers" / "census.py", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        theirs = json.loads(done.stdout.splitlines()[-1])
        reference, analysis = (pq.read_table(Path(folder) / f"{name}.parquet") for name in ("reference", "analysis"))
    y, p = (reference[name].to_numpy().astype(float) for name in ("truth", "score"))
    known = Performance.of("binary_classification", y, p, inputs=reference.select(["score"]))
    whole = analysis.num_rows // CHUNK
    chunks = [analysis.slice(place * CHUNK, CHUNK) for place in range(whole)]
    realised = [_auc(chunk) for chunk in chunks]
    usual = [_auc(reference.slice(at, CHUNK)) for at in range(0, reference.num_rows - CHUNK + 1, CHUNK)]
    low, high = np.mean(usual) - 3 * np.std(usual), np.mean(usual) + 3 * np.std(usual)
    ours = [_estimated(known, chunk["score"].to_numpy()) for chunk in chunks]
    out = [not low <= value <= high for value in realised]
    for tool, values in (("modelyard", ours), ("nannyml CBPE", [each["estimate"] for each in theirs][:whole])):
        error = float(np.mean(np.abs(np.array(values) - realised)))
        agree = sum((not low <= value <= high) == truth for value, truth in zip(values, out, strict=True))
        reached = (error <= 0.0045 and agree >= whole - 1 and _better(known)) if tool == "modelyard" else None
        yield Line(TITLE, tool, f"mean error {error:.4f}, alerts agree in {agree} of {whole}", reached)


def _estimated(known: Performance, score: np.ndarray) -> float:
    """From counts by cell, as the monitor does it."""
    place = np.searchsorted(np.array(known.grid), score, side="right")
    cells, inverse = np.unique(place, return_inverse=True)
    rows = np.bincount(inverse).astype(float)
    found = estimate(known, "roc_auc", np.bincount(inverse, weights=score) / rows, rows)
    assert found is not None and len(cells)
    return found[0]


def _auc(chunk) -> float:
    value = metrics.METRICS["binary_classification"]["roc_auc"](
        chunk["truth"].to_numpy().astype(float), chunk["score"].to_numpy()
    )
    assert value is not None
    return float(value)


def _better(known: Performance) -> bool:
    """Easier rows (scores pushed to the ends) raise the estimate, which warns of nothing."""
    easier = np.random.default_rng(9).choice([0.02, 0.98], CHUNK)
    return _estimated(known, easier) > known.metrics["roc_auc"][0]
