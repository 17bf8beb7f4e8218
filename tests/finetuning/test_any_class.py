"""Fine-tuning of tiny models of many classes: every pooling, adapters, dimensions, activations computed again."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense
from transformers import AutoModel, AutoTokenizer

from msm.encoders import start as encoder_stage
from msm.encoders.building import build_modules, new_transformer
from msm.encoders.settings import Encoder
from msm.errors import BadInput
from msm.execution import Execution
from msm.finetuning.train import run
from msm.losses import matryoshka_loss
from tests.encoders.tiny_models import HALVES, tiny_config
from tests.finetuning.made import settings

TEXTS = ["fudi moro?", "vipa", "deti ra moro fudi"]
CASES = [
    ("distilbert", "mean"),
    ("longformer", "cls"),
    ("electra", "max"),
    ("mpnet", "cls"),
    ("deberta-v2", "mean_sqrt_len_tokens"),
    ("modernbert", "weightedmean"),
    ("qwen3", "lasttoken"),
    ("gemma3_text", "mean"),
    ("t5", "mean"),
    ("bert", "pooler"),
]


def start(kind: str, tokenizer: Path, folder: Path) -> Path:
    """Fresh weights of a class beside a tokenizer of the tiny world."""
    words = AutoTokenizer.from_pretrained(tokenizer)
    torch.manual_seed(0)
    config = tiny_config(kind, vocab_size=len(words), pad_token_id=words.pad_token_id)
    model = HALVES[kind](config) if kind in HALVES else AutoModel.from_config(config)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def finetune(sources: Path, weights: Path, folder: Path, **changes: Any) -> Path:
    out = folder / "model"
    out.mkdir(parents=True, exist_ok=True)
    form = settings(**({"steps": 3, "learning_rate": 1e-2} | changes))
    run(form, sources=sources, weights=weights, out=out, execution=Execution(folder / "work", device="cpu"))
    return out


def encoded(folder: Path) -> np.ndarray:
    return SentenceTransformer(str(folder), device="cpu").encode_query(TEXTS)  # type: ignore[return-value]


@pytest.mark.parametrize(("kind", "pooling"), CASES)
def test_a_class_is_trained_and_loads_elsewhere(
    kind: str, pooling: str, sources: Path, encoder: Path, tmp_path: Path
) -> None:
    weights = start(kind, encoder, tmp_path / "start")
    before = finetune(sources, weights, tmp_path / "before", pooling=pooling, steps=0)
    after = finetune(sources, weights, tmp_path / "after", pooling=pooling)
    assert np.isfinite(encoded(after)).all()
    assert np.abs(encoded(before) - encoded(after)).max() > 1e-3


@pytest.mark.parametrize(("kind", "pooling"), [("distilbert", "mean"), ("longformer", "cls")])
def test_the_paper_s_distilmbert_and_xlm_r_long_are_fine_tuned_as_dpr_does(
    kind: str, pooling: str, sources: Path, encoder: Path, tmp_path: Path
) -> None:
    """DistilmBERT is published as a transformer, a mean and a dense layer; its transformer is what is fine-tuned."""
    published = start(kind, encoder, tmp_path / "published")
    if kind == "distilbert":
        model = build_modules([new_transformer(published)], pooling="mean")
        model.append(Dense(32, 16))
        model.save(str(published))
    weights = tmp_path / "weights"
    weights.mkdir()
    options = Execution(tmp_path / "work", device="cpu")
    encoder_stage.run(Encoder(checkpoint=str(published), seed=1), tokenizer=encoder, out=weights, execution=options)
    form = {"towers": "two", "pooling": pooling, "similarity": "dot", "passage_context": "title", "learn_scale": "no"}
    before = encoded(finetune(sources, weights, tmp_path / "before", **form, steps=0))
    words, bare = AutoTokenizer.from_pretrained(encoder), AutoModel.from_pretrained(published).eval()
    for text, vector in zip(TEXTS, before, strict=True):
        with torch.no_grad():
            states = bare(**words(text, return_tensors="pt")).last_hidden_state[0]
        expected = states.mean(0) if pooling == "mean" else states[0]
        np.testing.assert_allclose(vector, expected, atol=1e-5)
    after = encoded(finetune(sources, weights, tmp_path / "after", **form))
    assert np.isfinite(after).all()
    assert np.abs(before - after).max() > 1e-3


@pytest.mark.parametrize(("kind", "targets"), [("bert", ""), ("qwen3", "q_proj, v_proj"), ("deberta-v2", "")])
def test_merged_adapters_equal_the_adapters_on_their_base(
    kind: str, targets: str, sources: Path, encoder: Path, tmp_path: Path
) -> None:
    weights = start(kind, encoder, tmp_path / "start")
    form = {"pooling": "mean", "lora_rank": 4, "lora_alpha": 8, "lora_targets": targets}
    out = finetune(sources, weights, tmp_path / "tuned", **form)
    base = finetune(sources, weights, tmp_path / "base", pooling="mean", steps=0)
    base_model = SentenceTransformer(str(base), device="cpu")
    before = base_model.encode_query(TEXTS)
    assert np.abs(before - encoded(out)).max() > 1e-3
    tuned_model = PeftModel.from_pretrained(base_model[0].model, str(out / "adapter"))
    assert sum(weight.numel() for name, weight in tuned_model.named_parameters() if "lora" in name) > 0
    np.testing.assert_allclose(base_model.encode_query(TEXTS), encoded(out), atol=1e-5)


def test_adapters_of_two_towers_and_names_that_no_layer_has(sources: Path, encoder: Path, tmp_path: Path) -> None:
    weights = start("bert", encoder, tmp_path / "start")
    form = {"pooling": "cls", "lora_rank": 2}
    out = finetune(sources, weights, tmp_path / "two", towers="two", **form)
    assert sorted(path.parent.name for path in out.glob("adapter/*/adapter_model.safetensors")) == ["passage", "query"]
    with pytest.raises(BadInput, match="lora_targets: "):
        finetune(sources, weights, tmp_path / "none", lora_targets="no_such_layer", **form)


@pytest.mark.parametrize("changes", [{}, {"lora_rank": 2}, {"towers": "two"}], ids=["all", "lora", "two"])
def test_resuming_and_recomputing_change_nothing(
    changes: dict[str, Any], sources: Path, encoder: Path, tmp_path: Path
) -> None:
    weights = start("modernbert", encoder, tmp_path / "start")
    form = {"pooling": "mean", "checkpoint_steps": 1} | changes
    whole = encoded(finetune(sources, weights, tmp_path / "whole", **form))
    facts = finetune(sources, weights, tmp_path / "stopped", **form)
    for path in (tmp_path / "stopped" / "work").glob("step-000000003.*"):
        path.unlink()
    np.testing.assert_array_equal(whole, encoded(finetune(sources, weights, facts.parent, **form)))
    again = finetune(sources, weights, tmp_path / "again", activations="recomputed", **form)
    np.testing.assert_allclose(encoded(again), whole, atol=1e-4)


@pytest.mark.parametrize("normalise", [True, False])
def test_the_loss_over_dimensions_equals_loops(normalise: bool) -> None:
    torch.manual_seed(0)
    queries, passages = torch.randn(4, 8).double(), torch.randn(7, 8).double()
    candidates = torch.rand(4, 7) > 0.3
    candidates[range(4), range(4)] = True
    widths = [2, 5, 8]
    ours = matryoshka_loss(queries, passages, widths, normalise=normalise, scale=3.0, candidates=candidates)
    slow = 0.0
    for width in widths:
        for row in range(4):
            scores = [score(queries[row], passage, width, normalise and width < 8) for passage in passages]
            total = sum(math.exp(3 * scores[place]) for place in range(7) if candidates[row, place])
            slow += (math.log(total) - 3 * scores[row]) / 4 / len(widths)
    assert ours.item() == pytest.approx(slow, rel=1e-5)


def score(query: torch.Tensor, passage: torch.Tensor, width: int, normalise: bool) -> float:
    first, second = query[:width].tolist(), passage[:width].tolist()
    product = sum(one * other for one, other in zip(first, second, strict=True))
    return product / (math.hypot(*first) * math.hypot(*second)) if normalise else product


def test_leading_dimensions_learn_too(sources: Path, encoder: Path, tmp_path: Path) -> None:
    weights = start("bert", encoder, tmp_path / "start")
    plain = encoded(finetune(sources, weights, tmp_path / "plain", pooling="mean"))
    short = encoded(finetune(sources, weights, tmp_path / "cut", pooling="mean", dimensions="4, 8"))
    assert np.abs(plain - short).max() > 1e-3
    with pytest.raises(BadInput, match="dimensions must be from 1 to below the width 32, got 4, 32"):
        finetune(sources, weights, tmp_path / "wide", pooling="mean", dimensions="4, 32")
