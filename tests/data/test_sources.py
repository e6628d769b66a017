"""Sources are read as known at a time, in few types, and say plainly what is wrong with them."""

import gzip
import io
import zipfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard import data
from modelyard.errors import DataError


def zipped(content, *names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names or ("rows.csv",):
            archive.writestr(name, content)
    return buffer.getvalue()


def test_types_are_the_narrowest_that_all_values_fit(yard):
    rows = yard.source(
        "i,f,b,s,d,t,z,id,empty\n"
        "1,1,true,x,2024-01-02,2024-01-02 03:04:05,2024-01-02T03:04:05+02:00,007,\n"
        '2,2.5,FALSE,"a ""b"", c",2024-01-03,2024-01-03 03:04,2024-01-03T03:04:05Z,12,NA\n'
    )
    assert rows[0] == {
        "i": 1,
        "f": 1.0,
        "b": True,
        "s": "x",
        "d": date(2024, 1, 2),
        "t": datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
        "z": datetime(2024, 1, 2, 1, 4, 5, tzinfo=UTC),
        "id": "007",
        "empty": None,
    }
    assert rows[1]["s"] == 'a "b", c'


def test_a_late_surprise_changes_the_type_of_the_whole_column(yard):
    lines = [f"{i},{i},{i}" for i in range(30_000)] + ["30000,1.5,many"]
    yard.write("raw.csv", "i,f,s\n" + "\n".join(lines) + "\n")
    yard.declare(sources={"raw": {"uri": "raw.csv"}}, datasets={"kept": {"sql": "SELECT * FROM raw"}})
    assert yard.build("kept").body["columns"] == {"i": "integer", "f": "number", "s": "string"}


def test_a_table_of_many_columns_is_typed_in_parts_as_in_one(yard, monkeypatch):
    monkeypatch.setattr("modelyard.data.csv_types._AT_ONCE", 5)
    yard.write("raw.csv", "id,price,day,word\n007,1.5,2024-01-31,a\n008,2,2024-02-29,b\n")
    yard.declare(sources={"raw": {"uri": "raw.csv"}}, datasets={"kept": {"sql": "SELECT * FROM raw"}})
    columns = {"id": "string", "price": "number", "day": "date", "word": "string"}
    assert yard.build("kept").body["columns"] == columns


@pytest.mark.parametrize("value", ["1_000", "0x10", "12 apples", "2024-13-45"])
def test_what_only_looks_like_a_number_or_date_stays_text(yard, value):
    assert yard.source(f"v\n{value}\n") == [{"v": value}]


def test_a_date_format_that_fits_alone_is_read_and_an_ambiguous_one_is_not(yard):
    assert yard.source("d\n25/12/2024\n01/02/2024\n")[0]["d"] in (date(2024, 12, 25), date(2024, 2, 1))
    assert yard.source("d\nJan 5 2024\nFeb 12 2024\n")[0]["d"] in (date(2024, 1, 5), date(2024, 2, 12))
    assert yard.source("d\n05/12/2024\n01/02/2024\n")[0]["d"] == "01/02/2024"
    assert "strptime(d, '%d/%m/%Y')" in " ".join(yard.build("kept").body["warnings"])


def test_declared_types_hold(yard):
    rows = yard.source(
        "zip,year,flag\n01234,2004.0,1\n98765,,0\n", types={"zip": "string", "year": "int", "flag": "bool"}
    )
    assert rows == [{"zip": "01234", "year": 2004, "flag": True}, {"zip": "98765", "year": None, "flag": False}]


def test_nulls_are_declared_texts(yard):
    assert yard.source("a,b\n?,x\n-,\n", nulls=["?", "-", ""]) == [{"a": None, "b": None}, {"a": None, "b": "x"}]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_delimiter_is_that_of_the_header(yard, delimiter):
    content = f'a{delimiter}b\n1{delimiter}"x, y"\n'
    assert yard.source(content) == [{"a": 1, "b": "x, y"}]


def test_names_may_hold_anything(yard):
    rows = yard.source('"größe ""cm""",two words,Δt,select\n1,2,3,4\n')
    assert rows == [{'größe "cm"': 1, "two words": 2, "Δt": 3, "select": 4}]


@pytest.mark.parametrize("content", ["\ufeffa,b\n1,2", "a,b\r\n1,2\r\n", "a,b\r\n1,2\n", "a,b\n\n1,2\n\n"])
def test_marks_line_ends_and_empty_lines_do_no_harm(yard, content):
    assert yard.source(content) == [{"a": 1, "b": 2}]


def test_a_comma_is_decimal_where_it_does_not_divide_columns(yard):
    rows = yard.source("size;price;share;code;text\n1;10,5;0,25;007;1,5 kg\n2;-3;1,0;010;2 kg\n")
    assert rows[0] == {"size": 1, "price": 10.5, "share": 0.25, "code": "007", "text": "1,5 kg"}
    assert rows[1]["price"] == -3.0
    assert yard.source('a,b\n"1,234",x\n') == [{"a": "1,234", "b": "x"}]
    assert yard.source("a;b\n1,5;x\n", types={"a": "float"}) == [{"a": 1.5, "b": "x"}]


def zipped_under_another_name(content):
    return zipped(content, "raw.csv.zip")


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("raw.csv", bytes),
        ("raw.csv.gz", gzip.compress),
        ("raw.csv.zip", zipped),
        ("raw.csv.zip", zipped_under_another_name),
    ],
)
def test_packed_csv(yard, name, pack):
    yard.write(name, pack(b"a,b\n1,x\n2,y\n"))
    yard.declare(sources={"raw": {"uri": name}}, datasets={"kept": {"sql": "SELECT * FROM raw"}})
    version = yard.build("kept")
    assert yard.rows(version) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    assert version.body["sources"]["raw"] | {"digest": ""} == {
        "digest": "",
        "files": [name],
        "rows": 2,
        "time_max": None,
        "next": None,
    }


