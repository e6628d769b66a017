"""The table that `yard init` is given: a file, all files of a folder, or those of a pattern such as orders/*.csv."""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass
from pathlib import Path

from modelyard.api.scaffold import names
from modelyard.errors import DataError

COPIED_BYTES = 200_000_000


@dataclass(frozen=True)
class Given:
    """`files` in the order in which they are read; `pattern` is absolute and names them all, None for one file."""

    said: str
    files: tuple[Path, ...]
    pattern: str | None

    @property
    def stem(self) -> str:
        """The name of a dataset made of them: the file's, what the pattern begins with, or the folder's."""
        if self.pattern is None:
            return names.stem(self.files[0])
        folder, _, name = self.pattern.rpartition("/")
        begins = re.split(r"[*?[]", name)[0]
        words = begins if re.search("[a-z]", begins, re.I) else Path(_unescaped(folder)).name
        return names.stem(Path(words + names.suffix(self.files[0])))

    def place(self, directory: Path, dataset: str) -> tuple[str, bool]:
        """The `uri` of the source in a project, and whether the file must be copied there.

        Several files stay where they are: the next one will come there, too.
        """
        root = directory.resolve()
        if self.pattern is not None:
            inside = f"{glob.escape(str(root))}/"
            return self.pattern.removeprefix(inside), False
        full = self.files[0].resolve()
        plain = not any(letter in str(full) for letter in "*?[]{}$")
        if plain and full.is_relative_to(root):
            return full.relative_to(root).as_posix(), False
        if plain and full.stat().st_size > COPIED_BYTES:
            return full.as_posix(), False
        return f"data/{dataset}{names.suffix(full)}", True


def given(data: Path) -> Given:
    """Find the files that `data` names. DataError when there is none, or a folder has several kinds."""
    if data.is_file():
        return Given(str(data), (data,), None)
    pattern = _of_folder(data) if data.is_dir() else data.name
    folder = data if data.is_dir() else data.parent
    full = f"{_absolute(folder)}/{pattern}"
    files = tuple(Path(path) for path in sorted(glob.glob(full, recursive=True)) if Path(path).is_file())
    if not files:
        near = sorted(other.name for other in folder.glob(f"{data.stem[:3]}*"))[:3] if folder.is_dir() else []
        hint = f"There is {', '.join(near)}." if near else "Check it."
        raise DataError("there is no such file", where=str(data), hint=hint)
    return Given(str(data), files, full) if len(files) > 1 else Given(str(files[0]), files, None)


def _absolute(folder: Path) -> str:
    """A folder from the root on, as a pattern; parts with wildcards stay such."""
    if folder.is_dir():
        return glob.escape(str(folder.resolve()))
    return str(folder if folder.is_absolute() else glob.escape(str(Path.cwd())) / folder)


def _unescaped(pattern: str) -> str:
    """A folder's pattern without the signs that escape wildcards."""
    return re.sub(r"\[(.)\]", r"\1", pattern)


def _of_folder(folder: Path) -> str:
    """The pattern of a folder's tables, which must be of one kind."""
    kinds = sorted({names.suffix(path) for path in folder.iterdir() if names.known(path) and path.is_file()})
    if len(kinds) == 1:
        return f"*{kinds[0]}"
    what = f"{' and '.join(kinds)} files are in this folder" if kinds else "no CSV or Parquet file is in this folder"
    hint = "Name those of one kind, such as 'FOLDER/*.csv'." if kinds else "Name a file, or a folder of such files."
    raise DataError(what, where=str(folder), hint=hint)
