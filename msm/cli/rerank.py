"""`msm rerank`: a cross-encoder ranks the best passages of any evaluation anew."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from msm.collections.registry import find_benchmark, find_split
from msm.encoders.model_files import find_model
from msm.errors import BadInput
from msm.evaluation.settings import Score
from msm.execution import DEVICES, Execution
from msm.files import read_json_lines
from msm.pipeline import runner
from msm.pipeline.artifacts import new_folder, payload
from msm.reporting.score_lines import score_lines
from msm.retrieval.rerank import open_cross_encoder, rerank_folder
from msm.training import pick_device

CONTEXTS = ("none", "paragraph", "title_text")


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `msm rerank`."""
    parser.add_argument(
        "--run", type=Path, required=True, metavar="DIR", help="Folder of runs, such as OUT/retrieve of msm evaluate."
    )
    parser.add_argument("--model", required=True, metavar="MODEL", help="Cross-encoder: a folder or a name in the hub.")
    parser.add_argument("--benchmark", required=True, metavar="NAME", help="Benchmark that the runs are of.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="Folder of the benchmark's files.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="Folder for the new runs and scores.")
    parser.add_argument(
        "--depth", type=int, default=100, help="Best passages of each query that are ranked anew (100)."
    )
    parser.add_argument("--passage_context", choices=CONTEXTS, default="none", help="What is read with a passage.")
    parser.add_argument("--split", help="Split of the questions; the benchmark's own, or test for your own data.")
    parser.add_argument("--name", help="Name of the model in tables; its folder's name by default.")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="Device that ranks.")
    parser.add_argument("--revision", help="Branch, tag or commit of a model in the hub.")
    parser.add_argument("--trust_remote_code", action="store_true", help="Let the model's own code run.")


def main(arguments: Namespace) -> None:
    """Rerank, score and print.

    Raises:
        BadInput: no such runs, data or model.
    """
    if arguments.depth < 1:
        raise BadInput(f"--depth must be at least 1, got {arguments.depth}")
    for folder in (arguments.run, arguments.data):
        if not folder.is_dir():
            raise BadInput(f"{folder}: no such folder")
    model = find_model(arguments.model, arguments.revision)
    collection = find_benchmark(arguments.benchmark).read(arguments.data)
    device = pick_device(arguments.device)
    score = open_cross_encoder(model, device, trust_remote_code=arguments.trust_remote_code)
    name = arguments.name or Path(arguments.model).name
    runs = arguments.out / "rerank"
    with new_folder(runs) as folder:
        rerank_folder(
            payload(arguments.run),
            collection,
            score,
            folder,
            name=name,
            depth=arguments.depth,
            context=arguments.passage_context,
        )
    scores = arguments.out / "score"
    reads = {"sources": arguments.data, "run": runs}
    execution = Execution(work=arguments.out / "work", device=arguments.device)
    runner.run_stage("score", _score(arguments, name), reads, scores, execution)
    rows = [row for _, row in read_json_lines(scores / "scores" / "scores.jsonl")]
    sys.stdout.writelines(f"{line}\n" for line in score_lines(rows))


def _score(arguments: Namespace, name: str) -> Score:
    return Score(
        benchmark=arguments.benchmark,
        questions=".",
        split=arguments.split or find_split(arguments.benchmark) or "test",
        setting="zero-shot",
        model=name,
        ties="trec",
        seed=0,
    )