def test_a_changed_file_is_parsed_again_and_an_unchanged_one_is_not(yard, monkeypatch):
    yard.source("a\n1\n")
    monkeypatch.setattr("modelyard.data.csv_files._convert", None)
    yard.build("kept")
    monkeypatch.undo()
    assert yard.source("a\n1\n22\n") == [{"a": 1}, {"a": 22}]


def test_the_index_that_pandas_left_in_a_file_is_no_column(yard):
    pq.write_table(pa.table({"x": [1], "__index_level_0__": [7]}), yard.directory / "raw.parquet")
    yard.declare(sources={"raw": {"uri": "raw.parquet"}}, datasets={"kept": {"sql": "SELECT * FROM raw"}})
    assert list(yard.build("kept").body["columns"]) == ["x"]


def test_parquet_types_become_few(yard):
    table = pa.table(
        {
            "small": pa.array([1], pa.uint8()),
            "money": pa.array([Decimal("1.25")], pa.decimal128(8, 2)),
            "label": pa.array(["x"]).dictionary_encode(),
            "nano": pa.array([datetime(2024, 1, 1)], pa.timestamp("ns")),
            "tags": pa.array([["a", "b"]]),
        }
    )
    pq.write_table(table, yard.directory / "raw.parquet")
    yard.declare(sources={"raw": {"uri": "raw.parquet"}}, datasets={"kept": {"sql": "SELECT * FROM raw"}})
    version = yard.build("kept")
    kinds = ["integer", "number", "string", "timestamp", "list"]
    assert list(version.body["columns"].values()) == kinds
    assert "source raw: nano without zone, read as UTC" in version.body["warnings"]
    assert data.read(yard.store, version).schema.field("nano").type == pa.timestamp("us", tz="UTC")


def test_a_time_without_zone_is_read_in_the_declared_one_with_a_warning(yard):
    rows = yard.source("t\n2024-01-01 12:00:00\n", time="t", timezone="Europe/Berlin")
    assert rows == [{"t": datetime(2024, 1, 1, 11, tzinfo=UTC)}]
    assert "read as Europe/Berlin" in yard.build("kept").body["warnings"][0]


AUTUMN = "t,n\n2023-10-29 01:00,1\n2023-10-29 02:00,2\n2023-10-29 02:00,3\n2023-10-29 03:00,4\n"
SPRING = "t,n\n2023-03-26 01:30,1\n2023-03-26 02:30,2\n2023-03-26 03:30,3\n"


