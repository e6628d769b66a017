"""Profiles, distances, drift and sequential tests; pure."""

from modelyard.stats.drift import ColumnResult, Verdict, compare, severity, worst
from modelyard.stats.frames import compare_frames
from modelyard.stats.groups import Groups
from modelyard.stats.profile import Profile

__all__ = ["ColumnResult", "Groups", "Profile", "Verdict", "compare", "compare_frames", "severity", "worst"]
