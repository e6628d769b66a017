"""A dataset's version is what its inputs said at a time: written once, appended to, examined, recorded last."""

from datetime import UTC, datetime, timedelta

import pytest

from modelyard import data
from modelyard.errors import CheckFailed, DataError, UserCodeError
from modelyard.records import Audit, Verdict, Version

DAYS = "id,t,v\n1,2024-01-01,a\n2,2024-01-02,b\n3,2024-01-03,c\n"


def declare(yard, *, sql="SELECT * FROM raw", content=DAYS, source=None, **dataset):
    yard.write("raw.csv", content)
    made = {"python": None} if "python" in dataset else {"sql": sql}
    return yard.declare(
        sources={"raw": {"uri": "raw.csv"} | (source or {})},
        datasets={"kept": made | {"key": ["id"], "time": "t"} | dataset},
    )


class TestVersions:
    def test_a_version_says_what_it_holds(self, yard):
        declare(yard, known_at=[{"columns": ["v"], "after": "1h"}], source={"time": "t"})
        version = yard.build("kept")
        assert (version.entity, version.number, version.as_of) == ("dataset.kept", 1, yard.clock.now())
        body = version.body
        assert body["columns"] == {"id": "integer", "t": "timestamp", "v": "string"}
        assert (body["rows"], body["key"], body["time"]) == (3, ["id"], "t")
        assert body["known_at"] == [{"columns": ["v"], "after_seconds": 3600.0}]
        assert (body["time_min"], body["time_max"]) == ("2024-01-01T00:00:00+00:00", "2024-01-03T00:00:00+00:00")
        assert body["sources"]["raw"]["time_max"] == "2024-01-03T00:00:00+00:00"

    def test_nothing_new_makes_no_version(self, yard):
        declare(yard)
        first = yard.build("kept")
        before = len(yard.store.read(Audit))
        assert yard.build("kept", as_of=yard.clock.now() + timedelta(days=1)) == first
        assert len(yard.store.read(Audit)) == before

    def test_another_order_of_rows_is_the_same_content(self, yard):
        declare(yard)
        first = yard.build("kept")
        declare(yard, content="id,t,v\n3,2024-01-03,c\n1,2024-01-01,a\n2,2024-01-02,b\n")
        again = yard.build("kept")
        assert (again.digest, again.body["table_version"]) == (first.digest, first.body["table_version"])
        assert again.body["sources"]["raw"]["digest"] != first.body["sources"]["raw"]["digest"]

    def test_the_first_row_that_is_not_visible_yet_is_recorded(self, yard):
        declare(yard)
        body = yard.build("kept", as_of=datetime(2024, 1, 2, 12, tzinfo=UTC)).body
        assert (body["time_max"], body["next"]) == ("2024-01-02T00:00:00+00:00", "2024-01-03T00:00:00+00:00")

    def test_another_fingerprint_is_a_version_on_the_same_rows(self, yard):
        declare(yard)
        first, second = yard.build("kept"), yard.build("kept", fingerprint="other")
        assert second.number == 2 and second.digest != first.digest
        assert second.body["table_version"] == first.body["table_version"]

    def test_time_moves_on_and_rows_are_appended(self, yard, at):
        declare(yard)
        first = yard.build("kept", as_of=at(1, 2))
        second = yard.build("kept", as_of=at(1, 3))
        assert [first.body["rows"], second.body["rows"]] == [2, 3]
        table = yard.store.table("datasets/kept")
        assert len(table.files(second.body["table_version"])) == 2
        assert [row["id"] for row in yard.rows(first)] == [1, 2]
        assert [row["id"] for row in yard.rows(second)] == [1, 2, 3]

    def test_a_late_row_of_an_old_day_is_appended_too(self, yard, at):
        declare(yard)
        yard.build("kept", as_of=at(1, 3))
        declare(yard, content=DAYS + "0,2024-01-01,late\n")
        second = yard.build("kept", as_of=at(1, 3))
        assert len(yard.store.table("datasets/kept").files()) == 2
        assert [row["id"] for row in yard.rows(second)] == [0, 1, 2, 3]

    @pytest.mark.parametrize("change", [("b", "B"), ("2,2024-01-02,b\n", ""), ("id,t,v", "id,t,w")])
    def test_a_changed_or_removed_row_writes_the_table_anew(self, yard, change):
        declare(yard)
        first = yard.build("kept")
        declare(yard, content=DAYS.replace(*change))
        second = yard.build("kept")
        assert second.number == 2 and len(yard.store.table("datasets/kept").files()) == 1
        assert yard.rows(first) != yard.rows(second)
        assert [row["v"] for row in yard.rows(first)] == ["a", "b", "c"]

    def test_equal_rows_count(self, yard):
        declare(yard, content="id,t\n1,2024-01-01\n1,2024-01-01\n", key=[])
        assert yard.build("kept").body["rows"] == 2
        declare(yard, content="id,t\n1,2024-01-01\n1,2024-01-01\n1,2024-01-01\n", key=[])
        assert len(yard.rows(yard.build("kept"))) == 3

    def test_rows_that_nobody_recorded_are_forgotten(self, yard, at):
        declare(yard)
        first = yard.build("kept", as_of=at(1, 2))
        orphans = data.read(yard.store, first)
        yard.store.table("datasets/kept").append(orphans)  # as if a build had died before its record
        second = yard.build("kept", as_of=at(1, 3))
        assert [row["id"] for row in yard.rows(second)] == [1, 2, 3]

    def test_rows_that_a_killed_build_wrote_are_the_next_ones_rows(self, yard, at):
        declare(yard)
        first = yard.build("kept", as_of=at(1, 2))
        whole = yard.build("kept", as_of=at(1, 3))
        # As if the second build had been killed between its rows and its record.
        with yard.store.transaction(actor="a", action="test.forgotten", subject="kept") as tx:
            tx.change(Version, {"number": whole.number}, entity="dataset.forgotten")
        again = yard.build("kept", as_of=at(1, 3))
        assert again.digest == whole.digest
        assert again.body["table_version"] == whole.body["table_version"] == first.body["table_version"] + 1

    def test_many_small_appends_are_put_together(self, yard, monkeypatch):
        monkeypatch.setattr("modelyard.data.snapshot._MANY_FILES", 2)
        content = "id,t\n" + "".join(f"{day},2024-01-{day:02}\n" for day in range(1, 6))
        declare(yard, content=content)
        for day in range(1, 6):
            version = yard.build("kept", as_of=datetime(2024, 1, day, tzinfo=UTC))
            assert len(yard.rows(version)) == day
        assert len(yard.store.table("datasets/kept").files()) <= 2


