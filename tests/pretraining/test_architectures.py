"""Start from any encoder: tiny checkpoints of the architectures in use, from tokenizer to a trained model."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import BertWordPieceTokenizer
from transformers import (
    AutoModel,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertModel,
    BertTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
    XLMRobertaModel,
)

from msm.corpora.settings import Tokenizer, Units
from msm.encoders.heads import body
from msm.encoders.packed import token_states
from msm.encoders.pooling import pool
from msm.encoders.settings import Encoder
from msm.encoders.start_checkpoints import load_masked
from msm.encoders.token_packing import pack
from msm.execution import Execution
from msm.files import read_json_lines
from msm.pipeline import runner
from msm.pretraining.model import SentenceModel
from msm.pretraining.train import OBJECTIVES, _batches
from tests.pretraining.made import settings as form

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
# BERT's places are counted from 0, so 32 tokens fit in 32 of them; XLM-R's from 2.
CHECKPOINTS = {
    "xlm-roberta": (XLMRobertaForMaskedLM, 34),
    "InfoXLM": (XLMRobertaModel, 34),
    "mBERT": (BertForMaskedLM, 32),
    "LaBSE": (BertModel, 32),
    "mContriever": (BertModel, 32),
}


@pytest.fixture(scope="module")
def word_pieces(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT tokenizer whose special tokens stand among the pieces, as mBERT's do."""
    folder = tmp_path_factory.mktemp("pieces")
    texts = folder / "texts.txt"
    with texts.open("w") as file:
        for path in sorted((tiny / "documents" / "ordered" / "documents").glob("*.jsonl")):
            file.writelines(text + "\n" for _, row in read_json_lines(path) for text in row["sentences"])
    tokenizer = BertWordPieceTokenizer(lowercase=False)
    spare_pieces = [f"[unused{number}]" for number in range(5)]
    tokenizer.train(
        [str(texts)], vocab_size=400, special_tokens=["[PAD]", *spare_pieces, "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    )
    tokenizer.save_model(str(folder))
    BertTokenizerFast(vocab=str(folder / "vocab.txt"), do_lower_case=False).save_pretrained(folder)
    return folder


def checkpoint(name: str, tokenizer: Path, folder: Path) -> Path:
    """Fresh weights of an architecture in a folder with its tokenizer, as its authors publish them."""
    kind, places = CHECKPOINTS[name]
    shutil.copytree(tokenizer, folder)
    words = AutoTokenizer.from_pretrained(tokenizer)
    config = XLMRobertaConfig if "XLM" in kind.__name__ else BertConfig
    torch.manual_seed(5)
    special = {
        "pad_token_id": words.pad_token_id,
        "bos_token_id": words.bos_token_id,
        "eos_token_id": words.eos_token_id,
    }
    model = kind(config(vocab_size=len(words), max_position_embeddings=places, **SIZES, **special))
    model.save_pretrained(folder)
    if name == "mContriever":
        card = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(card | {"architectures": ["Contriever"]}))
    return folder


def run(stage: str, settings: Any, out: Path, **reads: Path) -> Path:
    runner.run_stage(stage, settings, reads, out, Execution(out.parent / "work" / stage, processes=1, device="cpu"))
    return out


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_from_checkpoint_to_trained_model(
    name: str, tiny: Path, encoder: Path, word_pieces: Path, tmp_path: Path
) -> None:
    start = checkpoint(name, encoder if "XLM" in CHECKPOINTS[name][0].__name__ else word_pieces, tmp_path / name)
    tokenizer = run(
        "tokenizer",
        Tokenizer(name=str(start), pieces=0, character_coverage=1.0, language_sentences=1),
        tmp_path / "tokenizer",
        documents=tiny / "documents/ordered",
    )
    units = run(
        "units",
        Units(unit_tokens=32, document_units=8, min_units=4),
        tmp_path / "units",
        documents=tiny / "documents/ordered",
        tokenizer=tokenizer,
    )
    weights = run(
        "encoder",
        Encoder(checkpoint=str(start), layers=0, width=0, heads=0, feed_forward=0, positions=0, dropout=0.0, seed=1),
        tmp_path / "encoder",
        tokenizer=tokenizer,
    )
    checkpoint_weights = AutoModel.from_pretrained(start).state_dict()
    start_weights = AutoModel.from_pretrained(weights / "model").state_dict()
    assert all(
        torch.equal(weight, start_weights[key]) for key, weight in checkpoint_weights.items() if "pooler" not in key
    )
    settings = form(steps=2, schedule_steps=0)
    out = run("pretrain", settings, tmp_path / "out", units=units, weights=weights)
    assert all(np.isfinite(row["loss"]) for _, row in read_json_lines(out / "log.jsonl"))
    words, model = AutoTokenizer.from_pretrained(out / "model"), AutoModel.from_pretrained(out / "model").eval()
    text = next(read_json_lines(tiny / "documents/ordered/documents/qab.jsonl"))[1]["sentences"][0]
    inputs = words(text, return_tensors="pt", truncation=True, max_length=32)
    packed_tokens = pack([inputs["input_ids"][0].numpy()])
    with torch.no_grad():
        ours = pool(token_states(body(load_masked(out / "model")).eval(), packed_tokens), packed_tokens, "cls")
        theirs = model(**inputs).last_hidden_state[:, 0]
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    changes = (
        model.state_dict()["embeddings.word_embeddings.weight"]
        - checkpoint_weights["embeddings.word_embeddings.weight"]
    )
    assert changes.abs().max() > 0


def test_a_berts_special_tokens_are_left_alone(tiny: Path, word_pieces: Path, tmp_path: Path) -> None:
    start = checkpoint("mBERT", word_pieces, tmp_path / "bert")
    units = run(
        "units",
        Units(unit_tokens=32, document_units=8, min_units=4),
        tmp_path / "units",
        documents=tiny / "documents/ordered",
        tokenizer=word_pieces,
    )
    words = AutoTokenizer.from_pretrained(word_pieces)
    settings = form(mask_share=0.5)
    batches = _batches(units / "shards", settings, Execution(work=tmp_path))
    ours = OBJECTIVES["msm"](SentenceModel(start, settings, 8), batches, settings, torch.device("cpu"))
    for step in range(20):
        inputs = ours.read(step, 0)
        assert all(unit[0] == words.cls_token_id for unit in inputs.batch.units)
        hidden = inputs.texts.hidden
        new_tokens = hidden.packed_tokens.tokens[torch.from_numpy(hidden.rows)].numpy()
        special = [words.cls_token_id, words.sep_token_id, words.pad_token_id, words.unk_token_id]
        assert not np.isin(hidden.targets, special).any()
        assert not np.isin(new_tokens, special).any()
        assert (new_tokens == words.mask_token_id).mean() > 0.5
