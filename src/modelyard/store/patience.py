"""A PostgreSQL connection that does not wait for ever: a server that hangs is taken for one that is gone."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import errors

SECONDS = 40.0
"""Longer than a statement may wait for the lock of another writer (30 s); our own statements take milliseconds."""


class Patient(psycopg.Connection[Any]):
    """Closes itself when the server has said nothing for so long: OperationalError, and the pool takes a new one."""

    patience = SECONDS

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Run one exchange with the server to its end."""
        if timeout is not None:
            return super().wait(gen, interval=interval, timeout=timeout)
        try:
            return super().wait(gen, interval=interval, timeout=self.patience)
        except errors._WaitTimeout:
            self.pgconn.finish()
            raise psycopg.OperationalError(f"the server has not answered for {self.patience:g} s") from None
