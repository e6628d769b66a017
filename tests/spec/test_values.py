"""Durations, margins and shares: what is written is what is read."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.spec.values import (
    Margin,
    parse_budget,
    parse_duration,
    parse_margin,
    parse_out_of,
    parse_share,
    show_duration,
)


@given(st.timedeltas(min_value=timedelta(0)))
def test_a_duration_is_read_as_it_was_written(value: timedelta) -> None:
    assert parse_duration(show_duration(value)) == value


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6), st.booleans())
def test_a_margin_is_read_as_it_was_written(amount: float, relative: bool) -> None:
    margin = Margin(amount, relative)
    assert parse_margin(str(margin)) == margin


@pytest.mark.parametrize(("text", "margin"), [("0.7%", 0.007), ("-0.5%", -0.005), ("1pp", 0.01), (".02", 0.02)])
def test_a_margin_is_the_decimal_that_is_written(text: str, margin: float) -> None:
    assert parse_margin(text).amount == margin


@pytest.mark.parametrize("text", ["", "7", "7 days", "-7d", "d", "7y", "1e3s", "999999999999d"])
def test_other_texts_are_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["1e400", "1e9999999%", "1e99999999999999999999pp", "much"])
def test_other_texts_are_no_margins(text: str) -> None:
    with pytest.raises(ValueError, match="margin"):
        parse_margin(text)


@pytest.mark.parametrize("text", ["101%", "-1%", "1.5", "half", "nan", "1e9999999%", "1e99999999999999999999%"])
def test_other_texts_are_no_shares(text: str) -> None:
    with pytest.raises(ValueError, match="share"):
        parse_share(text)


def test_counts_are_read_and_written() -> None:
    assert str(parse_out_of("2 of 3")) == "2 of 3"
    assert str(parse_budget("1 per 90d")) == "1 per 90d"