@pytest.mark.parametrize(
    ("content", "timezone", "says"),
    [
        (AUTUMN, "Europe/Berlin", "2 rows are in an hour that Europe/Berlin has twice (2023-10-29 02:00), read as in the second"),
        (SPRING, "Europe/Berlin", "1 row is in an hour that Europe/Berlin leaves out (2023-03-26 02:00), read as an hour later"),
        (AUTUMN, "America/New_York", None),
        (AUTUMN, "UTC", None),
        (AUTUMN.replace(":00,", ":00+02:00,"), "Europe/Berlin", None),
    ],
)  # fmt: skip
def test_local_times_that_clocks_show_twice_or_never_are_said(yard, content, timezone, says):
    yard.write("raw.csv", content)
    source = {"uri": "raw.csv", "time": "t", "timezone": timezone}
    yard.declare(sources={"raw": source}, datasets={"kept": {"sql": "SELECT * FROM raw"}})
    warned = [each for each in yard.build("kept").body["warnings"] if "hour that" in each]
    assert [each.split(": ")[1] for each in warned] == ([says] if says else [])


def test_a_local_time_that_is_computed_is_looked_at_too(yard):
    yard.write("raw.csv", AUTUMN)
    source = {"uri": "raw.csv", "time": {"sql": "CAST(t AS TIMESTAMP)"}, "timezone": "Europe/Berlin"}
    yard.declare(sources={"raw": source | {"types": {"t": "string"}}}, datasets={"kept": {"sql": "SELECT * FROM raw"}})
    assert any("has twice" in each for each in yard.build("kept").body["warnings"])


class TestKnownAt:
    content = "t,label,done\n2024-01-01,1,2024-01-05\n2024-01-02,0,\n2024-02-01,1,2024-02-02\n"

    def rows(self, yard, as_of, **source):
        yard.write("raw.csv", self.content)
        yard.declare(
            sources={"raw": {"uri": "raw.csv", "time": "t"} | source},
            datasets={"kept": {"sql": "SELECT t, label, done FROM raw"}},
        )
        return [row["label"] for row in yard.rows(yard.build("kept", as_of=as_of), as_of=as_of)]

    def test_later_rows_are_not_there_yet(self, yard, at):
        assert self.rows(yard, at(1, 2)) == [1, 0]
        assert self.rows(yard, at(1, 1, 23)) == [1]

    def test_later_values_are_not_known_yet(self, yard, at):
        known_at = [{"columns": ["label"], "at": "done"}]
        assert self.rows(yard, at(1, 4), known_at=known_at) == [None, None]
        assert self.rows(yard, at(1, 5), known_at=known_at) == [1, None]

    def test_a_time_may_be_computed(self, yard, at):
        assert self.rows(yard, at(2, 2), time={"sql": "t + INTERVAL 1 DAY"}) == [1, 0, 1]
        assert self.rows(yard, at(2, 1), time={"sql": "t + INTERVAL 1 DAY"}) == [1, 0]

    def test_newest_is_the_newest_visible(self, yard, at):
        self.rows(yard, at(2, 2))
        assert data.newest(yard.project, "raw", as_of=at(1, 15)) == at(1, 2)
        assert data.newest(yard.project, "raw", as_of=at(1, 15) - timedelta(days=60)) is None

    def test_arrivals_are_counted_by_the_hour(self, yard, at, tmp_path):
        self.rows(yard, at(2, 2))
        asked = {"since": at(1, 1, 12), "as_of": at(1, 15), "cache": tmp_path}
        found = data.arrivals(yard.project, "raw", **asked)
        assert (found.first, found.rows.tolist()) == (at(1, 2), [1])
        both = data.arrivals(yard.project, "raw", **asked | {"since": at(1, 1)})
        assert (both.first, both.end, both.rows.tolist()) == (at(1, 1), at(1, 2, 1), [1, 1])


