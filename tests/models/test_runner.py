"""A model made of the project's own functions or classes is loaded and asked in a process of its own."""

import os
import signal
import sys
import textwrap

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from modelyard import models
from modelyard.errors import ModelFormatError, ModelOutputError
from modelyard.models import frame, signature
from modelyard.models.runner import Runner

CODE = """
    import numpy as np

    def double(X):
        print("printing does not disturb the answers")
        return X * 2

    class Half:
        def __init__(self, share):
            self.share = share
            self.means = {"a": np.arange(3.0)}

        def predict(self, X):
            if (X["a"] > 1000).any():
                raise ValueError("too far")
            return np.full(len(X), self.share)
"""


@pytest.fixture
def code(tmp_path, monkeypatch):
    folder = tmp_path / "project"
    (folder / "yardtest").mkdir(parents=True)
    (folder / "yardtest" / "__init__.py").write_text("")
    (folder / "yardtest" / "shapes.py").write_text(textwrap.dedent(CODE))
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in [name for name in sys.modules if name.startswith("yardtest")]:
        del sys.modules[name]


@pytest.fixture
def table():
    return pa.table({"a": [0.0, 1.0, 2.0, 3.0], "late": [False, True, False, True]})


@pytest.fixture
def sig(table):
    return signature.infer(table, ["a"], "late", "binary_classification")


def test_a_class_of_the_project_answers_from_its_own_process(code, table, sig, tmp_path):
    from yardtest.shapes import Half

    manifest = models.save(Half(0.25), tmp_path / "m", signature=sig, code=code)
    model = models.load(tmp_path / "m", signature=sig)

    assert manifest["project_types"] == ["yardtest.shapes.Half"]
    assert isinstance(model, Runner)
    np.testing.assert_array_equal(model.predict(table), [0.25] * 4)

    os.kill(model._child.pid, signal.SIGKILL)
    np.testing.assert_array_equal(model.predict(table), [0.25] * 4)

    with pytest.raises(ModelOutputError, match="too far"):
        model.predict(pa.table({"a": [9999.0]}))
    np.testing.assert_array_equal(model.predict(table), [0.25] * 4)
    model.close()


def test_the_projects_code_gets_no_token(code, table, sig, tmp_path, monkeypatch):
    (code / "yardtest" / "shapes.py").write_text(
        "import os\nclass Told:\n    def predict(self, X):\n        return [float('YARD_TOKEN' in os.environ)] * len(X)\n"
    )
    from yardtest.shapes import Told

    models.save(Told(), tmp_path / "m", signature=sig, code=code)
    monkeypatch.setenv("YARD_TOKEN", "secret")
    model = models.load(tmp_path / "m", signature=sig)
    np.testing.assert_array_equal(model.predict(table), [0.0] * 4)
    model.close()


def test_a_function_of_the_project_may_be_a_step_of_a_pipeline(code, table, sig, tmp_path):
    from yardtest.shapes import double

    X = frame.to_pandas(table, sig)
    fitted = make_pipeline(FunctionTransformer(double), LogisticRegression()).fit(X, [0, 1, 0, 1])
    models.save(fitted, tmp_path / "m", signature=sig, code=code)
    model = models.load(tmp_path / "m", signature=sig)
    np.testing.assert_array_equal(model.predict(table), fitted.predict_proba(X)[:, 1])
    model.close()


def test_code_that_is_not_the_releases_own_is_not_trusted(code, table, sig, tmp_path):
    from yardtest.shapes import Half

    models.save(Half(0.25), tmp_path / "m", signature=sig, code=code)
    (tmp_path / "m" / "code" / "yardtest" / "shapes.py").unlink()
    with pytest.raises(ModelFormatError, match=r"not trusted: yardtest\.shapes\.Half"):
        models.load(tmp_path / "m", signature=sig)


def test_a_class_from_nowhere_is_refused(code, sig, tmp_path):
    from yardtest.shapes import Half

    with pytest.raises(ModelFormatError, match=r"yardtest\.shapes\.Half"):
        models.save(Half(0.25), tmp_path / "m", signature=sig)
