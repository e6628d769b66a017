"""What is watched of a deployment: drift of its inputs and predictions, quality by labels, faults upstream."""

from modelyard.monitor.figures import by_period, take
from modelyard.monitor.moved import Moved, against_champion, effects, of_deployment, worth
from modelyard.monitor.observe import observe
from modelyard.monitor.policy import uses
from modelyard.monitor.sample import sample
from modelyard.monitor.segments import profile_segments
from modelyard.monitor.show import between, show
from modelyard.monitor.slo import standing, watch

__all__ = [
    "Moved",
    "against_champion",
    "between",
    "by_period",
    "effects",
    "observe",
    "of_deployment",
    "profile_segments",
    "sample",
    "show",
    "standing",
    "take",
    "uses",
    "watch",
    "worth",
]