class TestGlobs:
    def build(self, yard, files, as_of=None, sql="SELECT * FROM raw", **source):
        for name, content in files.items():
            yard.write(name, content)
        yard.declare(sources={"raw": {"uri": "months/*.csv"} | source}, datasets={"kept": {"sql": sql}})
        version = yard.build("kept", **({"as_of": as_of} if as_of else {}))
        return version, yard.rows(version, **({"as_of": as_of} if as_of else {}))

    def test_an_added_column_is_null_in_old_files(self, yard):
        version, rows = self.build(yard, {"months/1.csv": "a\n1\n", "months/2.csv": "a,b\n2,x\n"})
        assert rows == [{"a": 1, "b": None}, {"a": 2, "b": "x"}]
        assert "1 of 2 files have the column 'b'" in version.body["warnings"][0]

    def test_integers_widen(self, yard):
        _, rows = self.build(yard, {"months/1.csv": "a\n1\n", "months/2.csv": "a\n1.5\n"})
        assert rows == [{"a": 1.0}, {"a": 1.5}]

    def test_columns_may_change_places_and_be_empty_in_one_file(self, yard):
        _, rows = self.build(yard, {"months/1.csv": "a,b\n1,\n", "months/2.csv": "b,a\nx,2\n"})
        assert rows == [{"a": 1, "b": None}, {"a": 2, "b": "x"}]

    def test_a_removed_column_stops_and_says_what_to_do(self, yard):
        files = {"months/1.csv": "a,price\n1,2.5\n", "months/2.csv": "a,prices\n1,2.5\n"}
        with pytest.raises(DataError, match=r"2\.csv: the column 'price', number in 1\.csv, is missing here.*renamed"):
            self.build(yard, files)
        _, rows = self.build(yard, files, types={"price": "float"})
        assert [row["price"] for row in rows] == [None, 2.5] or [row["price"] for row in rows] == [2.5, None]

    def test_another_type_stops_and_names_both(self, yard):
        files = {"months/1.csv": "a\n1\n", "months/2.csv": "a\nmany\n"}
        with pytest.raises(DataError, match=r"2\.csv: the column 'a' is string here and integer in 1\.csv.*types"):
            self.build(yard, files)
        assert self.build(yard, files, types={"a": "string"})[1] == [{"a": "1"}, {"a": "many"}]

    def test_a_renamed_column_is_named_when_it_is_the_only_new_one_and_the_cure_works(self, yard):
        files = {"months/1.csv": "id,carat\n1,.5\n", "months/2.csv": "id,weight\n2,.7\n"}
        says = r"'carat', number.*'weight' is new: was it renamed\?.*`types: \{carat: float\}`.*coalesce\(\"carat\", \"weight\"\)"
        with pytest.raises(DataError, match=says):
            self.build(yard, files)
        sql = "SELECT id, coalesce(carat, weight) AS carat FROM raw"
        _, rows = self.build(yard, files, sql=sql, types={"carat": "float"})
        assert sorted(row["carat"] for row in rows) == [0.5, 0.7]

    @pytest.mark.parametrize(
        ("later", "says"),
        [
            ("7\n-\n8\n", r"1 of 3 values cannot be read as an integer \('-'\)\. .*add it to the source's `nulls`"),
            ("1 kg\n2 kg\n3 kg\n4 kg\n5\n", r"4 of 5 values .* \(such as '1 kg', '2 kg', '3 kg'\)\. Mend the file, or"),
            ("007\n008\n", r"string here and integer in 1\.csv\. Mend the file"),
        ],
    )
    def test_values_of_another_type_are_shown(self, yard, later, says):
        with pytest.raises(DataError, match=says):
            self.build(yard, {"months/1.csv": "a\n1\n", "months/2.csv": f"a\n{later}"})

    def test_without_its_time_a_file_is_of_no_use(self, yard):
        files = {"months/1.csv": "t,a\n2024-01-01,1\n", "months/2.csv": "a\n2\n"}
        with pytest.raises(
            DataError, match=r"'t', date in 1\.csv, is missing here\. Mend the file, or name another column"
        ):
            self.build(yard, files, time="t")

    @pytest.mark.parametrize("declared", [{}, {"types": {"d": "timestamp"}}])
    def test_dates_in_doubt_are_read_as_in_the_files_without_doubt(self, yard, declared):
        files = {"months/1.csv": "d,a\n1/25/2011 8:26,1\n", "months/2.csv": "d,a\n2/9/2011 12:50,2\n"}
        _, rows = self.build(yard, files, time="d", **declared)
        assert [row["d"] for row in rows] == [
            datetime(2011, 1, 25, 8, 26, tzinfo=UTC),
            datetime(2011, 2, 9, 12, 50, tzinfo=UTC),
        ]

    def test_dates_in_doubt_in_every_file_are_not_guessed(self, yard):
        files = {"months/1.csv": "d\n1/2/2011\n", "months/2.csv": "d\n2/9/2011\n"}
        assert self.build(yard, files)[1] == [{"d": "1/2/2011"}, {"d": "2/9/2011"}]
        with pytest.raises(DataError, match="its dates fit %d/%m/%Y and %m/%d/%Y"):
            self.build(yard, files, types={"d": "date"})

    def test_a_file_of_the_future_does_not_stop_the_past(self, yard, at):
        files = {"months/1.csv": "t,a\n2024-01-01,1\n", "months/2.csv": "t,a\n2024-02-01,many\n"}
        _, rows = self.build(yard, files, as_of=at(1, 15), time="t")
        assert [row["a"] for row in rows] == [1]
        with pytest.raises(DataError, match="'a' is string here"):
            self.build(yard, files, as_of=at(2, 15), time="t")

    def test_an_empty_month_is_no_month(self, yard):
        assert self.build(yard, {"months/1.csv": "a\n1\n", "months/2.csv": "a\n"})[1] == [{"a": 1}]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", r"raw\.csv: the file is empty"),
        ("a,b\n", r"raw\.csv: the file has columns, and no row"),
        ("a,b\n1,2\n3\n", r"line 3: the line has 1 values where the header has 2 columns"),
        ("a,b\n1,2\n3,4,5\n", r"line 3: the line has 3 values where the header has 2"),
        ('a,b\n1,"2\n', r"a quoted value is never closed"),
        (b"a,b\n1,\xff\xfe\n", r"line 2: the text is not UTF-8.*iconv"),
        (b"\xe4,b\n1,2\n", r"the text is not UTF-8"),
        ("a,A\n1,2\n", r"two columns are named 'A'"),
    ],
)
def test_a_bad_csv_is_one_sentence(yard, content, says):
    yard.write("raw.csv", content)
    yard.declare(sources={"raw": {"uri": "raw.csv"}}, datasets={"kept": {"sql": "SELECT * FROM raw"}})
    with pytest.raises(DataError, match=says):
        yard.build("kept")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ({"uri": "rows.csv"}, r"source raw: no file matches rows\.csv"),
        ({"uri": "folder"}, r"source raw: .*folder"),
        ({"uri": "raw.txt"}, r"the kind of file is not known.*\.parquet"),
        ({"uri": "bad.csv.zip"}, r"cannot be unpacked"),
        ({"uri": "two.csv.zip"}, r"holds 2 CSV files"),
        ({"uri": "bad.csv.gz"}, r"cannot be unpacked"),
        ({"uri": "bad.parquet"}, r"the Parquet file cannot be read"),
        ({"uri": "raw.csv", "time": "tme"}, r"no column 'tme' to be the time.*Did you mean 'time'"),
        ({"uri": "raw.csv", "time": "n"}, r"the time 'n' is integer, not a timestamp.*make_date"),
        ({"uri": "raw.csv", "time": "s"}, r"1 values of the time 's' are text that is no time"),
        ({"uri": "raw.csv", "time": {"sql": "nope + 1"}}, r"time\.sql cannot be computed"),
        ({"uri": "raw.csv", "time": {"sql": "n + 1"}}, r"the time is integer"),
        ({"uri": "raw.csv", "time": "time", "timezone": "Mars/Base"}, r"Mars/Base"),
        ({"uri": "raw.csv", "known_at": [{"columns": ["nope"], "at": "time"}]}, r"known_at names 'nope'"),
        ({"uri": "raw.csv", "types": {"s": "int"}}, r"1 values of the column 's' are not int"),
    ],
)
def test_a_bad_source_is_one_sentence(yard, source, says):
    yard.write("raw.csv", "time,n,s\n2024-01-01 10:00:00,1,x\n")
    yard.write("raw.txt", "a\n1\n")
    yard.write("folder/raw.csv", "a\n1\n")
    yard.write("bad.csv.zip", b"PK nonsense")
    yard.write("two.csv.zip", zipped("a\n1\n", "one.csv", "two.csv"))
    yard.write("bad.csv.gz", b"nonsense")
    yard.write("bad.parquet", b"nonsense")
    yard.declare(sources={"raw": source}, datasets={"kept": {"sql": "SELECT * FROM raw"}})
    with pytest.raises(DataError, match=says):
        yard.build("kept")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("\na,b\n1,2\n", r"the first line is empty"),
        ("a," + "x" * 200_000 + "\n1,2\n", r"the header cannot be read: field larger"),
    ],
    ids=["an empty first line", "an endless name"],
)
def test_a_header_that_is_none_is_one_sentence(yard, content, says):
    with pytest.raises(DataError, match=says):
        yard.source(content)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_files_name_is_no_pattern(yard, ending):
    """`sales[1].csv` is that file, whatever else is called `sales1.csv`."""
    for name, value in (("sales[1]", 1), ("sales1", 2)):
        duckdb.sql(f"SELECT {value} AS a").write_parquet(str(yard.directory / f"{name}.parquet"))
        yard.write(f"{name}.csv", f"a\n{value}\n")
    yard.declare(sources={"raw": {"uri": f"sales[1].{ending}"}}, datasets={"kept": {"sql": "SELECT * FROM raw"}})
    assert yard.rows(yard.build("kept")) == [{"a": 1}]


