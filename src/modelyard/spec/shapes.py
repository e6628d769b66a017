"""What the declaration's types expect at a path: which class, which keys, in plain words."""

from __future__ import annotations

import types as builtin_types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from modelyard.spec.document import Path


def keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The keys of a class as users write them."""
    return {field.serialization_alias or name: field for name, field in model.model_fields.items()}


def options(annotation: Any) -> list[Any]:
    """The alternatives of an annotation, without None and without metadata.

    >>> options(Annotated[int | None, "says"] | str)
    [<class 'int'>, <class 'str'>]
    """
    if get_origin(annotation) is Annotated:
        return options(get_args(annotation)[0])
    if get_origin(annotation) in (Union, builtin_types.UnionType):
        return [found for item in get_args(annotation) for found in options(item)]
    return [] if annotation is type(None) else [annotation]


def classes(annotation: Any) -> list[type[BaseModel]]:
    """The classes among the alternatives of an annotation."""
    return [item for item in options(annotation) if isinstance(item, type) and issubclass(item, BaseModel)]


def below(annotation: Any, step: str | int) -> Any:
    """The annotation under a key or index; None when nothing may stand there."""
    for item in options(annotation):
        if isinstance(item, type) and issubclass(item, BaseModel):
            field = keys(item).get(str(step))
            if field is not None:
                return whole(field)
        elif get_origin(item) is dict:
            return get_args(item)[1]
        elif get_origin(item) is tuple and isinstance(step, int):
            return get_args(item)[0]
    return None


def whole(field: FieldInfo) -> Any:
    """A field's annotation with the metadata that pydantic takes off."""
    annotation: Any = field.annotation
    for item in field.metadata:
        annotation = Annotated[annotation, item]
    return annotation


def at(root: type[BaseModel], path: Path) -> Any:
    """The annotation at a path, below `root`; None when nothing may stand there."""
    annotation: Any = root
    for step in path:
        annotation = below(annotation, step)
    return annotation


def literals(annotation: Any) -> list[str]:
    """The words among the alternatives of an annotation."""
    found = [get_args(item) for item in options(annotation) if get_origin(item) is Literal]
    return [str(word) for words in found for word in words]
