"""Vectors of a shard that is stopped half-way."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from msm.encoders.encoder import Encoder, Prepared
from msm.encoders.loading import open_encoder
from msm.encoders.other_encoder import OtherEncoder, Rows
from msm.encoders.other_kinds import open_any
from msm.encoders.usage import Side, Text, Usage
from msm.progress import progress
from msm.retrieval import pieces, vector_kinds
from msm.retrieval.pieces import Pieces, encode_in_pieces
from tests.encoders.tiny import checkpoint
from tests.encoders.tiny_kinds import late_interaction, masked_checkpoint, splade

TEXTS = [f"fudi moro {number} bud" for number in range(23)]


class Stopping(Encoder):
    """Breaks down after so many calls."""

    left = 3

    def encode_prepared(self, prepared_texts: Prepared, side: Side) -> np.ndarray:
        """Vectors, [S, H]."""
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return super().encode_prepared(prepared_texts, side)


class StoppingOther(OtherEncoder):
    """Breaks down after so many calls."""

    left = 2

    def encode_prepared(self, prepared_texts: list[Text], side: Side) -> Rows:
        """Vectors."""
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return super().encode_prepared(prepared_texts, side)


@pytest.mark.parametrize("make", [splade, late_interaction])
def test_pieces_of_other_kinds_of_vectors(
    make: Callable[[Path, Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE_TEXTS", 9)
    monkeypatch.setattr(pieces, "SECONDS", 0.0)
    folder = make(tmp_path / "model", masked_checkpoint(tmp_path / "start"))
    encoder = open_any(folder, Usage(), device=torch.device("cpu"), precision="fp32")
    expected = vector_kinds.encode(encoder, TEXTS, "passage")
    encoder.__class__ = StoppingOther  # type: ignore[assignment]
    assert isinstance(encoder, StoppingOther)
    store = Pieces(tmp_path, "shard-000000", "digest")
    with progress(None, "encode", "texts") as bar:
        with pytest.raises(KeyboardInterrupt):
            encode_in_pieces(encoder, TEXTS, store, bar)
        assert len(store.paths()) == 2
        encoder.left = 1
        vectors = encode_in_pieces(encoder, TEXTS, store, bar)
    assert vectors.arrays().keys() == expected.arrays().keys()
    for name, values in expected.arrays().items():
        np.testing.assert_allclose(vectors.arrays()[name], values, atol=1e-5)


def test_a_stopped_shard_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_TEXTS", 5)
    monkeypatch.setattr(pieces, "SECONDS", 0.0)
    folder = checkpoint(tmp_path / "model")
    usage = Usage(pooling="mean", similarity="dot")
    encoder = open_encoder(folder, usage, device=torch.device("cpu"), precision="fp32")
    expected = encoder.encode(TEXTS, "passage")
    encoder.__class__ = Stopping
    assert isinstance(encoder, Stopping)
    texts, store = encoder.prepare(TEXTS, "passage"), Pieces(tmp_path, "shard-000000", "digest")
    with progress(None, "encode", "texts") as bar:
        with pytest.raises(KeyboardInterrupt):
            encode_in_pieces(encoder, texts, store, bar)
        assert len(store.paths()) == 3
        encoder.left = 2
        np.testing.assert_allclose(
            encode_in_pieces(encoder, texts, store, bar).arrays()["vectors"], expected, atol=1e-6
        )
        assert not store.paths() and not encoder.left
        # Pieces of other texts are not taken.
        encoder.left = 3
        with pytest.raises(KeyboardInterrupt):
            encode_in_pieces(encoder, texts, store, bar)
        encoder.left = 5
        again = encode_in_pieces(encoder, texts, store._replace(digest="b"), bar).arrays()["vectors"]
        np.testing.assert_allclose(again, expected, atol=1e-6)
