"""Feature views: which columns a model sees, and the join that gives each row what was known at its time. Pure."""

from modelyard.features.columns import Input, inputs
from modelyard.features.join import ViewJoin, join
from modelyard.features.shape import Known, Shape

__all__ = ["Input", "Known", "Shape", "ViewJoin", "inputs", "join"]
