"""The report of a simulation: self-contained, honest, and robust to odd input."""

from __future__ import annotations

import doctest
import importlib.util
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from modelyard.ui import charts, figures, verdict
from modelyard.ui.report import render

_spec = importlib.util.spec_from_file_location("sample", Path(__file__).with_name("sample.py"))
assert _spec is not None and _spec.loader is not None
sample = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sample)


class _Page(HTMLParser):
    """Collects tags and checks that they close in order."""

    VOID = frozenset({"meta", "br", "hr", "img", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_asks_for_nothing_outside_itself():
    page = render(sample.simulation(), title="flights")
    tags = _Page(page)
    assert tags.open == []
    assert not {tag for tag, _ in tags.seen} & {"script", "link", "img", "iframe", "object", "form"}
    assert not any("src" in attributes or "href" in attributes for _, attributes in tags.seen)
    assert not re.search(r"https?://|@import|url\(", page)


def test_it_says_first_whether_the_policy_paid():
    page = render(sample.simulation(), title="flights")
    assert "The policy beat the static model." in page
    assert "Log loss 0.5002 against 0.5110 (2.1% lower; lower is better) over 243,396 labelled rows." in page
    assert "Ahead in 6 of 9 windows, most in July 2013" in page
    assert "It took 8 retrainings, 8 new champions, 1 rollback and 8 alarms." in page


def test_it_says_so_when_the_policy_did_not_pay():
    page = render(sample.simulation(sample.STATIC, sample.POLICY), title="flights")
    assert "The policy did not pay: the static model was better." in page


def test_without_labels_it_claims_nothing():
    nothing = (None,) * 9
    page = render(sample.simulation(nothing, nothing), title="flights")
    assert "Nothing can be said yet" in page
    assert "No window has enough labelled rows" in page
    assert "<svg" not in page


def test_a_window_without_figures_leaves_a_gap_in_the_line():
    policy = (*sample.POLICY[:4], None, *sample.POLICY[5:])
    page = render(sample.simulation(policy), title="flights")
    line = re.search(r'class="line policy" d="([^"]+)"', page)
    assert line is not None and line[1].count("M") == 2


def test_every_event_stands_in_the_page_with_its_reason():
    simulation = sample.simulation()
    page = render(simulation, title="flights")
    for event in simulation["events"]:
        assert event["why"].replace("&", "&amp;") in page


def test_variants_stand_side_by_side_and_the_best_is_told():
    better, worse = sample.simulation(), sample.simulation(sample.STATIC)
    blocks = [{"name": "models.late.window=90d", **worse}, {"name": "models.late.window=365d", **better}]
    page = render({**worse, "variants": blocks}, title="flights")
    assert "Best of 2 variants: models.late.window=365d, with 0.5002; the worst had 0.5110." in page
    assert "The policy beat the static model." in page
    assert page.count('class="line other') == 2  # in the wide and in the narrow picture


def test_a_script_in_a_name_is_only_text():
    simulation = sample.simulation()
    simulation["events"][0]["why"] = simulation["events"][0]["subject"] = "<script>alert(1)</script>"
    simulation["windows"][0]["release"] = "<img src=x onerror=alert(1)>"
    page = render(simulation, title="<b>x</b>")
    assert "<script" not in page and "<img" not in page and "<b>x</b>" not in page


def test_a_simulation_in_which_nothing_happened_renders():
    simulation = sample.simulation()
    simulation["events"], simulation["windows"] = [], simulation["windows"][:1]
    assert "Nothing: no retraining, no alarm." in render(simulation, title="quiet")


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-5, 5), (0.4999, 0.5001), (1e-9, 2e-9), (7, 7), (0, 0), (1e6, 3e7)])
def test_ticks_cover_the_range(low, high):
    levels = charts.ticks(low, high)
    assert levels[0] <= low and levels[-1] >= high
    assert 2 <= len(levels) <= 12 and levels == sorted(set(levels))


@pytest.mark.parametrize("module", [charts, figures, verdict])
def test_examples_hold(module):
    assert doctest.testmod(module).failed == 0
