"""A cache of shards: shards on the disk are mapped, others are fetched, and those not read lately are removed."""

import fcntl
import hashlib
import os
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec

from msm.corpora.shard_manifest import ShardFacts
from msm.corpora.shards import Shard, read_units
from msm.errors import BadInput
from msm.files import sha256_of
from msm.pipeline.artifacts import new_folder

TOUCHED = 30.0
"""Seconds after which the use of a shard is recorded again."""


class ShardCache:
    """A cache of shards of bounded size, which the processes of a machine share.

    Args:
        address: path, or address that fsspec reads, below which the addresses of the shards are.
        folder: folder of fetched shards; later trainings find them there.
        limit: largest number of bytes to keep; one shard is always kept.
    """

    def __init__(self, address: str, folder: Path, limit: int) -> None:
        self.system, self.root = fsspec.core.url_to_fs(address)
        self.is_local = "file" in (self.system.protocol if isinstance(self.system.protocol, tuple) else ())
        self.folder, self.limit = folder, limit
        self._open: OrderedDict[str, tuple[Shard, int]] = OrderedDict()
        self._touched: dict[str, float] = {}
        self._lock = threading.Lock()

    def get(self, facts: ShardFacts) -> Shard:
        """Return a shard, and fetch it first where it is not on the disk.

        Raises:
            BadInput: a fetched file differs from the manifest.
        """
        with self._lock:
            if facts.address not in self._open:
                self._open[facts.address] = (self._opened(facts), facts.size)
                self._close(facts.address)
            self._open.move_to_end(facts.address)
            if not self.is_local:
                self._touch(facts)
            return self._open[facts.address][0]

    def _opened(self, facts: ShardFacts) -> Shard:
        if self.is_local:
            return read_units(Path(self.root) / facts.address)[facts.language]
        target = self._kept(facts.address)
        self.folder.mkdir(parents=True, exist_ok=True)
        with _locked(target.with_suffix(".lock")):
            if not target.is_dir():
                self._fetch(facts, target)
            os.utime(target)
            shard = read_units(target)[facts.language]
            _ = shard.document_ids  # read now: what is mapped outlives its file, a name in a folder does not
        self._make_room(target)
        return shard

    def _fetch(self, facts: ShardFacts, target: Path) -> None:
        with new_folder(target) as folder:
            for name, expected in facts.files.items():
                self.system.get_file(f"{self.root}/{facts.address}/{name}", str(folder / name))
                if (digest := sha256_of(folder / name)) != expected:
                    raise BadInput(f"{facts.address}/{name}: SHA-256 is {digest}, the manifest says {expected}")

    def _kept(self, address: str) -> Path:
        return self.folder / hashlib.sha256(f"{self.root} {address}".encode()).hexdigest()[:24]

    def _touch(self, facts: ShardFacts) -> None:
        """Record a use for all processes. Not every use is recorded, because on a network disk each costs a message."""
        now = time.monotonic()
        if now - self._touched.get(facts.address, now) > TOUCHED and self._kept(facts.address).is_dir():
            os.utime(self._kept(facts.address))
            self._touched[facts.address] = now
        self._touched.setdefault(facts.address, now)

    def _close(self, current: str) -> None:
        """Close the shards that were used longest ago, and those that another process removed, which fill the disk.

        The shard that is `current` now stays open, even where another process has removed its folder already.
        """
        if not self.is_local:
            for address in [name for name in self._open if name != current and not self._kept(name).is_dir()]:
                del self._open[address]
        while len(self._open) > 1 and sum(size for _, size in self._open.values()) > self.limit:
            address, _ = self._open.popitem(last=False)
            self._touched.pop(address, None)

    def _make_room(self, current: Path) -> None:
        """Remove the shards that no process has used for the longest time, until the rest is within the limit."""
        sizes: dict[Path, int] = {}
        times: dict[Path, float] = {}
        for path in self.folder.glob("[0-9a-f]*"):
            if path.is_dir():
                try:
                    times[path] = path.stat().st_mtime
                    sizes[path] = sum(file.stat().st_size for file in path.iterdir())
                except FileNotFoundError:  # another process was quicker
                    sizes.pop(path, None)
        for path in sorted(sizes.keys() - {current}, key=lambda path: times[path]):
            if sum(sizes.values()) <= self.limit:
                return
            shutil.rmtree(path, ignore_errors=True)
            del sizes[path]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a file alone, so that one of several processes fetches a shard and the others find it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
