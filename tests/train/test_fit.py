"""A declared function is fitted in a process of its own; what it does wrong becomes one sentence."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from modelyard import train
from modelyard.errors import UserCodeError
from modelyard.models import signature, target
from modelyard.spec.models import Limits
from modelyard.train.fitting import answers

from .conftest import Code

GOOD = """
    import random
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.compose import make_column_transformer

    def fit(X, y, *, params, seed):
        print("rows", len(X), "draws", random.random(), np.random.random())
        return make_pipeline(
            make_column_transformer(("passthrough", ["distance"])), LogisticRegression(random_state=seed, **params)
        ).fit(X, y)
"""


@pytest.fixture
def fits(store, engine, table, sig):
    def run(text, rows, *, limits=None, weights=None, frame="pandas", params=None):
        return train.fit_each(
            store, engine, table=table, y=target.encode(table, sig), weights=weights, rows=rows, code=Code(text),
            params=params or {}, seed=7, limits=limits or Limits(), signature=sig, job_name="late-1", frame=frame,
        )  # fmt: skip

    return run


@pytest.fixture
def fit(fits):
    def run(text, **more):
        with fits(text, {"all": np.arange(200)}, **more) as running:
            return running.take("all")

    return run


def test_what_is_fitted_is_kept_and_answers(fits, table, sig):
    native, logs = [], []
    for _ in range(2):
        with fits(GOOD, {"all": np.arange(200)}, params={"C": 0.5}) as running:
            native.append(running.take("all").manifest["native"])
            logs.append(running.log)
            model = running.take("all").model()
    assert "rows 200 draws" in logs[0]
    assert logs[0] == logs[1], "the seed governs random and numpy"
    assert native[0] == native[1]

    p = answers(model, table, "flightmodel:fit")
    assert ((p > 0.5) == (table.column("distance").to_numpy() > 1000)).mean() > 0.9


def test_several_fits_share_one_process_and_each_is_there_before_the_next(fits):
    text = GOOD.replace("print(", "import os, time; len(X) < 200 or time.sleep(60); print(os.getpid(), ")
    with fits(text, {"cut": np.arange(100), "half": np.arange(50), "all": np.arange(200)}) as running:
        cut, half = running.take("cut"), running.take("half")
        pids, counts = zip(*(line.split()[:3:2] for line in running.log.splitlines()), strict=True)
    assert cut.manifest["native"] != half.manifest["native"]
    assert (len(set(pids)), counts) == (1, ("100", "50"))
    assert not (cut.directory.parent / "fit-all.json").exists(), "what nobody waits for is not fitted"


def test_weights_and_frames_are_given_to_whoever_asks(fit):
    text = """
        import numpy as np

        class Constant:
            def __init__(self, value):
                self.value = value
            def predict(self, X):
                return np.full(len(X), self.value)

        def fit(X, y, weights):
            assert isinstance(X, np.ndarray) and X.dtype == object, X
            return Constant(float(np.average(y, weights=weights)))
    """
    fitted = fit(text, weights=np.linspace(0, 1, 200), frame="numpy")
    assert fitted.manifest["project_types"] == ["flightmodel.Constant"]
    assert (fitted.directory / "code" / "flightmodel.py").exists()


def test_polars_is_given_as_polars_in_training_and_when_asked(fit, table):
    text = """
        import polars as pl
        from sklearn.linear_model import LogisticRegression

        class Long:
            def __init__(self, model):
                self.model = model
            def predict_proba(self, X):
                return self.model.predict_proba(X.select(pl.col("distance").fill_null(0) / 1000))

        def fit(X, y):
            assert isinstance(X, pl.DataFrame) and isinstance(y, pl.Series) and y.name == "late"
            return Long(LogisticRegression().fit(X.select(pl.col("distance").fill_null(0) / 1000), y))
    """
    model = fit(text, frame="polars").model()
    p = answers(model, table, "flightmodel:fit")
    assert ((p > 0.5) == (table.column("distance").to_numpy() > 1000)).mean() > 0.9
    one = table.slice(3, 1)
    np.testing.assert_array_equal(model.predict(one), p[3:4])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def fit(X, y):\n    return X['nope']", r"KeyError: 'nope' \(flightmodel.py line 2, in fit\)"),
        ("def fit(X, y):\n    raise SystemExit(3)", "SystemExit: 3"),
        ("def fit(X, y):\n    return {'a': 1}", "returned dict, which has no predict"),
        ("def fit(X, y):\n    pass", "returned NoneType, which has no predict"),
        ("def fit(X, target):\n    pass", "asks for target, which is not offered"),
        ("def train(X, y):\n    pass", "has no function fit"),
        ("import nope_nope\ndef fit(X, y):\n    pass", "No module named 'nope_nope'"),
        ("import os\ndef fit(X, y):\n    print('going down', flush=True)\n    os._exit(9)", "last words: going down"),
        (
            "from sklearn.preprocessing import FunctionTransformer\n"
            "from sklearn.dummy import DummyClassifier\nfrom sklearn.pipeline import make_pipeline\n"
            "def fit(X, y):\n    return make_pipeline(FunctionTransformer(lambda X: X), DummyClassifier()).fit(X, y)",
            "not trusted: flightmodel.<lambda>",
        ),
    ],
)
def test_a_function_that_fails_says_what_and_where(fit, text, says):
    with pytest.raises(UserCodeError, match=says) as caught:
        fit(text)
    assert caught.value.where == "flightmodel:fit"


def test_inputs_without_any_value_are_named_first(store, engine, table):
    empty = table.append_column("temp", pa.nulls(200, pa.float64()))
    described = signature.infer(empty, ["distance", "temp"], "late", "binary_classification")
    code = Code(
        "from sklearn.linear_model import LogisticRegression\ndef fit(X, y):\n    return LogisticRegression().fit(X, y)"
    )
    with (
        pytest.raises(UserCodeError) as caught,
        train.fit_each(
            store, engine, table=empty, y=target.encode(empty, described), weights=None, rows={"all": np.arange(200)},
            code=code, params={}, seed=7, limits=Limits(), signature=described, job_name="late-1",
        ) as running,
    ):  # fmt: skip
        running.take("all")
    assert caught.value.message == (
        "no row has a value of the input 'temp', and the training function failed: ValueError: Input X contains NaN."
    )
    assert "Exclude it, or mend its source" in caught.value.hint


def test_a_function_that_hangs_is_ended(fit):
    with pytest.raises(UserCodeError, match="took longer than 2 s"):
        fit("import time\ndef fit(X, y):\n    time.sleep(60)", limits=Limits(time=timedelta(seconds=2)))


def test_a_function_that_takes_too_much_memory_is_ended(fit):
    text = "import numpy as np, time\ndef fit(X, y):\n    a = np.ones(200_000_000)\n    time.sleep(60)"
    with pytest.raises(UserCodeError, match="used more than 700 MB"):
        fit(text, limits=Limits(memory=700))


def test_a_function_that_prints_without_end_fills_no_disk(fit):
    text = GOOD.replace('print("rows"', 'print("x" * 3_000_000, "rows"')
    assert (fit(text).directory.parent / "log.txt").stat().st_size < 100_000


def test_a_model_that_cannot_answer_for_its_own_rows_is_the_functions_fault(fit, table):
    text = """
        from sklearn.linear_model import LogisticRegression

        def fit(X, y):
            return LogisticRegression().fit(X[["distance"]].rename(columns={"distance": "miles"}), y)
    """
    fitted = fit(text)
    with pytest.raises(UserCodeError, match="cannot answer for its own rows"):
        answers(fitted.model(), table, "flightmodel:fit")
