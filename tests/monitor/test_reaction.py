"""What an alarm says of the declared triggers: which acts, when, and how often at most; and what none of them does."""

from __future__ import annotations

from typing import Any

import pytest

from modelyard.monitor.reaction import reaction
from modelyard.monitor.seen import Seen
from modelyard.spec.types import Spec

DRIFT, PAGE = Seen("drift", "warn", "moved"), Seen("drift", "page", "moved far")
LETTERS = Seen("kpis", "page", "more letters", {"figures": [{"name": "letters", "level": "page"}]})


def said(*seen: Seen, name: str = "health", **triggers: Any) -> str:
    spec = Spec.model_validate(
        {
            "project": "shop",
            "deployments": {"api": {"model": "late"}, "other": {"model": "late"}},
            "monitors": {
                "health": {"deployment": "api"},
                "trained": {"deployment": "api"},
                "elsewhere": {"deployment": "other"},
            },
            "triggers": {each: {"model": "late", "cooldown": "7d", **about} for each, about in triggers.items()},
        }
    )
    return reaction(spec, name, spec.monitors[name], seen)


def test_a_page_acts_at_once_and_a_warning_when_it_persists() -> None:
    refresh = {"when": {"any": [{"schedule": "28d"}, {"drift": "health"}]}, "at_most": "3 per 90d"}
    assert said(PAGE, refresh=refresh) == (
        "Trigger refresh (retrain) acts at once, as it pages, at most every 7 days and 3 times in 90 days."
    )
    assert "acts at once if it pages, else when 2 of 3 windows of 7 days, one after the other, show it" in said(
        DRIFT, refresh=refresh
    )
    assert "acts when 3 of 4 windows" in said(PAGE, refresh={"when": {"drift": "health", "windows": "3 of 4"}})


def test_what_else_must_hold_is_said() -> None:
    both = {"when": {"all": [{"drift": "health"}, {"quality": "health"}]}}
    assert "if its other conditions hold" in said(PAGE, refresh=both)
    assert "other conditions" not in said(PAGE, refresh={"when": {"all": [{"drift": "health"}]}})


def test_a_trigger_that_does_not_act_while_it_lasts_is_not_said_to_act() -> None:
    harmless = {"when": {"all": [{"drift": "trained"}, {"not": {"quality": "health"}}]}, "do": "alert"}
    told = said(Seen("quality", "page", "low"), harmless=harmless)
    assert told == (
        "No trigger waits for quality of health: nothing is done by itself. "
        "While it lasts, it may keep trigger harmless (alert) from acting."
    )


def test_that_none_waits_is_not_all_where_one_waits_on_another_monitor_of_the_deployment() -> None:
    refresh = {"when": {"drift": "trained"}}
    assert "Trigger refresh (retrain) acts when trained, which looks at the same deployment, sees it too." in said(
        DRIFT, refresh=refresh
    )
    assert "refresh" not in said(DRIFT, refresh={"when": {"drift": "elsewhere"}})


@pytest.mark.parametrize("monitor", [{}, {"monitor": "health"}])
def test_a_trigger_on_the_forecast_waits_for_decay(monitor: dict[str, str]) -> None:
    soon = {"when": {"decay": {"before": "14d", **monitor}}}
    assert "refresh (retrain) acts when that date is at most 14 days away" in said(
        Seen("decay", "warn", "falls"), refresh=soon
    )


def test_a_trigger_on_a_figure_waits_for_that_figure() -> None:
    poor = {"when": {"kpi": {"name": "letters", "above": 40, "over": "14d"}}, "do": "alert"}
    assert "poor (alert) acts when letters is above 40 on average over 14 days" in said(LETTERS, poor=poor)
    assert "No trigger waits" in said(LETTERS, poor={**poor, "when": {"kpi": {"name": "sales", "below": 4}}})


def test_every_action_is_named_and_what_a_part_causes_is_said_too() -> None:
    do = ["pause", {"run": "python tell.py"}, {"webhook": "${HOOK}"}]
    upstream = {"when": {"missing": "health"}, "do": do}
    told = said(PAGE, Seen("missing", "warn", "gone"), upstream=upstream)
    assert "Trigger upstream (pause and command and webhook) acts at once if it pages" in told
    assert said(PAGE, PAGE, a={"when": {"drift": "health"}}, b={"when": {"drift": "health"}}).count("Trigger") == 2


def test_a_stale_source_counts_by_looks() -> None:
    upstream = {"when": {"stale": "health"}}
    assert "2 of 3 looks show it" in said(Seen("stale", "warn", "late"), upstream=upstream)
