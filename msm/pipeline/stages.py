"""The table of stages: settings, inputs, outputs and resources of every stage. Imports nothing heavy."""

from typing import NamedTuple

from msm.corpora.settings import Documents, Download, Parallel, Tokenizer, Units, World
from msm.encoders.settings import Encoder
from msm.evaluation.settings import Score
from msm.finetuning.settings import Finetune, Mine
from msm.pretraining.settings import Pretrain, Teach
from msm.reporting.settings import Report
from msm.retrieval.settings import Fuse, Lexical, Retrieve
from msm.settings import Settings


class Stage(NamedTuple):
    """One program of the chain."""

    settings: type[Settings]
    """Settings that decide its result."""
    run: str
    """Function of the stage, as `module:function`."""
    reads: tuple[str, ...]
    """Names of the folders that it reads."""
    payload: str
    """Name of the folder inside its output that others read."""
    data: str = ""
    """`module:function` that tells, from the settings, the checksum of files that are no input: the user's own."""
    cpus: int = 4
    memory_gib: int = 16
    gpus: int = 0
    """Number of GPUs on a cluster; fewer change the speed only."""
    hours: int = 6
    """Hours after which a cluster ends the stage."""
    retries: int = 3
    """Number of times that a cluster starts it again after a preemption or a failure."""
    splits: bool = False
    """Whether its work can be split over pods (`--part I/N`), and over all GPUs that are free."""


STAGES: dict[str, Stage] = {
    "download": Stage(
        Download,
        "msm.corpora.fetch:run",
        (),
        "files",
        data="msm.corpora.fetch:identity",
    ),
    "world": Stage(World, "msm.corpora.world:run", (), "files"),
    "documents": Stage(Documents, "msm.corpora.documents:run", ("sources",), "documents"),
    "tokenizer": Stage(Tokenizer, "msm.corpora.tokenizer:run", ("documents",), "tokenizer"),
    "units": Stage(
        Units,
        "msm.corpora.units:run",
        ("documents", "tokenizer"),
        "shards",
        cpus=16,
        memory_gib=64,
        hours=24,
    ),
    "pairs": Stage(
        Parallel,
        "msm.corpora.pairs:run",
        ("sources", "tokenizer"),
        "shards",
        memory_gib=64,
        hours=24,
    ),
    "teach": Stage(
        Teach,
        "msm.pretraining.teach:run",
        ("sources", "tokenizer", "model"),
        "shards",
        cpus=16,
        memory_gib=64,
        gpus=1,
        hours=24,
    ),
    "encoder": Stage(Encoder, "msm.encoders.start:run", ("tokenizer",), "model"),
    "pretrain": Stage(
        Pretrain,
        "msm.pretraining.train:run",
        ("units", "weights"),
        "model",
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
        cpus=64,
        memory_gib=256,
        gpus=8,
    ),
    "mine": Stage(
        Mine,
        "msm.finetuning.mine:run",
        ("sources", "model"),
        "files",
        cpus=16,
        memory_gib=64,
        gpus=1,
    ),
    "retrieve": Stage(
        Retrieve,
        "msm.retrieval.stage:run",
        ("sources", "model"),
        "run",
        cpus=16,
        memory_gib=64,
        gpus=1,
        splits=True,
    ),
    "lexical": Stage(Lexical, "msm.retrieval.lexical:run", ("sources",), "run"),
    "fuse": Stage(Fuse, "msm.retrieval.fusion:run", ("dense", "sparse"), "run"),
    "score": Stage(Score, "msm.evaluation.stage:run", ("sources", "run"), "scores"),
    "report": Stage(Report, "msm.reporting.stage:run", ("scores",), "report"),
}


PAYLOADS = {
    "sources": "files",
    "documents": "documents",
    "tokenizer": "tokenizer",
    "units": "shards",
    "weights": "model",
    "model": "model",
    "run": "run",
    "dense": "run",
    "sparse": "run",
    "scores": "",
}
"""Input name to the payload that is read; the report reads whole score folders."""
SHARED_FOLDERS = {"download": "sources", "world": "sources", "pairs": "units", "teach": "units"}
"""Stages whose outputs lie in one folder with those of another stage, because the same stages read them."""


def folder(stage: str) -> str:
    """Folder of a stage's outputs below the recipe's; its own name but for the shared ones."""
    return SHARED_FOLDERS.get(stage, stage)
