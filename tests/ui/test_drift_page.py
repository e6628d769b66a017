"""The page of pictures: whole in itself, small, and safe from what columns are called."""

from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pytest

from modelyard.stats import examine
from modelyard.stats.picture import picture
from modelyard.ui.drift import headline, render

SIZE = 2_000
NASTY = "<script>alert('x')</script>"


def table(seed, shift=0.0, kinds=("a", "b", "c")):
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "price": rng.normal(10 + shift, 2, SIZE),
            "amount": rng.poisson(4 + shift, SIZE),
            NASTY: rng.choice(kinds, SIZE),
            "note": [f"text of row {i} {'x' * int(n)}" for i, n in enumerate(rng.integers(1, 20 + 30 * shift, SIZE))],
            "vector": rng.normal(shift, 1, (SIZE, 4)).tolist(),
        }
    )


@pytest.fixture(scope="module")
def changed():
    return examine(table(1), table(2, shift=1.0, kinds=("a", "b", NASTY)))


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_every_alarm_has_its_picture_and_nothing_is_fetched(changed):
    text = render(changed, names=("before.csv", "after.csv"))
    page = Page(text)
    drawn = [tag for tag, _ in page.tags if tag == "svg"]
    assert len(drawn) == sum(r.verdict != "ok" for r in changed.results) == 5
    assert not [tag for tag, _ in page.tags if tag in ("script", "link", "img", "iframe")]
    assert not [a for _, a in page.tags if {"src", "href"} & set(a)]
    assert "prefers-color-scheme: dark" in text and len(text) < 100_000


def test_what_columns_and_values_are_called_is_text(changed):
    text = render(changed, names=("<b>before</b>", "after"))
    assert "<script" not in text and "<b>before" not in text
    assert "&lt;script&gt;" in text


def test_the_headline_says_how_much(changed):
    assert headline(changed) == "5 of 5 columns drifted."
    assert headline(examine(table(1), table(2))) == "Nothing has drifted."
    assert (
        headline(examine(table(1).select(["price"]), table(2).select(["price"])[:50]))
        == "Too little data to say anything."
    )
    assert headline(examine(table(1), table(2).slice(0, 3))) == "Hardly any rows are left."
    again = examine(table(1).select(["price"]), table(1).select(["price"]).slice(0, 900))
    assert headline(again) == "Old rows came again."


def test_a_picture_holds_all_rows(changed):
    for name, column in changed.reference.columns.items():
        shown = picture(column, changed.current.columns[name].tally)
        assert sum(shown.before) == pytest.approx(1.0) and sum(shown.after) == pytest.approx(1.0)
        assert len(shown.before) == len(shown.after) == (len(shown.labels) or len(shown.edges) - 1)
    told = dict(zip(("before", "after"), _means(changed, "price"), strict=True))
    assert told["before"] == pytest.approx(10, abs=0.2) and told["after"] == pytest.approx(11, abs=0.2)


def _means(found, name):
    shown = picture(found.reference.columns[name], found.current.columns[name].tally)
    middles = (np.array(shown.edges[1:]) + np.array(shown.edges[:-1])) / 2
    return [float((middles * np.array(shares)).sum()) for shares in (shown.before, shown.after)]


@pytest.mark.parametrize("values", [[None] * 300, [5.0] * 300, [float("inf"), 1.0] * 150, [1e308, -1e308] * 150])
def test_odd_columns_do_not_break_the_page(values):
    odd = pa.table({"x": pa.array(values, pa.float64()), "y": np.arange(300.0)})
    plain = pa.table({"x": np.arange(300.0), "y": np.arange(300.0) * 100})
    for pair in ((odd, plain), (plain, odd)):
        assert "</html>" in render(examine(*pair), names=("a", "b"))


def test_repeated_rows_are_pictured_as_shares():
    once, twice = (pa.table({"x": np.arange(1000.0) + 5000 * i}) for i in range(2))
    text = render(examine(once, pa.concat_tables([twice.slice(0, 800), twice.slice(0, 200)])), names=("a", "b"))
    assert ">repeat another row<" in text


def test_keys_that_repeat_and_rows_that_are_lost_have_a_picture():
    known = pa.table({"id": np.arange(1000), "x": np.random.default_rng(1).normal(size=1000)})
    twice = pa.table({"id": np.arange(1000) // 2, "x": np.random.default_rng(2).normal(size=1000)})
    found = examine(known, twice, key=["id"])
    assert headline(found) == "Keys repeat."
    text = render(found, names=("a", "b"))
    assert ">key came before<" in text and ">50.0%<" in text
    assert "rows, of the reference&#x27;s" in render(examine(known, known.slice(0, 0)), names=("a", "b"))


def test_missing_values_are_pictured_as_such():
    gone = pa.table({"x": pa.array(np.arange(1000.0), mask=np.arange(1000) % 4 == 0)})
    text = render(examine(pa.table({"x": np.arange(1000.0)}), gone), names=("a", "b"))
    assert ">missing<" in text and ">25.0%<" in text
    assert text.count("<svg") == 2, "three quarters of the rows come again, too"


def test_columns_that_changed_together_and_one_that_is_gone_have_a_picture_too():
    rng = np.random.default_rng(3)
    one, two = rng.normal(size=(2, SIZE))
    before = pa.table({"one": one, "two": one + 0.3 * two, "three": two})
    after = pa.table({"one": one[::-1], "two": (one + 0.3 * two)[rng.permutation(SIZE)]})
    found = examine(before, after)
    assert {(r.column, r.verdict) for r in found.results} >= {("(joint)", "page"), ("three", "page")}
    text = render(found, names=("a", "b"))
    assert "a row of each side, told apart" in text and "three, missing values" in text
