"""The conformance suite, on SQLite and on PostgreSQL."""

from modelyard.testing.store_suite import (  # noqa: F401
    TestAudit,
    TestLeases,
    TestReading,
    TestTransactions,
    TestValues,
    store,
)
