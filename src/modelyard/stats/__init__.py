"""Profiles, distances, drift and sequential tests; pure."""

from modelyard.stats.drift import ColumnResult, Verdict, compare, severity, worst
from modelyard.stats.frames import Comparison, compare_frames, examine
from modelyard.stats.groups import Groups
from modelyard.stats.profile import Counting, Profile
from modelyard.stats.seasonal import Seasonal

__all__ = [
    "ColumnResult",
    "Comparison",
    "Counting",
    "Groups",
    "Profile",
    "Seasonal",
    "Verdict",
    "compare",
    "compare_frames",
    "examine",
    "severity",
    "worst",
]
