"""How much may be tried again: a share of what is asked and a few a second, so that retries cannot bring a server down.

The numbers are those of Linkerd's retry budget: 20% of requests, and 10 a second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class Budget:
    """Tokens for retries: each request brings `share` of one, each second `per_second`; no more than 10 s worth are kept.

    >>> now = [0.0]
    >>> budget = Budget(share=0.5, per_second=0, monotonic=lambda: now[0])
    >>> budget.request(), budget.retry(), budget.request(), budget.retry(), budget.retry()
    (None, False, None, True, False)
    """

    def __init__(self, *, share: float = 0.2, per_second: float = 10.0, monotonic: Callable[[], float]) -> None:
        self._share = share
        self._per_second = per_second
        self._monotonic = monotonic
        self._most = max(10 * per_second, 10.0)
        self._tokens = per_second
        self._at = monotonic()
        self._lock = threading.Lock()

    def request(self) -> None:
        """Note that something is asked for the first time."""
        with self._lock:
            self._tokens = min(self._tokens + self._share, self._most)

    def retry(self) -> bool:
        """Take a token for one more try, if there is one."""
        with self._lock:
            now = self._monotonic()
            self._tokens = min(self._tokens + (now - self._at) * self._per_second, self._most)
            self._at = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True
