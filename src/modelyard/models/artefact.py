"""Save a model into a directory, and load it again: a manifest, one model file, and the code it needs, if any.

`manifest.json` says the format; `model.skops`, `model.txt` (LightGBM) or `model.onnx` is the model; `code/` holds the
project's files when the model is made of their functions or classes, and then a runner process of its own loads it;
`compiled.onnx` stands beside it where the compiled form agreed. Nobody imports pandas or a model library who does not load
a model of it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.digest import canonical, digest
from modelyard.errors import ModelFormatError
from modelyard.models import onnx_model, trust
from modelyard.models.outputs import Model

if TYPE_CHECKING:
    from modelyard.models.estimator import Estimator

_FILES = {"skops": "model.skops", "lightgbm": "model.txt", "onnx": "model.onnx"}


def save(
    model: object, directory: Path, *, signature: dict[str, Any], frame: str = "pandas", code: Path | None = None
) -> dict[str, Any]:
    """Write `model` into `directory`; returns the manifest, which is also written there.

    Manifest: `{"format": "skops|lightgbm|onnx", "native": digest of the model file, "type", "frame", "project_types"}`
    and, for LightGBM, `classes`, `columns`, `categories`. Equal models give equal files. `code` is the folder of the
    project's files that the function reached. ModelFormatError names what cannot be kept and what to do.
    """
    directory.mkdir(parents=True, exist_ok=True)
    manifest: dict[str, Any] = {"type": f"{type(model).__module__}.{type(model).__qualname__}", "frame": frame}
    from modelyard.models import lightgbm_text

    if lightgbm_text.is_lightgbm(model):
        text, more = lightgbm_text.write(model, signature)
        data, manifest = text.encode(), manifest | {"format": "lightgbm", "project_types": []} | more
    elif onnx_model.is_onnx(model):
        data, manifest = onnx_model.write(model), manifest | {"format": "onnx", "project_types": []}
    else:
        data, own = _object(model, code)
        manifest |= {"format": "skops", "project_types": own}
    (directory / _FILES[manifest["format"]]).write_bytes(data)
    if manifest["project_types"] and code is not None:
        shutil.copytree(code, directory / "code", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    manifest["native"] = digest(data)
    (directory / "manifest.json").write_bytes(canonical(manifest))
    return manifest


def load(
    directory: Path, *, signature: dict[str, Any], compiled: bool = True, inside: bool = False, threads: int = 0
) -> Model:
    """Load what `save` wrote, without running arbitrary code.

    `compiled`: take the compiled form where there is one. A model made of the project's own code is loaded by a
    runner process; `inside` says that this is that process. `threads`: how many ONNX models use, 0 for all cores; one
    answers small questions soonest. ModelFormatError when a file is damaged or not trusted.
    """
    manifest = read_manifest(directory)
    if compiled and (directory / "compiled.onnx").exists():
        return _compiled(directory, signature, threads)
    data = _read(directory / _FILES[manifest["format"]])
    if manifest["format"] == "lightgbm":
        from modelyard.models import lightgbm_text

        return lightgbm_text.LightGBM(data.decode(), signature, manifest)
    if manifest["format"] == "onnx":
        return onnx_model.Onnx(onnx_model.write(data), signature, threads=threads)
    if manifest["project_types"] and not inside:
        from modelyard.models.runner import Runner

        return Runner(directory, signature)
    return _estimator(directory, data, manifest, signature)


def read_manifest(directory: Path) -> dict[str, Any]:
    """The manifest of a saved model; ModelFormatError when it is none, or of a format that is not allowed."""
    try:
        manifest = json.loads(_read(directory / "manifest.json"))
    except ValueError as error:
        raise ModelFormatError("the model's manifest is no JSON", where=str(directory)) from error
    if not isinstance(manifest, dict) or manifest.get("format") not in _FILES:
        raise ModelFormatError("the model's format is not one of skops, lightgbm, onnx", where=str(directory))
    return manifest


def _object(model: object, code: Path | None) -> tuple[bytes, list[str]]:
    from modelyard.models import skops_file

    if isinstance(model, type):
        raise ModelFormatError(
            f"the training function returned the class {model.__name__}, not a fitted model",
            hint="Return an object of it, fitted.",
        )
    if not (hasattr(model, "predict") or hasattr(model, "predict_proba")):
        raise ModelFormatError(
            f"the training function returned {type(model).__name__}, which has no predict",
            hint="Return a fitted model: an object with predict or predict_proba, or an ONNX model.",
        )
    return skops_file.write(model, trust.modules(code) if code is not None else ())


def _estimator(directory: Path, data: bytes, manifest: dict[str, Any], signature: dict[str, Any]) -> Estimator:
    from modelyard.models import skops_file
    from modelyard.models.estimator import Estimator

    own = trust.modules(directory / "code") if manifest["project_types"] else ()
    return Estimator(skops_file.read(data, own), signature, manifest.get("frame", "pandas"))


def _compiled(directory: Path, signature: dict[str, Any], threads: int) -> Model:
    from modelyard.models.compiled import Compiled

    about = json.loads(_read(directory / "compiled.json"))
    onnx = onnx_model.Onnx(_read(directory / "compiled.onnx"), signature, null=about["null"], threads=threads)
    return Compiled(onnx, lambda: load(directory, signature=signature, compiled=False), about["native_when_null"])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelFormatError(f"the model has no {path.name}", where=str(path.parent)) from error
