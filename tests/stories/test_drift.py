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
    double = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
    pyarrow.parquet.write_table(double, folder / "double.parquet")
    (folder / "torn.parquet").write_bytes(b"PAR1")
    (folder / "nothing").mkdir()
    (folder / "excel.csv").write_bytes(b"PK\x03\x04" + bytes(100))
    (folder / "wide.csv").write_text("a,b\n1,2\n", encoding="utf-16")
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
    assert lines[-1] == "2 page, in 3 columns."


def test_columns_of_which_there_is_no_more_to_say_are_one_paragraph(files, capsys):
    _, out, _ = drift(capsys, files / "before.csv", files / "empty.csv")
    assert "?     order, price, town, late" in out.splitlines()
    assert out.count("1500 rows in the reference and 0 in the window; 200 on both sides are needed.") == 1


def test_names_are_told_in_signs_that_print(capsys, tmp_path):
    for name, step in (("one", 1), ("two", 100)):
        table = pa.table({"a\nb\x1b[31m": np.arange(SIZE) * step, "\x1b[0m": np.arange(SIZE)})
        pyarrow.parquet.write_table(table, tmp_path / f"{name}.parquet")
    _, out, _ = drift(capsys, tmp_path / "one.parquet", tmp_path / "two.parquet")
    assert "page  a\\nb\\x1b[31m  its unit seems changed" in out and "ok    \\x1b[0m" in out and "\x1b" not in out


def test_a_csv_file_has_no_types_of_its_own(files, capsys, tmp_path):
    """Days and codes that the other file keeps as text are text, as they are written."""
    days = [f"2024-05-{i % 28 + 1:02}" for i in range(SIZE)]
    codes = [str(i % 7) for i in range(SIZE)]
    pyarrow.parquet.write_table(pa.table({"day": days, "code": codes}), tmp_path / "kept.parquet")
    (tmp_path / "kept.csv").write_text("day,code\n" + "".join(f"{d},{c}\n" for d, c in zip(days, codes, strict=True)))
    for pair in (("kept.parquet", "kept.csv"), ("kept.csv", "kept.parquet")):
        code, out, _ = drift(capsys, *(tmp_path / name for name in pair))
        assert code == 0 and "Nothing has drifted in 2 columns." in out


def test_a_name_with_a_comma_stands_in_quotes(files, capsys, tmp_path):
    for name, start in (("one", 0), ("two", SIZE)):
        lines = [f"{start + i},{i % 5}" for i in range(SIZE)]
        (tmp_path / f"{name}.csv").write_text("\n".join(['"size, cm",b', *lines]))
    code, out, _ = drift(capsys, tmp_path / "one.csv", tmp_path / "two.csv", "--exclude", '"size, cm"')
    assert code == 0 and "Nothing has drifted in 1 column." in out


def test_json_and_page(files, capsys, tmp_path):
    page = tmp_path / "pages" / "drift.html"
    code, out, _ = drift(capsys, files / "before.csv", files / "broken.csv", "--json", "--html", page)
    found = json.loads(out)
    assert code == 1 and set(found) == {"rows", "columns"}
    assert found["rows"]["reference"] == found["rows"]["current"] == SIZE
    kinds = {column["column"]: column["kinds"] for column in found["columns"]}
    assert kinds["price"][0] == "unit" and kinds["town"][0] == "case" and kinds["late"] == []
    assert page.read_text().count("<svg") >= 2


def test_a_table_that_has_lost_its_rows_is_no_success(files, capsys, tmp_path):
    code, out, _ = drift(capsys, files / "before.csv", files / "empty.csv", "--json")
    found = json.loads(out)
    assert code == 1 and found["rows"]["current"] == 0
    assert [(c["column"], c["verdict"]) for c in found["columns"][:2]] == [
        ("(rows)", "page"),
        ("order", "insufficient data"),
    ]
    lines = (files / "same.csv").read_text().splitlines()
    for rows, ended in ((3, 1), (29, 1), (30, 0)):
        (tmp_path / "few.csv").write_text("\n".join(lines[: rows + 1]))
        code, out, _ = drift(capsys, files / "before.csv", tmp_path / "few.csv", "--key", "order")
        assert code == ended and ("1,500 in the reference." in out) == bool(ended)
    assert drift(capsys, files / "before.csv", files / "same.csv", "--min-rows", "2000", "--key", "order")[0] == 0
    assert drift(capsys, files / "empty.csv", files / "before.csv")[0] == 0


def test_numbers_that_a_csv_file_spoils_are_numbers_in_the_other(files, capsys, tmp_path):
    """One text among numbers makes a column of texts: the other file's numbers are not compared as such."""
    lines = (files / "same.csv").read_text().splitlines()
    for word, share in (("?", 20), ("#N/A", 10)):
        spoilt = [line if i % share else line.replace(line.split(",")[1], word, 1) for i, line in enumerate(lines, -1)]
        (tmp_path / "spoilt.csv").write_text("\n".join(spoilt))
        code, out, _ = drift(capsys, files / "before.csv", tmp_path / "spoilt.csv", "--columns", "price,town,late")
        assert code == 1 and f"page  price  came as text, {1 / share:.1%} unreadable ('{word}')." in out
        assert "1 page, in 3 columns." in out


def test_a_folder_of_parquet_files_is_one_table(files, capsys, tmp_path):
    parts = tmp_path / "parts"
    parts.mkdir()
    table = pyarrow.csv.read_csv(files / "same.csv")
    for number in range(3):
        pyarrow.parquet.write_table(table.slice(number * 500, 500), parts / f"part-{number}.parquet")
    (parts / "_SUCCESS").touch()
    code, out, _ = drift(capsys, files / "before.parquet", parts, "--key", "order")
    assert code == 0 and "1,500 rows in the reference, 1,500 now" in out


@pytest.mark.parametrize(
    ("current", "more", "said"),
    [
        ("absent.csv", (), "no such file"),
        (".", (), "its files cannot be read as one table"),
        ("nothing", (), "this is a folder"),
        ("excel.csv", (), "save the sheet as CSV"),
        ("wide.csv", (), "The text is UTF-16"),
        ("notes.txt", (), "cannot read this kind of file"),
        ("torn.parquet", (), "cannot be read as Parquet"),
        ("same.csv", ("--columns", "prise"), "no column 'prise'"),
        ("same.csv", ("--time", "town"), "column 'town' holds no times"),
        ("double.parquet", (), "two columns are named 'x'"),
    ],
)
def test_bad_input_is_two_with_a_sentence(files, capsys, current, more, said):
    code, _, err = drift(capsys, files / "before.csv", files / current, *more)
    assert code == 2 and said in err
