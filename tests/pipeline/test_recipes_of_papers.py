"""Recipes of the papers hold the papers' values, which stand here a second time."""

from typing import Any

import pytest

from msm.pipeline import recipes
from msm.pipeline.tasks import Task, tasks
from msm.settings import as_values
from tests.pipeline.made import ROOT

DPR = {
    "learning_rate": 2e-5,
    "warmup_steps": 1237,
    "weight_decay": 0.0,
    "clip": 8 * 2.0,
    "batches.sampler": "shuffled",
    "batches.hard_negatives": 1,
    "loss.gather": "grad",
    "loss.candidates": "all",
    "loss.scale": 1.0,
    "loss.learn_scale": "no",
    "encoding.towers": "two",
    "encoding.similarity": "dot",
    "encoding.query_tokens": 256,
    "encoding.passage_tokens": 256,
    "encoding.passage_context": "title",
    "encoding.question_mark": "stripped",
    "dev_examples": "finetune/biencoder-nq-dev.json",
    "selection.dev_queries": 6515,
    "selection.dev_negatives": 30,
    "selection.dev_other_negatives": 30,
}
FROM_EPOCH_30 = {"epochs": 40, "selection.keep": "dev_mean_rank", "selection.from_share": 30 / 40}
OF_8_TIMES_16 = {"batches.batch_queries": 128, "batches.shard_queries": 16}
NQ = DPR | FROM_EPOCH_30 | OF_8_TIMES_16 | {"encoding.pooling": "mean", "examples": "finetune/biencoder-nq-train.json"}
MS_MARCO = DPR | {
    "epochs": 3,
    "selection.keep": "last",
    "encoding.pooling": "cls",
    "batches.batch_queries": 64,
    "batches.shard_queries": 8,
    "examples": "finetune/msmarco-passage/train.jsonl",
}
MR_TYDI = MS_MARCO | FROM_EPOCH_30 | OF_8_TIMES_16
MR_TYDI |= {"learning_rate": 1e-5, "examples": "mul=finetune/mrtydi-combined/train.jsonl"}
XOR = NQ | {"examples": "mul=finetune/xor-dpr-train.json", "selection.keep": "last", "selection.from_share": 0.0}
XOR_AS_PRINTED = XOR | FROM_EPOCH_30 | {"dev_examples": "mul=finetune/xor-dpr-dev.json"}
XTREME = {
    "learning_rate": 2e-5,
    "warmup_steps": 0,
    "weight_decay": 0.0,
    "clip": 1.0,
    "batches.hard_negatives": 0,
    "loss.gather": "none",
    "loss.scale": 100.0,
    "loss.learn_scale": "yes",
    "encoding.towers": "one",
    "encoding.pooling": "pooler",
    "encoding.similarity": "cosine",
    "encoding.question_mark": "kept",
    "selection.keep": "last",
}
LAREQA = XTREME | {
    "epochs": 3,
    "passage_unit": "sentence",
    "batches.batch_queries": 4 * 4,
    "batches.shard_queries": 4,
    "encoding.query_tokens": 96,
    "encoding.passage_tokens": 256,
    "encoding.passage_context": "paragraph",
    "examples": "finetune/squad-v1.1-train.json",
}
MEWSLI_X = XTREME | {
    "epochs": 2,
    "batches.batch_queries": 16 * 4,
    "batches.shard_queries": 16,
    "encoding.query_tokens": 64,
    "encoding.passage_tokens": 64,
    "encoding.passage_context": "none",
}
HYBRID = {
    "learning_rate": 3e-5,
    "weight_decay": 0.01,
    "batches.sampler": "hybrid",
    "batches.alpha": 0.5,
    "batches.cross_pair": "row",
    "batches.batch_queries": 100,
    "batches.hard_negatives": 1,
    "encoding.towers": "one",
    "encoding.similarity": "cosine",
    "encoding.query_prefix": "Query: ",
    "encoding.passage_prefix": "Passage: ",
    "selection.keep": "dev_loss",
}
MONO, CROSS = HYBRID | {"batches.alpha": 1.0}, HYBRID | {"batches.alpha": 0.0}
VECTORS = {"steps": 0, "epochs": 0, "encoding.pooling": "cls", "encoding.similarity": "cosine"}

