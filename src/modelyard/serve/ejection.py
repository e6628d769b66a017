"""Releases that are not asked for a while because they only fail: Envoy's outlier ejection, within one process.

Five requests in a row that the release itself failed (an exception, nonsense, too late) eject it for 30 seconds. Its
requests meanwhile go to the first arm that is not ejected, else to the fallback; then it is tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

FAILURES = 5
SECONDS = 30.0


class Ejections:
    """The failures in a row of each release of one deployment.

    >>> now = [0.0]
    >>> ejections = Ejections(lambda: now[0])
    >>> for _ in range(5): ejections.failed("r")
    >>> ejections.out("r"), ejections.out("s")
    (True, False)
    >>> now[0] = 30.0
    >>> ejections.out("r")
    False
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._failures: dict[str, int] = {}
        self._until: dict[str, float] = {}

    def failed(self, release: str) -> None:
        """A request that the release failed."""
        count = self._failures.get(release, 0) + 1
        self._failures[release] = count
        if count >= FAILURES:
            # After its time it is on trial: one more failure ejects it again.
            self._failures[release] = FAILURES - 1
            self._until[release] = self._monotonic() + SECONDS

    def answered(self, releases: Iterable[str]) -> None:
        """Requests that these releases answered."""
        if self._failures:
            for release in releases:
                self._failures.pop(release, None)

    def out(self, release: str) -> bool:
        """Whether the release is not asked now."""
        until = self._until.get(release)
        if until is None:
            return False
        if self._monotonic() < until:
            return True
        del self._until[release]
        return False

    @property
    def now(self) -> list[str]:
        """The releases that are not asked now."""
        return sorted(release for release in list(self._until) if self.out(release))

    @property
    def any(self) -> bool:
        """Whether some release is not asked now."""
        return bool(self._until) and any(self.out(release) for release in list(self._until))
