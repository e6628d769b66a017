"""Reading back: as known at a time, joined as known at each row's time, in one order."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from modelyard import data
from modelyard.errors import DataError

ORDERS = """id,t,shop,late,done
2,2024-01-02,b,1,2024-01-20
1,2024-01-02,a,0,2024-01-03
3,2024-01-05,a,1,
4,2024-02-01,a,0,2024-02-02
"""
PRICES = "shop,seen,price,size\na,2024-01-01,10,1\na,2024-01-04,20,2\nb,2023-01-01,99,3\n"


@pytest.fixture
def shop(yard):
    yard.write("orders.csv", ORDERS)
    yard.write("prices.csv", PRICES)
    return yard


def declare(yard, *, dataset=None, view=None, model=None):
    known_at = [{"columns": ["late"], "at": "done"}]
    return yard.declare(
        sources={"orders_raw": {"uri": "orders.csv"}, "prices": {"uri": "prices.csv", "time": "seen"}},
        datasets={
            "orders": {"sql": "SELECT * FROM orders_raw", "key": ["id"], "time": "t", "known_at": known_at}
            | (dataset or {})
        },
        features={"price": {"entity": ["shop"], "from": "prices", "ttl": "30d"} | (view or {})},
        models={
            "late": {
                "task": "binary_classification",
                "data": "orders",
                "features": ["price"],
                "target": "late",
                "train": "m:fit",
            }
            | (model or {})
        },
    )


def frame(yard, as_of, **period):
    orders, price = yard.build("orders"), yard.build("price")
    spec = yard.project.spec
    return data.training_frame(yard.store, spec, "late", dataset=orders, views={"price": price}, as_of=as_of, **period)


class TestRead:
    def test_rows_and_values_as_known(self, shop, at):
        declare(shop)
        version = shop.build("orders")
        rows = shop.rows(version, as_of=at(1, 10))
        assert [(row["id"], row["late"], row["done"]) for row in rows] == [
            (1, 0, at(1, 3)),
            (2, None, None),
            (3, None, None),
        ]
        assert [row["late"] for row in shop.rows(version, columns=["id", "late"])] == [0, 1, None, 0]

    def test_an_unknown_column_is_said(self, shop):
        declare(shop)
        with pytest.raises(DataError, match="no column 'nope'"):
            data.read(shop.store, shop.build("orders"), columns=["nope"])


class TestTrainingFrame:
    def test_inputs_are_of_the_row_and_labels_of_the_day(self, shop, at):
        declare(shop)
        made = frame(shop, at(1, 10))
        assert made.inputs == ("shop", "price", "size")
        assert (made.key, made.time, made.target, made.known_at) == (("id",), "t", "late", "__known_at")
        assert made.table.column_names == ["id", "t", "shop", "late", "price", "size", "__known_at"]
        assert [tuple(row.values()) for row in made.table.to_pylist()] == [
            (1, at(1, 2), "a", 0, 10, 1, at(1, 3)),
            (2, at(1, 2), "b", None, None, None, None),
            (3, at(1, 5), "a", None, 20, 2, None),
        ]

    def test_times_are_microseconds_in_utc(self, shop, at):
        declare(shop)
        table = frame(shop, at(3, 1)).table
        assert table.schema.field("t").type == table.schema.field("__known_at").type == pa.timestamp("us", tz="UTC")

    def test_a_period_is_half_open(self, shop, at):
        declare(shop)
        assert frame(shop, at(3, 1), start=at(1, 5), end=at(2, 1)).table["id"].to_pylist() == [3]
        spec, orders, price = shop.project.spec, shop.build("orders"), shop.build("price")
        again = data.rows(
            shop.store,
            spec,
            "late",
            dataset=orders,
            views={"price": price},
            start=at(1, 5),
            end=at(2, 2),
            as_of=at(3, 1),
        )
        assert again.table["late"].to_pylist() == [None, 0]

    def test_a_delay_says_when_a_label_is_known(self, shop, at):
        declare(shop, dataset={"known_at": [{"columns": ["late"], "after": "2d"}]}, model={"exclude": ["done"]})
        table = frame(shop, at(1, 6)).table
        assert table["__known_at"].to_pylist() == [at(1, 4), at(1, 4), at(1, 7)]
        assert table["late"].to_pylist() == [0, 1, None]

    def test_a_label_without_delay_is_known_with_its_row(self, shop, at):
        declare(shop, dataset={"known_at": []}, model={"exclude": ["done"]})
        table = frame(shop, at(1, 3)).table
        assert table["__known_at"].to_pylist() == table["t"].to_pylist()

    def test_without_a_time_all_is_known_now(self, shop, at):
        declare(shop, dataset={"time": None, "known_at": []}, model={"exclude": ["done", "t"]})
        table = frame(shop, at(1, 3)).table
        assert set(table["__known_at"].to_pylist()) == {at(1, 3)}
        assert dict(zip(table["id"].to_pylist(), table["price"].to_pylist(), strict=True)) == {
            1: 10,
            2: None,
            3: 10,
            4: 10,
        }
        with pytest.raises(DataError, match="has no time, so it has no periods"):
            frame(shop, at(1, 3), start=at(1, 1))

    def test_without_a_key_the_order_is_still_one(self, shop, at):
        declare(shop, dataset={"key": []}, model={"exclude": []})
        assert frame(shop, at(3, 1)).table["id"].to_pylist() == [1, 2, 3, 4]
        assert frame(shop, at(3, 1)).inputs == ("id", "shop", "price", "size")

    def test_repeated_view_rows_do_not_multiply(self, shop, at):
        shop.write("prices.csv", PRICES + "a,2024-01-01,5,9\na,2024-01-01,10,1\n")
        declare(shop)
        assert frame(shop, at(3, 1)).table["price"].to_pylist() == [5, None, 20, 20]

    def test_columns_of_slices_come_along_without_being_inputs(self, shop, at):
        checks = [{"slices": {"by": ["shop"], "metric": "roc_auc", "min": 0}}]
        declare(shop, model={"exclude": ["shop"], "checks": checks})
        made = frame(shop, at(3, 1))
        assert made.inputs == ("price", "size") and "shop" in made.table.column_names


def test_quotes_spaces_and_umlauts_go_all_the_way(yard):
    yard.write("raw.csv", '"the ""id""",größe,two words,y\n1,2,3,0\n2,3,4,1\n')
    yard.write("view.csv", '"the ""id""",größe\n1,7\n')
    yard.declare(
        sources={"raw": {"uri": "raw.csv"}, "other": {"uri": "view.csv"}},
        datasets={"kept": {"sql": "SELECT * FROM raw", "key": []}},
        features={"seen": {"entity": ['the "id"'], "from": "other"}},
        models={
            "m": {"task": "regression", "data": "kept", "features": ["seen"], "target": "y", "train": "m:fit"},
        },
    )
    kept, seen = yard.build("kept"), yard.build("seen")
    made = data.training_frame(
        yard.store, yard.project.spec, "m", dataset=kept, views={"seen": seen}, as_of=datetime(2025, 1, 1, tzinfo=UTC)
    )
    assert made.inputs == ('the "id"', "größe", "two words", "seen.größe")
    assert made.table["seen.größe"].to_pylist() == [7, None]
    assert made.table["__known_at"].to_pylist()[0] - datetime(2025, 1, 1, tzinfo=UTC) == timedelta(0)
