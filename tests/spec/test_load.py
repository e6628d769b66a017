"""Reading yard.yaml: defaults, short forms, variables, what a loaded declaration says."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from modelyard.errors import InputError, SpecError
from modelyard.spec import Spec, expand, load
from modelyard.spec.deployments import FixedValue
from modelyard.spec.values import Margin

SMALLEST = """
project: flights
sources:
  flights: {uri: data/flights.parquet}
datasets:
  departures: {sql: sql/departures.sql}
models:
  late: {task: binary_classification, data: departures, target: late, train: "flights.model:fit"}
deployments:
  late-api: {model: late}
"""

WHOLE = """
project: flights
charter: {owner: ops-analytics, purpose: "warn crews of late arrivals", priority: P1, review: 180d}
sources:
  flights: {uri: "${ROOT}/flights.parquet", time: time_hour, freshness: 2d}
  weather: {uri: data/weather.parquet, time: time_hour, timezone: Europe/Berlin}
  planes: {uri: data/planes.parquet, types: {year: int}, time: {sql: "make_date(y, m, d)"}}
datasets:
  departures:
    sql: sql/departures.sql
    key: flight_id
    time: time_hour
    known_at: [{columns: [late, arr_delay], at: landed_at}, {columns: delay, after: 1h}]
    checks:
      - {unique: [flight_id]}
      - {between: {column: distance, min: 0, max: 6000}, severity: warn}
      - {values: {column: code, allowed: [1, "1", true, 1.10, no, ~]}}
  joined: {python: "flights.model:arrivals", from: [departures, weather]}
features:
  origin_weather: {entity: [origin], from: weather, ttl: 3h}
models:
  late:
    task: binary_classification
    data: departures
    features: [origin_weather]
    target: late
    positive: true
    exclude: [plane.year]
    window: 365d
    split: {by: time, test: 14d, mature: 1d}
    train: flights.model:fit
    params: {max_iter: 150, name: no, quoted: "150", deep: {a: [1, 2.5, null]}}
    checks:
      - {better_than: {release: champion, metric: log_loss, by: -0.5%}}
    approval: {}
  share: {task: regression, data: departures, target: delay, train: "flights.model:fit", split: {test: 20%}}
deployments:
  late-api:
    model: late
    inputs: {temp: {missing: {value: 0}}, dest: {unknown: accept}}
    fallback: baseline
    strategy: {canary: {guard: {log_loss: {margin: 2%}, error_rate: {margin: 1pp}}}}
  plain: {model: share, strategy: replace}
  mapped: {model: share, strategy: {replace: {}}}
monitors:
  late-health: {deployment: late-api, quality: {metric: roc_auc, min: 0.60}, drift: {false_alarms: 2 per 30d}}
triggers:
  refresh: {model: late, when: {any: [{schedule: 28d}, {drift: late-health, windows: 2 of 3}]}}
