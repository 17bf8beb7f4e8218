"""The vectors of a shard, kept on disk while it is encoded: a stop costs half a minute of work, not a shard.

Shapes: S texts, H width.
"""

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from msm.collections.runs import Floats
from msm.encoders.encoder import Encoder, Prepared, part_of
from msm.progress import Progress
from msm.retrieval.shard_records import read_record, write_record

PIECE_TEXTS = 512
"""Texts encoded between two looks at the clock."""
SECONDS = 30.0
"""What is encoded in this time is written down as one piece."""


class Pieces(NamedTuple):
    """Where the pieces of a shard are kept."""

    folder: Path
    name: str
    """Name of the shard."""
    digest: str
    """Checksum of its passages; pieces of other passages are not read."""

    def path(self, first: int) -> Path:
        """The piece that begins with a text."""
        return self.folder / f"{self.name}.from-{first:06d}.npz"

    def paths(self) -> list[Path]:
        """All pieces that there are, in order."""
        return sorted(self.folder.glob(f"{self.name}.from-*.npz"))


def encode_in_pieces(encoder: Encoder, texts: Prepared, pieces: Pieces, bar: Progress) -> Floats:
    """Vectors of passages, [S, H]; those of earlier pieces of the same texts are read.

    Args:
        encoder: texts to vectors.
        texts: ready to encode.
        pieces: where they are kept; removed at the end.
        bar: counts the texts.
    """
    vectors = np.empty((len(texts), encoder.width), np.float32)
    written = done = _read_pieces(pieces, vectors)
    bar.update(done)
    at = time.monotonic()
    while done < len(texts):
        end = min(done + PIECE_TEXTS, len(texts))
        vectors[done:end] = encoder.encode_prepared(part_of(texts, done, end), "passage")
        bar.update(end - done)
        done = end
        if time.monotonic() - at >= SECONDS and done < len(texts):
            write_record(pieces.path(written), pieces.digest, {"vectors": vectors[written:done]})
            written, at = done, time.monotonic()
    for path in pieces.paths():
        path.unlink(missing_ok=True)  # another part encodes the same relevant passages
    return vectors


def encode_questions(encoder: Encoder, texts: list[str], bar: Progress) -> Floats:
    """Vectors of questions, [S, H].

    Args:
        encoder: texts to vectors.
        texts: as they are asked.
        bar: counts the texts.
    """
    vectors = np.empty((len(texts), encoder.width), np.float32)
    for first in range(0, len(texts), PIECE_TEXTS):
        piece = texts[first : first + PIECE_TEXTS]
        vectors[first : first + len(piece)] = encoder.encode_queries(piece)
        bar.update(len(piece))
    return vectors


def _read_pieces(pieces: Pieces, vectors: Floats) -> int:
    """Fill in the vectors of earlier pieces; returns how many there are from the first on."""
    done = 0
    while (record := read_record(pieces.path(done))) is not None:
        found = record["vectors"]
        if str(record["digest"]) != pieces.digest or found.shape[1] != vectors.shape[1] or not len(found):
            break
        if done + len(found) > len(vectors):
            break
        vectors[done : done + len(found)] = found
        done += len(found)
    return done