class TestUpstream:
    def test_a_dataset_reads_another_as_known(self, yard, at):
        yard.write("raw.csv", "id,t,label,done\n1,2024-01-01,5,2024-01-05\n2,2024-01-02,6,2024-02-01\n")
        known_at = [{"columns": ["label"], "at": "done"}]
        yard.declare(
            sources={"raw": {"uri": "raw.csv"}},
            datasets={
                "first": {"sql": "SELECT * FROM raw", "time": "t", "known_at": known_at},
                "second": {"sql": "SELECT sum(label) AS total FROM First"},
            },
        )
        first = yard.build("first", as_of=at(1, 6))
        second = yard.build("second", as_of=at(1, 6))
        assert yard.rows(second) == [{"total": 5.0}]
        assert second.body["inputs"] == {"dataset.first": first.digest}

    def test_what_an_input_knows_later_is_known_later(self, yard):
        content = "id,t,label,done\n1,2024-01-01,5,2024-01-05\n"
        source = {"time": "t", "known_at": [{"columns": ["label"], "at": "done"}]}
        declare(yard, content=content, source=source)
        version = yard.build("kept")
        assert version.body["known_at"] == [{"columns": ["label"], "at": "done"}]
        assert "label known later" in version.body["warnings"][0]
        declare(yard, content=content, source=source, sql="SELECT id, t, label FROM raw")
        with pytest.raises(DataError, match=r"label, which raw knows later than its row, is handed on without done"):
            yard.build("kept")

    def test_an_unbuilt_or_unknown_table_is_said(self, yard):
        yard.declare(datasets={"a": {"sql": "SELECT * FROM b"}, "b": {"sql": "SELECT 1 AS x"}})
        with pytest.raises(DataError, match=r"dataset a: the dataset b has no version yet"):
            yard.build("a")
        yard.declare(datasets={"a": {"sql": "SELECT * FROM bee"}, "bees": {"sql": "SELECT 1 AS x"}})
        with pytest.raises(DataError, match=r"no source or dataset 'bee'.*Did you mean 'bees'"):
            yard.build("a")


