"""`yard init`: from any table a project that is valid as it stands, with sensible guesses that say why."""

from __future__ import annotations

import csv
import doctest
import gzip
import json
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest

from modelyard.api.scaffold import init, names, pace
from modelyard.errors import DataError, InputError, Refused
from modelyard.spec import load
from modelyard.spec.sources import stat

CHANCE = np.random.default_rng(3)
ROWS = 400


def table(folder: Path, columns: dict[str, list], name: str = "table.csv") -> Path:
    """Write columns as CSV; None is missing."""
    path = folder / name
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(columns)
        rows.writerows(zip(*columns.values(), strict=True))
    return path


def visits(**more: list) -> dict[str, list]:
    """Rows in which `bought` follows `price` and `page`, one every three hours."""
    price = CHANCE.normal(10, 3, ROWS).round(2)
    page = CHANCE.choice(["home", "search", "mail"], ROWS)
    bought = (price + 3 * (page == "mail") + CHANCE.normal(0, 1, ROWS)) > 11
    start = datetime(2024, 1, 1)
    return {
        "visit_id": [f"v{n}" for n in range(ROWS)],
        "visited_at": [(start + timedelta(hours=3 * n)).isoformat(" ") for n in range(ROWS)],
        "price": list(price),
        "page": list(page),
        "bought": [str(value).lower() for value in bought],
        **more,
    }


def made(folder: Path, columns: dict[str, list], target: str = "bought", **said) -> tuple[Path, object]:
    """A project from columns, and its declaration."""
    directory = folder / "shop"
    init(directory, data=table(folder, columns), target=target, **said)
    return directory, load(directory).spec


def test_the_example_without_a_table_is_valid(tmp_path):
    files = init(tmp_path / "bakery")
    spec = load(tmp_path / "bakery").spec
    assert spec.project == "bakery"
    assert {file.name for file in files} >= {
        "yard.yaml",
        "train.py",
        "deliveries.csv",
        "deliveries.sql",
        "request.json",
    }
    assert list(spec.models) == ["late"]
    assert all(check.severity == "error" for check in spec.models["late"].checks)


def test_roles_are_found_by_looking(tmp_path):
    directory, spec = made(tmp_path, visits(always=[1] * ROWS, note=[f"text number {n}" for n in range(ROWS)]))
    data, model = spec.datasets["table_rows"], spec.models["bought"]
    assert data.key == ("visit_id",)
    assert data.time == "visited_at" == spec.sources["raw"].time
    assert model.task == "binary_classification"
    assert set(model.exclude) == {"always", "note"}
    assert model.split.by == "time"
    assert model.baseline.by[0] == "page"
    assert "hour_of_day" in (directory / "sql/table_rows.sql").read_text()


def test_a_request_to_try_is_written(tmp_path):
    directory, _ = made(tmp_path, visits())
    rows = json.loads((directory / "request.json").read_text())["rows"]
    assert rows and set(rows[0]) == {"price", "page", "hour_of_day", "weekday"}


def test_what_gives_the_target_away_is_left_out_and_said(tmp_path):
    columns = visits()
    columns["refund_code"] = ["R" if value == "true" else None for value in columns["bought"]]
    directory, spec = made(tmp_path, columns)
    assert spec.models["bought"].exclude == ("refund_code",)
    assert "almost without error" in (directory / "yard.yaml").read_text()


def test_two_columns_that_make_the_target_together_are_left_out(tmp_path):
    casual, members = [n % 37 for n in range(ROWS)], [n * 7 % 101 for n in range(ROWS)]
    columns = visits(casual=casual, members=members, rented=[a + b for a, b in zip(casual, members, strict=True)])
    directory, spec = made(tmp_path, columns, target="rented")
    assert set(spec.models["rented"].exclude) == {"casual", "members"}
    assert "casual + members is rented" in (directory / "yard.yaml").read_text()


def test_what_numbers_the_rows_or_tells_the_year_is_no_input(tmp_path):
    columns = {"instant": list(range(1, ROWS + 1)), **visits(yr=[0] * 248 + [1] * 152, n=list(range(ROWS)))}
    del columns["visit_id"]
    start = datetime(2011, 4, 28)
    columns["visited_at"] = [(start + timedelta(days=n)).isoformat() for n in range(ROWS)]
    _, spec = made(tmp_path, columns)
    assert spec.datasets["table_rows"].key == ("instant",)
    assert set(spec.models["bought"].exclude) == {"yr", "n"}


