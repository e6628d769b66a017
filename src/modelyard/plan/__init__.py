"""Plans: (what is declared, what is recorded) -> changes with their reasons, and steps. Pure."""

from modelyard.plan.make import make
from modelyard.plan.plan import Change, Plan, Recorded
from modelyard.plan.steps import (
    BuildDataset,
    BuildView,
    Control,
    Deploy,
    JudgeModel,
    RecordOnly,
    Rename,
    Retire,
    Step,
    TrainModel,
    explain,
)

__all__ = [
    "BuildDataset",
    "BuildView",
    "Change",
    "Control",
    "Deploy",
    "JudgeModel",
    "Plan",
    "RecordOnly",
    "Recorded",
    "Rename",
    "Retire",
    "Step",
    "TrainModel",
    "explain",
    "make",
]
