"""`msm corpus-job RECIPE`: a corpus in a cluster, as a Kubernetes Indexed Job or a Kubeflow pipeline."""

import argparse
from pathlib import Path

from msm.cli import placement
from msm.components.clusters import check_pinned, find_cluster
from msm.components.corpus_job import CorpusPlan, job_text, pipeline
from msm.components.kubeflow_pipeline import compile_to
from msm.errors import BadInput
from msm.files import new_file

TOKENIZER = "/work/corpus/tokenizer"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("recipe", type=Path, help="inputs, settings and limits (recipes/corpus/*.yaml)")
    parser.add_argument("--out", required=True, metavar="ADDRESS", help="of the shards, such as s3://bucket/corpus")
    parser.add_argument("--tokenizer", default=TOKENIZER, metavar="DIR", help=f"on the shared volume ({TOKENIZER})")
    parser.add_argument("--pods", type=int, required=True, metavar="N", help="each does as many tasks as it has CPUs")
    placement.add_arguments(parser)
    parser.add_argument("--job", type=Path, metavar="FILE", help="gets the recipe's ConfigMap and the Indexed Job")
    parser.add_argument("--pipeline", type=Path, metavar="FILE", help="gets the compiled pipeline, which needs the map")


def main(arguments: argparse.Namespace) -> None:
    """Write the files.

    Raises:
        BadInput: a wrong recipe, image or cluster, no pod, or nothing to write.
    """
    if arguments.pods < 1:
        raise BadInput(f"--pods must be at least 1, got {arguments.pods}")
    if not arguments.job and not arguments.pipeline:
        raise BadInput("msm corpus-job: needs --job or --pipeline")
    cluster = find_cluster(arguments.cluster)
    image = check_pinned(arguments.image)
    plan = CorpusPlan(arguments.recipe, arguments.out, arguments.tokenizer, arguments.pods, cluster, image)
    if arguments.job:
        with new_file(arguments.job) as file:
            file.write(job_text(plan))
    if arguments.pipeline:
        compile_to(pipeline(plan), arguments.pipeline)