def test_a_first_fit_that_is_no_good_makes_no_bound_that_fails(tmp_path):
    columns = visits(level=[n / 10 + float(CHANCE.normal()) for n in range(ROWS)])
    _, spec = made(tmp_path, columns, target="level")
    assert [check.severity for check in spec.models["level"].checks if check.metric] == ["warn"]


def test_rare_rows_are_watched_in_wide_windows(tmp_path):
    columns = visits()
    columns["visited_at"] = [f"{2000 + n // 12}-{1 + n % 12:02}-01" for n in range(ROWS)]
    directory, spec = made(tmp_path, columns)
    assert spec.monitors["bought-health"].min_rows == 50
    assert "weekday" not in (directory / "sql/table_rows.sql").read_text()  # every month begins on another one


def test_times_that_come_later_are_not_taken_for_the_time(tmp_path):
    columns = {"closed_at": ["2024-05-01"] * 200 + ["2024-06-01"] * 200, **visits()}
    _, spec = made(tmp_path, columns)
    assert spec.datasets["table_rows"].time == "visited_at"
    assert "closed_at" in spec.models["bought"].exclude


def test_a_time_that_is_named_is_used(tmp_path):
    columns = visits(day=[f"2024-0{1 + n // 100}-{1 + n % 28:02}" for n in range(ROWS)])
    _, spec = made(tmp_path, columns, time="day")
    assert spec.datasets["table_rows"].time == "day"


