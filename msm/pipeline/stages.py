"""The pipeline, said once: what every stage needs, reads and writes, and the rows of a recipe that run it.

DVC, Kubeflow and TorchX are renderings of this table. Imports nothing heavy. Templates use DVC's form:
`${units}` is a section of the recipe, `${item.model.name}` a field of a row.
"""

from typing import NamedTuple

from msm.corpora.settings import Documents, Download, Pairs, Tokenizer, Units, World
from msm.encoders.settings import Encoder
from msm.evaluation.settings import Score
from msm.finetuning.settings import Finetune, Mine
from msm.pretraining.settings import Pretrain, Teach
from msm.reporting.settings import Report
from msm.retrieval.settings import Lexical, Retrieve
from msm.settings import Settings


class Stage(NamedTuple):
    """One program of the chain."""

    settings: type[Settings]
    """What decides its result."""
    run: str
    """`module:function`."""
    reads: tuple[str, ...]
    """Names of the folders it reads."""
    payload: str
    """Folder inside its output that others read."""
    purpose: str
    cpus: int = 4
    memory_gib: int = 16
    gpus: int = 0
    """On a cluster; fewer change the speed only."""
    hours: int = 6
    """A cluster ends a run that takes longer."""
    retries: int = 3
    """Times that a cluster starts it again after a preemption or a failure."""


STAGES: dict[str, Stage] = {
    "download": Stage(Download, "msm.corpora.fetch:run", (), "files", "fetch and verify public data"),
    "world": Stage(World, "msm.corpora.world:run", (), "files", "tell a small world in constructed languages"),
    "documents": Stage(
        Documents, "msm.corpora.documents:run", ("sources",), "documents", "any source to ordered sentences"
    ),
    "tokenizer": Stage(
        Tokenizer, "msm.corpora.tokenizer:run", ("documents",), "tokenizer", "take or train a vocabulary"
    ),
    "units": Stage(
        Units,
        "msm.corpora.units:run",
        ("documents", "tokenizer"),
        "shards",
        "pack sentences to token units",
        cpus=16,
        memory_gib=64,
        hours=24,
    ),
    "pairs": Stage(
        Pairs,
        "msm.corpora.pairs:run",
        ("sources", "tokenizer"),
        "shards",
        "pack parallel sentences to token ids",
        memory_gib=64,
        hours=24,
    ),
    "teach": Stage(
        Teach,
        "msm.pretraining.teach:run",
        ("sources", "tokenizer", "model"),
        "shards",
        "the same, with a teacher's vectors",
        cpus=16,
        memory_gib=64,
        gpus=1,
        hours=24,
    ),
    "encoder": Stage(Encoder, "msm.encoders.start:run", ("tokenizer",), "model", "start weights of the encoder"),
    "pretrain": Stage(
        Pretrain,
        "msm.pretraining.train:run",
        ("units", "weights"),
        "model",
        "masked sentence model or a control",
        cpus=64,
        memory_gib=512,
        gpus=8,
        hours=120,
        retries=10,
    ),
    "finetune": Stage(
        Finetune,
        "msm.finetuning.train:run",
        ("sources", "weights"),
        "model",
        "bi-encoder on question and passage pairs",
        cpus=64,
        memory_gib=256,
        gpus=8,
    ),
    "mine": Stage(
        Mine,
        "msm.finetuning.mine:run",
        ("sources", "model"),
        "files",
        "hard negatives for a next round of fine-tuning",
        cpus=16,
        memory_gib=64,
        gpus=1,
    ),
    "retrieve": Stage(
        Retrieve,
        "msm.retrieval.stage:run",
        ("sources", "model"),
        "run",
        "encode, search, write runs",
        cpus=16,
        memory_gib=64,
        gpus=1,
    ),
    "lexical": Stage(Lexical, "msm.retrieval.lexical:run", ("sources",), "run", "BM25 runs"),
    "score": Stage(Score, "msm.evaluation.stage:run", ("sources", "run"), "scores", "runs to measures"),
    "report": Stage(Report, "msm.reporting.stage:run", ("scores",), "report", "tables, pictures, lineage"),
}


PAYLOADS = {
    "sources": "files",
    "documents": "documents",
    "tokenizer": "tokenizer",
    "units": "shards",
    "weights": "model",
    "model": "model",
    "run": "run",
    "scores": "",
}
"""Input name to the payload that is read; the report reads whole score folders."""


class Family(NamedTuple):
    """A stage run once for every combination of rows of the recipe."""

    stage: str
    """Name in `STAGES`, or a template for it."""
    axes: dict[str, str]
    """Field of `item` to the list of the recipe that it walks."""
    row: str
    """Template of the folder name."""
    reads: dict[str, str]
    """Input name to a template `FAMILY/ROW`."""
    sections: tuple[str, ...]
    """Settings, in this order; a later one wins."""
    flags: dict[str, str]
    """Single settings taken from the row itself."""


SOURCES = {"sources": "sources/${source.name}"}
SEEDED = {"seed": "${item.seed}"}
BENCHMARK = {"benchmark": "${item.benchmark.name}", "questions": "${item.benchmark.questions}"}
SCORED = BENCHMARK | {"split": "${item.benchmark.split}", "model": "${item.model.name}"}


def _retrieve(benchmarks: str, models: str, *, tuned: str) -> Family:
    """Runs of the models of one list on the benchmarks of another; `tuned`: which field names their fine-tuning's."""
    return Family(
        "retrieve",
        {"benchmark": benchmarks, "model": models, "seed": "seeds"},
        "${item.benchmark.name}-${item.model.name}-${item.seed}",
        SOURCES | {"model": f"finetune/${{item.benchmark.{tuned}}}-${{item.model.name}}-${{item.seed}}"},
        ("${retrieve}",),
        BENCHMARK,
    )


