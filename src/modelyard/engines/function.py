"""A declared function, inside the child process: found in the project's folder, called by parameter name."""

from __future__ import annotations

import ctypes
import importlib
import inspect
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from modelyard.errors import UserCodeError

_PR_SET_PDEATHSIG = 1


def load(code_dir: Path | str, function: str) -> Callable[..., Any]:
    """Import `module:function` from `code_dir`, which stays first on the path.

    UserCodeError when the module raises, is another one of the same name, or holds no such callable.
    """
    folder = Path(code_dir).resolve()
    module_name, _, name = function.partition(":")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    module = _import(module_name, folder, where=function)
    _must_be_inside(module, folder, where=function)
    found = getattr(module, name, None)
    if not callable(found):
        others = [key for key, value in vars(module).items() if inspect.isfunction(value) and not key.startswith("_")]
        raise UserCodeError(
            f"the module {module_name} has no function {name}",
            where=function,
            hint=f"It defines {_listed(others)}.",
        )
    return found


def call(function: Callable[..., Any], offered: Mapping[str, Any]) -> Any:
    """Call `function` with those of `offered` that its parameters name; `**kwargs` receives all.

    UserCodeError when it requires a parameter that is not offered. What the function itself raises passes through.
    """
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return function(**offered)
    named = [p for p in parameters if p.kind is not p.VAR_POSITIONAL]
    unknown = [p.name for p in named if p.name not in offered and p.default is p.empty]
    positional_only = [p.name for p in named if p.kind is p.POSITIONAL_ONLY]
    where = f"{function.__module__}:{function.__qualname__}"
    if unknown:
        raise UserCodeError(
            f"the function asks for {_listed(unknown)}, which is not offered",
            where=where,
            hint=f"It may ask for {_listed(sorted(offered))}.",
        )
    if positional_only:
        raise UserCodeError(
            f"the parameters {_listed(positional_only)} are positional-only", where=where, hint="Remove the `/`."
        )
    return function(**{p.name: offered[p.name] for p in named if p.name in offered})


def explain(error: BaseException, code_dir: Path | str) -> str:
    """One line about an error of user code: its type and message, and the deepest place inside `code_dir`.

    Such as "KeyError: 'dest' (flights/model.py line 12, in fit)".
    """
    said = "".join(traceback.format_exception_only(error)).strip()
    folder = Path(code_dir).resolve()
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename).resolve()
        if path.is_relative_to(folder):
            return f"{said} ({path.relative_to(folder)} line {frame.lineno}, in {frame.name})"
    return said


def missing_package_hint(error: BaseException) -> str | None:
    """How a package becomes one of the project's, when `error` says that it is not installed; else None."""
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return None
    package = error.name.partition(".")[0]
    return (
        f"The project's functions run with the packages installed beside `yard` ({sys.prefix}): install the package "
        f"that brings {package} there, and name it in the project's lock file (`packages: {{lock: FILE}}` in yard.yaml; "
        "by default uv.lock, requirements.lock, poetry.lock or requirements.txt), so that each release records it."
    )


def die_with_parent() -> None:
    """Ask the kernel to end this process when the one that started it dies, even by SIGKILL (Linux; else nothing)."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _import(module_name: str, folder: Path, *, where: str) -> Any:
    try:
        return importlib.import_module(module_name)
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # user code may raise anything, SystemExit too: it becomes one sentence
        hint = None
        if isinstance(error, ModuleNotFoundError):
            own = error.name is None or module_name.startswith(error.name)
            hint = f"Modules are looked for in {folder}." if own else missing_package_hint(error)
        message = f"importing {module_name} failed: {explain(error, folder)}"
        raise UserCodeError(message, where=where, hint=hint) from error


def _must_be_inside(module: Any, folder: Path, *, where: str) -> None:
    file = getattr(module, "__file__", None)
    if file is None or not Path(file).resolve().is_relative_to(folder):
        raise UserCodeError(
            f"{module.__name__} was found outside the project, at {file}",
            where=where,
            hint="Another module has the same name: rename yours.",
        )


def _listed(names: list[str]) -> str:
    return ", ".join(names) if names else "nothing"
