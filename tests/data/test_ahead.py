"""A column that is computed from later rows leaks the future into training: it is found by building as of an earlier time."""

import pytest

from modelyard.data import ahead
from modelyard.records import Verdict

HOURS = "id,t,shop,price,paid\n" + "".join(
    f"{n},2024-01-{1 + n // 24:02d} {n % 24:02d}:00,{'abc'[n % 3]},{n * n % 97 + 0.1},{n % 2}\n" for n in range(240)
)


def verdicts(yard):
    return yard.store.read(Verdict, check=ahead.CHECK)


def build(yard, sql="SELECT * FROM raw", *, source=None, fingerprint="f", **dataset):
    yard.write("raw.csv", HOURS)
    made = {"python": dataset.pop("python")} if "python" in dataset else {"sql": sql}
    yard.declare(
        sources={"raw": {"uri": "raw.csv", "time": "t", **(source or {})}},
        datasets={"kept": made | {"key": ["id"], "time": "t"} | dataset},
    )
    return yard.build("kept", fingerprint=fingerprint)


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT *, avg(price) OVER () AS usual FROM raw", {"usual": 180}),
        ("SELECT *, price - avg(price) OVER (PARTITION BY shop) AS over FROM raw", {"over": 180}),
        ("SELECT *, lead(price) OVER (PARTITION BY shop ORDER BY t) AS next FROM raw", {"next": 3}),
        ("SELECT raw.*, n FROM raw JOIN (SELECT shop, count(*) AS n FROM raw GROUP BY shop) USING (shop)", {"n": 180}),
        ("SELECT *, (SELECT max(t) FROM raw) AS seen, 1 AS one FROM raw", {"seen": 180}),
        (
            "SELECT *, row_number() OVER (ORDER BY t DESC) AS place, t + INTERVAL 1 HOUR AS soon FROM raw",
            {"place": 180},
        ),
    ],
)
def test_columns_that_look_ahead_are_named(yard, sql, columns):
    version = build(yard, sql)
    (verdict,) = verdicts(yard)
    assert (verdict.state, verdict.severity, verdict.subject) == ("fail", "warn", version.digest)
    assert verdict.detail["columns"] == columns and verdict.detail["rows"] == 180
    (warning,) = [each for each in version.body["warnings"] if "later rows" in each]
    assert warning.startswith("dataset kept: computed from later rows: ") and "`known_at`" in warning


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT *, avg(price) OVER (ORDER BY t ROWS BETWEEN 24 PRECEDING AND CURRENT ROW) AS usual FROM raw",
        "SELECT *, lag(price) OVER (PARTITION BY shop ORDER BY t) AS last FROM raw",
        "SELECT *, sum(price) OVER (ORDER BY t) AS total FROM raw",
        "SELECT a.*, b.price AS before FROM raw AS a ASOF LEFT JOIN raw AS b ON a.shop = b.shop AND a.t > b.t",
        "SELECT * FROM raw QUALIFY row_number() OVER (PARTITION BY shop, price ORDER BY t DESC) = 1",
    ],
)
def test_what_looks_back_passes(yard, sql):
    version = build(yard, sql)
    (verdict,) = verdicts(yard)
    assert (verdict.state, verdict.detail["columns"]) == ("pass", {})
    assert not any("later rows" in each for each in version.body["warnings"])


def test_what_is_declared_to_be_known_later_may_change(yard):
    ahead_of = "SELECT *, lead(price) OVER (ORDER BY t) AS next FROM raw"
    build(yard, ahead_of, known_at=[{"columns": ["next"], "after": "1h"}])
    assert [each.state for each in verdicts(yard)] == ["pass"]


def test_what_is_made_of_a_column_that_is_known_later_is_known_later_too(yard):
    later = {"known_at": [{"columns": ["paid"], "after": "2d"}]}
    sql = "SELECT a.*, a.paid > 0 AS good FROM raw AS a JOIN (SELECT DISTINCT shop FROM raw) USING (shop)"
    build(yard, sql, source=later)
    (verdict,) = verdicts(yard)
    assert verdict.state == "fail" and list(verdict.detail["columns"]) == ["good"]


def test_a_function_is_looked_at_too(yard):
    yard.write("made.py", "def kept(raw):\n    return raw.assign(usual=raw['price'].mean())\n")
    build(yard, python="made:kept", **{"from": ["raw"]})
    (verdict,) = verdicts(yard)
    assert verdict.detail["columns"] == {"usual": 180}


def test_it_is_asked_once_for_a_declaration_and_never_where_rows_stay_alone(yard, monkeypatch):
    asked = []
    look = ahead.look
    monkeypatch.setattr(ahead, "look", lambda *given, **more: asked.append(1) or look(*given, **more))
    build(yard, "SELECT *, price * 2 AS double FROM raw WHERE price > 1")
    assert not asked
    for fingerprint in ("g", "g", "h"):
        build(yard, "SELECT *, lag(price) OVER (ORDER BY t) AS last FROM raw", fingerprint=fingerprint)
    assert len(asked) == 2


def test_a_feature_view_is_looked_at_by_entity_and_time(yard):
    yard.write("raw.csv", HOURS)
    yard.declare(
        sources={"raw": {"uri": "raw.csv", "time": "t"}},
        features={
            "recent": {
                "entity": ["shop"],
                "from": "raw",
                "sql": "SELECT shop, t, count(*) OVER (PARTITION BY shop) AS n, min(id) OVER () AS first FROM raw",
            }
        },
    )
    yard.build("recent")
    (verdict,) = verdicts(yard)
    assert (verdict.entity, verdict.detail["columns"]) == ("feature.recent", {"n": 180})