MSM = {
    "objective": "msm",
    "steps": 200_000,
    "learning_rate": 4e-5,
    "warmup_steps": 10_000,
    "schedule": "linear",
    "schedule_steps": 0,
    "beta1": 0.9,
    "beta2": 0.98,
    "epsilon": 1e-6,
    "weight_decay": 0.01,
    "clip": 0.0,
    "pooling": "cls",
    "language_exponent": 0.3,
    # 8 GPUs x 2 micro-batches, half of each kind.
    "batches.batch_documents": 8 * 16,
    "batches.softmax_documents": 16,
    "mlm.batch_blocks": 8 * 128,
    "mlm.block_tokens": 256,
    "mlm.mask_share": 0.15,
    "mlm.text": "blocks",
    "msm.temperature": 0.1,
    "msm.mu": 0.5,
    "msm.gather": "none",
    "msm.masking": "each",
    "msm.projector": "asymmetric",
    "msm.document_layers": 2,
    "msm.document_dropout": 0.1,
}
# 8 GPUs x 4 micro-batches, half of each kind.
MSM_LARGE = MSM | {
    "batches.batch_documents": 8 * 2 * 8,
    "batches.softmax_documents": 8,
    "mlm.batch_blocks": 8 * 2 * 64,
}
MEXMA = {
    "objective": "mexma",
    "learning_rate": 1e-4,
    "schedule": "cosine",
    "weight_decay": 0.0,
    "clip": 1.2,
    "beta1": 0.9,
    "beta2": 0.999,
    "epsilon": 1e-8,
    "pooling": "cls",
    "language_exponent": 1.0,
    "mexma.micro_pairs": 150,
    "mexma.mask_share": 0.4,
    "mexma.alignment_weight": 1.0,
    "mexma.unmasking_weight": 1.0,
    "mexma.koleo_weight": 0.01,
    "mexma.layers": 6,
    "mexma.heads": 8,
    "mexma.inner_width": 3072,
    "mexma.token_gradient": "kept",
}
UNITS = {"unit_tokens": 64, "document_units": 32, "min_units": 32}

ROWS: list[tuple[str, str, dict[str, Any]]] = [
    ("paper", "units/cc-108", UNITS),
    ("paper", "pretrain/msm-1", MSM),
    ("paper", "finetune/lareqa-msm-1", LAREQA),
    ("paper_large", "units/cc-108", UNITS),
    ("paper_large", "pretrain/msm-1", MSM_LARGE),
    ("paper_large", "finetune/xor_retrieve-msm-1", NQ),
    ("xor_retrieve", "pretrain/msm-1", MSM),
    ("xor_retrieve", "finetune/xor_retrieve-msm-1", NQ),
    ("xor_retrieve", "finetune/xor_retrieve-crop-1", NQ),
    ("xor_retrieve", "finetune/xor_retrieve-ict-1", NQ),
    ("xor_retrieve", "finetune/xor_retrieve-msm-multilingual-1", XOR),
    ("xor_retrieve", "finetune/xor_retrieve-xlm-r-multilingual-1", XOR),
    ("xor_retrieve", "finetune/xor_retrieve-msm-multilingual-as-printed-1", XOR_AS_PRINTED),
    ("mr_tydi", "finetune/mr_tydi-msm-1", MS_MARCO),
    ("mr_tydi", "finetune/mr_tydi-crop-1", MS_MARCO),
    ("mr_tydi", "finetune/mr_tydi-xlm-r-long-1", MS_MARCO),
    ("mr_tydi", "finetune/mr_tydi-distilmbert-1", MS_MARCO | {"encoding.pooling": "mean"}),
    ("mr_tydi", "finetune/mr_tydi-msm-multilingual-1", MR_TYDI),
    ("mr_tydi", "finetune/mr_tydi-xlm-r-multilingual-1", MR_TYDI),
    ("xtreme", "finetune/lareqa-msm-1", LAREQA),
    ("xtreme", "finetune/mewsli_x-msm-1", MEWSLI_X),
    ("mexma", "pretrain/mexma-1", MEXMA),
    ("mexma", "pretrain/mexma-no-koleo-1", MEXMA | {"mexma.koleo_weight": 0.0}),
    ("mexma", "pretrain/mexma-sentences-1", MEXMA | {"mexma.koleo_weight": 0.0, "mexma.token_gradient": "cut"}),
    ("mexma", "finetune/lareqa-mexma-vectors-1", VECTORS),
    ("hybrid_paper", "finetune/xquad_r-xlm-r-hybrid-1", HYBRID),
    ("hybrid_paper", "finetune/xquad_r-labse-mono-1", MONO),
    ("hybrid_paper", "finetune/xquad_r-labse-cross-1", CROSS),
]


