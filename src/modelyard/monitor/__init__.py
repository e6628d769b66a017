"""What is watched of a deployment: drift of its inputs and predictions, quality by labels, faults upstream."""

from modelyard.monitor.observe import observe
from modelyard.monitor.segments import profile_segments
from modelyard.monitor.show import show

__all__ = ["observe", "profile_segments", "show"]
