"""The commands that are broken: every verb and every stage, small enough to take a moment."""

import gzip
import json
import random
import shlex
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from msm.pipeline import recipes
from msm.pipeline.artifacts import payload, read_manifest
from msm.pipeline.stages import STAGES
from msm.pipeline.tasks import tasks
from tests.fuzz.conftest import ROOT

QUICK = {"--steps": "2", "--checkpoint_steps": "1", "--selection.dev_steps": "1", "--warmup_steps": "1"}
"""Settings of stages that train."""
IMAGE = f"localhost/msm@sha256:{'0' * 64}"
FIRST = {task.stage: task for task in reversed(tasks(recipes.load(ROOT / "recipes" / "tiny.yaml"), "tiny"))}
"""First task of every stage of the recipe `tiny`."""
UNKNOWN = "no-such-model"
"""Name that is refused, so that nothing is fetched: the only case that does not succeed unbroken."""


class Case(NamedTuple):
    """A command that succeeds, and what it reads."""

    words: list[str]
    """Behind `msm`; it runs in the folder of the case and writes to `out`."""
    inputs: list[str]
    """Files that may be changed; a folder stands for all files below it."""
    weight: int
    """How often it is drawn."""


def prepare(folder: Path) -> None:
    """Add to a folder with a finished chain what the commands read besides."""
    shutil.copytree(ROOT / "msm" / "examples" / "animals", folder / "animals")
    rng = np.random.default_rng(1)
    for name in ("queries", "corpus"):
        ids = [json.loads(line)["_id"] for line in (folder / "animals" / f"{name}.jsonl").read_text().splitlines()]
        np.savez(folder / f"{name}.npz", ids=np.array(ids), vectors=rng.normal(size=(len(ids), 4)).astype("f4"))
    lines = (folder / "animals" / "run.trec").read_text()
    (folder / "run.trec.gz").write_bytes(gzip.compress(lines.encode()))
    judgements = (folder / "animals" / "qrels" / "test.tsv").read_text().splitlines()[1:]
    rows = (line.split("\t") for line in judgements)
    (folder / "qrels.trec").write_text("".join(f"{query} 0 {passage} {grade}\n" for query, passage, grade in rows))
    (folder / "train.json").write_text(json.dumps(training_records(folder / "animals")))
    gold = [{"id": "q1", "question": "a?", "lang": "ja", "answers": ["cat"]}]
    (folder / "gold.jsonl").write_text("".join(json.dumps(row) + "\n" for row in gold))
    (folder / "predictions.json").write_text(json.dumps([{"id": "q1", "lang": "ja", "ctxs": ["a cat", "a dog"]}]))
    (folder / "corpus_texts").mkdir(exist_ok=True)


def training_records(animals: Path) -> list[dict[str, Any]]:
    """Records of DPR: every judged question, with all other passages as its negatives."""
    texts = [json.loads(line) for line in (animals / "corpus.jsonl").read_text().splitlines()]
    passages = {row["_id"]: {"passage_id": row["_id"], "title": row["title"], "text": row["text"]} for row in texts}
    questions = [json.loads(line) for line in (animals / "queries.jsonl").read_text().splitlines()]
    right = dict(line.split("\t")[:2] for line in (animals / "qrels" / "test.tsv").read_text().splitlines()[1:])
    return [
        {
            "q_id": question["_id"],
            "question": question["text"],
            "answers": [],
            "positive_ctxs": [passages[right[question["_id"]]]],
            "hard_negative_ctxs": [row for name, row in passages.items() if name != right[question["_id"]]],
        }
        for question in questions
    ]


