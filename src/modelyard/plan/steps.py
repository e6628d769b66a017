"""The steps of a plan, as plain data. What prints a plan and what carries it out read the same list."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, assert_never


@dataclass(frozen=True)
class BuildDataset:
    """Build a dataset as declared, with its checks; only what is new is written."""

    name: str

    @property
    def entity(self) -> str:
        """The entity that this step is about."""
        return f"dataset.{self.name}"


@dataclass(frozen=True)
class BuildView:
    """Build a feature view as declared, with its checks; only what is new is written."""

    name: str

    @property
    def entity(self) -> str:
        """The entity that this step is about."""
        return f"feature.{self.name}"


@dataclass(frozen=True)
class TrainModel:
    """Train a model, judge it, and make a release of it if it passes; `request` is what asked for it, if any."""

    name: str
    why: str = ""
    request: int | None = None

    @property
    def entity(self) -> str:
        """The entity that this step is about."""
        return f"model.{self.name}"


@dataclass(frozen=True)
class JudgeModel:
    """Judge the newest version of a model by the checks as they are declared now."""

    name: str

    @property
    def entity(self) -> str:
        """The entity that this step is about."""
        return f"model.{self.name}"


@dataclass(frozen=True)
class Deploy:
    """Let a deployment answer with its model's release."""

    name: str

    @property
    def entity(self) -> str:
        """The entity that this step is about."""
        return f"deployment.{self.name}"


@dataclass(frozen=True)
class Control:
    """Let a changed policy hold: a strategy, a monitor, a trigger, an approval rule. No version comes of it."""

    entity: str


@dataclass(frozen=True)
class Rename:
    """Carry the history of `was` over to `entity`; both are whole names, such as model.late."""

    entity: str
    was: str


@dataclass(frozen=True)
class Retire:
    """Take an entity out of use that is declared no more; its history is kept."""

    entity: str


@dataclass(frozen=True)
class RecordOnly:
    """Record the declaration: nothing else follows from what changed."""

    @property
    def entity(self) -> str:
        """The entity that this step is about."""
        return "project"


Step = BuildDataset | BuildView | TrainModel | JudgeModel | Deploy | Control | Rename | Retire | RecordOnly

KINDS: dict[str, type[Step]] = {
    kind.__name__: kind
    for kind in (BuildDataset, BuildView, TrainModel, JudgeModel, Deploy, Control, Rename, Retire, RecordOnly)
}


def explain(step: Step) -> str:
    """What a step does, in one sentence.

    >>> explain(TrainModel("late", why="params.max_iter 150 -> 200"))
    'train model late and judge it, because params.max_iter 150 -> 200'
    """
    match step:
        case BuildDataset(name=name):
            return f"build dataset {name} and check it"
        case BuildView(name=name):
            return f"build feature view {name} and check it"
        case TrainModel(name=name, why=why):
            return f"train model {name} and judge it" + (f", because {why}" if why else "")
        case JudgeModel(name=name):
            return f"judge the newest version of model {name} again"
        case Deploy(name=name):
            return f"let deployment {name} answer"
        case Control(entity=entity):
            return f"let the policy of {entity} hold as declared"
        case Rename(entity=entity, was=was):
            return f"carry the history of {was} over to {entity}"
        case Retire(entity=entity):
            return f"take {entity} out of use and keep its history"
        case RecordOnly():
            return "record the declaration"
        case _:
            assert_never(step)


def as_json(step: Step) -> dict[str, Any]:
    """The step as one JSON object."""
    return {"step": type(step).__name__, **asdict(step), "says": explain(step)}


def from_json(value: dict[str, Any]) -> Step:
    """The step that `as_json` wrote."""
    kind = KINDS[value["step"]]
    return kind(**{key: item for key, item in value.items() if key not in ("step", "says")})
