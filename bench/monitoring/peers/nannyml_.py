"""NannyML's univariate drift at its defaults (Jensen-Shannon, limits from the reference's own chunks)."""

from common_ import answer


def prepare(reference):
    """Fit on the reference; a window is one chunk of the size of those the limits come from."""
    import nannyml as nml

    calculator = nml.UnivariateDriftCalculator(column_names=list(reference.columns))
    calculator.fit(reference)

    def look(window):
        frame = calculator.calculate(window).filter(period="analysis").to_df(multilevel=True)
        alerts = [key for key in frame.columns if key[-1] == "alert"]
        return [key[0] for key in alerts if bool(frame[key].any())]

    return look


answer(prepare)
