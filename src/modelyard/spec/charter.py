"""The agreement about a project or a model."""

from __future__ import annotations

from pydantic import Field

from modelyard.spec.alerts import Priority
from modelyard.spec.declared import Declared
from modelyard.spec.values import Duration


class Charter(Declared):
    """The agreement about a project: who owns it, what for, how urgent its alarms are, when it is looked at again."""

    owner: str = Field(default="", description="the person or team that answers for the project")
    purpose: str = Field(default="", description="what its answers are used for")
    priority: Priority = Field(default="P3", description="how urgent its alarms are, P1 most")
    review: Duration | None = Field(default=None, description="how often the agreement is looked at again")
