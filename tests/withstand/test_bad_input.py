"""Bad input: each gets a sentence that says what, where and what to do; the last good state stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from shop_project import TRAINING, visits
from withstand_yard import Yard

HEAD = "visit,at,device,pages,minutes,bought"

FUNCTIONS = """
import os
import time

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

class Odd(ClassifierMixin, BaseEstimator):
    def __init__(self, answer="nan"):
        self.answer = answer

    def fit(self, X, y):
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X):
        return np.full((len(X), 2), np.nan) if self.answer == "nan" else np.full((3, 2), 0.5)

    def predict(self, X):
        return np.zeros(len(X))

def raises(X, y):
    raise KeyError("Zürich")

def hangs(X, y):
    time.sleep(3600)

def prints(X, y):
    for _ in range(1000):
        print("x" * 1_000_000)
    raise ValueError("after a gigabyte")

def nothing(X, y):
    return None

def a_class(X, y):
    return Odd

def nonsense(X, y):
    return {"a": 1}

def not_a_number(X, y):
    return Odd("nan").fit(X, y)

def wrong_shape(X, y):
    return Odd("shape").fit(X, y)

def eats(X, y):
    kept = np.ones(250_000_000)
    time.sleep(3600)

def ends(X, y):
    os._exit(0)

def asks(X, y, banana):
    return None

def imports(X, y):
    import not_installed_anywhere
