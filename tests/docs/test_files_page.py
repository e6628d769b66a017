"""The page about files that change: each case is played, and says what the page says."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from modelyard.cli.main import yard

PAGE = (Path(__file__).resolve().parents[2] / "docs/files.md").read_text(encoding="utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")}
BASE = YAML(typ="safe").load(re.search(r"^```yaml\n(project:.*?)^```", PAGE, re.M | re.S)[1])
JANUARY, FEBRUARY = "2024-01.csv", "2024-02.csv"


def month(start: datetime, first: int) -> pd.DataFrame:
    """A hundred visits, six hours apart."""
    chance = np.random.default_rng(first)
    return pd.DataFrame(
        {
            "visit": range(first, first + 100),
            "at": [(start + n * timedelta(hours=6)).strftime("%Y-%m-%d %H:%M") for n in range(100)],
            "pages": chance.integers(1, 20, 100),
            "minutes": chance.gamma(4, 2, 100).round(2),
            "bought": chance.integers(0, 2, 100),
        }
    )


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has taken in January."""
    project = tmp_path_factory.mktemp("files")
    (project / "data").mkdir()
    declare(project, BASE)
    write(project, JANUARY, month(datetime(2024, 1, 1), 0))
    assert run(project, "apply", "--yes")[0] == 0
    return project


@pytest.fixture
def project(applied: Path, tmp_path: Path) -> Path:
    shutil.copytree(applied, tmp_path / "shop")
    return tmp_path / "shop"


def declare(project: Path, declaration: dict[str, Any]) -> None:
    with (project / "yard.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(declaration, file)


def write(project: Path, name: str, rows: pd.DataFrame) -> None:
    rows.to_csv(project / "data" / name, index=False)


def run(project: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(yard, ["--project", str(project), *words])
    return done.exit_code, " ".join(done.output.split())


def says(section: str, number: int = 0) -> str:
    """What a block of a section shows below its command."""
    block = re.findall(r"^```console\n\$ .*?\n(.*?)^```", SECTIONS[section], re.M | re.S)[number]
    return " ".join(block.split())


def february(**changed: Callable[[pd.DataFrame], Any]) -> pd.DataFrame:
    return month(datetime(2024, 2, 1), 100).assign(**changed)


def corrected(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(bought=1 - rows.bought)


def test_a_new_file_then_the_same_rows_in_another_order_then_a_correction(project: Path) -> None:
    rows = february()
    write(project, FEBRUARY, rows)
    assert says("A new file") in run(project, "apply", "--yes")[1]
    write(project, FEBRUARY, rows.sample(frac=1, random_state=1))
    assert says("A corrected file", 1) in run(project, "apply", "--yes")[1]
    write(project, FEBRUARY, corrected(rows))
    assert says("A corrected file").partition(",")[2] in run(project, "apply", "--yes")[1]


def test_a_file_that_is_gone(project: Path) -> None:
    write(project, FEBRUARY, february())
    run(project, "apply", "--yes")
    (project / "data" / FEBRUARY).unlink()
    assert says("A file that is gone").partition(",")[2] in run(project, "apply", "--yes")[1]
    (project / "data" / JANUARY).unlink()
    assert run(project, "apply", "--yes")[0] != 0


def test_the_same_rows_twice(project: Path) -> None:
    rows = february()
    write(project, FEBRUARY, rows)
    write(project, "2024-02-copy.csv", rows)
    code, said = run(project, "apply", "--yes")
    assert code == 1 and says("The same rows twice").partition(": ")[2] in said


@pytest.mark.parametrize(
    ("section", "rows"),
    [
        ("A renamed column", february().rename(columns={"minutes": "duration"})),
        ("A column of another type", february(pages=lambda rows: [f"{n % 9 + 1} pcs" for n in range(len(rows))])),
    ],
)
def test_columns_that_do_not_fit_and_the_declaration_that_reads_them(project: Path, section: str, rows: Any) -> None:
    write(project, FEBRUARY, rows)
    code, said = run(project, "apply", "--yes")
    assert code == 1 and says(section) in said
    part = YAML(typ="safe").load(re.search(r"^```yaml\n(.*?)^```", SECTIONS[section], re.M | re.S)[1])
    mended = {**BASE, "sources": {"visits": {**BASE["sources"]["visits"], **part["sources"]["visits"]}}}
    dataset = {**BASE["datasets"]["visits_clean"], **part["datasets"]["visits_clean"]}
    declare(project, {**mended, "datasets": {"visits_clean": dataset}})
    code, said = run(project, "apply", "--yes")
    assert code == 0 and "200 rows" in said


def test_a_new_column(project: Path) -> None:
    write(project, FEBRUARY, february(loyalty="gold"))
    code, said = run(project, "apply", "--yes")
    assert code == 0 and says("A new column") in said


def test_another_unit(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, FEBRUARY, february(minutes=lambda rows: (rows.minutes * 60).clip(61)))
    assert says("Another unit") in run(project, "apply", "--yes")[1]
    for name, start in ((JANUARY, datetime(2024, 1, 1)), (FEBRUARY, datetime(2024, 2, 1))):
        more = pd.concat([month(start, 100 * part) for part in range(10)]).assign(visit=range(1000))
        write(project, name, more.assign(minutes=more.minutes * (60 if name == FEBRUARY else 1)))
    monkeypatch.chdir(project)
    (command,) = re.findall(r"^\$ yard (drift .*)$", PAGE, re.M)
    code, said = run(project, *command.split())
    assert code == 1 and says("Another unit", 1) in said


def test_summer_time(project: Path) -> None:
    declare(project, {**BASE, "sources": {"visits": {**BASE["sources"]["visits"], "timezone": "Europe/Berlin"}}})
    rows = february()
    rows.loc[[98, 99], "at"] = "2024-10-27 02:30"
    write(project, FEBRUARY, rows)
    assert says("Summer time") in run(project, "apply", "--yes")[1]
