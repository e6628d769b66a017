"""Evidently's drift preset at its defaults (over 1,000 rows: normed Wasserstein or Jensen-Shannon at .1)."""

import re

from common_ import answer


def prepare(reference):
    """Nothing is prepared: it takes both frames every time."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    words = [name for name in reference.columns if reference[name].dtype.kind in "Ob"]
    numbers = [name for name in reference.columns if name not in words]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=words)
    known = Dataset.from_pandas(reference, data_definition=definition)

    def look(window):
        now = Dataset.from_pandas(window, data_definition=definition)
        found = []
        for metric in Report([DataDriftPreset()]).run(now, known).dict()["metrics"]:
            name = metric.get("metric_name") or metric["metric_id"]
            said = re.match(r"ValueDrift\(column=(.+?),method=(.+?),threshold=([\d.]+)\)", name)
            if said:
                column, method, limit = said.groups()
                value = float(metric["value"])
                drifted = value < float(limit) if "p_value" in method else value >= float(limit)
                found += [column] if drifted else []
        return found

    return look


answer(prepare)
