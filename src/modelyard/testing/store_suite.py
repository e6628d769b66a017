"""What every store must do, whatever its database.

Collect it by importing its classes into a test module (those about blobs and tables do not depend on the database), and
provide one fixture:

`store_factory(project="shop", env="dev", clock=None) -> Store`: opens the same, at first empty, home each time.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelyard.clock import SimulatedClock
from modelyard.errors import Conflict, DataError, InputError, LeaseLost, NotFound
from modelyard.records import Alias, Audit, Label, Lease, Mark, Record, Run
from modelyard.store import Store, audit, schema
from modelyard.store.table import Table

StoreFactory = Callable[..., Store]
NOW = datetime(2013, 4, 1, 12, 30, 15, 123456, tzinfo=UTC)
WRITABLE = [kind for kind in schema.KINDS if kind not in (Audit, Lease)]
WHO = {"actor": "ada", "action": "test.done", "subject": "thing"}


@pytest.fixture
def store(store_factory: StoreFactory) -> Store:
    """An empty store at a simulated time."""
    return store_factory(clock=SimulatedClock(NOW))


def mark(name: str, value: Any = None) -> Mark:
    """A small record."""
    return Mark(name=name, value={} if value is None else value, at=NOW)


def add(store: Store, *records: Record) -> list[Any]:
    """Add records in a transaction of their own."""
    with store.transaction(**WHO) as tx:
        return [tx.add(record) for record in records]


class TestReading:
    """Records come back as they were given, found by example."""

    def test_an_added_record_comes_back_with_its_identity(self, store: Store) -> None:
        (added,) = add(store, mark("tick", {"a": [1, 2.0, None, "ü"]}))
        assert added == Mark(
            id=added.id, project="shop", env="dev", name="tick", value={"a": [1, 2.0, None, "ü"]}, at=NOW
        )
        assert added.id is not None
        assert store.read(Mark) == [added]
        assert store.one(Mark, name="tick") == added

    def test_nothing_is_an_empty_list_or_none(self, store: Store) -> None:
        assert store.read(Mark) == []
        assert store.one(Mark, name="tick") is None

    def test_projects_and_environments_do_not_see_each_other(self, store_factory: StoreFactory) -> None:
        here, elsewhere, prod = store_factory(), store_factory(project="hotel"), store_factory(env="prod")
        for store in (here, elsewhere, prod):
            add(store, mark("tick", {"in": [store.project, store.env]}))
        assert [each.value["in"] for each in here.read(Mark)] == [["shop", "dev"]]
        assert [each.value["in"] for each in prod.read(Mark)] == [["shop", "prod"]]
        with here.transaction(**WHO) as tx:
            assert tx.change(Mark, {"name": "tick"}, value={}) == 1
        assert elsewhere.one(Mark, name="tick").value == {"in": ["hotel", "dev"]}

    @pytest.mark.parametrize(
        ("where", "names"),
        [
            ({"number": 2}, "b"),
            ({"number": [1, 3]}, "ac"),
            ({"number": (1,)}, "a"),
            ({"number": []}, ""),
            ({"number": list(range(2, 5000))}, "bcd"),
            ({"number__lt": 3}, "ab"),
            ({"number__le": 3}, "abc"),
            ({"number__gt": 3}, "d"),
            ({"number__ge": 3, "model": "late"}, "cd"),
            ({"number__ne": 1}, "bcd"),
            ({"at__gt": NOW + timedelta(microseconds=1)}, "cd"),
            ({"at": [NOW + timedelta(microseconds=step) for step in range(1, 700)]}, "bcd"),
            ({"at__le": (NOW + timedelta(microseconds=1)).astimezone(timezone(timedelta(hours=-9)))}, "ab"),
            ({"alias__ge": "c"}, "cd"),
            ({"model": "none"}, ""),
        ],
    )
    def test_where_compares(self, store: Store, where: dict[str, Any], names: str) -> None:
        for number, name in enumerate("abcd"):
            add(store, Alias(model="late", alias=name, number=number + 1, at=NOW + timedelta(microseconds=number)))
        assert "".join(each.alias for each in store.read(Alias, **where)) == names

    def test_none_is_a_value(self, store: Store) -> None:
        for key, ended in (("open", None), ("done", NOW)):
            add(store, Run(key=key, model="m", state="running", started=NOW, ended=ended, as_of=NOW, params={}))
        assert [run.key for run in store.read(Run, ended=None)] == ["open"]
        assert [run.key for run in store.read(Run, ended__ne=None)] == ["done"]
        assert [run.key for run in store.read(Run, ended__ne=NOW)] == ["open"]
        assert [run.key for run in store.read(Run, order="ended")] == ["open", "done"]
        assert [run.key for run in store.read(Run, order="ended", descending=True)] == ["done", "open"]

    def test_order_and_limit(self, store: Store) -> None:
        for name, number in (("B", 1), ("a", 2), ("ä", 1), ("Z", 2)):
            add(store, Alias(model="late", alias=name, number=number, at=NOW))

        def names(**how: Any) -> str:
            return "".join(each.alias for each in store.read(Alias, **how))

        assert names() == "BaäZ"
        assert names(order="alias") == "BZaä", "text goes by code point on every database"
        assert names(order="number") == "BäaZ", "ties go by id"
        assert names(order=("number", "alias"), descending=True) == "aZäB"
        assert names(limit=2, descending=True) == "Zä"
        assert names(limit=0) == ""

    def test_a_vague_question_for_one_is_an_error(self, store: Store) -> None:
        add(store, mark("a"), mark("b"))
        with pytest.raises(ValueError, match="several Mark"):
            store.one(Mark)

    @pytest.mark.parametrize("where", [{"nmae": 1}, {"name__like": "x"}, {"value": {}}])
    def test_what_cannot_be_searched_is_named(self, store: Store, where: dict[str, Any]) -> None:
        with pytest.raises(TypeError, match="Mark cannot be"):
            store.read(Mark, **where)


class TestValues:
    """What no database would keep alike is refused by each, with the field's name."""

    @pytest.mark.parametrize(
        ("record", "says"),
        [
            (mark("a\0b"), r"Mark.name: .*NUL"),
            (mark("a\ud800b"), r"Mark.name: .*surrogate"),
            (mark(7), r"Mark.name: text was expected, not int"),  # type: ignore[arg-type]
            (mark("a", {"x": ["\0"]}), r"Mark.value: .*NUL"),
            (mark("a", {"\0": 1}), r"Mark.value: .*NUL"),
            (mark("a", {"x": "\udfff"}), r"Mark.value: .*surrogate"),
            (mark("a", {"x": float("nan")}), r"Mark.value: .*JSON"),
            (mark("a", {"x": {1, 2}}), r"Mark.value: .*JSON"),
            (Mark(name="a", value={}, at=datetime(2013, 1, 1)), r"Mark.at: .*time zone"),
            (Mark(name=None, value={}, at=NOW), r"Mark.name: a value is missing"),  # type: ignore[arg-type]
            (Alias(model="m", alias="a", number=2**63, at=NOW), r"Alias.number: .*64 bits"),
            (Alias(model="m", alias="a", number=True, at=NOW), r"Alias.number: a whole number"),
        ],
    )
    def test_a_value_that_cannot_be_kept_is_refused(self, store: Store, record: Record, says: str) -> None:
        with pytest.raises(InputError, match=says):
            add(store, record)
        assert store.read(type(record)) == []
        assert store.read(Audit) == []

    def test_backslash_u0000_is_no_nul(self, store: Store) -> None:
        (added,) = add(store, mark("a", {"x": "\\u0000"}))
        assert store.read(Mark) == [added]

    @settings(
        max_examples=100,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(record=st.deferred(lambda: st.one_of(*(any_record(kind) for kind in WRITABLE))))
    def test_any_record_comes_back_as_it_was(self, store: Store, record: Record) -> None:
        kind = type(record)
        with pytest.raises(KeyboardInterrupt), store.transaction(**WHO) as tx:
            added = tx.add(record)
            (found,) = tx.read(kind)
            assert found == added
            assert all(same_types(getattr(found, name), getattr(added, name)) for name in schema.columns(kind))
            # The next example wants the same empty store.
            raise KeyboardInterrupt


def any_record(kind: type[Record]) -> st.SearchStrategy[Record]:
    """Any record of `kind`, at the edges of what it may hold."""
    text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=50)
    json = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
        max_leaves=8,
    )
    zones = st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
    kinds: dict[Any, st.SearchStrategy[Any]] = {
        str: text,
        int: st.integers(-(2**63), 2**63 - 1),
        float: st.floats(allow_nan=False, allow_infinity=False),
        datetime: st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=zones),
        dict: st.dictionaries(text, json, max_size=3),
        list: st.lists(json, max_size=3),
        Any: json,
    }
    fields = {
        column.name: (st.none() | kinds[column.kind]) if column.nullable else kinds[column.kind]
        for column in schema.columns(kind).values()
        if column.name not in ("id", "project", "env")
    }
    return st.builds(kind, **fields)