def cases(folder: Path) -> list[Case]:
    """All commands, for a folder that `prepare` has seen."""
    tiny = "artifacts/tiny"
    scores = [f"{tiny}/score/constructed-{name}" for name in ("msm-1", "mlm-1")]
    gold, predictions = "gold.jsonl", "predictions.json"
    answers = ["--benchmark", "xor_retrieve", "--gold", gold, "--predictions", predictions]
    run, own_run = "run.trec.gz", "animals/run.trec"
    qrels = "qrels.trec"
    options = ["--benchmark", "animals", "--format", "beir", "--data", "animals"]
    model = f"{tiny}/finetune/constructed-msm-1/model"
    crawl = "recipes/corpus/common_crawl.yaml"
    recipe = ["recipes/tiny.yaml", "recipes/demo.yaml"]
    all_cases = [
        Case(["score", "--run", run, "--qrels", qrels, "--measures", "ndcg@10,mrr@10"], [run, qrels], 10),
        Case(["score", "--run", "animals/run.trec", *options, "--out", "out"], ["animals"], 12),
        Case(
            ["score", "--query_vectors", "queries.npz", "--passage_vectors", "corpus.npz", *options, "--out", "out"],
            ["queries.npz", "corpus.npz"],
            6,
        ),
        Case(["score-answers", *answers, "--tokenizer", "treebank"], [gold, predictions], 8),
        Case(["fuse", "--dense", run, "--sparse", own_run, "--alpha", "0.5", "--out", "out"], [run, own_run], 6),
        Case(["compare", scores[0], "--baseline", scores[1], "--resamples", "50"], scores, 10),
        Case(["table", *scores, "--format", "html", "--out", "out"], scores, 10),
        Case(["export", "--scores", *scores, "--format", "site", "--out", "out"], scores, 8),
        Case(["export", "--scores", *scores, "--format", "mteb", "--out", "out"], scores, 4),
        Case(["export", "--format", "trec", *options[:1], "beir", *options[4:], "--out", "out"], ["animals"], 3),
        Case(["report", "tiny"], [f"{tiny}/score", *recipe], 8),
        Case(["card", f"{tiny}/finetune/constructed-msm-1"], [f"{tiny}/finetune/constructed-msm-1"], 6),
        Case(["recipe", "tiny"], recipe, 20),
        Case(["plan", "--recipe", "tiny"], recipe, 8),
        Case(["verify", "tiny"], [tiny, *recipe], 10),
        Case(["run", "tiny", "--results", "", "--rows", "sources/world"], recipe, 6),
        Case(["benchmarks"], [], 1),
        Case(["benchmarks", "lareqa"], [], 1),
        Case(["reproduce", UNKNOWN, "--out", "out"], [], 3),
        Case(["units-job", "tiny", "--parts", "2", "--image", IMAGE, "--job", "out"], recipe, 3),
        Case(["corpus-job", crawl, "--out", "o", "--pods", "2", "--image", IMAGE, "--job", "out"], [crawl], 3),
        Case(["mine", "--run", own_run, "--examples", "train.json", "--out", "out.jsonl"], [own_run, "train.json"], 4),
        Case(["evaluate", "--model", "bm25", *options, "--out", "out"], ["animals"], 8),
        Case(["evaluate", "--model", model, *options, "--device", "cpu", "--out", "out"], [model, "animals"], 10),
    ]  # fmt: skip
    return all_cases + [_stage(folder, stage) for stage in STAGES if _made(folder, stage)]


def _made(folder: Path, stage: str) -> list[Path]:
    manifests = sorted((folder / "artifacts" / "tiny").glob("*/*/manifest.json"))
    return [path.parent for path in manifests if json.loads(path.read_text())["stage"] == stage]


def _stage(folder: Path, stage: str) -> Case:
    """A stage by hand, on folders without a manifest, which would find every change before the stage does."""
    manifest = read_manifest(_made(folder, stage)[-1])
    words = shlex.split(manifest["command"])[1:]
    inputs = []
    for input_name in STAGES[stage].reads:
        place = words.index(f"--{input_name}") + 1
        words[place] = payload(folder / words[place]).relative_to(folder).as_posix()
        inputs.append(words[place])
    for name, value in QUICK.items():
        if name in words:
            words[words.index(name) + 1] = value
    words[words.index("--out") + 1] = "out"
    return Case([*words, "--processes", "1"], inputs, 6)


def files_of(folder: Path, case: Case) -> list[Path]:
    """The files that a case reads."""
    paths = [folder / name for name in case.inputs]
    inner = [sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path] for path in paths]
    return [file for files in inner for file in files]


def draw(all_cases: list[Case], seed: int) -> tuple[Case, random.Random]:
    """A case by its weight, and the source of its change."""
    rng = random.Random(seed)
    return rng.choices(all_cases, [case.weight for case in all_cases])[0], rng
