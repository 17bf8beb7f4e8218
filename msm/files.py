"""Files: text and JSON read with errors that name file and line, and written whole or not at all."""

import gzip
import hashlib
import io
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from msm.errors import BadInput, bad_line


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of one file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def within(folder: Path, name: str) -> Path:
    """A file or folder below an input; what lies elsewhere would not be in the lineage.

    Args:
        folder: the input; `Path()` where there is none and any path will do.
        name: path of the file from there.

    Raises:
        BadInput: the name leads out of the folder.
    """
    if folder != Path() and (Path(name).is_absolute() or ".." in Path(name).parts):
        raise BadInput(f"{name}: not below {folder}, so nothing would say what was read")
    return folder / name


@contextmanager
def new_file(target: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """A file to write; it takes the name `target` only when the block ends without an error. `.gz` is compressed.

    Raises:
        BadInput: no file can be written there.
    """
    if target.is_dir():
        raise BadInput(f"{target}: cannot be written: a folder")
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
    except OSError as error:
        raise BadInput(f"{target}: cannot be written: {error.strerror}") from error
    try:
        with _open_for_writing(partial, mode, compressed=target.suffix == ".gz") as file:
            yield file
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _open_for_writing(path: Path, mode: str, *, compressed: bool) -> Iterator[IO[Any]]:
    encoding = None if "b" in mode else "utf-8"
    if not compressed:
        with path.open(mode, encoding=encoding) as file:
            yield file
        return
    # No time and no name: the same text gives the same bytes. Of a run, level 6 takes 2.5 times as long for 8 % less.
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=3, fileobj=raw, mtime=0) as binary,
    ):
        if "b" in mode:
            yield cast(IO[bytes], binary)
        else:
            with io.TextIOWrapper(binary, encoding="utf-8") as text:
                yield text


NO_TEXT = (UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error)
"""What reading a file of `open_text` raises where its bytes are no text."""


def open_text(path: Path) -> IO[str]:
    """Open a UTF-8 text file for reading; `.gz` is decompressed.

    Raises:
        BadInput: the file does not exist.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def read_json(path: Path) -> Any:
    """The value in a JSON file; `.gz` is decompressed.

    Raises:
        BadInput: the file is missing, truncated or not JSON; the message names the line.
    """
    with open_text(path) as file:
        try:
            return json.load(file)
        except json.JSONDecodeError as error:
            raise bad_line(path, error.lineno, f"not JSON: {error.msg}") from error
        except NO_TEXT as error:
            raise BadInput(f"{path}: {error}") from error


def read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number (from 1) and object of every line of a JSON Lines file; blank lines are passed over.

    Raises:
        BadInput: a line that is not a JSON object; the message names the line.
    """
    with open_text(path) as file:
        number = 0
        try:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, _json_object(line, path, number)
        except NO_TEXT as error:
            raise bad_line(path, number + 1, str(error)) from error


def _json_object(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise bad_line(path, number, f"not JSON: {error.msg}") from error
    if not isinstance(value, dict):
        raise bad_line(path, number, f"expected a JSON object, got {line.strip()[:60]}")
    return value


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, atomically and readable."""
    with new_file(path) as file:
        json.dump(value, file, indent=2, ensure_ascii=False, sort_keys=True)
        file.write("\n")


def write_json_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a JSON Lines file, atomically."""
    with new_file(path) as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
