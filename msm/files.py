"""Reads and writes files: errors name file and line, and a file is written whole or not at all."""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import re
import shutil
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, Any, NoReturn, cast

import yaml
import zstandard

from msm.errors import BadInput, bad_line

LEVEL = 3
"""Level of gzip for what a run writes; level 6 would take 2.5 times as long to make a run 8 % smaller."""


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def within(folder: Path, name: str) -> Path:
    """Return the path of a file or folder below an input. Files elsewhere would be missing in the lineage.

    Args:
        folder: folder of the input; `Path()` where there is none and any path is allowed.
        name: path of the file below the folder.

    Raises:
        BadInput: the name leads out of the folder.
    """
    if folder != Path() and (Path(name).is_absolute() or ".." in Path(name).parts):
        raise BadInput(f"{name}: not below {folder}, so the lineage would not name it")
    return folder / name


def check_below(name: str, where: Path | str) -> None:
    """Refuse a path that others wrote and that leads out of the folder in which it is looked for.

    Raises:
        BadInput: it is absolute, goes up, or is no path.
    """
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\0" in name or "\\" in name:
        raise BadInput(f"{where}: the path {name!r} leads out of its folder")


@contextmanager
def new_file(target: Path, mode: str = "w", level: int = LEVEL) -> Iterator[IO[Any]]:
    """Open a file for writing, which gets its name only when the block ends without an error. `.gz` is compressed.

    Several processes, of other machines too, may write the same file at the same time; the last one is kept.

    Args:
        target: path of the file.
        mode: mode of Python's `open`, `w` or `wb`.
        level: level of gzip, from 1 (fast) to 9 (small).

    Raises:
        BadInput: the file cannot be written.
        OSError: the disk fills up, or fails, on the way; the error names the file.
    """
    if target.is_symlink():
        target = Path(os.path.realpath(target))  # the link stays, and what it leads to is written
    if target.is_symlink() or (target.exists() and not target.is_file()):
        kind = "a folder" if target.is_dir() else "a link to itself" if target.is_symlink() else "no regular file"
        raise BadInput(f"{target}: cannot be written: {kind}")
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}.partial")
    with _folder_for(target):
        try:
            partial.touch()
        except OSError as error:
            raise BadInput(f"{target}: cannot be written: {error.strerror}") from error
        try:
            with _open_for_writing(partial, mode, level if target.suffix == ".gz" else 0) as file:
                yield file
            partial.rename(target)
        except OSError as error:
            error.filename = error.filename if error.filename and error.filename != str(partial) else str(target)
            raise
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def new_files(target: Path) -> Iterator[Path]:
    """Yield a hidden folder for files, which move below the target when the block ends without an error.

    Files that are there already are replaced, and others stay.

    Args:
        target: folder that gets the files; made if it is not there.

    Raises:
        BadInput: the folder cannot be written.
        OSError: the disk fills up, or fails, on the way.
    """
    if target.exists() and not target.is_dir():
        raise BadInput(f"{target}: cannot be written: not a folder")
    partial = target / f".{uuid.uuid4().hex[:12]}.partial"
    with _folder_for(partial):
        try:
            partial.mkdir()
            yield partial
            for path in sorted(path for path in partial.rglob("*") if path.is_file()):
                place = target / path.relative_to(partial)
                place.parent.mkdir(parents=True, exist_ok=True)
                path.rename(place)
        except OSError as error:
            error.filename = str(target)
            raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _folder_for(path: Path) -> Iterator[None]:
    """Make the folder of a file; after an error, remove what was made of it."""
    absent = [folder for folder in path.parents if not folder.exists()]
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"{path}: cannot be written: {error.strerror}") from error
        yield
    except BaseException:
        for folder in absent:
            with suppress(OSError):
                folder.rmdir()
        raise


def check_room(folder: Path, size: int, what: str) -> None:
    """See that a disk has room before hours are spent on what has to be written there.

    Args:
        folder: one to write to, which need not exist yet.
        size: bytes that the files will take.
        what: name of what is to be written, for the message.

    Raises:
        BadInput: it has not.
    """
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    if size > (free := shutil.disk_usage(there).free):
        raise BadInput(f"{folder}: {what} need {size / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free")


