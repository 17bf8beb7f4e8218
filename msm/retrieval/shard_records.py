"""Keeps on disk the results of each shard of passages, so that a killed search goes on after the last shard.

A file is the SHA-256 of the rest, then a NumPy archive.
"""

import hashlib
import io
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from msm.collections.records import Passage
from msm.files import new_file
from msm.retrieval.text_vectors import Arrays


def digest(passages: Iterable[Passage]) -> str:
    """Return the SHA-256 of ids and texts, so that the record of one shard is not taken for another's."""
    checksum = hashlib.sha256()
    for passage in passages:
        checksum.update("\0".join(passage).encode(errors="surrogatepass") + b"\1")
    return checksum.hexdigest()


def write_record(path: Path, made_of: str, arrays: Arrays) -> None:
    """Write arrays, atomically.

    Args:
        path: file to write.
        made_of: digest of the passages.
        arrays: arrays by name.
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, digest=np.array(made_of), **arrays)
    data = buffer.getvalue()
    with new_file(path, "wb") as file:
        file.write(hashlib.sha256(data).digest() + data)


def read_record(path: Path) -> Arrays | None:
    """Return the arrays of a record, its digest among them; None where it is missing or damaged."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    if hashlib.sha256(data[32:]).digest() != data[:32]:
        sys.stderr.write(f"{path}: damaged; its shard is encoded again\n")
        return None
    with np.load(io.BytesIO(data[32:]), allow_pickle=False) as arrays:
        return dict(arrays)


def recorded_digest(path: Path) -> str | None:
    """Return the digest of the passages that a record was made of; None where it is missing or damaged."""
    record = read_record(path)
    return str(record["digest"]) if record else None