def _score(benchmarks: str, models: str) -> Family:
    """Scores of these runs."""
    return Family(
        "score",
        {"benchmark": benchmarks, "model": models, "seed": "seeds"},
        "${item.benchmark.name}-${item.model.name}-${item.seed}",
        SOURCES | {"run": "retrieve/${item.benchmark.name}-${item.model.name}-${item.seed}"},
        ("${score}", "${item.model.score}"),
        SCORED | SEEDED,
    )


FAMILIES: dict[str, Family] = {
    "sources": Family("${source.stage}", {}, "${source.name}", {}, ("${source.settings}",), {}),
    "documents": Family(
        "documents",
        {"corpus": "corpora"},
        "${item.corpus.name}",
        SOURCES,
        ("${documents}", "${item.corpus.documents}"),
        {},
    ),
    "tokenizer": Family(
        "tokenizer",
        {"corpus": "corpora"},
        "${item.corpus.name}",
        {"documents": "documents/${item.corpus.name}"},
        ("${tokenizer}",),
        {},
    ),
    "units": Family(
        "units",
        {"corpus": "corpora"},
        "${item.corpus.name}",
        {"documents": "documents/${item.corpus.name}", "tokenizer": "tokenizer/${item.corpus.name}"},
        ("${units}",),
        {},
    ),
    "units_pairs": Family(
        "pairs",
        {"row": "parallel"},
        "${item.row.name}",
        SOURCES | {"tokenizer": "tokenizer/${item.row.corpus}"},
        ("${pairs}", "${item.row.pairs}"),
        {},
    ),
    "units_taught": Family(
        "teach",
        {"row": "taught"},
        "${item.row.name}",
        SOURCES | {"tokenizer": "tokenizer/${item.row.corpus}", "model": "${item.row.teacher}"},
        ("${pairs}", "${item.row.pairs}"),
        {},
    ),
    "encoder": Family(
        "encoder",
        {"corpus": "corpora", "seed": "seeds"},
        "${item.corpus.name}-${item.seed}",
        {"tokenizer": "tokenizer/${item.corpus.name}"},
        ("${encoder}",),
        SEEDED,
    ),
    "tokenizer_checkpoints": Family(
        "tokenizer",
        {"row": "checkpoints"},
        "${item.row.name}",
        {"documents": "documents/${item.row.corpus}"},
        ("${tokenizer}", "${item.row.tokenizer}"),
        {},
    ),
    "encoder_checkpoints": Family(
        "encoder",
        {"row": "checkpoints", "seed": "seeds"},
        "${item.row.name}-${item.seed}",
        {"tokenizer": "tokenizer/${item.row.name}"},
        ("${encoder}", "${item.row.encoder}"),
        SEEDED,
    ),
    "pretrain": Family(
        "pretrain",
        {"row": "pretraining", "seed": "seeds"},
        "${item.row.name}-${item.seed}",
        {"units": "units/${item.row.corpus}", "weights": "${item.row.start}-${item.seed}"},
        ("${pretrain}", "${item.row.pretrain}"),
        SEEDED,
    ),
    "finetune": Family(
        "finetune",
        {"benchmark": "benchmarks", "model": "models", "seed": "seeds"},
        "${item.benchmark.name}-${item.model.name}-${item.seed}",
        SOURCES | {"weights": "${item.model.start}-${item.seed}"},
        ("${finetune}", "${item.benchmark.finetune}", "${item.model.finetune}"),
        SEEDED,
    ),
    "mine": Family(
        "mine",
        {"benchmark": "benchmarks", "row": "mining", "seed": "seeds"},
        "${item.benchmark.name}-${item.row.name}-${item.seed}",
        SOURCES | {"model": "finetune/${item.benchmark.name}-${item.row.model}-${item.seed}"},
        ("${mine}", "${item.row.mine}"),
        SEEDED,
    ),
    "refine": Family(
        "finetune",
        {"benchmark": "benchmarks", "model": "rounds", "seed": "seeds"},
        "${item.benchmark.name}-${item.model.name}-${item.seed}",
        {
            "sources": "mine/${item.benchmark.name}-${item.model.mined}-${item.seed}",
            "weights": "${item.model.start}-${item.seed}",
        },
        ("${finetune}", "${item.benchmark.finetune}", "${item.model.finetune}"),
        SEEDED,
    ),
    "retrieve": _retrieve("benchmarks", "models", tuned="name"),
    "score": _score("benchmarks", "models"),
    "retrieve_refined": _retrieve("benchmarks", "rounds", tuned="name"),
    "score_refined": _score("benchmarks", "rounds"),
    "retrieve_further": _retrieve("further_benchmarks", "models", tuned="tuned"),
    "score_further": _score("further_benchmarks", "models"),
    "lexical": Family(
        "lexical",
        {"benchmark": "benchmarks", "model": "lexical_models"},
        "${item.benchmark.name}-${item.model.name}",
        SOURCES,
        ("${lexical}", "${item.model.lexical}"),
        BENCHMARK,
    ),
    "score_lexical": Family(
        "score",
        {"benchmark": "benchmarks", "model": "lexical_models"},
        "${item.benchmark.name}-${item.model.name}",
        SOURCES | {"run": "lexical/${item.benchmark.name}-${item.model.name}"},
        ("${score}",),
        SCORED | {"seed": "0"},
    ),
    "report": Family("report", {}, "all", {"scores": "score"}, ("${report}",), {"recipe": "${recipe}"}),
}
