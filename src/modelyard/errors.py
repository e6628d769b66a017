"""One tree of errors. Each says what happened, where, and what to do; a face decides how that is shown.

YardError                  exit code, HTTP status
├── InputError             2, 422   what was given is wrong
│   ├── SpecError          2, 422   mistakes in a declaration, all at once
│   ├── DataError          2, 422   a source, a dataset or a function's result cannot be used
│   └── NotFound           2, 404   no such release, deployment, ...
├── Refused                1, 409   understood, and not done
│   ├── CheckFailed        1, 409   a gate said no
│   ├── StalePlan          1, 409   the ground of a plan has moved
│   ├── Forbidden          1, 403   this actor may not
│   ├── Conflict           1, 409   another value is recorded already
│   └── LeaseLost          1, 409   somebody else holds, or took over, the work
├── UserCodeError          1, 422   a declared function raised, hung, or returned nonsense
│   └── ModelFormatError   1, 422   a model cannot be kept, or loaded, without running arbitrary code
├── ModelOutputError       1, 502   a model answered with something that is no prediction
└── Unavailable            1, 503   a database or service cannot be reached now
"""

from __future__ import annotations

from dataclasses import dataclass


class YardError(Exception):
    """Base of all expected errors: `message` what happened, `where` the place, `hint` what to do."""

    exit_code = 1
    status = 500
    code = "error"

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        end = "" if self.message.endswith((".", "!", "?", ":")) or not self.hint else "."
        hint = f"{end} {self.hint}" if self.hint else ""
        return f"{where}{self.message}{hint}"

    def as_json(self) -> dict[str, object]:
        """The error as one JSON object."""
        return {"code": self.code, "message": self.message, "where": self.where, "hint": self.hint}


class InputError(YardError):
    """What was given is wrong."""

    exit_code, status, code = 2, 422, "bad_input"


@dataclass(frozen=True)
class Problem:
    """One mistake in a declaration, with its place: 1-based `line` and `column`, dotted `path`."""

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f" {self.hint}" if self.hint else ""
        path = f"{self.path}: " if self.path else ""
        return f"{self.file}:{self.line}:{self.column}: {path}{self.message}{hint}"


class SpecError(InputError):
    """Mistakes in a declaration, all at once, in `problems`."""

    code = "bad_declaration"

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class DataError(InputError):
    """A source, a dataset or a frame cannot be used as declared."""

    code = "bad_data"


class NotFound(InputError):
    """No such thing."""

    status, code = 404, "not_found"


class Refused(YardError):
    """Understood, and not done."""

    exit_code, status, code = 1, 409, "refused"


class CheckFailed(Refused):
    """A gate said no."""

    code = "check_failed"


class StalePlan(Refused):
    """The ground of a plan has moved since it was made."""

    code = "stale_plan"


class Forbidden(Refused):
    """This actor may not do that."""

    status, code = 403, "forbidden"


class Conflict(Refused):
    """Another value is recorded already."""

    code = "conflict"


class LeaseLost(Refused):
    """Somebody else holds, or took over, the work."""

    code = "lease_lost"


class UserCodeError(YardError):
    """A declared function raised, hung, ran out of memory, or returned nonsense; `log` is its output's tail."""

    exit_code, status, code = 1, 422, "user_code"

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None, log: str = "") -> None:
        super().__init__(message, where=where, hint=hint)
        self.log = log


class ModelFormatError(UserCodeError):
    """A model cannot be kept, or loaded, in a format that runs no arbitrary code."""

    code = "model_format"


class ModelOutputError(YardError):
    """A model answered with something that is no prediction: a wrong shape, not finite, no probability."""

    status, code = 502, "model_output_invalid"


class Unavailable(YardError):
    """A database or service cannot be reached, or is locked, now; trying again later may help."""

    status, code = 503, "unavailable"
