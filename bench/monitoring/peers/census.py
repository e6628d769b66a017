"""The US census set that NannyML ships (employment in Massachusetts), and what its CBPE says of it at its defaults.

    python census.py FOLDER        # writes reference.parquet and analysis.parquet: score and truth; prints JSON

Printed is a list of chunks of 5,000: `{"estimate", "alert", "lower", "upper"}`.
"""

import json
import sys
from pathlib import Path

import nannyml as nml

reference, analysis, truth = nml.load_us_census_ma_employment_data()
analysis = analysis.merge(truth, on="id")
folder = Path(sys.argv[1])
for name, part in (("reference", reference), ("analysis", analysis)):
    out = part[["predicted_probability", "employed"]].rename(
        columns={"predicted_probability": "score", "employed": "truth"}
    )
    out.to_parquet(folder / f"{name}.parquet")

cbpe = nml.CBPE(
    problem_type="classification_binary",
    y_pred_proba="predicted_probability",
    y_pred="prediction",
    y_true="employed",
    metrics=["roc_auc"],
    chunk_size=5000,
)
cbpe.fit(reference)
frame = cbpe.estimate(analysis).filter(period="analysis").to_df()["roc_auc"]
print(
    json.dumps(
        [
            {
                "estimate": row["value"],
                "alert": bool(row["alert"]),
                "lower": row["lower_threshold"],
                "upper": row["upper_threshold"],
            }
            for _, row in frame.iterrows()
        ]
    )
)
