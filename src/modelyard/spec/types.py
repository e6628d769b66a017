"""The declaration as values: what `yard.yaml` says after parsing, defaults filled in. Frozen, compared by value.

These classes are the schema (`yard schema`), the input of planning, and what every room is handed.
"""

from __future__ import annotations

from pydantic import Field

from modelyard.spec.alerts import Channel
from modelyard.spec.charter import Charter
from modelyard.spec.declared import Declared, LooseName, Name
from modelyard.spec.deployments import DeploymentSpec
from modelyard.spec.kpis import Costs, Kpi
from modelyard.spec.models import Model
from modelyard.spec.monitors import Monitor
from modelyard.spec.tables import Dataset, FeatureView, Source
from modelyard.spec.triggers import Trigger
from modelyard.spec.values import Duration


class Packages(Declared):
    """The environment that releases are bound to; without a lock file, what is installed is frozen."""

    lock: str | None = Field(
        default=None,
        description="path of the lock file; default: uv.lock, requirements.lock, poetry.lock or requirements.txt, if any",
    )


class Simulate(Declared):
    """How a simulation plays what people do."""

    approve_after: Duration | None = Field(
        default=None, description="releases are approved after so long; default: they wait for ever"
    )


class Spec(Declared):
    """One project."""

    project: Name = Field(description="the project's name")
    charter: Charter = Field(default=Charter(), description="the agreement about it")
    packages: Packages = Field(default=Packages(), description="the environment that releases are bound to")
    sources: dict[Name, Source] = Field(default_factory=dict, description="data that somebody else owns")
    datasets: dict[Name, Dataset] = Field(default_factory=dict, description="versioned tables made from them")
    features: dict[Name, FeatureView] = Field(default_factory=dict, description="columns of an entity, joined by time")
    models: dict[Name, Model] = Field(default_factory=dict, description="what is learned, and judged by what")
    deployments: dict[LooseName, DeploymentSpec] = Field(default_factory=dict, description="where models answer")
    monitors: dict[LooseName, Monitor] = Field(default_factory=dict, description="what is watched of deployments")
    triggers: dict[LooseName, Trigger] = Field(default_factory=dict, description="when models are retrained")
    kpis: dict[Name, Kpi] = Field(default_factory=dict, description="business figures that releases are to move")
    costs: Costs = Field(default=Costs(), description="prices, for the return on each model")
    alerts: dict[LooseName, Channel] = Field(default_factory=dict, description="who is told when something is wrong")
    simulate: Simulate = Field(default=Simulate(), description="how simulations play people")

    def agreement(self, model: str) -> Charter:
        """The charter of a model: its own, else the project's."""
        own = self.models[model].charter if model in self.models else None
        return own or self.charter
