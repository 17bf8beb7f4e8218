"""Ranks the best passages of an evaluation anew with a cross-encoder, and scores the new runs."""

from pathlib import Path
from typing import Literal

from msm.collections.registry import check_split, find_benchmark, find_split
from msm.encoders.finding import find_model
from msm.errors import BadInput
from msm.evaluation.settings import Score
from msm.execution import Execution
from msm.pipeline import runner
from msm.pipeline.artifacts import new_folder, payload
from msm.retrieval.rerank import open_cross_encoder, rerank_folder
from msm.training import pick_device
from msm.verbs.scores import Scores, copy_scores, score_folder


def rerank(
    run: str | Path,
    model: str | Path,
    benchmark: str,
    data: str | Path,
    out: str | Path,
    *,
    depth: int = 100,
    passage_context: Literal["none", "paragraph", "title_text"] = "none",
    split: str = "",
    name: str = "",
    device: str = "auto",
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> Scores:
    """Rank the best passages of every question anew, and score the new runs.

    Args:
        run: folder of runs, such as `OUT/retrieve` of `msm.evaluate`.
        model: cross-encoder: a folder, or a name in the Hugging Face hub.
        benchmark: name of the benchmark that was searched.
        data: folder of the benchmark's files.
        out: folder to write.
        depth: number of passages of each question that are ranked anew.
        passage_context: text that is read with a passage; see `msm.encoders.usage.Usage`.
        split: split of the questions; the benchmark's own, or `test`, when empty.
        name: name of the model in tables; its folder's when empty.
        device: `auto`, `cpu`, `cuda` or `mps`.
        revision: branch, tag or commit of a model in the hub.
        trust_remote_code: whether code that comes with the model may run.

    Raises:
        BadInput: no such runs, data or model.
    """
    run, data, out = Path(run), Path(data), Path(out)
    if depth < 1:
        raise BadInput(f"--depth must be at least 1, got {depth}")
    for folder in (run, data):
        if not folder.is_dir():
            raise BadInput(f"{folder}: no such folder")
    split = split or find_split(benchmark) or "test"
    check_split(benchmark, split)
    model_folder, name = find_model(model, revision), name or Path(model).name
    collection = find_benchmark(benchmark).read(data)
    scorer = open_cross_encoder(model_folder, pick_device(device), trust_remote_code=trust_remote_code)
    runs = out / "rerank"
    settings = Score(
        benchmark=benchmark,
        questions=".",
        split=split,
        setting="zero-shot",
        model=name,
        ties="trec",
        seed=0,
    )
    with score_folder(out):
        with new_folder(runs) as folder:
            rerank_folder(payload(run), collection, scorer, folder, name=name, depth=depth, context=passage_context)
        execution = Execution(work=out / "work", device=device)
        runner.run_stage("score", settings, {"sources": data, "run": runs}, out / "score", execution)
        return copy_scores(out)
