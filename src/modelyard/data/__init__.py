"""From sources to versions of datasets and feature views, and from these to the rows a model learns from."""

from modelyard.data.arriving import arrivals, newest
from modelyard.data.datasets import build_dataset, build_view
from modelyard.data.figures import Figure, figures
from modelyard.data.frames import KNOWN_AT, Frame, read, rows, training_frame

__all__ = [
    "KNOWN_AT",
    "Figure",
    "Frame",
    "arrivals",
    "build_dataset",
    "build_view",
    "figures",
    "newest",
    "read",
    "rows",
    "training_frame",
]