def same_types(one: Any, other: Any) -> bool:
    """Whether two equal JSON values are so in type too (1 is not 1.0, nor True)."""
    if isinstance(one, dict):
        return list(one) == list(other) and all(same_types(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return all(map(same_types, one, other))
    return type(one) is type(other)


class TestTransactions:
    """All or nothing, one audit entry, one writer at a time."""

    def test_an_error_leaves_nothing_behind(self, store: Store) -> None:
        with pytest.raises(ZeroDivisionError), store.transaction(**WHO) as tx:
            tx.add(mark("a"))
            assert tx.one(Mark, name="a") is not None
            assert store.one(Mark, name="a") is None, "others do not see it yet"
            raise ZeroDivisionError
        assert store.read(Mark) == []
        assert store.read(Audit) == []
        add(store, mark("a"))

    def test_change_touches_what_it_should(self, store: Store) -> None:
        add(store, mark("a"), mark("b"))
        later = NOW + timedelta(days=1)
        with store.transaction(**WHO) as tx:
            assert tx.change(Mark, {"name": "a", "at__lt": later}, value={"n": 1}, at=later) == 1
            assert tx.change(Mark, {"name": "none"}, value={}) == 0
        assert [(each.name, each.value, each.at) for each in store.read(Mark)] == [
            ("a", {"n": 1}, later),
            ("b", {}, NOW),
        ]

    def test_the_same_identity_twice_is_a_conflict_and_the_transaction_goes_on(self, store: Store) -> None:
        add(store, mark("a"))
        with store.transaction(**WHO) as tx:
            with pytest.raises(Conflict, match="another Mark"):
                tx.add(mark("a"))
            with pytest.raises(Conflict):
                tx.add_all([mark("c"), mark("d"), mark("a")])
            tx.add(mark("b"))
            with pytest.raises(Conflict):
                tx.change(Mark, {"name": "b"}, name="a")
        assert [each.name for each in store.read(Mark)] == ["a", "b"]

    def test_many_at_once(self, store: Store) -> None:
        labels = [
            Label(deployment="d", request_id=str(n), label=n % 2 == 0, time=NOW, received=NOW) for n in range(3000)
        ]
        with store.transaction(**WHO) as tx:
            assert tx.add_all([]) == 0
            assert tx.add_all([*labels, mark("a")]) == 3001
        found = store.read(Label, request_id=[str(n) for n in range(0, 3000, 2)])
        assert len(found) == 1500
        assert {each.label for each in found} == {True}

    def test_columns_are_records(self, store: Store) -> None:
        values: list[Any] = [True, 1, 1.5, -0.0, "ü", None, {"a": [1]}]
        later = datetime(2013, 4, 1, 14, tzinfo=timezone(timedelta(hours=2)))
        rows = {
            "deployment": ["d"] * 7, "request_id": [str(n) for n in range(7)], "row": list(range(7)), "key": [""] * 7,
            "sequence": [0] * 7, "label": values, "time": [NOW, later] * 3 + [NOW], "received": [NOW] * 7,
        }  # fmt: skip
        names = ("request_id", "row", "label", "time")
        with store.transaction(**WHO) as tx:
            assert tx.add_columns(Label, rows) == 7
            assert tx.add_columns(Label, {name: [] for name in rows}) == 0
            with pytest.raises(Conflict):
                tx.add_columns(Label, rows)
            with pytest.raises(InputError, match=r"Label\.key"):
                tx.add_columns(Label, rows | {"key": ["\0"] * 7})
            with pytest.raises(TypeError, match="has the columns"):
                tx.add_columns(Label, {"deployment": ["d"]})
            found = tx.read_columns(Label, names, row__ge=1)
        kept = store.read(Label)
        assert [repr(each.label) for each in kept] == [repr(value) for value in values]
        assert [each.time for each in kept] == rows["time"]
        assert {(each.deployment, each.received, each.project) for each in kept} == {("d", NOW, store.project)}
        assert found == [tuple(getattr(each, name) for name in names) for each in store.read(Label, row__ge=1)]

    @pytest.mark.parametrize("missing", ["actor", "action", "subject"])
    def test_nobody_acts_namelessly(self, store: Store, missing: str) -> None:
        with pytest.raises(ValueError, match=missing), store.transaction(**(WHO | {missing: ""})):
            pass

    def test_the_stores_own_records_are_not_to_be_written(self, store: Store) -> None:
        with store.transaction(**WHO) as tx:
            with pytest.raises(TypeError, match="by the store alone"):
                tx.add(Lease(name="a", token=1, holder="me", expires=NOW))
            with pytest.raises(TypeError, match="by the store alone"):
                tx.change(Audit, {"sequence": 1}, actor="eve")
            with pytest.raises(TypeError, match="project"):
                tx.change(Mark, {}, project="other")

    def test_transactions_do_not_nest(self, store: Store) -> None:
        with store.transaction(**WHO):
            with pytest.raises(RuntimeError, match="do not nest"), store.transaction(**WHO):
                pass
            with pytest.raises(RuntimeError, match="before a transaction"):
                store.lease("a")
        add(store, mark("a"))

    def test_what_was_read_stays_true_until_the_end(self, store_factory: StoreFactory) -> None:
        """Fifty at once: each reads the count and adds one; no count is lost, and exactly one makes the first step."""
        stores = [store_factory() for _ in range(5)]
        add(stores[0], mark("count", {"n": 0}))
        first: list[int] = []

        def count(number: int) -> None:
            store = stores[number % len(stores)]
            with store.transaction(**WHO) as tx:
                n = tx.one(Mark, name="count").value["n"]
                tx.change(Mark, {"name": "count"}, value={"n": n + 1})
                if n == 0:
                    first.append(number)

        with ThreadPoolExecutor(10) as pool:
            list(pool.map(count, range(50)))
        assert stores[0].one(Mark, name="count").value == {"n": 50}
        assert len(first) == 1
        assert audit.verify(stores[0]) is None


class TestAudit:
    """One entry a transaction, chained."""

    def test_an_entry_says_who_did_what_when(self, store: Store) -> None:
        with store.transaction(actor="ada", action="release.created", subject="late@1", detail={"a": (1,)}) as tx:
            tx.detail["b"] = {2: "x", 10: "y"}
        (entry,) = store.read(Audit)
        assert (entry.sequence, entry.actor, entry.action, entry.subject) == (1, "ada", "release.created", "late@1")
        assert entry.at == NOW
        assert entry.detail == {"a": [1], "b": {"2": "x", "10": "y"}}
        assert audit.verify(store) is None

    def test_a_detail_that_cannot_be_kept_undoes_the_transaction(self, store: Store) -> None:
        with (
            pytest.raises(InputError, match=r"Audit\.detail"),
            store.transaction(**WHO, detail={"loss": float("nan")}) as tx,
        ):
            tx.add(mark("a"))
        assert store.read(Mark) == []

    def test_each_project_and_environment_has_its_own_chain(self, store_factory: StoreFactory) -> None:
        for store in (store_factory(), store_factory(env="prod"), store_factory()):
            add(store)
        assert [entry.sequence for entry in store_factory().read(Audit)] == [1, 2]
        assert [entry.sequence for entry in store_factory(env="prod").read(Audit)] == [1]

    def test_an_empty_chain_is_whole(self, store: Store) -> None:
        assert audit.verify(store) is None
        assert audit.head(store).sequence == 0

    @pytest.mark.parametrize(
        ("tampering", "first_bad"),
        [
            ("UPDATE audits SET actor = 'eve' WHERE sequence = 4", 4),
            ("UPDATE audits SET detail = '{\"n\": 99}' WHERE sequence = 4", 4),
            ("UPDATE audits SET detail = '[' || detail || ', 1]' WHERE sequence = 4", 4),
            ("UPDATE audits SET at = '1999-01-01 00:00:00.000000' WHERE sequence = 4", 4),
            ("UPDATE audits SET hash = previous WHERE sequence = 4", 4),
            ("UPDATE audits SET hash = 'x' WHERE sequence = 4", 4),
            ("UPDATE audits SET env = 'prod' WHERE sequence = 4", 4),
            ("DELETE FROM audits WHERE sequence = 4", 4),
            ("DELETE FROM audits WHERE sequence = 1", 1),
            ("UPDATE audits SET sequence = 0 WHERE sequence = 1", 1),
            ("UPDATE audits SET sequence = CASE sequence WHEN 4 THEN -5 ELSE -4 END WHERE sequence IN (4, 5);"
             "UPDATE audits SET sequence = -sequence WHERE sequence < 0", 4),
            ("INSERT INTO audits (project, env, sequence, at, actor, action, subject, detail, previous, hash)"
             " SELECT project, env, 7, at, actor, action, subject, detail, hash, hash"
             " FROM audits WHERE sequence = 6", 7),
            ("DELETE FROM audits WHERE sequence = 4;"
             "UPDATE audits SET sequence = -sequence + 1 WHERE sequence > 4;"
             "UPDATE audits SET sequence = -sequence WHERE sequence < 0", 4),
        ],
    )  # fmt: skip
    def test_tampering_shows_and_where(self, store: Store, tampering: str, first_bad: int) -> None:
        for n in range(6):
            with store.transaction(**WHO, detail={"n": n}):
                pass
        assert audit.verify(store) is None
        with store.database.writing() as connection:
            for command in tampering.split(";"):
                cast = command.replace("|| detail ||", "|| CAST(detail AS TEXT) ||")
                if store.database.dialect == "postgresql" and cast != command:
                    cast = cast.replace(", 1]'", ", 1]')::json").replace("= '['", "= ('['")
                connection.exec_driver_sql(cast)
        assert audit.verify(store) == first_bad

    def test_a_long_chain_is_read_in_pages(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(audit, "_PAGE", 3)
        for _ in range(7):
            add(store)
        assert audit.verify(store) is None
        with store.database.writing() as connection:
            connection.execute(sa.text("UPDATE audits SET actor = 'eve' WHERE sequence = 7"))
        assert audit.verify(store) == 7


class TestLeases:
    """One holder at a time; a growing token fences those who slept."""

    def test_one_at_a_time(self, store_factory: StoreFactory) -> None:
        one, other = store_factory(), store_factory()
        with one.lease("apply") as held:
            assert held.name == "apply"
            assert not held.lost
            with pytest.raises(LeaseLost, match="is working on it"), other.lease("apply"):
                pass
            with other.lease("another"), store_factory(env="prod").lease("apply"):
                pass
        with other.lease("apply") as next_held:
            assert next_held.token == held.token + 1
            assert next_held.holder != held.holder

    def test_names_may_be_anything(self, store: Store) -> None:
        for name in ("step dataset.a/../../b", "ü%", "x" * 1000):
            with store.lease(name) as held, store.transaction(**WHO, fence=held):
                pass

    def test_waiting_gets_it_when_it_is_given_back(self, store_factory: StoreFactory) -> None:
        one, other = store_factory(), store_factory()
        taken, asked = threading.Event(), threading.Event()

        def work() -> None:
            with one.lease("apply"):
                taken.set()
                asked.wait(10)

        worker = threading.Thread(target=work)
        worker.start()
        taken.wait(10)
        with pytest.raises(LeaseLost), other.lease("apply", wait=0.06):
            pass
        asked.set()
        with other.lease("apply", wait=10):
            pass
        worker.join()

    def test_a_fenced_transaction_of_the_holder_goes_through(self, store: Store) -> None:
        with store.lease("apply") as held, store.transaction(**WHO, fence=held) as tx:
            tx.add(mark("a"))
        assert store.one(Mark, name="a") is not None

    def test_an_old_token_is_refused(self, store: Store) -> None:
        with store.lease("apply") as old:
            pass
        with store.lease("apply"):
            pass
        with pytest.raises(LeaseLost, match="taken over"), store.transaction(**WHO, fence=old) as tx:
            tx.add(mark("a"))
        assert store.read(Mark) == []

    def test_an_error_within_gives_it_back(self, store: Store) -> None:
        with pytest.raises(ZeroDivisionError), store.lease("apply"):
            raise ZeroDivisionError
        with store.lease("apply"):
            pass


class TestBlobs:
    """Bytes by their digest, checked whenever they are read."""

    @pytest.mark.parametrize("data", [b"", b"hello", bytes(range(256)) * 1000])
    def test_what_was_put_is_what_one_gets(self, store: Store, data: bytes) -> None:
        digest = store.blobs.put(data)
        assert store.blobs.put(data) == digest
        assert store.blobs.get(digest) == data
        assert store.blobs.path(digest).read_bytes() == data

    def test_unknown_and_impossible_names(self, store: Store) -> None:
        with pytest.raises(NotFound):
            store.blobs.get("0" * 64)
        for name in ("../../etc/passwd", "ABCD", "", "0" * 63):
            with pytest.raises(InputError, match="64 hex digits"):
                store.blobs.path(name)

    def test_changed_bytes_are_refused_and_healed_by_putting_them_again(self, store: Store) -> None:
        digest = store.blobs.put(b"model")
        path = store.blobs.path(digest)
        path.chmod(0o644)
        path.write_bytes(b"moDel")
        for read in (store.blobs.get, store.blobs.path):
            with pytest.raises(DataError, match="do not match"):
                read(digest)
        store.blobs.put(b"model")
        assert store.blobs.get(digest) == b"model"

    def test_a_directory_comes_back(self, store: Store, tmp_path: Path) -> None:
        files = {"a.txt": b"a", "sub/deep/b b.bin": b"\0", "sub/ü.py": b"", "c%20=d": b"c"}
        for name, data in files.items():
            (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "in" / name).write_bytes(data)
        tree = store.blobs.put_tree(tmp_path / "in")
        assert store.blobs.put_tree(tmp_path / "in") == tree
        store.blobs.checkout(tree, tmp_path / "out")
        store.blobs.checkout(tree, tmp_path / "out")
        out = {
            path.relative_to(tmp_path / "out").as_posix(): path.read_bytes()
            for path in (tmp_path / "out").rglob("*")
            if path.is_file()
        }
        assert out == files
        assert store.blobs.put_tree(tmp_path / "out") == tree

    def test_links_are_neither_kept_nor_followed(self, store: Store, tmp_path: Path) -> None:
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "a").write_bytes(b"a")
        tree = store.blobs.put_tree(tmp_path / "in")
        (tmp_path / "secret").write_bytes(b"secret")
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "a").symlink_to(tmp_path / "secret")
        with pytest.raises(InputError, match="symbolic link"):
            store.blobs.checkout(tree, tmp_path / "out")
        assert (tmp_path / "secret").read_bytes() == b"secret"
        with pytest.raises(InputError, match="no links"):
            store.blobs.put_tree(tmp_path / "out")
        with pytest.raises(NotFound):
            store.blobs.put_tree(tmp_path / "nowhere")

    @pytest.mark.parametrize("name", ["../a", "/etc/a", "a/../../b", "a//b", "./a", "", "a\\b"])
    def test_a_manifest_that_leads_outside_is_refused(self, store: Store, tmp_path: Path, name: str) -> None:
        tree = store.blobs.put(b'{"%s": "%s"}' % (name.replace("\\", "\\\\").encode(), store.blobs.put(b"x").encode()))
        with pytest.raises(DataError, match="outside"):
            store.blobs.checkout(tree, tmp_path / "out")
        assert not (tmp_path / "out").exists()

    def test_a_blob_that_is_no_manifest_is_refused(self, store: Store, tmp_path: Path) -> None:
        for data in (b"\xff", b"[]", b'{"a": 1}'):
            with pytest.raises(DataError, match="not the manifest"):
                store.blobs.checkout(store.blobs.put(data), tmp_path / "out")

    def test_many_put_the_same_at_once(self, store: Store) -> None:
        data = b"x" * 100_000
        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(lambda _: store.blobs.put(data), range(16)))) == 1
        assert [path.name[0] for path in store.blobs.directory.rglob("*") if path.is_file()] != ["."]


