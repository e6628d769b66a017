"""What a declaration must satisfy beyond the form of its keys: one function per rule, in the order they are asked."""

from __future__ import annotations

from collections.abc import Callable

from modelyard.spec.look import Look
from modelyard.spec.rules.alerts import alerts
from modelyard.spec.rules.checks import data_checks, model_checks
from modelyard.spec.rules.functions import functions, hidden_modules
from modelyard.spec.rules.inputs import input_policies
from modelyard.spec.rules.kpis import kpis
from modelyard.spec.rules.models import models, splits, windows
from modelyard.spec.rules.packages import packages
from modelyard.spec.rules.renames import renames
from modelyard.spec.rules.serving import deployments, segments, strategies
from modelyard.spec.rules.sources import sources, variables
from modelyard.spec.rules.tables import datasets, resolve_inputs, table_names, views
from modelyard.spec.rules.triggers import triggers
from modelyard.spec.rules.watching import monitors

RULES: tuple[Callable[[Look], None], ...] = (
    packages,
    sources,
    variables,
    table_names,
    datasets,
    views,
    data_checks,
    models,
    splits,
    windows,
    model_checks,
    functions,
    hidden_modules,
    deployments,
    input_policies,
    strategies,
    segments,
    monitors,
    triggers,
    kpis,
    alerts,
    renames,
)

__all__ = ["RULES", "resolve_inputs"]
