"""`yard init`: a complete project from a table, or a small example; it applies as it is, and says why it is as it is."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from modelyard.api.scaffold import example, names, page
from modelyard.api.scaffold.draft import Draft, draft
from modelyard.api.scaffold.given import given
from modelyard.api.scaffold.look import opened
from modelyard.errors import InputError, Refused

_TEMPLATE = Path(__file__).parent / "template"


def init(
    directory: Path,
    *,
    data: Path | None = None,
    target: str | None = None,
    time: str | None = None,
    name: str | None = None,
) -> list[Path]:
    """Write a project into `directory` and return its files; `data` is a CSV (also .gz, .zip) or Parquet file,
    a folder of such files, or a pattern.

    One file outside the directory is copied into data/, unless it has more than 200 MB; several are named where they are.
    Without `data` a small example with made-up data is written. Refused when a file would be overwritten; DataError
    says what a table lacks. Nothing is written unless everything can be.
    """
    _check_words(data, target, time)
    with tempfile.TemporaryDirectory() as folder:
        if data is None:
            data, target = example.write(Path(folder)), example.TARGET
        assert target is not None
        project = names.name(name or directory.resolve().name, "project")
        found = given(data)
        with opened(found.files, where=found.said) as table:
            made = draft(table, target=target, time=time, project=project, stem=found.stem)
        uri, copied = found.place(directory, made.dataset)
        files = _files(made, uri, copied=copied, several=len(found.files) > 1)
        _check_free(directory, [*files, *([uri] if copied else [])])
        return _write(directory, files, found.files[0] if copied else None, uri)


def _check_words(data: Path | None, target: str | None, time: str | None) -> None:
    if data is not None and target is None:
        raise InputError(
            "a table without a target", where="--from", hint="Name the column to predict: --target COLUMN."
        )
    if data is None and (target is not None or time is not None):
        raise InputError("a target or a time without a table", where="--target", hint="Name the table: --from FILE.")


def _files(made: Draft, uri: str, *, copied: bool, several: bool) -> dict[str, str]:
    function = _TEMPLATE / ("regressor.py" if made.goal.task == "regression" else "classifier.py")
    return {
        f"sql/{made.dataset}.sql": page.sql(made),
        "train.py": function.read_text(encoding="utf-8"),
        "request.json": json.dumps({"rows": made.examples}, indent=2, ensure_ascii=False) + "\n",
        ".gitignore": ".yard/\n__pycache__/\n",
        "yard.yaml": page.declaration(made, uri, copied=copied, several=several),
    }


def _check_free(directory: Path, files: list[str]) -> None:
    if directory.exists() and not directory.is_dir():
        raise Refused(f"{directory} is a file", hint="Name a folder.")
    there = [name for name in files if (directory / name).exists() and name != ".gitignore"]
    if there:
        hint = "Nothing was written. Name another folder, or move these away."
        raise Refused(
            f"{', '.join(there)} {'is' if len(there) == 1 else 'are'} there already", where=str(directory), hint=hint
        )


def _write(directory: Path, files: dict[str, str], data: Path | None, uri: str) -> list[Path]:
    """Write everything, the declaration last: with it the project is there."""
    written = []
    if data is not None:
        place = directory / uri
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data, place)
        written.append(place)
    for name, text in files.items():
        place = directory / name
        if place.exists():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        written.append(place)
    return written


__all__ = ["init"]
