"""NannyML's univariate drift at its defaults (Jensen-Shannon, limits from ten chunks of the reference)."""

from common_ import answer


def prepare(reference):
    """Fit on the reference in ten chunks; a small window is one chunk as large as those, a large one is ten, too."""
    import nannyml as nml

    def fitted(**chunks):
        return nml.UnivariateDriftCalculator(column_names=list(reference.columns), **chunks).fit(reference)

    size = len(reference) // 10
    small = fitted(chunk_size=size)

    def look(window):
        calculator = small if len(window) <= size else fitted()
        frame = calculator.calculate(window).filter(period="analysis").to_df(multilevel=True)
        alerts = [key for key in frame.columns if key[-1] == "alert"]
        return [key[0] for key in alerts if bool(frame[key].any())]

    return look


answer(prepare)