def test_whole_numbers_that_a_float_would_round_stay_text(yard):
    yard.write("raw.csv", "id,amount\n12345678901234567890,1e30\n12345678901234567891,2.5\n")
    yard.declare(sources={"raw": {"uri": "raw.csv"}}, datasets={"kept": {"sql": "SELECT * FROM raw"}})
    version = yard.build("kept")
    assert [row["id"] for row in yard.rows(version)] == ["12345678901234567890", "12345678901234567891"]
    assert version.body["columns"] == {"id": "string", "amount": "number"}
    (warning,) = version.body["warnings"]
    assert "'id' stays text: whole numbers of more than 64 bits" in warning and "types: {id: float}" in warning
    assert yard.source("id\n12345678901234567890\n7\n", types={"id": "float"})[1] == {"id": 7.0}


def test_a_type_of_a_column_that_no_file_has_is_told(yard):
    yard.write("raw.csv", "id,price\n1,2\n")
    yard.declare(
        sources={"raw": {"uri": "raw.csv", "types": {"pricse": "float"}}},
        datasets={"kept": {"sql": "SELECT * FROM raw"}},
    )
    (warning,) = yard.build("kept").body["warnings"]
    assert "`types` names 'pricse', which no file has, so it is null everywhere: was 'price' meant?" in warning