def test_a_date_is_put_together_from_year_month_and_day(tmp_path):
    columns = visits(
        year=[2023 + n // 200 for n in range(ROWS)], month=[1 + n % 12 for n in range(ROWS)], day=[5] * ROWS
    )
    del columns["visited_at"]
    _, spec = made(tmp_path, columns)
    assert spec.datasets["table_rows"].time == "row_date"
    assert "year" in spec.models["bought"].exclude


def test_a_date_that_is_written_as_a_number_is_the_time(tmp_path):
    start = datetime(2023, 1, 5)
    days = [int((start + timedelta(days=n)).strftime("%Y%m%d")) for n in range(ROWS)]
    columns = visits(date=days)
    del columns["visited_at"]
    _, spec = made(tmp_path, columns)
    assert spec.datasets["table_rows"].time == "row_date"
    assert spec.models["bought"].exclude == ("date",)
    assert spec.models["bought"].split.by == "time"
    columns["date"][7] = 20230231  # no day
    init(tmp_path / "odd", data=table(tmp_path, columns), target="bought")
    assert load(tmp_path / "odd").spec.datasets["table_rows"].time is None


def test_without_a_time_rows_are_split_at_random(tmp_path):
    columns = visits()
    del columns["visited_at"]
    _, spec = made(tmp_path, columns)
    assert spec.sources["raw"].time is None
    assert spec.models["bought"].split.by == "random"


@pytest.mark.parametrize(
    ("values", "task", "positive"),
    [
        (lambda n: n % 2, "binary_classification", None),
        (lambda n: "yes" if n % 3 else "no", "binary_classification", "yes"),
        (lambda n: ["low", "mid", "high"][n % 3], "multiclass_classification", None),
        (lambda n: n % 5, "multiclass_classification", None),
        (lambda n: n * 0.37, "regression", None),
        (lambda n: n % 100, "regression", None),
        (lambda n: [2, 7][n % 2], "binary_classification", 7),
        (lambda n: None if n % 4 else n % 3 * 1.5, "multiclass_classification", None),
    ],
)
def test_the_task_follows_the_target(tmp_path, values, task, positive):
    target = [values(n) for n in range(ROWS)]
    if task == "multiclass_classification" and 1.5 in target:
        task = "regression"
    _, spec = made(tmp_path, visits(goal=target), target="goal")
    assert spec.models["goal"].task == task
    assert spec.models["goal"].positive == positive


def test_rows_without_a_label_are_fine(tmp_path):
    columns = visits()
    columns["bought"] = [None if n % 3 else value for n, value in enumerate(columns["bought"])]
    _, spec = made(tmp_path, columns)
    assert spec.models["bought"].task == "binary_classification"


def test_any_column_name_survives(tmp_path):
    odd = ["Größe (cm)", "no", "null", 'with "quotes"', "a, b: c", "売上", "it's", "back\\slash", "# hash", "{x}", "~"]
    columns = visits(**{name: list(CHANCE.normal(size=ROWS).round(3)) for name in odd})
    columns["Käufe: ja?"] = columns.pop("bought")
    directory, spec = made(tmp_path, columns, target="Käufe: ja?")
    assert spec.models["kaufe_ja"].target == "Käufe: ja?"
    checked = {check.between.column for check in spec.datasets["table_rows"].checks if check.between}
    assert checked <= {*odd, "price"}
    assert set(odd) < set(json.loads((directory / "request.json").read_text())["rows"][0])


def test_values_that_look_like_yaml_stay_values(tmp_path):
    kinds = ["no", "1", "~", "a: b", "#x", "[y]", "x"]
    columns = visits(kind=[kinds[n % 7] for n in range(ROWS)])
    columns["bought"] = ["true" if n % 7 in (0, 3) or n % 11 == 0 else "false" for n in range(ROWS)]
    _, spec = made(tmp_path, columns)
    allowed = {
        check.values.column: check.values.allowed for check in spec.datasets["table_rows"].checks if check.values
    }
    assert set(allowed["kind"]) == set(kinds)


@pytest.mark.parametrize("kind", ["gz", "zip", "parquet"])
def test_other_kinds_of_files(tmp_path, kind):
    plain = table(tmp_path, visits())
    packed = tmp_path / ("table.parquet" if kind == "parquet" else f"table.csv.{kind}")
    if kind == "gz":
        packed.write_bytes(gzip.compress(plain.read_bytes()))
    elif kind == "zip":
        with zipfile.ZipFile(packed, "w") as archive:
            archive.write(plain, "table.csv")
    else:
        duckdb.read_csv(str(plain)).write_parquet(str(packed))
    init(tmp_path / "p", data=packed, target="bought")
    assert load(tmp_path / "p").spec.sources["raw"].uri == f"data/table_rows{names.suffix(packed)}"


def test_a_table_inside_the_folder_is_named_where_it_is(tmp_path):
    (tmp_path / "inbox").mkdir()
    table(tmp_path / "inbox", visits(), "may.csv")
    init(tmp_path, data=tmp_path / "inbox/may.csv", target="bought")
    assert load(tmp_path).spec.sources["raw"].uri == "inbox/may.csv"
    assert not (tmp_path / "data").exists()


def months(folder: Path) -> Path:
    """A folder with a file of visits for each of two months, and a note beside them."""
    folder.mkdir()
    columns = visits()
    for month, part in (("2024-01", slice(0, 248)), ("2024-02", slice(248, None))):
        table(folder, {name: values[part] for name, values in columns.items()}, f"{month}.csv")
    (folder / "README.txt").write_text("from the till")
    return folder


def test_a_folder_of_files_is_one_table_and_stays_where_it_is(tmp_path):
    folder = months(tmp_path / "till")
    init(tmp_path / "shop", data=folder, target="bought")
    spec = load(tmp_path / "shop").spec
    assert spec.sources["raw"].uri == f"{folder}/*.csv"
    assert list(spec.datasets) == ["till"]
    assert spec.monitors["bought-health"].every == timedelta(hours=3)  # of fifty days, not of one month
    assert not (tmp_path / "shop/data").exists()


@pytest.mark.parametrize(
    ("said", "uri", "dataset"),
    [("till/2024-*.csv", "till/2024-*.csv", "till"), ("till", "till/*.csv", "till"), ("*/2024-02.csv", "till/2024-02.csv", "table_2024_02")],
)  # fmt: skip
def test_files_inside_the_folder_are_named_from_there(tmp_path, said, uri, dataset):
    months(tmp_path / "till")
    init(tmp_path, data=tmp_path / said, target="bought")
    spec = load(tmp_path).spec
    assert (spec.sources["raw"].uri, list(spec.datasets)) == (uri, [dataset])


def test_a_pattern_gives_the_name_that_it_begins_with(tmp_path):
    folder = months(tmp_path / "x[1]")
    for path in list(folder.glob("*.csv")):
        path.rename(folder / f"orders-{path.name}")
    init(tmp_path / "shop", data=folder / "orders-*.csv", target="bought")
    project = load(tmp_path / "shop")
    assert list(project.spec.datasets) == ["orders"]
    assert len(stat(project.data, project.spec.sources["raw"]).files) == 2


def test_files_that_do_not_fit_together_are_said(tmp_path):
    folder = months(tmp_path / "till")
    other = folder / "2024-02.csv"
    other.write_text(other.read_text().replace("price", "net_price", 1))
    with pytest.raises(DataError, match=r"2024-02\.csv: the column 'price', number in 2024-01\.csv, is missing here"):
        init(tmp_path / "shop", data=folder, target="bought")
    (folder / "more.parquet").write_bytes(b"")
    with pytest.raises(DataError, match=r"\.csv and \.parquet files are in this folder"):
        init(tmp_path / "shop", data=folder, target="bought")
    with pytest.raises(DataError, match="no CSV or Parquet file"):
        init(tmp_path / "shop", data=tmp_path, target="bought")


def test_a_candidate_is_judged_by_a_fit_that_knows_what_the_champion_knew():
    year, day = timedelta(days=365), timedelta(days=1)
    plenty, few = pace.pace(year, 73 * day, 20_000), pace.pace(year, 73 * day, 400)
    assert plenty.test <= plenty.schedule == 28 * day
    assert few.test == 90 * day  # four weeks would have 30 rows to judge on


def test_a_model_is_trained_again_when_the_world_behind_the_inputs_changes(tmp_path):
    _, spec = made(tmp_path, visits())
    waits = [next(iter(each.model_dump(exclude_none=True))) for each in spec.triggers["refresh"].when.any]
    assert waits == ["schedule", "drift", "concept"]


def test_a_table_with_a_time_is_large_enough_at_any_start_of_a_simulation(tmp_path):
    columns = visits()
    _, spec = made(tmp_path, columns)
    assert spec.datasets["table_rows"].checks[0].row_count.min == ROWS // 10
    del columns["visited_at"]
    init(tmp_path / "timeless", data=table(tmp_path, columns), target="bought")
    assert load(tmp_path / "timeless").spec.datasets["table_rows"].checks[0].row_count.min == ROWS // 2


def test_nothing_is_overwritten(tmp_path):
    directory, _ = made(tmp_path, visits())
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    with pytest.raises(Refused, match=r"yard\.yaml"):
        init(directory, data=tmp_path / "table.csv", target="price")
    assert {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("columns", "target", "says"),
    [
        ({"a": [1, 2], "b": [1, 2]}, "c", "no column 'c'"),
        ({"price": [1, 2], "b": [1, 2]}, "prize", "Did you mean `price`"),
        ({"a": [1, 2], "b": [None, None]}, "b", "no value in any row"),
        ({"a": [1, 2], "b": ["x", "x"]}, "b", "one value only, 'x'"),
        ({"a": [], "b": []}, "b", "no rows"),
        ({"a": [1] * 60, "b": [f"t{n}" for n in range(60)]}, "b", "60 different values"),
        ({"a": [1] * 60, "b": [n % 2 for n in range(60)]}, "b", "no column is left"),
        ({"a": [1, 2], "b": ["2024-01-01", "2024-01-02"]}, "b", "is a date"),
    ],
)
def test_what_cannot_work_is_said(tmp_path, columns, target, says):
    with pytest.raises(DataError, match=says) as raised:
        init(tmp_path / "p", data=table(tmp_path, columns), target=target)
    assert raised.value.where and raised.value.hint
    assert not (tmp_path / "p").exists()


def test_a_missing_file_and_missing_words_are_said(tmp_path):
    table(tmp_path, visits(), "sales.csv")
    with pytest.raises(DataError, match=r"sales\.csv"):
        init(tmp_path / "p", data=tmp_path / "salse.csv", target="bought")
    with pytest.raises(InputError, match="--target"):
        init(tmp_path / "p", data=tmp_path / "sales.csv")
    with pytest.raises(InputError, match="--from"):
        init(tmp_path / "p", target="bought")
    with pytest.raises(DataError, match="time"):
        init(tmp_path / "p", data=tmp_path / "sales.csv", target="bought", time="page")


@pytest.mark.parametrize("module", [names, pace])
def test_examples_hold(module):
    assert doctest.testmod(module).failed == 0
