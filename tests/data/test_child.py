"""What a function may return, seen from inside the child process."""

import pandas as pd
import pyarrow as pa
import pytest

from modelyard.data.child import as_table, judgement
from modelyard.errors import UserCodeError

FRAME = pd.DataFrame({"id": [1, 2, 3, 4], "x": ["a", "b", "b", None]})


class Polars:
    """Speaks Arrow as Polars does."""

    def to_arrow(self):
        return pa.table({"id": [1]})


@pytest.mark.parametrize("result", [FRAME[["id"]].head(1), pa.table({"id": [1]}), Polars()])
def test_frames_of_all_kinds_become_tables(result):
    assert as_table(result).to_pylist() == [{"id": 1}]


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (7, "returned int. Return a DataFrame"),
        (None, "returned NoneType"),
        (pd.DataFrame({"x": [1, "a", None]}), "a column that mixes types"),
        (pd.DataFrame({0: [1]}), "a column named 0, which is no text"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns named 'a'"),
    ],
)
def test_all_else_is_refused(result, says):
    with pytest.raises(UserCodeError, match=says):
        as_table(result)


def only_some(frame):
    raise AssertionError("only some rows")


@pytest.mark.parametrize(
    ("check", "ok", "says", "keys"),
    [
        (lambda frame: True, True, "", []),
        (lambda df: (df["id"] > 0).all(), True, "", []),
        (lambda frame: bool(frame["id"].max() > 100), False, "", []),
        (lambda frame: "too few", False, "too few", []),
        (lambda frame: "", True, "", []),
        (lambda frame: frame[frame["id"] > 2], False, "", [{"id": 3}, {"id": 4}]),
        (lambda frame: frame[frame["id"] > 99], True, "", []),
        (only_some, False, "only some rows", []),
    ],
)
def test_a_check_says_yes_no_why_or_which(check, ok, says, keys):
    found = judgement(check, {"frame": FRAME}, ["id"])
    assert (found["ok"], found["says"], found["keys"]) == (ok, says, keys)


def test_a_check_that_says_nothing_is_an_error():
    with pytest.raises(UserCodeError, match=r"returned None. Return True or False"):
        judgement(lambda frame: None, {"frame": FRAME}, ["id"])
