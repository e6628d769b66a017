"""`${NAME}` in a URI: an environment variable, read at use, never stored and never printed."""

from __future__ import annotations

import re
from collections.abc import Mapping

from modelyard.errors import InputError

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def names(text: str) -> list[str]:
    """The variables that a text reads.

    >>> names("${ROOT}/data/*.parquet")
    ['ROOT']
    """
    return _VARIABLE.findall(text)


def expand(text: str, env: Mapping[str, str]) -> str:
    """The text with each `${NAME}` replaced from `env`; InputError, naming the variable only, when one is unset."""
    for name in names(text):
        if name not in env:
            raise InputError(f"the environment variable {name} is not set", hint=f"Set it: export {name}=...")
    return _VARIABLE.sub(lambda match: env[match[1]], text)
