"""Embeddings in step with a trimmed tokenizer."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer, BertConfig, XLMRobertaConfig

from msm.corpora import tokenizer as tokenizer_stage
from msm.corpora.settings import Tokenizer
from msm.encoders import start
from msm.encoders.settings import Encoder
from msm.errors import BadInput
from msm.execution import Execution

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 130,
}


@pytest.fixture(scope="module")
def trimmed_folder(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny world's tokenizer without the pieces that one of its languages does not use."""
    root = tmp_path_factory.mktemp("trimmed")
    documents = next((tiny / "documents").rglob("*.jsonl"))
    (root / "documents").mkdir()
    (root / "documents" / documents.name).write_bytes(documents.read_bytes())
    name = str(tiny / "tokenizer" / "ordered" / "tokenizer")
    (root / "tokenizer").mkdir()
    tokenizer_stage.run(
        Tokenizer(name=name, pieces=0, character_coverage=1.0, language_sentences=1, least_count=2),
        documents=root / "documents",
        out=root / "tokenizer",
        execution=Execution(work=root),
    )
    return root


def run(checkpoint: Path, tokenizer: Path, out: Path) -> Path:
    out.mkdir()
    sizes = {"width": 0, "heads": 0, "feed_forward": 0, "positions": 0, "dropout": 0.0}
    settings = Encoder(checkpoint=str(checkpoint), layers=0, seed=1, **sizes)
    start.run(settings, tokenizer=tokenizer, out=out, execution=Execution(work=out.with_name("work")))
    return out


def checkpoint(config: type, encoder: Path, folder: Path) -> Path:
    """A random encoder with a language-model head and the tiny world's tokenizer."""
    words = AutoTokenizer.from_pretrained(encoder)
    torch.manual_seed(3)
    model = AutoModelForMaskedLM.from_config(config(vocab_size=len(words) + 5, pad_token_id=1, **SIZES))
    with torch.no_grad():
        model.get_output_embeddings().bias.normal_()
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("config", [XLMRobertaConfig, BertConfig])
def test_texts_of_kept_pieces_keep_vectors_and_logits(
    config: type, encoder: Path, trimmed_folder: Path, tmp_path: Path
) -> None:
    start = checkpoint(config, encoder, tmp_path / "own")
    out = run(start, trimmed_folder / "tokenizer", tmp_path / "out")
    old, new = (AutoTokenizer.from_pretrained(folder) for folder in (start, out))
    assert len(new) < len(old)
    lines = next((trimmed_folder / "documents").iterdir()).read_text(encoding="utf-8").splitlines()[:3]
    texts = [sentence for line in lines for sentence in json.loads(line)["sentences"]]
    texts = [text for text in texts if set(old.tokenize(text)) <= set(new.get_vocab())]
    assert len(texts) > 10
    rows = torch.tensor(old.convert_tokens_to_ids(new.convert_ids_to_tokens(range(len(new)))))
    before, after = (AutoModelForMaskedLM.from_pretrained(folder).eval() for folder in (start, out))
    assert after.config.vocab_size == len(new)
    with torch.no_grad():
        for text in texts:
            expected = before(**old(text, return_tensors="pt")).logits[..., rows]
            torch.testing.assert_close(after(**new(text, return_tensors="pt")).logits, expected, atol=1e-5, rtol=1e-5)
    vectors = [SentenceTransformer(str(folder), device="cpu").encode(texts) for folder in (start, out)]
    np.testing.assert_allclose(vectors[1], vectors[0], atol=1e-6)


def test_embeddings_and_head_stay_tied(encoder: Path, trimmed_folder: Path, tmp_path: Path) -> None:
    out = run(checkpoint(BertConfig, encoder, tmp_path / "own"), trimmed_folder / "tokenizer", tmp_path / "out")
    model = AutoModelForMaskedLM.from_pretrained(out)
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


def test_same_tokenizer_keeps_every_row(encoder: Path, tmp_path: Path) -> None:
    start = checkpoint(BertConfig, encoder, tmp_path / "own")
    out = run(start, encoder, tmp_path / "out")
    weights = [AutoModel.from_pretrained(folder).get_input_embeddings().weight for folder in (start, out)]
    assert torch.equal(*weights)


def test_pieces_that_the_checkpoint_lacks_are_refused(encoder: Path, trimmed_folder: Path, tmp_path: Path) -> None:
    small = run(checkpoint(BertConfig, encoder, tmp_path / "own"), trimmed_folder / "tokenizer", tmp_path / "small")
    with pytest.raises(BadInput, match=r"small: its tokenizer lacks \d+ of the \d+ pieces, such as "):
        run(small, encoder, tmp_path / "out")