@contextmanager
def _open_for_writing(path: Path, mode: str, level: int) -> Iterator[IO[Any]]:
    encoding = None if "b" in mode else "utf-8"
    if not level:
        with path.open(mode, encoding=encoding) as file:
            yield file
        return
    # Without time and name in the header the same text gives the same bytes.
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=level, fileobj=raw, mtime=0) as binary,
    ):
        if "b" in mode:
            yield cast(IO[bytes], binary)
        else:
            with io.TextIOWrapper(binary, encoding="utf-8") as text:
                yield text


class _Zstandard(io.RawIOBase):
    """Stream of the content of a `.zst` file with any number of frames. An incomplete frame is an error."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._frame: Any = None
        self._content, self._rest = memoryview(b""), b""

    def readable(self) -> bool:
        """Return True: the stream can be read."""
        return True

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, and return the number of bytes written to it."""
        while not self._content:
            data = self._rest or self._file.read(1 << 16)
            if not data:
                if self._frame and not self._frame.eof:
                    raise EOFError("Compressed file ended before the end-of-stream marker was reached")
                return 0
            if self._frame is None or self._frame.eof:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._content, self._rest = memoryview(self._frame.decompress(data)), self._frame.unused_data
        count = min(len(buffer), len(self._content))
        buffer[:count], self._content = self._content[:count], self._content[count:]
        return count


def _open_zstandard(path: Path) -> IO[bytes]:
    return cast(IO[bytes], io.BufferedReader(_Zstandard(path), 1 << 16))