@pytest.mark.parametrize(
    "time",
    ["infinity", "-infinity", "9999-12-31 23:59:59"],
)
@pytest.mark.parametrize("named", ["time", "again"])
def test_a_time_that_cannot_be_kept_is_none(yard, time, named):
    """Databases write infinity for "never", and people the last day of the calendar, which ends earlier elsewhere."""
    yard.write("raw.csv", f"id,time,again\n1,2024-01-01 10:00:00,2024-01-01 10:00:00\n2,{time},{time}\n")
    source = {"uri": "raw.csv", "timezone": "America/New_York"} | ({"time": "time"} if named == "time" else {})
    yard.declare(sources={"raw": source}, datasets={"kept": {"sql": "SELECT * FROM raw", "time": named}})
    version = yard.build("kept")
    assert [row["id"] for row in yard.rows(version)] == [1]
    assert "1 rows without a" in version.body["warnings"][-1]


def test_text_as_time_is_read_with_a_warning(yard):
    duckdb.sql("SELECT '2024-01-01 10:00' AS t UNION ALL SELECT '2024-01-02T10:00:00+01:00'").write_parquet(
        str(yard.directory / "raw.parquet")
    )
    yard.declare(sources={"raw": {"uri": "raw.parquet", "time": "t"}}, datasets={"kept": {"sql": "SELECT * FROM raw"}})
    version = yard.build("kept")
    assert [row["t"].hour for row in yard.rows(version)] == [10, 9]
    assert "the time 't' is text" in version.body["warnings"][0]


def test_sql_reaches_declared_files_alone(yard):
    yard.write("secret.csv", "a\n1\n")
    with pytest.raises(DataError, match="Cannot access file"):
        yard.source("a\n1\n", sql=f"SELECT * FROM read_csv('{yard.directory}/secret.csv')")
