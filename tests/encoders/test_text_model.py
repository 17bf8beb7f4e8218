"""Text encoding against sentence-transformers, and whatever the batches are."""

from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import XLMRobertaModel

from msm.collections.records import Passage
from msm.encoders.model_folder import save_text_model, write_usage
from msm.encoders.text_model import Usage, load_text_encoder, load_text_model, read_usage
from msm.errors import BadInput

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


def texts_without_question_mark() -> list[str]:
    return [text for text in TEXTS if not text.endswith("?")]


def test_pooler_form_in_sentence_transformers(encoder: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    model = load_text_model(
        encoder, usage(pooling="pooler", query_prefix="Query: ", passage_prefix="Passage: "), fresh_pooler=True
    )
    save_text_model(model, tmp_path)
    ours = load_text_encoder(tmp_path, device=torch.device("cpu"), precision="fp32")
    theirs = SentenceTransformer(str(tmp_path), device="cpu")
    np.testing.assert_allclose(ours.encode_queries(TEXTS), theirs.encode_query(TEXTS), atol=1e-5)
    passages = [Passage(str(number), "qaa", text) for number, text in enumerate(TEXTS)]
    np.testing.assert_allclose(ours.encode_passages(passages), theirs.encode_document(TEXTS), atol=1e-5)
    # And the pooler of transformers itself: dense layer and tanh on the first token.
    words = ours.model.tokenizer("Query: " + TEXTS[0], truncation=True, max_length=24, return_tensors="pt")
    with torch.inference_mode():
        pooled = XLMRobertaModel.from_pretrained(tmp_path).eval()(**words).pooler_output
    vector = torch.nn.functional.normalize(pooled, dim=1).numpy()
    np.testing.assert_allclose(ours.encode_queries(TEXTS[:1]), vector, atol=1e-5)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_two_towers_in_sentence_transformers(encoder: Path, tmp_path: Path, pooling: str) -> None:
    form = usage(pooling=pooling, similarity="dot", passage_context="title", towers="two", question_mark="stripped")
    model = load_text_model(encoder, form)
    with torch.no_grad():
        for number, tower in enumerate(model.towers):
            for weight in tower.parameters():
                weight += 0.01 * (number + 1) * torch.randn(weight.shape, generator=torch.manual_seed(number))
    save_text_model(model, tmp_path)
    ours = load_text_encoder(tmp_path, device=torch.device("cpu"), precision="fp32")
    theirs = SentenceTransformer(str(tmp_path), device="cpu")
    alone = [SentenceTransformer(str(tmp_path / tower), device="cpu") for tower in ("query", "passage")]
    texts = texts_without_question_mark()
    queries = ours.encode_queries(texts)
    np.testing.assert_allclose(queries, alone[0].encode(texts), atol=1e-5)
    np.testing.assert_allclose(queries, theirs.encode_query(texts), atol=1e-5)
    passages = ours.encode_passages([Passage(str(number), "qaa", text, "Deti") for number, text in enumerate(TEXTS)])
    pairs = [["Deti", text] for text in TEXTS]
    np.testing.assert_allclose(passages, alone[1].encode(pairs), atol=1e-5)
    np.testing.assert_allclose(passages, theirs.encode_document(pairs), atol=1e-5)
    assert np.abs(queries[0] - alone[1].encode(texts[0])).max() > 1e-3


def test_one_ascii_question_mark_is_stripped_and_no_other(encoder: Path) -> None:
    kept = load_text_model(encoder, usage())
    stripped = load_text_model(encoder, usage(question_mark="stripped"))
    given = ["fudi moro?", "fudi? moro??", "fudi\u061f", "fudi\uff1f", "fudi ? ", "?"]
    left = ["fudi moro", "fudi? moro?", "fudi\u061f", "fudi\uff1f", "fudi ? ", ""]
    assert [ids.tolist() for ids in stripped.query_ids(given)] == [ids.tolist() for ids in kept.query_ids(left)]
    passage = Passage("1", "qaa", "fudi moro?")
    assert stripped.passage_ids([passage])[0].tolist() == kept.passage_ids([passage])[0].tolist()


def test_two_towers_are_not_read_as_one(encoder: Path, tmp_path: Path) -> None:
    save_text_model(load_text_model(encoder, usage(towers="two")), tmp_path)
    with pytest.raises(BadInput, match="a model with two towers, but one is wanted"):
        load_text_model(tmp_path, usage())


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
