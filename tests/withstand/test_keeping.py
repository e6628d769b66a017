"""When processes are started again, taken for hung, joined by others; when releases are ejected: the examples hold."""

from __future__ import annotations

import doctest

import pytest

from modelyard.api import keeping, up
from modelyard.serve import ejection


@pytest.mark.parametrize("module", [keeping, ejection])
def test_examples(module):
    found = doctest.testmod(module)
    assert found.attempted and not found.failed


def test_of_a_worker_that_has_left_nothing_is_kept():
    """They come and go with the load, for months: each has a pipe."""
    left, running = (up.Member(name, ["sh", "-c", f"{name}; exit"]) for name in ("true", "sleep 60"))
    for member in (left, running):
        member.start({"PATH": "/usr/bin:/bin"})
    left.process.wait()
    try:
        assert up.still_leaving([left, running]) == [running]
        assert left.process is None and left._pipe is None
    finally:
        running.process.kill()
        running.process.wait()
        running.forget()