def named(recipe: str) -> dict[str, Task]:
    return {task.name: task for task in tasks(recipes.load(ROOT / "recipes" / f"{recipe}.yaml"), recipe)}


def dotted(values: dict[str, Any], section: str = "") -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for name, value in values.items():
        whole |= dotted(value, f"{section}{name}.") if isinstance(value, dict) else {f"{section}{name}": value}
    return whole


@pytest.mark.parametrize(("recipe", "name", "printed"), ROWS, ids=[f"{recipe}:{name}" for recipe, name, _ in ROWS])
def test_a_row_has_the_printed_values(recipe: str, name: str, printed: dict[str, Any]) -> None:
    values = dotted(as_values(named(recipe)[name].settings))
    assert {key: values[key] for key in printed} == printed


def test_mexma_warms_up_over_the_first_30_percent() -> None:
    values = as_values(named("mexma")["pretrain/mexma-1"].settings)
    assert values["warmup_steps"] == round(0.3 * values["steps"])


@pytest.mark.parametrize(
    ("recipe", "benchmark", "rows"),
    [
        ("mr_tydi", "mr_tydi", "distilmbert infoxlm labse mbert xlm-r xlm-r-long crop msm"),  # table 2
        ("mr_tydi", "mr_tydi", "mbert xlm-r msm mbert-multilingual xlm-r-multilingual msm-multilingual"),  # table 9
        ("xor_retrieve", "xor_retrieve", "mbert xlm-r crop ict msm"),  # table 3
        ("xor_retrieve", "xor_retrieve", "mbert-multilingual xlm-r-multilingual msm-multilingual"),  # table 10
        ("xtreme", "mewsli_x", "mbert xlm-r msm"),  # table 11
        ("xtreme", "lareqa", "mbert xlm-r msm"),  # table 12
        ("paper_large", "mr_tydi", "infoxlm xlm-r msm"),  # table 14
    ],
)
def test_the_rows_of_a_table_are_scored(recipe: str, benchmark: str, rows: str) -> None:
    names = {f"score/{benchmark}-{row}-1" for row in rows.split()}
    assert names <= named(recipe).keys()


def test_no_two_rows_are_the_same_training() -> None:
    for path in sorted((ROOT / "recipes").glob("*.yaml")):
        seen: dict[tuple[Any, ...], str] = {}
        for task in tasks(recipes.load(path), path.stem):
            if task.stage in ("pretrain", "finetune"):
                key = (task.stage, repr(as_values(task.settings)), *sorted(task.reads.items()))
                # A second benchmark may have a training of its own with the same values.
                other = seen.setdefault(key, task.name)
                assert other == task.name or other.partition("-")[0] != task.name.partition("-")[0], f"{path}: {other}"


def test_mexma_is_measured_by_the_vectors_that_pre_training_made() -> None:
    by_name = named("mexma")
    for benchmark in ("xsim", "xsimpp", "tatoeba"):
        model = by_name[f"retrieve/{benchmark}-mexma-vectors-1"].reads["model"]
        tuned = by_name[model.partition("/mexma/")[2]]
        assert tuned.reads["weights"] == "artifacts/mexma/pretrain/mexma-1"
        assert vars(tuned.settings)["steps"] == vars(tuned.settings)["epochs"] == 0