OPENERS: dict[str, Callable[[Path], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": _open_zstandard,
}
"""Function that opens a compressed file for reading, by the ending of its name."""
NO_TEXT = (UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError)
"""Errors that reading a file raises where its bytes are no text, or incomplete."""
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""An escape that stands for half of a character; JSON writes a rare character as two of them."""


def files_below(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder, those behind links too; a folder that links lead to again is passed over."""
    real_folders: set[Path] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = Path(place).resolve()
        if real in real_folders:
            folders.clear()
            continue
        real_folders.add(real)
        yield from (Path(place) / name for name in names)


def plain_name(path: Path) -> str:
    """Return the name of a file without the ending of its compression."""
    return path.name.removesuffix(path.suffix) if path.suffix in OPENERS else path.name


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file for reading; `.gz`, `.bz2`, `.xz` and `.zst` are decompressed.

    Raises:
        BadInput: the file does not exist.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    opener = OPENERS.get(path.suffix)
    return opener(path) if opener else path.open("rb")


def open_text(path: Path) -> IO[str]:
    """Open a UTF-8 text file for reading. Compressed files are decompressed and a byte order mark is skipped.

    A line ends with a line feed and nothing else: a carriage return within it is part of the text.

    Raises:
        BadInput: the file does not exist.
    """
    return io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig", newline="\n")


def read_json(path: Path) -> Any:
    """Read the value of a JSON file, which may be compressed.

    Raises:
        BadInput: the file is missing, truncated or not JSON, or holds half a character; the message names the line.
    """
    text = _read_whole(path)
    value = parse_json(text, path)
    if holds_half_character(value, text):
        lines = enumerate(text.split("\n"), start=1)
        number = next((number for number, line in lines if _has_lone_half(line)), 1)
        raise bad_line(path, number, HALF_CHARACTER)
    return value


def read_json_object(path: Path) -> dict[str, Any]:
    """Read the object of a JSON file; see `read_json`.

    Raises:
        BadInput: the text is not JSON, or the value is no object.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise BadInput(f"{path}: expected a JSON object, got {value!r:.60}")
    return value


def _read_whole(path: Path) -> str:
    with open_text(path) as file:
        try:
            return file.read()
        except NO_TEXT as error:
            raise BadInput(f"{path}: {error}") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def parse_json(text: str, path: Path | str, line: int = 0) -> Any:
    """Parse JSON that others wrote.

    Args:
        text: JSON text of one value.
        path: file of the text, for the message.
        line: its line there, from 1; 0 where the text is the whole file.

    Raises:
        BadInput: it is not JSON: `NaN` and infinity are none; or a number or the nesting has no end in sight.
    """
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise bad_line(path, line or error.lineno, f"not JSON: {error.msg}") from error
    except RecursionError as error:
        raise bad_line(path, line or 1, "not JSON that can be read: nested too deeply") from error
    except ValueError as error:
        raise bad_line(path, line or 1, f"not JSON: {error}") from error


LONGEST_YAML = 1 << 22
"""Bytes of the longest YAML file that is read."""
DEEPEST_YAML = 64
"""Collections of YAML within each other."""
MOST_YAML = 1_000_000
"""Values of a YAML file, where each alias counts as all that it stands for."""
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path) -> Any:
    """Read the value of a YAML file, without any object but texts, numbers, lists and mappings.

    Raises:
        BadInput: the file is missing, not UTF-8 or not YAML, or has no end in sight; the message names the line.
    """
    if path.is_file() and path.stat().st_size > LONGEST_YAML:
        raise BadInput(f"{path}: {path.stat().st_size} bytes, and at most {LONGEST_YAML} are read as YAML")
    text = _read_whole(path)
    try:
        _check_depth(text, path)
        value = yaml.load(text, Loader=_YAML)  # a safe one
    except (yaml.YAMLError, ValueError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise BadInput(f"{path}{line}: not YAML: {' '.join(str(getattr(error, 'problem', error)).split())}") from error
    _yaml_values(value, path, {})
    return value


def _check_depth(text: str, path: Path) -> None:
    """Refuse deep nesting before values are made of it, which would take the stack of the process."""
    depth = 0
    for event in yaml.parse(text, Loader=_YAML):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST_YAML:
            raise bad_line(path, event.start_mark.line + 1, f"nested more than {DEEPEST_YAML} deep")


def _yaml_values(value: Any, path: Path, counts: dict[int, int]) -> int:
    """The number of values in a value; a collection that several aliases stand for is looked at once.

    Raises:
        BadInput: there are too many, or a collection holds itself.
    """
    if not isinstance(value, list | dict):
        return 1
    if id(value) not in counts:
        counts[id(value)] = MOST_YAML + 1  # until it is known: one within itself has no end
        parts = value if isinstance(value, list) else value.values()
        counts[id(value)] = 1 + sum(_yaml_values(part, path, counts) for part in parts)
    if counts[id(value)] > MOST_YAML:
        raise BadInput(f"{path}: more than {MOST_YAML} values, its aliases written out")
    return counts[id(value)]


HALF_CHARACTER = "a text holds half a character (a lone surrogate), which no file can hold"


def holds_half_character(value: Any, text: str) -> bool:
    """Whether a JSON value holds a text that is not valid Unicode.

    Args:
        value: decoded JSON value.
        text: text of the value, which usually shows that there is none.
    """
    if not _HALF.search(text):
        return False
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _has_lone_half(line: str) -> bool:
    rest = re.sub(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}", "", line)
    return bool(_HALF.search(rest))


def read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line number (from 1) and object of every line of a JSON Lines file; blank lines are skipped.

    Raises:
        BadInput: a line is not a JSON object, or holds half a character; the message names the line.
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
    value = parse_json(line, path, number)
    if not isinstance(value, dict):
        raise bad_line(path, number, f"expected a JSON object, got {line.strip()[:60]}")
    if holds_half_character(value, line):
        raise bad_line(path, number, HALF_CHARACTER)
    return value


def write_json(path: Path, value: Any) -> None:
    """Write an indented JSON file, whole or not at all."""
    with new_file(path) as file:
        json.dump(value, file, indent=2, ensure_ascii=False, sort_keys=True)
        file.write("\n")


def write_json_lines(path: Path, rows: Iterable[Mapping[str, Any]], level: int = LEVEL) -> None:
    """Write a JSON Lines file, whole or not at all; `level` is that of gzip, from 1 (fast) to 9 (small)."""
    with new_file(path, level=level) as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
