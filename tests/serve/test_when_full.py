"""When the log cannot be written: refused, or answered and counted, as declared; and well again as soon as it can be."""

from __future__ import annotations

import errno
import os

import pytest

from modelyard.serve import log
from modelyard.serve.refusal import Refusal

ROW = {"temp": 3.0, "stops": 1}


@pytest.fixture
def full(monkeypatch):
    """A disk that is full as long as the switch is on."""
    switch = {"on": True}

    def write(handle, data, size):
        if switch["on"]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(handle, data, size)

    real = log._write_all
    monkeypatch.setattr(log, "_write_all", write)
    return switch


def test_refused_as_long_as_it_lasts(yard, full):
    yard.deploy()
    gateway = yard.gateway()
    with pytest.raises(Refusal) as refused:
        gateway.predict("late-api", rows=[ROW])
    assert (refused.value.status, refused.value.code, refused.value.retry_after) == (503, "log_unavailable", 1)
    full["on"] = False
    assert gateway.predict("late-api", rows=[ROW]).predictions == [4.0]


def test_answered_and_counted(yard, full):
    yard.deploy(log={"when_full": "answer"})
    gateway = yard.gateway()
    answer = gateway.predict("late-api", rows=[ROW, ROW])
    deployed = gateway.deployed("late-api")
    assert answer.predictions == [4.0, 4.0] and deployed.spool.lost == 2
    full["on"] = False
    again = gateway.predict("late-api", rows=[ROW])
    assert deployed.ledger.known_rows([answer.request_id, again.request_id]) == {again.request_id: 1}
