"""Where work runs. Each engine runs a command within limits and says how it ended."""

from modelyard.engines.local import LocalEngine, Outcome

__all__ = ["LocalEngine", "Outcome"]
