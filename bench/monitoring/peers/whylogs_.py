"""whylogs at its defaults: profiles of both, and its drift scores (KS at p < .05 on sketches, chi-squared)."""

from common_ import answer


def prepare(reference):
    """Profile the reference once."""
    import whylogs as why
    from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores

    known = why.log(reference).view()

    def look(window):
        scores = calculate_drift_scores(why.log(window).view(), known, with_thresholds=True)
        return [name for name, score in scores.items() if score and score.get("drift_category") == "DRIFT"]

    return look


answer(prepare)
