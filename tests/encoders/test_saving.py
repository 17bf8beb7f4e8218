"""Encoders that are trained and saved here, against sentence-transformers and against themselves."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import BertModel

from msm.collections.records import Passage
from msm.encoders.building import EncoderForm
from msm.encoders.encoder import Encoder
from msm.encoders.loading import open_encoder
from msm.encoders.module_chain import Tokens
from msm.encoders.saving import new_encoder, save_encoder
from msm.errors import BadInput
from tests.encoders.tiny import TEXTS, WIDTH, checkpoint

CPU = torch.device("cpu")
PASSAGES = [Passage(str(number), "qaa", text, "Deti", f"ra 1845\n{text}") for number, text in enumerate(TEXTS)]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("bert"), "bert")


def form(**changes: object) -> EncoderForm:
    values = {"pooling": "cls", "similarity": "cosine", "query_tokens": 24, "passage_tokens": 24}
    return EncoderForm(**(values | changes))  # type: ignore[arg-type]


def moved(encoder: Encoder) -> Encoder:
    """The encoder after what training might do: every weight a little elsewhere."""
    random = torch.manual_seed(1)
    with torch.no_grad():
        for weight in encoder.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=random)
    return encoder


FORMS = {
    "cls": form(),
    "two limits": form(pooling="mean", query_tokens=5, passage_tokens=20, similarity="dot"),
    "pooler": form(pooling="pooler", query_prompt="Query: ", passage_prompt="Passage: ", passage_tokens=9),
    "two towers": form(pooling="mean", similarity="dot", towers="two", query_tokens=6),
    "two towers, pooler": form(pooling="pooler", towers="two", passage_context="title"),
    "last token": form(pooling="lasttoken", query_prompt="bud "),
}


@pytest.mark.parametrize("name", FORMS)
def test_what_is_saved_gives_the_same_vectors_here_and_in_sentence_transformers(
    bert: Path, tmp_path: Path, name: str
) -> None:
    encoder = moved(new_encoder(bert, FORMS[name]))
    save_encoder(encoder, tmp_path)
    ours = open_encoder(tmp_path, device=CPU, precision="fp32")
    theirs = SentenceTransformer(str(tmp_path), device="cpu")
    queries = encoder.encode_queries(TEXTS)
    np.testing.assert_allclose(ours.encode_queries(TEXTS), queries, atol=1e-6)
    np.testing.assert_allclose(theirs.encode_query(TEXTS), queries, atol=1e-5)
    documents = [["Deti", text] for text in TEXTS] if FORMS[name].passage_context == "title" else TEXTS
    passages = encoder.encode_passages(PASSAGES)
    np.testing.assert_allclose(ours.encode_passages(PASSAGES), passages, atol=1e-6)
    np.testing.assert_allclose(theirs.encode_document(documents), passages, atol=1e-5)
    assert theirs.similarity_fn_name == ours.similarity == FORMS[name].similarity
    if "two" in name:
        assert np.abs(queries[3] - passages[3]).max() > 1e-3


def test_the_pooler_of_transformers_is_trained_and_saved_alike(bert: Path, tmp_path: Path) -> None:
    save_encoder(moved(new_encoder(bert, form(pooling="pooler"))), tmp_path)
    ours = open_encoder(tmp_path, device=CPU, precision="fp32")
    model, report = BertModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    words = SentenceTransformer(str(tmp_path), device="cpu").tokenizer(TEXTS[0], return_tensors="pt")
    with torch.inference_mode():
        vectors = model.eval()(**words).pooler_output
    vector = torch.nn.functional.normalize(vectors, dim=1).numpy()
    np.testing.assert_allclose(ours.encode_queries(TEXTS[:1]), vector, atol=1e-5)


def test_what_sentence_transformers_has_no_file_for_is_kept(bert: Path, tmp_path: Path) -> None:
    save_encoder(new_encoder(bert, form(passage_context="paragraph", question_mark="stripped", scale=3.5)), tmp_path)
    encoder = open_encoder(tmp_path, device=CPU, precision="fp32")
    choices = encoder.describe()
    assert choices["passage_context"] == ("paragraph", "file encoder.json") and choices["scale"].value == 3.5
    texts = ["fudi moro?", "fudi? moro??", "fudi\u061f", "fudi\uff1f", "fudi ? ", "?"]
    stripped_texts = ["fudi moro", "fudi? moro?", "fudi\u061f", "fudi\uff1f", "fudi ? ", ""]
    np.testing.assert_array_equal(encoder.encode_queries(texts), encoder.encode(stripped_texts))
    passage = Passage("1", "qaa", "fudi moro?", "Deti", "ra 1845\nfudi moro?")
    expected = encoder.encode(["fudi moro?ra 1845fudi moro?"], "passage")
    np.testing.assert_array_equal(encoder.encode_passages([passage]), expected)


def test_a_pair_is_encoded_as_the_tokenizer_joins_it(bert: Path) -> None:
    encoder = new_encoder(bert, form(passage_context="title"))
    tokens = encoder.prepare_passages(PASSAGES[:1])
    assert isinstance(tokens, Tokens) and tokens.types is not None
    words = SentenceTransformer(str(bert), device="cpu").tokenizer("Deti", TEXTS[0], truncation=True, max_length=24)
    assert tokens.ids[0].tolist() == words["input_ids"] and tokens.types[0].tolist() == words["token_type_ids"]


def test_training_gets_the_gradient_of_both_sides(bert: Path) -> None:
    encoder = new_encoder(bert, form(pooling="mean", similarity="dot"))
    queries, passages = encoder.prepare_queries(TEXTS), encoder.prepare_passages(PASSAGES)
    assert isinstance(queries, Tokens) and isinstance(passages, Tokens) and encoder.shared
    together = encoder(queries.joined(passages), "query")
    apart = torch.cat([encoder(queries, "query"), encoder(passages, "passage")])
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=1e-4)
    together.square().sum().backward()
    assert all(weight.grad is not None for name, weight in encoder.named_parameters() if "pooler" not in name)
    assert together.shape == (2 * len(TEXTS), WIDTH)


def test_two_towers_are_not_read_as_one(bert: Path, tmp_path: Path) -> None:
    save_encoder(new_encoder(bert, form(towers="two")), tmp_path)
    with pytest.raises(BadInput, match="a model with two towers, but one is wanted"):
        new_encoder(tmp_path, form())
    with pytest.raises(BadInput, match="must fit the encoder's 64 positions, got 65"):
        new_encoder(bert, form(query_tokens=65))
