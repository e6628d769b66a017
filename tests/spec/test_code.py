"""Fingerprints of functions: they follow what is reached, and nothing else; nothing is run."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.errors import InputError
from modelyard.spec.code import read_function

FILES = {
    "shop/__init__.py": "",
    "shop/model.py": '''
"""The model."""

import numpy as np
from sklearn.linear_model import Ridge

import shop.columns as columns
from shop import pricing
from .deep import *
from ..outside import far

DEPTH = 3
UNUSED = 1


class Wrapped(Ridge):
    """Wrapped."""

    size = DEPTH


def fit(X, y, *, params, seed):
    """Fit."""
    from shop.late import later

    return Wrapped(helper(np.abs(columns.clean(X))), pricing.price(y), bottom(), later(), far())


def helper(x):
    # doubles
    return x * 2


def unused():
    return 0
''',
    "shop/columns.py": "LIST = ['a']\n\n\ndef clean(x):\n    return x[LIST]\n\n\ndef other():\n    return 1\n",
    "shop/pricing.py": "from shop.rates import rate as current\n\n\ndef price(y):\n    return y * current()\n",
    "shop/rates.py": "RATE = {}\nRATE['x'] = 2\n\n\ndef rate():\n    return RATE['x']\n",
    "shop/deep.py": "from .bottom import *\n\n\ndef beside():\n    return 5\n",
    "shop/bottom.py": "def bottom():\n    return 1\n",
    "shop/late.py": "def later():\n    return 1\n",
    "outside.py": "def far():\n    return 1\n",
    "apart.py": "X = 1\n",
}
FILES["shop/model.py"] = FILES["shop/model.py"].replace("from ..outside", "from outside")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    write(tmp_path, FILES)
    return tmp_path


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def fingerprint(folder: Path, function: str = "shop.model:fit") -> str:
    return read_function(folder, function).fingerprint


def changed(folder: Path, file: str, before: str, after: str) -> bool:
    was = fingerprint(folder)
    text = (folder / file).read_text()
    assert before in text
    (folder / file).write_text(text.replace(before, after))
    return fingerprint(folder) != was


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("shop/model.py", "x * 2", "x * 3"),
        ("shop/model.py", "DEPTH = 3", "DEPTH = 4"),
        ("shop/model.py", "import Ridge", "import Lasso as Ridge"),
        ("shop/model.py", "seed):", "seed=1):"),
        ("shop/columns.py", "['a']", "['b']"),
        ("shop/columns.py", "return x[LIST]", "return x"),
        ("shop/pricing.py", "y * current()", "y + current()"),
        ("shop/rates.py", "RATE['x'] = 2", "RATE['x'] = 3"),
        ("shop/bottom.py", "return 1", "return 2"),
        ("shop/late.py", "return 1", "return 2"),
        ("outside.py", "return 1", "return 2"),
        ("shop/__init__.py", "", "import os\nos.environ['A'] = '1'\nprint('imported')\n"),
    ],
)
def test_what_the_function_reaches_changes_it(shop: Path, file: str, before: str, after: str) -> None:
    assert changed(shop, file, before, after)


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("shop/model.py", "# doubles", "# makes it twice as much"),
        ("shop/model.py", '"""Fit."""', '"""Fit a model."""'),
        ("shop/model.py", '"""The model."""', ""),
        ("shop/model.py", '    """Wrapped."""\n', ""),
        ("shop/model.py", "UNUSED = 1", "UNUSED = 2"),
        ("shop/model.py", "return 0", "return 9"),
        ("shop/model.py", "from shop import pricing", "from shop import deep, pricing"),
        ("shop/model.py", "x * 2", "(x\n        * 2)"),
        ("shop/model.py", "def unused():", 'if __name__ == "__main__":\n    print(1)\n\n\ndef unused():'),
        ("shop/columns.py", "['a']", '[\n    "a",\n]'),
        ("shop/columns.py", "return 1", "return 2"),
        ("shop/deep.py", "return 5", "return 6"),
        ("apart.py", "X = 1", "X = 2"),
    ],
)
def test_what_it_does_not_reach_changes_nothing(shop: Path, file: str, before: str, after: str) -> None:
    assert not changed(shop, file, before, after)


@pytest.mark.parametrize("name", sorted(FILES))
def test_reformatting_changes_nothing(shop: Path, name: str) -> None:
    was = fingerprint(shop)
    (shop / name).write_text(ast.unparse(ast.parse(FILES[name])))
    assert fingerprint(shop) == was


BODIES = st.recursive(
    st.sampled_from(["a", "b", "1", "2.5", "'t'", "None", "f'{a}!'", "[1, *b]", "-a", "(not b)"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "and", "<", "@", "**"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda x: f"helper({x}, key={x})"),
        inner.map(lambda x: f"[i for i in {x} if i]"),
        inner.map(lambda x: f"(lambda z: {x})"),
    ),
    max_leaves=6,
)


@given(BODIES, BODIES)
def test_reformatting_any_function_changes_nothing_and_another_body_does(
    tmp_path_factory: pytest.TempPathFactory, body: str, other: str
) -> None:
    folder = tmp_path_factory.mktemp("code")
    text, another = (TEMPLATE.format(body=item) for item in (body, other))
    prints = []
    for version in (text, ast.unparse(ast.parse(text)), another):
        (folder / "m.py").write_text(version)
        prints.append(fingerprint(folder, "m:fit"))
    assert prints[0] == prints[1]
    assert (ast.dump(ast.parse(text)) == ast.dump(ast.parse(another))) == (prints[0] == prints[2])


TEMPLATE = '''
def helper(x, key=0):
    """Help."""
    return x  # the same


def fit(a, b):
    c = {body}
    return c
'''


def test_files_are_all_that_an_import_can_load(shop: Path) -> None:
    assert set(read_function(shop, "shop.model:fit").files) == set(FILES) - {"apart.py"}


def test_a_registering_decorator_of_the_project_counts(tmp_path: Path) -> None:
    steps = "STEPS = []\n\n\ndef step(f):\n    STEPS.append(f)\n    return f\n"
    model = "from steps import STEPS, step\n\n\n@step\ndef a(x):\n    return x\n\n\ndef fit(X):\n    return [s(X) for s in STEPS]\n"
    write(tmp_path, {"steps.py": steps, "model.py": model})
    was = fingerprint(tmp_path, "model:fit")
    write(tmp_path, {"model.py": model.replace("return x", "return -x")})
    assert fingerprint(tmp_path, "model:fit") != was


def test_a_module_passed_around_counts_as_a_whole(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"tools.py": "def a():\n    return 1\n", "model.py": "import tools\n\n\ndef fit(X):\n    return vars(tools)\n"},
    )
    was = fingerprint(tmp_path, "model:fit")
    write(tmp_path, {"tools.py": "def a():\n    return 2\n"})
    assert fingerprint(tmp_path, "model:fit") != was


def test_circles_of_imports_end(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"a.py": "import b\n\n\ndef fit(X):\n    return b.g()\n", "b.py": "import a\n\n\ndef g():\n    return a.fit\n"},
    )
    assert fingerprint(tmp_path, "a:fit")


def test_nothing_is_run(tmp_path: Path) -> None:
    write(tmp_path, {"m.py": "open('ran', 'w')\nraise SystemExit\n\n\ndef fit(X, y):\n    return None\n"})
    assert fingerprint(tmp_path, "m:fit")
    assert not (tmp_path / "ran").exists()


def test_an_invalid_escape_is_not_our_warning(tmp_path: Path) -> None:
    write(tmp_path, {"m.py": "def fit(X, y):\n    return '\\d'\n"})
    assert fingerprint(tmp_path, "m:fit")


@pytest.mark.parametrize("deep", [f"X = {' + '.join(['1'] * 3000)}", f"X = a{'.b' * 3000}"], ids=["sum", "chain"])
def test_a_statement_without_end_is_named(tmp_path: Path, deep: str) -> None:
    write(tmp_path, {"m.py": f"{deep}\n\n\ndef fit(X, y):\n    return X\n"})
    with pytest.raises(InputError, match="nests too deep"):
        read_function(tmp_path, "m:fit")


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("shop.model.fit", "is not a function Expected module:function"),
        ("shop.modle:fit", "no module `shop.modle` in the project Did you mean `shop.model`"),
        ("shop.model:fitt", "shop/model.py: there is no function `fitt` Did you mean `fit`"),
        ("shop.model:Wrapped", "shop/model.py: `Wrapped` is not a function"),
        ("..:x", "is not a function"),
    ],
)
def test_what_is_not_there_is_named(shop: Path, function: str, says: str) -> None:
    with pytest.raises(InputError) as raised:
        read_function(shop, function)
    error = raised.value
    assert says in f"{error.where}: {error.message} {error.hint}"
