"""Learned sparse models and models of one vector a token: the scores of sentence-transformers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import MultiVectorEncoder, SparseEncoder

from msm.encoders.loading import open_encoder
from msm.encoders.other_encoder import OtherEncoder
from msm.encoders.other_kinds import open_any
from msm.encoders.usage import Side, Usage
from msm.errors import BadInput
from msm.retrieval.text_vectors import TextVectors
from msm.retrieval.vector_kinds import encode
from tests.encoders.tiny import TEXTS, checkpoint, edit
from tests.encoders.tiny_kinds import late_interaction, masked_checkpoint, splade

CPU = torch.device("cpu")
SETTINGS = "config_sentence_transformers.json"
QUESTIONS = ["fudi moro?", "ra 1845", "bud Deti pepiga vipa?"]


@pytest.fixture(scope="module")
def masked_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return masked_checkpoint(tmp_path_factory.mktemp("masked"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("plain"), "bert")


def load(folder: Path, usage: Usage | None = None) -> OtherEncoder:
    encoder = open_any(folder, usage or Usage(), device=CPU, precision="fp32")
    assert isinstance(encoder, OtherEncoder)
    return encoder


def vectors(encoder: OtherEncoder, texts: list[str], side: Side) -> TextVectors:
    return encode(encoder, encoder.prepare(texts, side), side)


def same_scores(folder: Path, kind: type[SparseEncoder] | type[MultiVectorEncoder]) -> OtherEncoder:
    """The encoder, when all its scores are those of sentence-transformers, in batches of a few texts, too."""
    ours, theirs = load(folder), kind(str(folder), device="cpu")
    ours.batch_tokens = 60
    queries: Any = theirs.encode_query(QUESTIONS)
    passages: Any = theirs.encode_document(TEXTS)
    expected = theirs.similarity(queries, passages).numpy()
    rows, columns = np.indices(expected.shape).reshape(2, -1)
    scores = vectors(ours, QUESTIONS, "query").pair_scores(vectors(ours, TEXTS, "passage"), rows, columns)
    np.testing.assert_allclose(scores.reshape(expected.shape), expected, rtol=1e-5, atol=1e-5)
    assert ours.similarity == theirs.similarity_fn_name
    return ours


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
@pytest.mark.parametrize("static", [False, True], ids=["splade", "static questions"])
def test_scores_of_a_sparse_model(static: bool, similarity: str, masked_folder: Path, tmp_path: Path) -> None:
    encoder = same_scores(splade(tmp_path, masked_folder, static_queries=static, similarity=similarity), SparseEncoder)
    assert encoder.describe()["kind"] == ("sparse", f"file {SETTINGS}")


@pytest.mark.parametrize("similarity", ["maxsim", "meanmaxsim"])
def test_scores_of_a_model_of_one_vector_a_token(similarity: str, plain: Path, tmp_path: Path) -> None:
    encoder = same_scores(late_interaction(tmp_path, plain, similarity=similarity), MultiVectorEncoder)
    choices = encoder.describe()
    assert choices["kind"] == ("multi-vector", f"file {SETTINGS}")
    assert choices["query_prompt"].value == "ra " and choices["dimensions"].value == 8
    assert [len(tokens) for tokens in encoder.encode(QUESTIONS)] == [12, 12, 12]


def test_folders_of_pylate_and_of_stanford(plain: Path, tmp_path: Path) -> None:
    pylate = late_interaction(tmp_path / "pylate", plain)
    edit(pylate / SETTINGS, model_type="ColBERT", query_prefix="[Q] ", document_prefix="[D] ", query_length=10)
    rows = json.loads((pylate / "modules.json").read_text())[:2]
    rows[1]["type"] = "pylate.models.Dense.Dense"
    (pylate / "modules.json").write_text(json.dumps(rows))
    same_scores(pylate, MultiVectorEncoder)
    stanford = checkpoint(tmp_path / "stanford", "bert")
    edit(stanford / "config.json", architectures=["HF_ColBERT"])
    weights = {f"bert.{name}": weight for name, weight in load_file(stanford / "model.safetensors").items()}
    linear = {"linear.weight": torch.randn(8, 16, generator=torch.Generator().manual_seed(0))}
    save_file(weights | linear, stanford / "model.safetensors", {"format": "pt"})
    encoder = same_scores(stanford, MultiVectorEncoder)
    assert encoder.describe()["kind"] == ("multi-vector", "file config.json")


@pytest.mark.parametrize(
    ("usage", "name"),
    [
        (Usage(pooling="cls"), "pooling"),
        (Usage(dimensions=8), "dimensions"),
        (Usage(vectors="int8"), "vectors"),
        (Usage(passage_tokens=20), "passage_tokens"),
        (Usage(similarity="cosine"), "similarity"),
    ],
)
def test_flags_of_one_vector_a_text_are_refused(usage: Usage, name: str, plain: Path, tmp_path: Path) -> None:
    folder = late_interaction(tmp_path, plain)
    with pytest.raises(BadInput, match=f"a multi-vector model; --{name} is for models of one vector a text"):
        load(folder, usage)
    with pytest.raises(BadInput, match=r"a multi-vector model \(MultiVectorEncoder\), not a model of one vector"):
        open_encoder(folder, device=CPU, precision="fp32")


def test_a_sparse_model_needs_its_head_and_a_similarity_that_is_searched(masked_folder: Path, tmp_path: Path) -> None:
    folder = splade(tmp_path, masked_folder)
    assert load(folder, Usage(similarity="cosine")).similarity == "cosine"
    edit(folder / SETTINGS, similarity_fn_name="euclidean")
    with pytest.raises(BadInput, match="similarity euclidean cannot be searched here"):
        load(folder)
    edit(folder / SETTINGS, similarity_fn_name="dot")
    weights = load_file(folder / "model.safetensors")
    rest = {name: weight for name, weight in weights.items() if not name.startswith("lm_head.dense")}
    save_file(rest, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(BadInput, match=r"lacks 2 weights of XLMRobertaForMaskedLM, such as lm_head.dense.bias"):
        load(folder)
