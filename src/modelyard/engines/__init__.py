"""Where work runs. Each engine runs a command within limits and says how it ended."""

from modelyard.engines.ahead import AheadEngine
from modelyard.engines.local import LocalEngine, Outcome

__all__ = ["AheadEngine", "LocalEngine", "Outcome"]
