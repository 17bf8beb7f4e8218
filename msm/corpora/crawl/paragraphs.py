"""Finds exact duplicates among all paragraphs by their hashes. The first of equal paragraphs is kept.

Every part writes its hashes in ascending order, so a bucket, which is a range of hashes, is a slice of each file. The
result does not depend on tasks or buckets: paragraphs are ordered by part, and by position within the part.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from msm.files import new_file

Flags = NDArray[np.bool_]


def write_hashes(path: Path, hashes: NDArray[np.uint64]) -> None:
    """Write the hashes of a part's paragraphs, [P], sorted, and the position of each, as one array [2, P]."""
    order = np.argsort(hashes, kind="stable")
    with new_file(path, "wb") as file:
        np.save(file, np.stack([hashes[order], order.astype(np.uint64)]))


def bounds(bucket: int, buckets: int) -> tuple[int, int]:
    """Return the first hash of a bucket, and the one after its last."""
    return (bucket << 64) // buckets, ((bucket + 1) << 64) // buckets


def find_duplicates(parts: list[Path], bucket: int, buckets: int) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Find the paragraphs of one bucket that an equal paragraph precedes.

    Args:
        parts: hash files of all parts, in order.
        bucket: number of the bucket.
        buckets: number of all buckets.

    Returns:
        Positions of the duplicates, part after part, and the index of the first one of each part, [parts + 1].
    """
    low, high = bounds(bucket, buckets)
    hashes, places, sizes = [], [], []
    for path in parts:
        both = np.load(path, mmap_mode="r")
        start = np.searchsorted(both[0], np.uint64(low))
        stop = np.searchsorted(both[0], np.uint64(high)) if high < 1 << 64 else both.shape[1]
        hashes.append(both[0, start:stop])
        places.append(both[1, start:stop].astype(np.uint32))
        sizes.append(int(stop - start))
    # A stable order keeps equal hashes in the order of the parts, and of the positions within a part.
    all_hashes = np.concatenate(hashes)
    order = np.argsort(all_hashes, kind="stable")
    again = np.zeros(len(all_hashes), bool)
    again[order[1:]] = all_hashes[order[1:]] == all_hashes[order[:-1]]
    ends = np.cumsum(sizes)
    duplicates = [np.sort(np.concatenate(places)[start:stop][again[start:stop]])
             for start, stop in zip(ends - sizes, ends, strict=True)]  # fmt: skip
    return np.concatenate(duplicates), np.concatenate([[0], np.cumsum([len(part) for part in duplicates])])


def write_duplicates(folder: Path, parts: list[Path], bucket: int, buckets: int) -> int:
    """Find the duplicates of a bucket, write them, and return their number."""
    places, starts = find_duplicates(parts, bucket, buckets)
    for name, values in (("places", places), ("starts", starts)):
        with new_file(folder / f"{bucket:05d}.{name}.npy", "wb") as file:
            np.save(file, values)
    return len(places)


def read_duplicates(folder: Path, part: int, buckets: int, paragraphs: int) -> Flags:
    """Return a flag for each paragraph of a part, True for duplicates, [paragraphs]."""
    flags = np.zeros(paragraphs, bool)
    for bucket in range(buckets):
        starts = np.load(folder / f"{bucket:05d}.starts.npy", mmap_mode="r")
        flags[np.load(folder / f"{bucket:05d}.places.npy", mmap_mode="r")[starts[part] : starts[part + 1]]] = True
    return flags
