"""A model whose `predict` is the probability of the positive class: what all servers are asked for."""

import joblib
import numpy as np


class Proba:
    """Wraps a fitted classifier, given by file so that each server loads it by its own library."""

    def __init__(self, path):
        self.path = path
        self._model = joblib.load(path)

    def predict(self, X):
        """One probability per row."""
        values = getattr(X, "to_numpy", lambda: np.asarray(X))()
        return self._model.predict_proba(values)[:, 1]

    def __reduce__(self):
        return (Proba, (self.path,))
