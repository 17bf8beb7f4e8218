"""`msm corpus-job RECIPE`: writes a Kubernetes Indexed Job or a Kubeflow pipeline that makes a corpus."""

import argparse
from pathlib import Path

from msm.cli import placement
from msm.cli.options import add_job
from msm.components.clusters import check_pinned, find_cluster
from msm.components.corpus_job import TOKENIZER, CorpusPlan, job_text, pipeline
from msm.components.kubeflow_pipeline import compile_to
from msm.errors import BadInput
from msm.files import new_file
from msm.pipeline import recipes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `msm corpus-job`."""
    parser.add_argument("recipe", help="Name of a corpus recipe, such as corpus/common_crawl, or path of its file.")
    parser.add_argument(
        "--out", required=True, metavar="ADDRESS", help="Address of the shards, such as s3://bucket/corpus."
    )
    parser.add_argument(
        "--tokenizer",
        default=TOKENIZER,
        metavar="DIR",
        help=f"Folder of the tokenizer on the shared volume (default: {TOKENIZER}).",
    )
    parser.add_argument(
        "--pods",
        type=int,
        required=True,
        metavar="N",
        help="Number of pods; each runs as many tasks at a time as it has cores.",
    )
    placement.add_arguments(parser)
    add_job(parser, required=False, content="the Job with the recipe's ConfigMap")
    parser.add_argument(
        "--pipeline",
        type=Path,
        metavar="FILE",
        help="File that the compiled pipeline is written to; the pipeline reads the ConfigMap of --job.",
    )


def main(arguments: argparse.Namespace) -> None:
    """Write the files of the Job and the pipeline.

    Raises:
        BadInput: the recipe, image or cluster is wrong, there is no pod, or there is nothing to write.
    """
    if arguments.pods < 1:
        raise BadInput(f"--pods must be at least 1, got {arguments.pods}")
    if not arguments.job and not arguments.pipeline:
        raise BadInput("msm corpus-job: needs --job or --pipeline")
    cluster = find_cluster(arguments.cluster)
    image = check_pinned(arguments.image)
    plan = CorpusPlan(
        recipes.find(arguments.recipe), arguments.out, arguments.tokenizer, arguments.pods, cluster, image
    )
    if arguments.job:
        with new_file(arguments.job) as file:
            file.write(job_text(plan))
    if arguments.pipeline:
        compile_to(pipeline(plan), arguments.pipeline)
