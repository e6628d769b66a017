"""A declared function is found in the project and called by parameter name."""

import sys

import pytest

from modelyard.engines.function import call, explain, load, missing_package_hint
from modelyard.errors import UserCodeError


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_function_and_its_helpers_load_from_the_folder(project):
    (project / "shop/helpers.py").write_text("def twice(x): return 2 * x\n")
    (project / "shop/model.py").write_text("from shop.helpers import twice\ndef fit(x): return twice(x)\n")
    assert load(project, "shop.model:fit")(4) == 8


def test_a_missing_function_names_those_there_are(project):
    (project / "shop/model.py").write_text("def train(): pass\n")
    with pytest.raises(UserCodeError, match=r"no function fit.*defines train"):
        load(project, "shop.model:fit")


@pytest.mark.parametrize("body", ["1 / 0", "raise SystemExit(2)", "import not_there", "def :"])
def test_a_module_that_fails_on_import_is_one_sentence(project, body):
    (project / "shop/model.py").write_text(body + "\n")
    with pytest.raises(UserCodeError, match=r"importing shop.model failed"):
        load(project, "shop.model:fit")


def test_a_name_taken_by_another_module_is_refused(project):
    (project / "json.py").write_text("def fit(): pass\n")
    with pytest.raises(UserCodeError, match="outside the project"):
        load(project, "json:fit")


def test_parameters_are_passed_by_name():
    offered = {"X": 1, "y": 2, "seed": 3}
    assert call(lambda y, X: (X, y), offered) == (1, 2)
    assert call(lambda seed, extra=9: (seed, extra), offered) == (3, 9)
    assert call(lambda X, **rest: (X, rest), offered) == (1, {"y": 2, "seed": 3})
    assert call(lambda *args: args, offered) == ()


def test_an_unknown_parameter_names_what_is_offered():
    def fit(X, labels):
        return X, labels

    with pytest.raises(UserCodeError, match=r"asks for labels, which is not offered. *It may ask for X, y"):
        call(fit, {"X": 1, "y": 2})


def test_an_error_is_explained_with_its_place_in_the_project(project):
    (project / "shop/model.py").write_text("def fit(X):\n    return inner(X)\n\ndef inner(X):\n    return X['dest']\n")
    fit = load(project, "shop.model:fit")
    with pytest.raises(KeyError) as caught:
        call(fit, {"X": {}})
    assert explain(caught.value, project) == "KeyError: 'dest' (shop/model.py line 5, in inner)"


@pytest.mark.parametrize("body", ["import no_such_package", "from no_such_package.inside import thing"])
def test_a_package_that_is_not_installed_is_told_how_it_becomes_the_projects(project, body):
    (project / "own.py").write_text(f"{body}\n\ndef fit():\n    pass\n")
    with pytest.raises(UserCodeError) as raised:
        load(project, "own:fit")
    assert "installed" in raised.value.hint and "no_such_package" in raised.value.hint and "lock" in raised.value.hint


def test_other_errors_ask_for_no_package():
    assert missing_package_hint(KeyError("x")) is None