simulate: {approve_after: 1d}
"""


def declare(folder: Path, text: str) -> Spec:
    (folder / "yard.yaml").write_text(text)
    return load(folder, {"ROOT": "secret"}).spec


def test_the_smallest_useful_file_is_a_source_a_dataset_a_model_and_a_deployment(folder: Path) -> None:
    spec = declare(folder, SMALLEST)
    assert spec.models["late"].seed == 7
    assert spec.deployments["late-api"].strategy.canary is None


def test_sql_datasets_say_what_they_read(folder: Path) -> None:
    assert declare(folder, SMALLEST).datasets["departures"].from_ == ("flights",)


def test_scalars_are_read_by_the_type_of_their_key(folder: Path) -> None:
    spec = declare(folder, WHOLE)
    assert spec.datasets["departures"].checks[2].values.allowed == (1, "1", True, 1.1, "no", None)
    assert spec.models["late"].params == {
        "max_iter": 150,
        "name": "no",
        "quoted": "150",
        "deep": {"a": [1, 2.5, None]},
    }
    assert spec.models["late"].positive is True
    assert spec.models["share"].split.test == 0.2
    assert spec.models["late"].split.test == timedelta(days=14)
    assert spec.deployments["late-api"].inputs["temp"].missing == FixedValue(value=0)
    assert spec.deployments["late-api"].strategy.canary.guard["error_rate"].margin == Margin(0.01, False)


def test_short_forms_mean_the_long_ones(folder: Path) -> None:
    spec = declare(folder, WHOLE)
    assert spec.datasets["departures"].key == ("flight_id",)
    assert spec.deployments["plain"].strategy == spec.deployments["mapped"].strategy


def test_a_declaration_goes_through_json_and_back(folder: Path) -> None:
    spec = declare(folder, WHOLE)
    dumped = spec.model_dump(mode="json", by_alias=True)
    assert Spec.model_validate(dumped) == spec
    assert dumped["datasets"]["joined"]["from"] == ["departures", "weather"]
    assert dumped["deployments"]["late-api"]["strategy"]["canary"]["steps"][0]["for"] == "1d"


def test_the_value_of_a_variable_is_neither_stored_nor_printed(folder: Path) -> None:
    spec = declare(folder, WHOLE)
    assert spec.sources["flights"].uri == "${ROOT}/flights.parquet"
    assert "secret" not in repr(spec) + spec.model_dump_json()
    assert expand(spec.sources["flights"].uri, {"ROOT": "/data"}) == "/data/flights.parquet"


def test_an_unset_variable_is_named(folder: Path) -> None:
    with pytest.raises(InputError, match="ROOT is not set"):
        expand("${ROOT}/flights.parquet", {})


def test_aliases_repeat_a_value(folder: Path) -> None:
    spec = declare(folder, SMALLEST + "  other: &same {model: late, max_rows: 5}\n  again: *same\n")
    assert spec.deployments["again"].max_rows == 5


def test_aliases_cannot_blow_up(folder: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(SpecError, match="more than 200000 values"):
        declare(folder, "\n".join(lines))


def test_deep_nesting_is_refused(folder: Path) -> None:
    with pytest.raises(SpecError, match="nested more than"):
        declare(folder, "a: " + "[" * 500 + "]" * 500)
    steps = "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 500))
    with pytest.raises(SpecError, match="nested more than"):
        declare(folder, f"a0: &a0 [x]\n{steps}")


def test_a_missing_file_is_one_mistake(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"there is no yard.yaml in .*yard init"):
        load(tmp_path / "nowhere")


def test_a_file_that_is_not_utf_8_is_one_mistake_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "yard.yaml").write_bytes(b"project: flights\ncharter: {owner: M\xfcller}\n")
    with pytest.raises(SpecError, match=r"yard.yaml:2:19: this file is not UTF-8 text"):
        load(tmp_path)


def test_a_control_character_is_one_mistake_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "yard.yaml").write_bytes(b"project: flights\ncharter: \x07\n")
    with pytest.raises(SpecError, match=r"yard.yaml:2:10: a control character"):
        load(tmp_path)


def test_a_byte_order_mark_is_no_mistake(folder: Path) -> None:
    (folder / "yard.yaml").write_bytes(b"\xef\xbb\xbf" + SMALLEST.encode())
    assert load(folder).spec.project == "flights"


@pytest.mark.parametrize("name", ["random.py", "json/__init__.py"])
def test_a_module_that_hides_a_standard_one_is_refused(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("")
    with pytest.raises(SpecError, match=rf"{name}:1:1: this module hides the standard module"):
        declare(folder, SMALLEST)


def test_a_folder_of_data_may_be_called_as_it_likes(folder: Path) -> None:
    (folder / "csv").mkdir()
    assert declare(folder, SMALLEST)


def test_mistakes_of_form_do_not_hide_mistakes_of_reference(folder: Path) -> None:
    text = SMALLEST.replace("target: late", "tarjet: late, seed: x").replace("{model: late}", "{model: lat}")
    with pytest.raises(SpecError) as raised:
        declare(folder, text)
    assert [problem.path for problem in raised.value.problems] == [
        "models.late.target",
        "models.late.tarjet",
        "models.late.seed",
        "deployments.late-api.model",
    ]
