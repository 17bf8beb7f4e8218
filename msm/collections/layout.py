"""Finds the files of a collection in a folder.

Every file may be compressed; its pattern is that of the plain name. Links are followed. Files whose names begin with a
dot are passed over: macOS leaves `._NAME` beside every file that it packs.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePath

from msm.errors import BadInput
from msm.files import files_below, plain_name


def find_files(folder: Path, *patterns: str, deep: bool = False) -> list[Path]:
    """Return the files that match a pattern, with numbers in their names in the order of numbers.

    Args:
        folder: folder that is looked through.
        patterns: patterns such as `docs-*.jsonl` or `corpus/docs-*.jsonl`, without the ending of a compressed file.
        deep: whether the folders below it are looked through too.
    """
    files = files_below(folder) if deep else _within(folder, {len(PurePath(pattern).parts) for pattern in patterns})
    return sorted((path for path in files if _matches(path, patterns)), key=_by_numbers)


def find_file(folder: Path, *patterns: str, deep: bool = False) -> Path:
    """Return the one file that matches; of several patterns the first that any file matches decides.

    Raises:
        BadInput: no file matches, or several do.
    """
    for pattern in patterns:
        if files := find_files(folder, pattern, deep=deep):
            return only(files)
    raise BadInput(f"{folder}: no {' or '.join(patterns)} here (plain or compressed)")


def only(files: list[Path]) -> Path:
    """Return the file of a list of one.

    Raises:
        BadInput: there are several files; the message names two.
    """
    if len(files) > 1:
        raise BadInput(f"{files[0]}: stands in {files[1]} too; keep one of them")
    return files[0]


def refuse_same_names(files: list[Path]) -> None:
    """Refuse files of one name: one of them is a copy of the other.

    Raises:
        BadInput: two files bear the same name, but for their compression.
    """
    paths_by_name: dict[str, Path] = {}
    for path in files:
        first = paths_by_name.setdefault(plain_name(path), path)
        if first != path:
            only([first, path])


def _matches(path: Path, patterns: tuple[str, ...]) -> bool:
    plain = path.with_name(plain_name(path))
    return not path.name.startswith(".") and any(plain.match(pattern) for pattern in patterns)


def _within(folder: Path, depths: set[int]) -> Iterator[Path]:
    for depth in depths:
        yield from (path for path in folder.glob("/".join(["*"] * depth)) if path.is_file())


def _by_numbers(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", str(path))
    return [(int(part) if part.isdecimal() else -1, part) for part in parts]