class TestTime:
    def test_rows_without_a_time_are_left_out_and_counted(self, yard):
        declare(yard, content="id,t\n1,2024-01-01\n2,\n")
        version = yard.build("kept")
        assert version.body["rows"] == 1
        assert "dataset kept: 1 rows without a t are left out" in version.body["warnings"]

    def test_text_that_is_a_time_is_read_with_a_warning(self, yard):
        declare(yard, content="id,d\n1,2024-01-01\n", sql="SELECT id, d || ' 10:00' AS t FROM raw")
        version = yard.build("kept")
        assert yard.rows(version)[0]["t"] == datetime(2024, 1, 1, 10, tzinfo=UTC)
        assert "the time 't' is text" in version.body["warnings"][0]

    @pytest.mark.parametrize(
        ("sql", "says"),
        [
            ("SELECT id, 'soon' AS t FROM raw", r"3 values of the time 't' are text that is no time"),
            ("SELECT id, 7 AS t FROM raw", r"the time 't' is integer, not a timestamp"),
            ("SELECT id FROM raw", r"no column 't' to be the time"),
            ("SELECT t FROM raw", r"no column 'id' to be the key"),
            ("SELECT id, t, nope FROM raw", r"the SQL cannot be run.*nope"),
            ("SELECT id, t, CAST(v AS INTEGER) AS v FROM raw", r"the result cannot be computed.*Could not convert"),
            ("SELECT *, 1 AS __x FROM raw", r"'__x' begins with __"),
        ],
    )
    def test_mistakes_are_sentences(self, yard, sql, says):
        declare(yard, sql=sql)
        with pytest.raises(DataError, match=says):
            yard.build("kept")

    def test_a_zone_is_declared(self, yard):
        declare(yard, sql="SELECT id, CAST(t AS TIMESTAMP) AS t FROM raw", timezone="America/New_York")
        assert yard.rows(yard.build("kept"))[0]["t"].hour == 5


class TestGate:
    def test_a_failed_check_leaves_the_last_good_version(self, yard):
        declare(yard, checks=[{"not_null": ["v"]}])
        good = yard.build("kept")
        declare(yard, checks=[{"not_null": ["v"]}], content=DAYS + "4,2024-01-04,\n")
        with pytest.raises(CheckFailed, match=r"not_null\(v\): v is missing in 1 of 4 rows.*last good version stands"):
            yard.build("kept")
        assert yard.store.read(Version) == [good]
        failed = yard.store.read(Verdict, state="fail")
        assert [(v.check, v.detail["keys"]) for v in failed] == [("not_null(v)", [{"id": 4}])]

    def test_a_refusal_is_recorded_once(self, yard):
        declare(yard, checks=[{"row_count": {"min": 10}}])
        for _ in range(2):
            with pytest.raises(CheckFailed, match="there are 3 rows, at least 10 expected"):
                yard.build("kept")
        assert len(yard.store.read(Verdict, state="fail")) == 1

    def test_without_the_gate_it_is_recorded_all_the_same(self, yard):
        declare(yard, checks=[{"row_count": {"min": 10}}])
        assert yard.build("kept", gate=False).number == 1

    def test_a_warning_does_not_stop(self, yard):
        declare(yard, checks=[{"row_count": {"min": 10}, "severity": "warn"}])
        version = yard.build("kept")
        assert [v.severity for v in yard.store.read(Verdict, subject=version.digest, state="fail")] == ["warn"]

    def test_a_new_check_judges_the_present_version(self, yard):
        declare(yard)
        version = yard.build("kept")
        declare(yard, checks=[{"unique": ["v"]}])
        assert yard.build("kept").digest == version.digest
        assert {v.check for v in yard.store.read(Verdict, subject=version.digest)} >= {"unique(v)"}
        declare(yard, checks=[{"row_count": {"max": 1}}])
        with pytest.raises(CheckFailed):
            yard.build("kept")

    def test_no_rows_and_repeated_keys_fail_without_being_declared(self, yard, at):
        declare(yard)
        with pytest.raises(CheckFailed, match="no row is visible at 2023"):
            yard.build("kept", as_of=at(1, 1) - timedelta(days=9))
        declare(yard, content=DAYS + "1,2024-01-05,z\n")
        with pytest.raises(CheckFailed, match=r"unique\(id\): 2 of 4 rows .* share id"):
            yard.build("kept")
        declare(yard, content=DAYS + ",2024-01-05,z\n")
        with pytest.raises(CheckFailed, match=r"not_null\(id\): id is missing in 1 of 4 rows"):
            yard.build("kept")


