"""From a file to a served model: validate, plan, apply, and what a second plan says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest
from shop_project import Shop

from modelyard.api.context import Context
from modelyard.clock import SimulatedClock
from modelyard.loop.tick import tick
from modelyard.serve import Gateway
from modelyard.store.predictions import window


def test_before_the_first_apply_plan_and_status_create_nothing(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop()
    planned, status = shop.yard("plan", "--json"), shop.yard("status", "--json")
    assert planned.code == 0 and status.code == 0
    assert {change["entity"] for change in planned.json["changes"]} >= {"dataset.visits_clean", "model.buys"}
    assert status.json["deployments"] == [{"name": "buys-api", "release": None, "arms": [], "ready": False}]
    assert not (shop.directory / ".yard").exists()


def test_after_apply_the_first_release_serves_and_nothing_is_left_to_do(shop: Shop) -> None:
    assert shop.yard("plan", "--json", "--as-of", "2024-03-20").json["changes"] == []
    releases = shop.yard("release", "list", "--json").json["releases"]
    assert [(r["name"], r["state"], r["aliases"]) for r in releases] == [("buys@1", "live", ["champion"])]
    (deployment,) = shop.yard("status", "--json").json["deployments"]
    assert deployment["release"] == "buys@1" and deployment["ready"]


def test_a_plan_with_changes_has_its_exit_code(shop: Shop) -> None:
    assert shop.yard("plan", "--detailed-exitcode", "--as-of", "2024-03-20").code == 0
    shop.edit("project:", "# a comment\nproject:")
    assert shop.yard("plan", "--detailed-exitcode", "--as-of", "2024-03-20").code == 0, "only to be recorded"
    shop.edit("C: 1.0", "C: 0.5")
    assert shop.yard("plan", "--detailed-exitcode", "--as-of", "2024-03-20").code == 3


def test_formatting_and_comments_change_nothing(shop: Shop) -> None:
    shop.edit('"""Train a small classifier."""', '"""Other words."""\n\n# a comment', "shop.py")
    shop.edit("def columns():\n", "def columns():\n\n", "shop.py")
    changes = shop.yard("plan", "--json", "--as-of", "2024-03-20").json["changes"]
    assert [c for c in changes if c["category"] != "none"] == []


def test_a_helper_of_the_training_function_retrains(shop: Shop) -> None:
    shop.edit('["pages", "minutes"]', '["minutes", "pages"]', "shop.py")
    changes = shop.yard("plan", "--json", "--as-of", "2024-03-20").json["changes"]
    assert [(c["entity"], c["category"]) for c in changes] == [("model.buys", "model")]


def test_a_changed_parameter_makes_a_second_release_that_replaces_the_first(shop: Shop) -> None:
    shop.edit("C: 1.0", "C: 0.7")
    assert shop.yard("apply", "--yes", "--as-of", "2024-03-20").code == 0
    releases = shop.yard("release", "list", "--json").json["releases"]
    assert [(r["name"], r["aliases"]) for r in releases] == [("buys@1", []), ("buys@2", ["champion"])]
    differences = shop.yard("release", "diff", "buys@1", "buys@2", "--json").json
    assert "params" in str(differences)
    told = shop.yard("release", "diff", "buys@1", "buys@2").out.splitlines()
    assert told[0].split() == ["PART", "buys@1", "buys@2"] and any(
        each.split() == ["params.C", "1", "0.7"] for each in told
    )
    assert max(map(len, told[:-1])) < 170 and told[-1].startswith("the same: ")
    assert shop.yard("release", "diff", "buys@1", "buys@1").out.strip() == "buys@1 and buys@1 do not differ"


def test_a_model_that_fails_its_check_is_not_released(shop: Shop) -> None:
    shop.edit("min: 0.6}}", "min: 0.99}}", "yard.yaml")
    shop.edit("C: 1.0", "C: 0.3")
    said = shop.yard("apply", "--yes", "--as-of", "2024-03-20")
    assert said.code == 1 and "0.99" in said.out
    assert len(shop.yard("release", "list", "--json").json["releases"]) == 1
    assert shop.yard("plan", "--json", "--as-of", "2024-03-20").json["changes"] == []


def test_new_data_that_cannot_be_taken_in_is_told_once_until_it_can_be_again(shop: Shop) -> None:
    good = (shop.directory / "data/visits.csv").read_text()
    (shop.directory / "data/visits.csv").write_text(good.replace(",bought", ",purchased", 1))
    for _ in range(2):
        said = shop.yard("apply", "--yes", "--as-of", "2024-03-21")
        assert said.code == 1 and "bought" in said.out
    (shop.directory / "data/visits.csv").write_text(good)
    assert shop.yard("apply", "--yes", "--as-of", "2024-03-21").code == 0
    told = [
        e["action"] for e in shop.yard("audit", "list", "--json").json["entries"] if e["action"].startswith("table.")
    ]
    assert told == ["table.failed", "table.mended"]


def test_a_check_that_only_warns_is_told_when_it_speaks_and_when_it_is_silent_again(shop: Shop) -> None:
    shop.edit("{row_count: {min: 50}}]", "{between: {column: minutes, max: 5000}, severity: warn}]")
    table = shop.directory / "data/visits.csv"
    good = table.read_text()
    assert "warning" not in shop.yard("apply", "--yes", "--as-of", "2024-03-20").err
    head, *rows = good.splitlines()
    place = head.split(",").index("minutes")
    odd = [[*row.split(",")[:place], "9999", *row.split(",")[place + 1 :]] for row in rows[-3:]]
    table.write_text("\n".join([head, *rows[:-3], *(",".join(row) for row in odd)]) + "\n")
    said = shop.yard("apply", "--yes", "--as-of", "2024-06-01")
    assert said.code == 0
    assert "dataset.visits_clean: warning: minutes is outside ..5000 in 3 of" in said.err
    table.write_text(good)
    assert "warning" not in shop.yard("apply", "--yes", "--as-of", "2024-06-01").err
    told = [e["action"] for e in shop.yard("audit", "list", "--json").json["entries"]]
    assert [action for action in told if action.startswith("table.")] == ["table.doubted", "table.cleared"]


def test_a_new_column_becomes_an_input_and_is_said(shop: Shop) -> None:
    table = shop.directory / "data/visits.csv"
    head, *rows = table.read_text().splitlines()
    table.write_text("\n".join([f"{head},loyalty", *(f"{row},{n % 3}" for n, row in enumerate(rows))]) + "\n")
    shop.edit("C: 1.0", "C: 0.7")
    said = shop.yard("apply", "--yes", "--as-of", "2024-03-20")
    assert said.code == 0
    assert "model.buys: warning: its inputs are not those of buys@1: loyalty new" in said.err


def test_a_check_of_a_model_that_only_warns_is_told(shop: Shop) -> None:
    shop.edit("- {metric: {name: roc_auc, min: 0.6}}", "- {metric: {name: roc_auc, min: 0.99}, severity: warn}")
    shop.edit("C: 1.0", "C: 0.3")
    said = shop.yard("apply", "--yes", "--as-of", "2024-03-20")
    assert said.code == 0
    assert "model.buys: warning: " in said.err and "0.99" in said.err


def test_a_label_that_becomes_known_by_time_alone_is_taken(shop: Shop) -> None:
    clock = SimulatedClock(datetime(2024, 3, 25, 12, tzinfo=UTC))
    context = Context(shop.directory, str(shop.directory / ".yard"), actor="test", clock=clock)
    project, store = context.known()
    yard = context.yard(project, store)

    def turn() -> int:
        with store.lease("loop") as held:
            tick(yard, held)
        log = window(store, "buys-api", start=clock.now() - timedelta(days=9), end=clock.now(), columns=["role"])
        return len(log) - log["label"].null_count

    turn()
    gateway = Gateway(store, clock=clock)
    gateway.refresh()
    row = {"visit": "v3360", "device": "phone", "pages": 6, "minutes": 4.0}  # of the same morning
    gateway.predict("buys-api", rows=[row])
    gateway.close()
    clock.set(datetime(2024, 3, 25, 13, tzinfo=UTC))
    assert turn() == 0
    clock.set(datetime(2024, 3, 26, 13, tzinfo=UTC))
    assert turn() == 1


def test_a_frozen_plan_is_refused_when_its_ground_has_moved(shop: Shop) -> None:
    shop.edit("C: 1.0", "C: 0.7")
    out = shop.directory / "plan.json"
    assert shop.yard("plan", "--out", str(out), "--as-of", "2024-03-20").code == 0
    shop.edit("C: 0.7", "C: 0.8")
    said = shop.yard("apply", str(out), "--yes")
    assert said.code == 1 and "moved" in said.err
    shop.edit("C: 0.8", "C: 0.7")
    assert shop.yard("apply", str(out), "--yes").code == 0


def test_every_mistake_is_told_at_once_with_its_place(shop: Shop) -> None:
    shop.edit("model: buys}", "model: byus}")
    shop.edit("task: binary_classification", "tsk: binary_classification")
    said = shop.yard("validate", "--json")
    assert said.code == 2
    errors = said.json["errors"]
    assert {"models.buys.tsk", "deployments.buys-api.model"} <= {error["path"] for error in errors}
    assert all(error["line"] > 1 and error["file"].endswith("yard.yaml") for error in errors)


def test_the_audit_trail_names_who_did_what_and_is_whole(shop: Shop) -> None:
    actions = [entry["action"] for entry in shop.yard("audit", "list", "--json").json["entries"]]
    assert {"declaration.applied", "release.created"} <= set(actions)
    assert shop.yard("audit", "verify").code == 0


def test_an_input_rule_that_the_model_cannot_follow_fails_the_apply_and_changes_nothing(shop: Shop) -> None:
    rules = "{pagse: {missing: keep}, minutes: {unknown: reject}, device: {missing: mode}}"
    shop.edit("{model: buys}", f"{{model: buys, inputs: {rules}}}")
    said = shop.yard("apply", "--yes", "--as-of", "2024-03-20")
    assert said.code == 1
    assert "inputs.pagse: the model has no input of this name; there are device, minutes, pages" in said.out
    assert "inputs.minutes: `unknown` does not apply to an input of the type number" in said.out
    (deployment,) = shop.yard("status", "--json").json["deployments"]
    assert (deployment["release"], deployment["revision"]) == ("buys@1", 1)
    shop.edit(rules, "{device: {missing: mode}}")
    assert shop.yard("apply", "--yes", "--as-of", "2024-03-20").code == 0
    assert shop.yard("status", "--json").json["deployments"][0]["revision"] == 2


def test_a_file_is_answered_and_labelled_in_either_format(shop: Shop) -> None:
    raw = shop.directory / "data/visits.csv"
    raw.write_text(raw.read_text())
    assert shop.yard("apply", "--yes", "--as-of", "2024-03-20").code == 0, (
        "the same rows in a file that was written anew"
    )
    rows = pcsv.read_csv(raw).slice(0, 50)
    pq.write_table(rows, shop.directory / "in.parquet")
    pcsv.write_csv(rows, shop.directory / "in.csv")
    for name in ("in.csv", "in.parquet"):
        answers = shop.directory / f"out-{name}"
        said = shop.yard("predict", "buys-api", str(shop.directory / name), "-o", str(answers), "--json")
        assert said.code == 0 and said.json["rows"] == 50, said.err
    csv, parquet = pcsv.read_csv(shop.directory / "out-in.csv"), pq.read_table(shop.directory / "out-in.parquet")
    assert csv["prediction"].to_pylist() == pytest.approx(parquet["prediction"].to_pylist())
    labels = parquet.select(["request_id", "row"]).append_column("label", rows["bought"])
    pq.write_table(labels, shop.directory / "labels.parquet")
    said = shop.yard("feedback", "buys-api", str(shop.directory / "labels.parquet"), "--json")
    assert (said.code, said.json) == (0, {"rows": 50, "statuses": {"200": 50}})
    pcsv.write_csv(rows.slice(0, 3), shop.directory / "[i]n.csv")  # the name of a file, and no pattern
    rows.slice(0, 3).to_pandas().iloc[[2, 0]].to_parquet(shop.directory / "pandas.parquet")  # with pandas' own numbers
    (shop.directory / "empty.csv").write_text("")
    for name, answered in (("[i]n.csv", 3), ("pandas.parquet", 2)):
        answers = str(shop.directory / "few.csv")
        said = shop.yard("predict", "buys-api", str(shop.directory / name), "-o", answers, "--json")
        assert (said.code, said.json["rows"]) == (0, answered), said.err
    said = shop.yard("predict", "buys-api", str(shop.directory / "empty.csv"), "-o", str(shop.directory / "few.csv"))
    assert said.code == 2 and "the file is empty" in said.err
    segments = sum(1 for _ in shop.directory.rglob("log/**/*.log"))
    said = shop.yard("predict", "buys-api", str(shop.directory / "in.csv"), "-o", str(shop.directory / "no/out.csv"))
    assert said.code == 2 and "No such file or directory" in said.err
    assert sum(1 for _ in shop.directory.rglob("log/**/*.log")) == segments, "nothing was answered"
    assert not list(shop.directory.glob("*.part"))
