"""The gateway: decode, policy, route, predict, log, answer; labels that come back; and the log on its way to its table."""

from __future__ import annotations

from modelyard.serve.answer import Answer
from modelyard.serve.feedback import FeedbackResult, Labels
from modelyard.serve.gateway import Gateway
from modelyard.serve.live import Tail
from modelyard.serve.moving import discard, move
from modelyard.serve.refusal import Fault, Refusal
from modelyard.serve.reports import ejected, memory, running

__all__ = [
    "Answer",
    "Fault",
    "FeedbackResult",
    "Gateway",
    "Labels",
    "Refusal",
    "Tail",
    "discard",
    "ejected",
    "memory",
    "move",
    "running",
]
