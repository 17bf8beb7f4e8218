"""Keeps the vectors of a shard on disk while it is encoded: a stop costs half a minute of work, not a shard."""

import time
from pathlib import Path
from typing import Any, NamedTuple

from msm.encoders.encoder import Encoder, part_of
from msm.encoders.other_encoder import OtherEncoder
from msm.progress import Progress
from msm.retrieval.shard_records import read_record, write_record
from msm.retrieval.text_vectors import TextVectors
from msm.retrieval.vector_kinds import encode, restored

PIECE_TEXTS = 512
"""Number of texts that are encoded between two looks at the clock."""
SECONDS = 30.0
"""Number of seconds of encoding that are written as one piece."""


class Pieces(NamedTuple):
    """Files of the pieces of a shard."""

    folder: Path
    name: str
    """Name of the shard."""
    digest: str
    """Checksum of its passages; pieces of other passages are not read."""

    def path(self, first: int) -> Path:
        """Return the file of the piece that begins with a text."""
        return self.folder / f"{self.name}.from-{first:06d}.npz"

    def paths(self) -> list[Path]:
        """Return all pieces that exist, in order."""
        return sorted(self.folder.glob(f"{self.name}.from-*.npz"))


def encode_in_pieces(encoder: Encoder | OtherEncoder, texts: Any, pieces: Pieces, bar: Progress) -> TextVectors:
    """Return vectors of passages; earlier pieces of the same texts are read.

    Args:
        encoder: texts to vectors.
        texts: texts that are ready to encode, at least one.
        pieces: files of the pieces, which are removed at the end.
        bar: progress bar that counts the texts.
    """
    earlier = _read_pieces(pieces, encoder.width, len(texts))
    count = sum(len(piece) for piece in earlier)
    bar.update(count)
    parts: list[TextVectors] = []
    at = time.monotonic()
    while count < len(texts):
        parts.append(encode(encoder, part_of(texts, count, min(count + PIECE_TEXTS, len(texts))), "passage"))
        count += len(parts[-1])
        bar.update(len(parts[-1]))
        if time.monotonic() - at >= SECONDS and count < len(texts):
            piece = _joined(parts)
            write_record(pieces.path(count - len(piece)), pieces.digest, piece.arrays())
            earlier, parts, at = [*earlier, piece], [], time.monotonic()
    for path in pieces.paths():
        path.unlink(missing_ok=True)  # another part encodes the same relevant passages
    return _joined([*earlier, *parts])


def encode_questions(encoder: Encoder | OtherEncoder, texts: list[str], bar: Progress) -> TextVectors:
    """Return vectors of questions.

    Args:
        encoder: texts to vectors.
        texts: questions as they are asked.
        bar: progress bar that counts the texts.
    """
    parts: list[TextVectors] = []
    for first in range(0, len(texts) or 1, PIECE_TEXTS):
        inputs = encoder.prepare_queries(texts[first : first + PIECE_TEXTS])
        parts.append(encode(encoder, inputs, "query"))
        bar.update(len(parts[-1]))
    return _joined(parts)


def _joined(parts: list[TextVectors]) -> TextVectors:
    return parts[0].joined(parts[1:])


def _read_pieces(pieces: Pieces, width: int, texts: int) -> list[TextVectors]:
    """Vectors of earlier pieces, from the first text on."""
    earlier: list[TextVectors] = []
    count = 0
    while (record := read_record(pieces.path(count))) is not None:
        vectors = restored(record)
        if str(record["digest"]) != pieces.digest or vectors.width != width or not len(vectors):
            break
        if count + len(vectors) > texts:
            break
        earlier.append(vectors)
        count += len(vectors)
    return earlier
