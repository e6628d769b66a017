"""Ask a gateway from a program: predictions, labels, health; typed, with deadlines and retries within a budget.

    from modelyard.client import Client, Label

    with Client("http://127.0.0.1:8601") as gateway:
        gateway.wait_ready(timeout=30)
        answer = gateway.predict("late-api", [{"temp": 10.0, "origin": "JFK"}])
        gateway.feedback("late-api", [Label(True, request_id=answer.request_id)])

`AsyncClient` has the same methods to await. Nothing of the server is imported.
"""

from __future__ import annotations

from modelyard.client.budget import Budget
from modelyard.client.clients import AsyncClient, Client
from modelyard.client.errors import (
    BadRequest,
    ClientError,
    Conflict,
    Failed,
    Fault,
    NotThere,
    Overloaded,
    Refused,
    TooLate,
    Unavailable,
    Unreachable,
)
from modelyard.client.messages import Label, Prediction, Recorded, Warned

__all__ = [
    "AsyncClient",
    "BadRequest",
    "Budget",
    "Client",
    "ClientError",
    "Conflict",
    "Failed",
    "Fault",
    "Label",
    "NotThere",
    "Overloaded",
    "Prediction",
    "Recorded",
    "Refused",
    "TooLate",
    "Unavailable",
    "Unreachable",
    "Warned",
]
