"""Modelyard: a declarative MLOps platform, from raw data to a served, watched, self-renewing model."""

import os

# Threads of OpenMP wait for each other by spinning, which on a machine that others use too makes a fit of one second
# take a minute. Sleeping at once makes two threads slower than one on a free machine, so they spin for some microseconds
# first. Read when the library loads, so it is said before anything loads it; child processes inherit it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__version__ = "0.1.0"
