"""Conditions on schedule and observations, and the requests they lead to; each says why it did or did not fire."""

from modelyard.triggers.decide import Decision, Facts, Reason, decide, explain
from modelyard.triggers.run import look, run

__all__ = ["Decision", "Facts", "Reason", "decide", "explain", "look", "run"]
