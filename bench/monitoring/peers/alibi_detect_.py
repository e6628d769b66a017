"""alibi-detect's TabularDrift at its defaults (KS and chi-squared, Bonferroni over columns at p < .05)."""

from common_ import answer


def prepare(reference):
    """It takes numbers only: categories become codes, as its documentation does it."""
    import numpy as np
    import pandas as pd
    from alibi_detect.cd import TabularDrift

    words = [name for name in reference.columns if not pd.api.types.is_numeric_dtype(reference[name])]
    codes = {name: {} for name in words}

    def numbers(frame):
        columns = []
        for name in reference.columns:
            if name in codes:
                known = codes[name]
                columns.append(np.array([known.setdefault(value, len(known)) for value in frame[name].astype(str)]))
            else:
                columns.append(frame[name].to_numpy(dtype=float))
        return np.column_stack(columns)

    kinds = {list(reference.columns).index(name): None for name in words}
    detector = TabularDrift(numbers(reference), p_val=0.05, categories_per_feature=kinds or None)

    def look(window):
        found = detector.predict(numbers(window))["data"]
        return [name for name, p in zip(reference.columns, found["p_val"], strict=True) if p < found["threshold"]]

    return look


answer(prepare)
