"""`yard drift` on two files, as somebody uses it who has nothing else of ours yet."""

import gzip
import json
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from modelyard.cli.main import main

SIZE = 1_500


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drift")

    def rows(seed, **more):
        rng = np.random.default_rng(seed)
        columns = {"order": np.arange(seed * SIZE, (seed + 1) * SIZE), "price": rng.gamma(2, 20, SIZE)}
        columns |= {"town": rng.choice(["Ulm", "Köln", "Bern"], SIZE), "late": rng.random(SIZE) < 0.2}
        return pa.table(columns | more)

    before, same = rows(1), rows(2)
    broken = rows(
        3, price=np.random.default_rng(3).gamma(2, 20, SIZE) * 100, town=["ULM", "KÖLN", "BERN"] * (SIZE // 3)
    )
    pyarrow.parquet.write_table(before, folder / "before.parquet")
    for name, table in (("before", before), ("same", same), ("broken", broken)):
        pyarrow.csv.write_csv(table, folder / f"{name}.csv")
    (folder / "same.csv.gz").write_bytes(gzip.compress((folder / "same.csv").read_bytes()))
    with zipfile.ZipFile(folder / "same.csv.zip", "w") as archive:
        archive.write(folder / "same.csv", "same.csv")
    (folder / "empty.csv").write_text("order,price,town,late\n")
    (folder / "notes.txt").write_text("hello")
    (folder / "torn.parquet").write_bytes(b"PAR1")
    return folder


def drift(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        main(["drift", *map(str, words)])
    out, err = capsys.readouterr()
    return ended.value.code, out, err


@pytest.mark.parametrize("name", ["same.csv", "same.csv.gz", "same.csv.zip"])
@pytest.mark.parametrize("reference", ["before.parquet", "before.csv"])
def test_nothing_new_is_quiet_whatever_the_format(files, capsys, reference, name):
    code, out, _ = drift(capsys, files / reference, files / name, "--key", "order")
    assert code == 0
    assert "Nothing has drifted in 3 columns." in out


def test_what_is_wrong_is_said_first_and_ends_with_one(files, capsys):
    code, out, _ = drift(capsys, files / "before.parquet", files / "broken.csv", "--exclude", "order")
    assert code == 1
    lines = out.splitlines()
    assert lines[0] == "1,500 rows in the reference, 1,500 now"
    assert lines[2].startswith("page  price") and "×100" in lines[2]
    assert any(line.startswith("page  town") and "written differently" in line for line in lines)
    assert "ok    late" in lines
    assert lines[-1] == "2 page, of 3."


def test_json_and_page(files, capsys, tmp_path):
    page = tmp_path / "pages" / "drift.html"
    code, out, _ = drift(capsys, files / "before.csv", files / "broken.csv", "--json", "--html", page)
    found = json.loads(out)
    assert code == 1 and set(found) == {"rows", "columns"}
    assert found["rows"]["reference"] == found["rows"]["current"] == SIZE
    kinds = {column["column"]: column["kinds"] for column in found["columns"]}
    assert kinds["price"][0] == "unit" and kinds["town"][0] == "case" and kinds["late"] == []
    assert page.read_text().count("<svg") >= 2


def test_an_empty_window_is_insufficient_data(files, capsys):
    code, out, _ = drift(capsys, files / "before.csv", files / "empty.csv", "--json")
    assert code == 0
    assert {column["verdict"] for column in json.loads(out)["columns"]} == {"insufficient data"}


@pytest.mark.parametrize(
    ("current", "more", "said"),
    [
        ("absent.csv", (), "no such file"),
        ("notes.txt", (), "cannot read this kind of file"),
        ("torn.parquet", (), "cannot be read as Parquet"),
        ("same.csv", ("--columns", "prise"), "no column 'prise'"),
    ],
)
def test_bad_input_is_two_with_a_sentence(files, capsys, current, more, said):
    code, _, err = drift(capsys, files / "before.csv", files / current, *more)
    assert code == 2 and said in err
