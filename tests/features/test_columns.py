"""Inputs of a model are the columns of its data and views, less key, time, target, later-known and excluded ones."""

from datetime import timedelta

import pytest

from modelyard.errors import DataError
from modelyard.features import Input, Known, Shape, inputs
from modelyard.spec.models import Model

DEPARTURES = Shape(
    name="departures",
    columns={
        "flight_id": "string",
        "time_hour": "timestamp",
        "origin": "string",
        "tailnum": "string",
        "year": "integer",
        "distance": "number",
        "late": "boolean",
        "arr_delay": "number",
        "landed_at": "timestamp",
    },
    key=("flight_id",),
    time="time_hour",
    known_at=(Known(("late", "arr_delay"), at="landed_at"),),
)
WEATHER = Shape(
    "weather", {"origin": "string", "time_hour": "timestamp", "temp": "number"}, ("origin",), time="time_hour"
)
PLANE = Shape("plane", {"tailnum": "string", "year": "integer", "seats": "integer"}, ("tailnum",))


def model(**changes):
    declared = {"task": "binary_classification", "data": "departures", "target": "late", "train": "m:fit"}
    return Model.model_validate(declared | changes)


def names(dataset=DEPARTURES, views=(), **changes):
    return [found.name for found in inputs(dataset, views, model(**changes))]


def test_roles_are_no_inputs():
    assert names() == ["origin", "tailnum", "year", "distance"]


def test_views_add_their_columns_without_entity_and_time():
    assert names(views=[WEATHER]) == ["origin", "tailnum", "year", "distance", "temp"]


def test_a_shared_name_is_qualified_in_the_view():
    found = inputs(DEPARTURES, [PLANE], model())
    assert Input("plane.year", "plane", "year", "integer") in found
    assert Input("year", "departures", "year", "integer") in found
    assert Input("seats", "plane", "seats", "integer") in found


def test_capitals_do_not_tell_columns_apart():
    """SQL, which joins them, takes `Year` and `year` for one name."""
    other = Shape("seatmap", {"tailnum": "string", "Seats": "integer", "Year": "integer"}, ("tailnum",))
    assert names(views=[PLANE, other])[-4:] == ["plane.year", "plane.seats", "seatmap.Seats", "seatmap.Year"]


def test_a_name_shared_by_two_views_is_qualified_in_both():
    other = Shape("seatmap", {"tailnum": "string", "seats": "integer"}, ("tailnum",))
    assert names(views=[PLANE, other])[-3:] == ["plane.year", "plane.seats", "seatmap.seats"]


def test_exclude_takes_bare_and_qualified_names():
    assert "plane.year" not in names(views=[PLANE], exclude=["plane.year"])
    assert "year" in names(views=[PLANE], exclude=["plane.year"])
    assert "seats" not in names(views=[PLANE], exclude=["plane.seats"])
    assert names(views=[PLANE], exclude=["departures.year"]) == ["origin", "tailnum", "distance", "plane.year", "seats"]


def test_excluding_does_not_rename_the_others():
    assert "plane.year" in names(views=[PLANE], exclude=["year"])


def test_excluding_a_role_changes_nothing():
    assert names(exclude=["flight_id", "late", "arr_delay"]) == names()


def test_what_a_view_knows_later_is_an_input_but_not_what_names_its_time():
    repairs = Shape(
        "repairs",
        {"tailnum": "string", "at": "timestamp", "cost": "number", "billed_at": "timestamp"},
        ("tailnum",),
        time="at",
        known_at=(Known(("cost",), at="billed_at"),),
    )
    assert names(views=[repairs])[-1] == "cost" and "billed_at" not in names(views=[repairs])


@pytest.mark.parametrize(
    ("changes", "views", "says"),
    [
        ({"target": "lat"}, [], "no column 'lat' to be the target.*Did you mean 'late'"),
        ({"exclude": ["distanse"]}, [], "no column 'distanse' to exclude.*Did you mean 'distance'"),
        ({"exclude": ["origin", "tailnum", "year", "distance"]}, [], "no column is left"),
        ({}, [Shape("gates", {"gate": "string", "size": "number"}, ("gate",))], "no column 'gate' to join by"),
        ({}, [Shape("codes", {"origin": "integer", "size": "number"}, ("origin",))], "integer here and string in"),
        ({}, [Shape("tags", {"origin": "string", "tags": "list"}, ("origin",))], "'tags' is a list"),
    ],
)
def test_mistakes_are_sentences(changes, views, says):
    with pytest.raises(DataError, match=says):
        inputs(DEPARTURES, views, model(**changes))


def test_known_survives_the_record():
    for known in (Known(("a", "b"), at="t"), Known(("a",), after=timedelta(hours=1))):
        assert Known.from_json(known.as_json()) == known