class TestFunctions:
    def declare(self, yard, body, name="make", **dataset):
        yard.write("shop/__init__.py", "")
        yard.write("shop/tables.py", f"import pandas as pd\ndef {name}(raw):\n    {body}\n")
        yard.write("raw.csv", DAYS)
        yard.declare(
            sources={"raw": {"uri": "raw.csv"}},
            datasets={"kept": {"python": "shop.tables:make", "from": ["raw"], "time": "t"} | dataset},
        )

    def test_frames_come_by_name_and_a_frame_goes_back(self, yard):
        self.declare(yard, "raw['t'] = pd.to_datetime(raw['t']); return raw.assign(double=raw['id'] * 2)")
        version = yard.build("kept")
        assert [row["double"] for row in yard.rows(version)] == [2, 4, 6]
        assert "t without zone, read as UTC" in version.body["warnings"][0]

    @pytest.mark.parametrize(
        ("body", "says"),
        [
            (
                "return raw['nope']",
                r"dataset kept, shop.tables:make: KeyError: 'nope' \(shop/tables.py line 3, in make",
            ),
            ("import os; os._exit(4)", r"ended with status 4"),
        ],
    )
    def test_what_goes_wrong_is_a_sentence(self, yard, body, says):
        self.declare(yard, body)
        with pytest.raises(UserCodeError, match=says):
            yard.build("kept")
        assert list((yard.store.files / "jobs").iterdir()) == []


class TestViews:
    def declare(self, yard, content="k,t,x\na,2024-01-01,1\na,2024-01-02,2\n", source=None, **view):
        yard.write("raw.csv", content)
        yard.declare(
            sources={"raw": {"uri": "raw.csv"} | ({"time": "t"} if source is None else source)},
            features={"seen": {"entity": ["k"], "from": "raw"} | view},
        )

    def test_a_view_has_the_time_of_its_source(self, yard):
        self.declare(yard)
        version = yard.build("seen")
        assert version.entity == "feature.seen"
        assert (version.body["key"], version.body["time"], version.body["distinct"]) == (["k"], "t", True)

    def test_a_computed_time_is_kept_beside_the_columns(self, yard, at):
        self.declare(yard, source={"time": {"sql": "t + INTERVAL 1 HOUR"}})
        version = yard.build("seen")
        assert version.body["time"] == "__time" and version.body["columns"]["__time"] == "timestamp"
        assert version.body["time_max"] == at(1, 2, 1).isoformat()
        self.declare(yard, source={"time": {"sql": "t + INTERVAL 1 HOUR"}}, sql="SELECT k, x FROM raw")
        with pytest.raises(DataError, match="the time of raw is computed"):
            yard.build("seen")

    def test_sql_that_drops_the_time_is_no_timeless_view(self, yard):
        self.declare(yard, sql="SELECT k, avg(x) AS x FROM raw GROUP BY k")
        with pytest.raises(DataError, match="no column 't' to be the time"):
            yard.build("seen")

    def test_repeated_rows_and_missing_time_are_warned_of(self, yard):
        self.declare(yard, "k,x\na,1\na,2\nb,3\n", source={})
        version = yard.build("seen")
        assert not version.body["distinct"]
        assert version.body["warnings"] == [
            "feature view seen: 2 rows share k with another; the first of each is joined",
            "feature view seen: no time is known, so rows of any time are joined with it as it is now",
        ]