class TestTables:
    """Versions of rows, appended once."""

    def test_versions_stay_readable(self, store: Store) -> None:
        table = store.table("datasets/departures")
        assert not table.exists()
        with pytest.raises(NotFound, match="no table"):
            table.version()
        assert table.append(pa.table({"a": [1, 2]})) == 0
        assert table.append(pa.table({"a": [3]})) == 1
        assert table.overwrite(pa.table({"b": ["x"]})) == 2
        assert table.exists()
        assert store.table("datasets/departures").version() == 2
        assert rows(table, 0) == [{"a": 1}, {"a": 2}]
        assert rows(table, 1) == [{"a": 1}, {"a": 2}, {"a": 3}]
        assert rows(table) == [{"b": "x"}]
        assert table.schema(1).names == ["a"]
        with pytest.raises(NotFound, match="version 9"):
            table.files(9)

    def test_environments_have_their_own_tables(self, store_factory: StoreFactory) -> None:
        store_factory().table("a").append(pa.table({"a": [1]}))
        assert not store_factory(env="prod").table("a").exists()
        assert not store_factory(project="hotel").table("a").exists()

    def test_a_repetition_writes_nothing(self, store: Store) -> None:
        table = store.table("predictions/late-api")
        data = pa.table({"a": [1]})
        assert table.append(data, once="segment 1") == 0
        assert table.append(data, once="segment 2") == 1
        assert table.append(data, once="segment 1") == 1
        assert table.overwrite(data, once="segment 2") == 1
        assert table.compact() == 2
        assert table.append(data, once="segment 1") == 2
        assert len(rows(table)) == 2

    def test_an_overwrite_of_what_was_read_is_refused_once_others_have_written(self, store: Store) -> None:
        table = store.table("predictions/late-api")
        read = table.append(pa.table({"a": [1]}))
        store.table("predictions/late-api").append(pa.table({"a": [2]}))
        with pytest.raises(Conflict, match="version 1 has come since version 0 was read"):
            table.overwrite(pa.table({"a": ["1"]}), over=read)
        assert rows(table) == [{"a": 1}, {"a": 2}]
        assert table.overwrite(pa.table({"a": ["1", "2"]}), over=1) == 2

    def test_many_repeat_at_once(self, store: Store) -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: store.table("a").append(pa.table({"n": [n % 3]}), once=str(n % 3)), range(9)))
        assert [row["n"] for row in rows(store.table("a"))] == [0, 1, 2]

    def test_columns_come_and_stay_away(self, store: Store) -> None:
        table = store.table("a")
        table.append(pa.table({"in.a b=ü": [1], "nothing": pa.nulls(1)}))
        table.append(pa.table({"nothing": pa.nulls(1), "in.a b=ü": pa.nulls(1), "new": [1.5]}))
        assert table.schema().field("nothing").type == pa.string()
        assert table.schema().field("in.a b=ü").type == pa.int64()
        assert rows(table) == [
            {"in.a b=ü": 1, "nothing": None, "new": None},
            {"in.a b=ü": None, "nothing": None, "new": 1.5},
        ]

    def test_no_rows_are_a_table_too(self, store: Store) -> None:
        table = store.table("a")
        assert table.append(pa.table({"a": pa.array([], pa.int64())})) == 0
        assert table.schema().names == ["a"]

    def test_a_stream_of_batches(self, store: Store) -> None:
        batches = [pa.record_batch({"a": [n]}) for n in range(3)]
        store.table("a").append(pa.RecordBatchReader.from_batches(batches[0].schema, batches))
        assert [row["a"] for row in rows(store.table("a"))] == [0, 1, 2]

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            (pa.array([1_500, None], pa.timestamp("ns")), pa.array([1, None], pa.timestamp("us", "UTC"))),
            (pa.array([7], pa.timestamp("s", "Europe/Berlin")), pa.array([7_000_000], pa.timestamp("us", "UTC"))),
            (pa.array(["a", None]).dictionary_encode(), pa.array(["a", None])),
            (pa.array(["a"], pa.large_string()), pa.array(["a"])),
            (pa.array(["a"], pa.string_view()), pa.array(["a"])),
            (pa.array([[1.0], None], pa.large_list(pa.float64())), pa.array([[1.0], None], pa.list_(pa.float64()))),
            (pa.array([200], pa.uint8()), pa.array([200], pa.int16())),
            (pa.array([2**40], pa.uint64()), pa.array([2**40], pa.int64())),
            (pa.array([0], pa.date64()), pa.array([0], pa.date32())),
            (pa.nulls(2), pa.array([None, None], pa.string())),
            (pa.array([True, None]), pa.array([True, None])),
        ],
        ids=lambda array: str(array.type),
    )
    def test_types_become_plain(self, store: Store, given: pa.Array, kept: pa.Array) -> None:
        table = store.table("a")
        table.append(pa.table({"a": given}))
        assert table.schema().field("a").type == kept.type
        assert rows(table) == sorted(({"a": value} for value in kept.to_pylist()), key=str)

    @pytest.mark.parametrize(
        ("second", "says"),
        [
            (pa.array(["x"]), "holds string, and held int64 before"),
            (pa.array([1.5]), "does not fit its type int64"),
            (pa.array([2**63], pa.uint64()), "does not fit its type int64"),
            (pa.array([1], pa.duration("s")), "cannot keep"),
        ],
    )
    def test_what_does_not_fit_is_named_and_nothing_is_written(self, store: Store, second: pa.Array, says: str) -> None:
        table = store.table("a")
        table.append(pa.table({"n": [1]}))
        with pytest.raises(DataError, match=f"column 'n' .*{says}"):
            table.append(pa.table({"n": second}))
        assert table.version() == 0
        with pytest.raises(DataError, match="named twice"):
            table.append(pa.table([[1], [2]], names=["n", "n"]))

    def test_small_files_are_written_together(self, store: Store) -> None:
        table = store.table("a")
        for n in range(5):
            table.append(pa.table({"n": [n]}))
        before = rows(table)
        version = table.compact()
        assert len(table.files()) == 1
        assert rows(table) == before
        assert len(table.files(version - 1)) == 5

    @pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x85", "\x0b", "\x1c", "\r", "\n", "ü"])
    def test_texts_may_hold_any_sign(self, store: Store, sign: str) -> None:
        """Delta's log, a line of JSON each, holds the smallest and the largest text of a file."""
        table = store.table("a")
        for n in range(2):
            table.append(pa.table({"at": [NOW + timedelta(hours=n)], "said": [f"line{sign}line"]}))
            assert len(table.spans("at")) == n + 1

    def test_the_log_is_never_cut(self, store: Store) -> None:
        """Delta by itself drops commits of more than 30 days at a checkpoint: who looks again later would miss them."""
        table, reader = store.table("a"), Table(store.files / "tables" / store.project / store.env, "a")
        for n in range(22):
            table.append(pa.table({"at": [NOW + timedelta(hours=n)]}))
            if n == 0:
                assert len(reader.spans("at")) == 1
            for commit in (table.directory / "_delta_log").iterdir():
                os.utime(commit, (0, 0))
        assert len(reader.spans("at")) == 22
        assert len(rows(table, 0)) == 1

    @pytest.mark.parametrize("name", ["", "../a", "a/../b", "/a", "a//b", "a\0b", "a%20b", "a\\b", ".hidden"])
    def test_names_that_lead_elsewhere_are_refused(self, store: Store, name: str) -> None:
        with pytest.raises(InputError, match="a table's name"):
            store.table(name)


def rows(table: Any, version: int | None = None) -> list[dict[str, Any]]:
    """What DuckDB reads, in the order of the text: a table has none of its own."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.sql(f"SELECT * FROM {table.scan(version)}").to_arrow_table().to_pylist()
    return sorted(found, key=str)
