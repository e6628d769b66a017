"""scikit-learn models, and plain objects, as skops files: read through the allow-list, written the same way twice.

skops names its members after memory addresses and stamps them with the time. `write` renames them in order of
appearance, so that equal models are equal bytes.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable
from typing import Any

import skops.io

from modelyard.errors import ModelFormatError
from modelyard.models import trust

_HINT = (
    "Use scikit-learn, LightGBM or ONNX, or functions and classes that the project's own files define at the top "
    "level of a module; lambdas and pickles cannot be kept."
)
_EPOCH = (1980, 1, 1, 0, 0, 0)


def write(model: object, modules: Iterable[str]) -> tuple[bytes, list[str]]:
    """The file's bytes, and the types in it that the project's own `modules` define."""
    try:
        data = skops.io.dumps(model)
        types = skops.io.get_untrusted_types(data=data)
    except Exception as error:  # whatever an arbitrary object raises while it is taken apart
        raise _cannot(f"a model of the type {_name(model)} cannot be kept: {error}") from error
    wrong = trust.refused(types, modules)
    if wrong:
        raise _cannot(f"the model holds types that are not trusted: {', '.join(wrong)}")
    own = sorted(name for name in types if trust.of_project(name, modules))
    return _same_twice(data), own


def read(data: bytes, modules: Iterable[str] = ()) -> Any:
    """Rebuild the object; a type that is not trusted is a ModelFormatError before anything is built."""
    try:
        types = skops.io.get_untrusted_types(data=data)
        wrong = trust.refused(types, modules)
        if not wrong:
            return skops.io.loads(data, trusted=types)
    except Exception as error:  # a damaged file fails in as many ways as there are bytes
        raise ModelFormatError(f"the model file cannot be read: {error}") from error
    raise _cannot(f"the model file holds types that are not trusted: {', '.join(wrong)}")


def _cannot(message: str) -> ModelFormatError:
    return ModelFormatError(message, hint=_HINT)


def _name(model: object) -> str:
    return f"{type(model).__module__}.{type(model).__qualname__}"


def _same_twice(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = members.pop("schema.json").decode()
    places: dict[str, str] = {}

    def place(match: re.Match[str]) -> str:
        return match[1] + places.setdefault(match[2], str(len(places) + 1)) + match[3]

    schema = re.sub(r'("__id__": )(\d+)()', place, schema)
    schema = re.sub(r'("file": ")(\d+)(\.\w+")', place, schema)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in _renamed(members, places):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
        archive.writestr(zipfile.ZipInfo("schema.json", _EPOCH), schema)
    return out.getvalue()


def _renamed(members: dict[str, bytes], places: dict[str, str]) -> list[tuple[str, bytes]]:
    renamed = []
    for name, content in members.items():
        stem, _, suffix = name.rpartition(".")
        renamed.append((f"{places.get(stem, stem)}.{suffix}", content))
    return sorted(renamed)
