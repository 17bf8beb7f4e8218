"""Pre-training from tiny models of many classes, with and without a masked-language head."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer

from msm.encoders.heads import body
from msm.encoders.packed import runs_packed
from msm.encoders.start_checkpoints import load_masked
from msm.errors import BadInput
from msm.execution import Execution
from msm.pretraining.train import run
from msm.training import read_log
from tests.encoders.tiny_models import HALVES, tiny_config
from tests.pretraining.made import settings

HEADS = ("distilbert", "electra", "mpnet", "deberta-v2", "modernbert", "eurobert", "nomic_bert")
BARE = ("qwen3", "gemma3_text", "t5")


def start(kind: str, tokenizer: Path, folder: Path) -> Path:
    """Fresh weights of a class beside a tokenizer of the tiny world."""
    words = AutoTokenizer.from_pretrained(tokenizer)
    torch.manual_seed(0)
    config = tiny_config(kind, vocab_size=len(words), pad_token_id=words.pad_token_id)
    if kind in HALVES:
        model = HALVES[kind](config)
    else:
        model = (AutoModelForMaskedLM if kind in HEADS else AutoModel).from_config(config)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def pretrain(units: Path, weights: Path, out: Path, work: Path, **changes: Any) -> dict[str, Any]:
    form = settings(**({"steps": 2, "schedule_steps": 4} | changes))
    return run(form, units=units, weights=weights, out=out, execution=Execution(work=work, device="cpu"))


@pytest.mark.parametrize("kind", HEADS + BARE)
def test_a_class_is_trained_and_saved(
    kind: str, units: Path, encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = start(kind, encoder, tmp_path / "start")
    pooling = "lasttoken" if kind == "qwen3" else "mean"
    facts = pretrain(units, weights, tmp_path / "out", tmp_path / "work", pooling=pooling, learning_rate=1e-2)
    rows = read_log(tmp_path / "work" / "log.jsonl")
    assert len(rows) == 2
    assert ("mlm_loss" in rows[0]) == (kind in HEADS)
    assert (facts.get("language_head") == "none") == (kind in BARE)
    assert ("msm is trained without masked tokens" in capsys.readouterr().err) == (kind in BARE)
    assert runs_packed(body(load_masked(tmp_path / "out"))) == (kind not in ("mpnet", "deberta-v2", "t5"))
    before, after = load_masked(weights).state_dict(), load_masked(tmp_path / "out").state_dict()
    assert before.keys() == after.keys()
    names = [name for name, weight in before.items() if not torch.equal(weight, after[name])]
    assert any("embed" in name for name in names)


def test_masked_tokens_need_a_head(units: Path, encoder: Path, tmp_path: Path) -> None:
    weights = start("qwen3", encoder, tmp_path / "start")
    with pytest.raises(BadInput, match="objective mlm needs a masked-language head, and Qwen3Model has none"):
        pretrain(units, weights, tmp_path / "out", tmp_path / "work", objective="mlm")


def test_blocks_must_fit_the_positions(units: Path, encoder: Path, tmp_path: Path) -> None:
    weights = start("mpnet", encoder, tmp_path / "start")  # its positions are counted from 2 on
    usable = AutoModel.from_pretrained(weights).embeddings.position_embeddings.num_embeddings - 2
    with pytest.raises(BadInput, match=f"must fit the encoder's {usable} positions, got {usable + 1}"):
        pretrain(units, weights, tmp_path / "out", tmp_path / "work", block_tokens=usable + 1)


@pytest.mark.parametrize("kind", ["modernbert", "qwen3"])
def test_resuming_and_recomputing_change_nothing(kind: str, units: Path, encoder: Path, tmp_path: Path) -> None:
    weights = start(kind, encoder, tmp_path / "start")
    pretrain(units, weights, tmp_path / "whole", tmp_path / "a", steps=4)
    pretrain(units, weights, tmp_path / "stopped", tmp_path / "b", steps=4, checkpoint_steps=1)
    for path in (tmp_path / "b").glob("step-000000004.*"):
        path.unlink()
    facts = pretrain(units, weights, tmp_path / "resumed", tmp_path / "b", steps=4, checkpoint_steps=1)
    assert facts["resumed_from"] == 3
    pretrain(units, weights, tmp_path / "again", tmp_path / "c", steps=4, activations="recomputed")
    whole, again = load_masked(tmp_path / "whole").state_dict(), load_masked(tmp_path / "again").state_dict()
    for name, weight in whole.items():
        torch.testing.assert_close(again[name], weight, atol=1e-6, rtol=1e-5)
    resumed_weights = load_masked(tmp_path / "resumed").state_dict()
    assert all(torch.equal(resumed_weights[name], weight) for name, weight in whole.items())
