"""When processes are started again, taken for hung, joined by others; when releases are ejected: the examples hold."""

from __future__ import annotations

import doctest

import pytest

from modelyard.api import keeping
from modelyard.serve import ejection


@pytest.mark.parametrize("module", [keeping, ejection])
def test_examples(module):
    found = doctest.testmod(module)
    assert found.attempted and not found.failed
