"""Text encoding against sentence-transformers, and whatever the batches are."""

from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from msm.errors import BadInput
from msm.records import Passage
from msm.retrieval.encode import Usage, load_text_encoder, load_text_model, read_usage, write_usage

TEXTS = ["ra 1845 fudi moro pepiga bud Deti.", "vipa fudi moro?", "", "1866 δαψη " * 30]


def usage(**changes: object) -> Usage:
    values = {
        "pooling": "cls",
        "similarity": "cosine",
        "scale": 20.0,
        "query_tokens": 24,
        "passage_tokens": 24,
        "passage_context": "none",
    }
    return Usage(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_sentence_transformers_gives_the_same_vectors(
    encoder: Path, tmp_path: Path, pooling: str, similarity: str
) -> None:
    folder = tmp_path / "model"
    copytree(encoder, folder)
    write_usage(folder, usage(pooling=pooling, similarity=similarity))
    ours = load_text_encoder(folder, device=torch.device("cpu"), precision="fp32").encode_queries(TEXTS)
    theirs = SentenceTransformer(str(folder), device="cpu").encode(TEXTS)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_vectors_do_not_depend_on_the_batch(encoder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    copytree(encoder, folder)
    write_usage(folder, usage())
    device = torch.device("cpu")
    together = load_text_encoder(folder, device=device, precision="fp32").encode_queries(TEXTS)
    alone = load_text_encoder(folder, device=device, precision="fp32", batch_tokens=1).encode_queries(TEXTS)
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_a_passage_is_encoded_with_the_context_it_was_trained_with(encoder: Path) -> None:
    passage = Passage("1", "qaa", "fudi moro.", "Deti", "ra 1845\nfudi moro.")
    texts = {
        "none": "fudi moro.",
        "paragraph": "fudi moro.ra 1845fudi moro.",
    }
    for context, text in texts.items():
        model = load_text_model(encoder, usage(passage_context=context))
        assert model.passage_ids([passage])[0].tolist() == model.query_ids([text])[0].tolist()
    pair = load_text_model(encoder, usage(passage_context="title"))
    expected = pair.tokenizer("Deti", "fudi moro.")["input_ids"]
    assert pair.passage_ids([passage])[0].tolist() == expected


def test_usage_survives_the_folder(encoder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    copytree(encoder, folder)
    with pytest.raises(BadInput, match="fine-tune it first"):
        read_usage(folder)
    write_usage(folder, usage(query_prefix="Query: "))
    assert read_usage(folder) == usage(query_prefix="Query: ")
