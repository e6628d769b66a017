"""What every server is asked to serve: 20 numeric features, and two models of scikit-learn fitted once for all."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import joblib
import numpy as np
import pyarrow as pa
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

NAMES = [f"x{number:02d}" for number in range(20)]
MODELS = {
    "hgb": lambda seed: HistGradientBoostingClassifier(max_iter=100, random_state=seed),
    "lr": lambda seed: make_pipeline(StandardScaler(), LogisticRegression(C=1.0 + seed)),
}


def table() -> pa.Table:
    """10,000 rows; values are numbers of float32, as measured values mostly are."""
    X, y = make_classification(10_000, len(NAMES), n_informative=12, random_state=0)
    X = X.astype(np.float32).astype(np.float64)
    return pa.table({name: X[:, place] for place, name in enumerate(NAMES)} | {"y": y.astype(bool)})


@cache
def fit(kind: str, seed: int = 0):
    """The model `kind`, fitted on the table."""
    rows = table()
    with threadpool_limits(1):  # threads that spin for a core that others use make it minutes
        return MODELS[kind](seed).fit(rows.select(NAMES).to_pandas(), np.asarray(rows["y"]).astype(int))


def prepare(place: Path) -> None:
    """Fit both models and write them, and rows to ask for with their right answers, where every server finds them."""
    place.mkdir(parents=True, exist_ok=True)
    rows = table().slice(100, 256)
    X = rows.select(NAMES).to_pandas()
    np.save(place / "rows.npy", X.to_numpy())
    for kind in MODELS:
        model = fit(kind)
        joblib.dump(model, place / f"{kind}.joblib")
        np.save(place / f"{kind}.npy", model.predict_proba(X)[:, 1])
