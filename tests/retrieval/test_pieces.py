"""Vectors of a shard that is stopped half-way."""

from pathlib import Path

import numpy as np
import pytest
import torch

from msm.encoders.encoder import Encoder, Prepared
from msm.encoders.loading import open_encoder
from msm.encoders.usage import Side, Usage
from msm.progress import progress
from msm.retrieval import pieces
from msm.retrieval.pieces import Pieces, encode_in_pieces
from tests.encoders.tiny import checkpoint

TEXTS = [f"fudi moro {number} bud" for number in range(23)]


class Stopping(Encoder):
    """Breaks down after so many calls."""

    left = 3

    def encode_prepared(self, prepared: Prepared, side: Side) -> np.ndarray:
        """Vectors, [S, H]."""
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return super().encode_prepared(prepared, side)


def test_a_stopped_shard_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_TEXTS", 5)
    monkeypatch.setattr(pieces, "SECONDS", 0.0)
    folder = checkpoint(tmp_path / "model")
    usage = Usage(pooling="mean", similarity="dot")
    encoder = open_encoder(folder, usage, device=torch.device("cpu"), precision="fp32")
    expected = encoder.encode(TEXTS, "passage")
    encoder.__class__ = Stopping
    assert isinstance(encoder, Stopping)
    texts, kept = encoder.prepare(TEXTS, "passage"), Pieces(tmp_path, "shard-000000", "digest")
    with progress(None, "encode", "texts") as bar:
        with pytest.raises(KeyboardInterrupt):
            encode_in_pieces(encoder, texts, kept, bar)
        assert len(kept.paths()) == 3
        encoder.left = 2
        np.testing.assert_allclose(encode_in_pieces(encoder, texts, kept, bar), expected, atol=1e-6)
        assert not kept.paths() and not encoder.left
        # Pieces of other texts are not taken.
        encoder.left = 3
        with pytest.raises(KeyboardInterrupt):
            encode_in_pieces(encoder, texts, kept, bar)
        encoder.left = 5
        np.testing.assert_allclose(
            encode_in_pieces(encoder, texts, kept._replace(digest="b"), bar), expected, atol=1e-6
        )