"""

SAYS = {
    "raises": ("shop:raises", "KeyError: 'Zürich'", "shop.py line"),
    "hangs": ("shop:hangs", "longer than 2 s", "limits.time"),
    "prints": ("shop:prints", "after a gigabyte"),
    "nothing": ("shop:nothing", "NoneType", "Return a fitted model"),
    "a_class": ("shop:a_class", "the class Odd", "fitted"),
    "nonsense": ("shop:nonsense", "dict", "Return a fitted model"),
    "not_a_number": ("shop:not_a_number", "no finite number"),
    "wrong_shape": ("shop:wrong_shape", "shape (3,)"),
    "eats": ("shop:eats", "more than 600 MB", "limits.memory"),
    "ends": ("shop:ends", "ended by itself"),
    "asks": ("shop:asks", "banana", "It may ask for"),
    "imports": ("shop:imports", "not_installed_anywhere"),
}


def test_functions_that_fail_in_every_way(yard: Yard) -> None:
    before = yard.releases
    (yard.directory / "shop.py").write_text(TRAINING + FUNCTIONS)
    models = "".join(
        f"  {name}: {{task: binary_classification, data: visits_clean, target: bought, train: shop:{name},"
        f" exclude: [device], limits: {{time: {'2s' if name == 'hangs' else '60s'}"
        f"{', memory: 600' if name == 'eats' else ''}}}}}\n"
        for name in SAYS
    )
    yard.edit("models:\n", f"models:\n{models}")
    said = yard.apply("--json")
    assert said.code == 1
    results = {each["entity"]: each for each in said.json["results"]}
    for name, words in SAYS.items():
        result = results[f"model.{name}"]
        assert result["state"] == "failed"
        assert [word for word in words if word not in result["says"]] == [], result["says"]
        assert len(result["says"]) < 1500
    assert yard.releases == before
    assert yard.yard("status", "--json").json["deployments"][0]["release"] == "buys@1"


def test_tables_that_cannot_be_used(yard: Yard) -> None:
    before = yard.releases
    data = yard.directory / "data"
    lines = visits(60)
    files = {
        "empty.csv": "",
        "head.csv": HEAD + "\n",
        "twice.csv": "\n".join([*lines, lines[9]]),
        "notime.csv": "\n".join([*lines, "v99999,yesterday,phone,3,2.0,1"]),
        "part-1.csv": "\n".join(lines),
        "part-2.csv": HEAD.replace("minutes", "minuten") + "\nw1,2024-01-05T00:00:00Z,phone,3,2.0,1\n",
        "double.csv": HEAD + ",pages\n" + "\n".join(line + ",1" for line in lines[1:]),
        "torn.parquet": "PAR1 and no more",
    }
    for name, text in files.items():
        (data / name).write_text(text)
    (data / "latin.csv").write_bytes("\n".join([HEAD, "v1,2024-01-05T00:00:00Z,télé,3,2.0,1"]).encode("latin-1"))
    wanted = {
        "empty.csv": ("empty.csv", "empty"),
        "head.csv": ("head.csv", "no row"),
        "twice.csv": ("dataset d2", "unique(visit)", "share visit"),
        "notime.csv": ("source s3", "'at'", "no time"),
        "part-*.csv": ("part-2.csv", "'minutes'", "minuten"),
        "double.csv": ("double.csv", "two columns", "'pages'"),
        "torn.parquet": ("torn.parquet", "cannot be read"),
        "latin.csv": ("latin.csv", "not UTF-8", "iconv"),
    }
    sources = "".join(f'  s{n}: {{uri: "data/{name}", time: at}}\n' for n, name in enumerate(wanted))
    datasets = "".join(
        f"  d{n}: {{sql: SELECT * FROM s{n}, key: [visit], time: at, checks: [{{unique: [visit]}}]}}\n"
        for n in range(len(wanted))
    )
    yard.edit("sources:\n", f"sources:\n{sources}")
    yard.edit("\ndatasets:\n", f"\ndatasets:\n{datasets}")
    said = yard.apply("--json")
    assert said.code == 1
    results = {each["entity"]: each for each in said.json["results"]}
    for number, words in enumerate(wanted.values()):
        result = results[f"dataset.d{number}"]
        assert result["state"] == "failed"
        assert [word for word in words if word not in result["says"]] == [], result["says"]
    assert yard.releases == before


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("data/visits.csv", "data/nowhere.csv", ("nowhere.csv", "no file")),
        ("train: shop:fit", "train: shop:fitt", ("yard.yaml", "fitt", "Did you mean `fit`")),
        ("key: [visit]", "key: [bought]", ("yard.yaml", "bought")),
        ("SELECT * FROM visits", "SELEC * FROM visits", ("yard.yaml", "SELEC")),
    ],
)
def test_what_can_be_seen_before_anything_runs_is_bad_input(
    yard: Yard, old: str, new: str, words: tuple[str, ...]
) -> None:
    yard.edit(old, new)
    said = yard.apply("--json")
    assert said.code == 2
    told = str(said.json["errors"])
    assert [word for word in words if word not in told] == [], told


def test_a_target_among_the_inputs_is_refused(yard: Yard) -> None:
    yard.edit("SELECT * FROM visits", "SELECT *, bought AS paid FROM visits")
    said = yard.apply()
    assert said.code == 1
    assert "'paid' says the same as the target 'bought'" in said.out and "Exclude it" in said.out
    assert [each["name"] for each in yard.releases] == ["buys@1"]


def test_names_in_every_script_and_ten_thousand_categories(new_yard: Yard) -> None:
    column, file = 'gerät "A"', "besuché 'x' [1] ☎.csv"
    lines = [line.split(",") for line in visits(60)[1:]]
    rows = [",".join([f"ключ'{n}", line[1], f"号{n}", *line[3:]]) for n, line in enumerate(lines)]
    text = HEAD.replace("device", '"gerät ""A"""') + "\n" + "\n".join(rows) + "\n"
    Path(new_yard.directory / "data" / file).write_text(text)
    new_yard.edit("{uri: data/visits.csv", f'{{uri: "data/{file}"')
    new_yard.edit("by: [device]", f"by: ['{column}']")
    new_yard.edit('"device"', repr(column), "shop.py")
    said = new_yard.apply("--json")
    assert said.code == 0, said.out
    assert [each["name"] for each in new_yard.releases] == ["buys@1"]
