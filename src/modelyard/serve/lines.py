"""The log of a process as JSON lines, by setting: YARD_LOG=json; and, with YARD_ACCESS_LOG=1, a line for each request.

No line holds a value of a row: messages of ours have none, and of an exception only its type and place are told.
"""

from __future__ import annotations

import json
import logging
import os
import traceback
from datetime import UTC, datetime

ACCESS = logging.getLogger("modelyard.access")
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class Lines(logging.Formatter):
    """One JSON object per record: time, level, logger, message, and what was given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _OWN},
        }
        if record.exc_info and record.exc_info[0] is not None:
            kind, _, trace = record.exc_info
            # The text of an exception may hold a value.
            line["exception"] = kind.__name__
            line["where"] = [f"{each.filename}:{each.lineno} {each.name}" for each in traceback.extract_tb(trace)]
        return json.dumps(line, default=str)


def set_up() -> None:
    """Log as the environment says."""
    handler = logging.StreamHandler()
    plain = logging.Formatter("%(levelname)s %(name)s: %(message)s")
    handler.setFormatter(Lines() if os.environ.get("YARD_LOG", "").lower() == "json" else plain)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    ACCESS.setLevel(logging.INFO if os.environ.get("YARD_ACCESS_LOG", "") not in ("", "0") else logging.WARNING)


def access() -> logging.Logger | None:
    """Where each request is told, or None."""
    return ACCESS if ACCESS.isEnabledFor(logging.INFO) else None
