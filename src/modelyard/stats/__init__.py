"""Profiles, distances, drift and sequential tests; pure."""

from modelyard.stats.drift import ColumnResult, compare, severity, worst
from modelyard.stats.frames import compare_frames
from modelyard.stats.groups import Groups
from modelyard.stats.profile import Profile

__all__ = ["ColumnResult", "Groups", "Profile", "compare", "compare_frames", "severity", "worst"]
