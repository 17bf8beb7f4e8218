"""`msm plan --recipe R`: estimates the cost of a recipe from its settings; nothing is run."""

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msm.cli.options import add_recipe
from msm.errors import BadInput
from msm.pipeline import recipes
from msm.pipeline.corpus_costs import CorpusCost, corpus_cost, measurement
from msm.pipeline.costs import TEXT, Cost, CostSizes, plan, read_sizes
from msm.pipeline.tasks import tasks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `msm plan`."""
    add_recipe(parser)
    parser.add_argument(
        "--mfu",
        type=float,
        default=0.35,
        metavar="S",
        help="Share of the GPUs' peak speed that training reaches, above 0 and up to 1 (default: 0.35).",
    )
    parser.add_argument(
        "--examples",
        type=int,
        default=0,
        metavar="N",
        help="Number of fine-tuning examples. It is needed where a recipe counts its fine-tuning in epochs.",
    )
    parser.add_argument(
        "--gpus",
        type=int,
        default=0,
        metavar="N",
        help="Number of GPUs of one training; 0 takes the number in the table of stages (default: 0).",
    )
    corpus = parser.add_argument_group("the corpus: core hours and bytes of `msm corpus`, from a measured speed")
    corpus.add_argument(
        "--corpus_bench",
        type=Path,
        metavar="FILE",
        help="File with the output of `msm bench corpus`, which gives the measured speed.",
    )
    corpus.add_argument(
        "--corpus_files",
        choices=("warc", "wet"),
        default="wet",
        help="Kind of the crawled files: pages with markup (warc) or extracted text (wet). The default is wet.",
    )
    corpus.add_argument(
        "--corpus_bytes",
        type=float,
        metavar="N",
        help="Size of the clean text that is wanted, in bytes (default: 2.5e12).",
    )
    corpus.add_argument(
        "--kept_share",
        type=float,
        default=1.0,
        metavar="S",
        help="Share of the text that cleaning keeps, above 0 and up to 1 (default: 1).",
    )


def main(arguments: argparse.Namespace) -> None:
    """Print the plan.

    Raises:
        BadInput: the recipe is missing or malformed, or a number is outside its limits.
    """
    if not 0 < arguments.mfu <= 1:
        raise BadInput(f"--mfu must be above 0 and at most 1, got {arguments.mfu}")
    for name in ("examples", "gpus"):
        if getattr(arguments, name) < 0:
            raise BadInput(f"--{name} must be at least 0, got {getattr(arguments, name)}")
    path = recipes.find(arguments.recipe)
    recipe = recipes.load(path)
    all_tasks = tasks(recipe, str(path))
    costs = plan(all_tasks, mfu=arguments.mfu, gpus=arguments.gpus, examples=arguments.examples)
    if arguments.corpus_bytes is not None and not arguments.corpus_bench:
        raise BadInput("--corpus_bytes needs --corpus_bench FILE, the speed that was measured")
    corpus = _corpus(arguments, read_sizes(all_tasks)) if arguments.corpus_bench else ""
    sys.stdout.write(table(str(recipe["recipe"]), costs, arguments.mfu) + corpus)


def _corpus(arguments: argparse.Namespace, sizes: CostSizes) -> str:
    if not 0 < arguments.kept_share <= 1:
        raise BadInput(f"--kept_share must be above 0 and at most 1, got {arguments.kept_share}")
    path, kind, share = arguments.corpus_bench, arguments.corpus_files, arguments.kept_share
    text = TEXT if arguments.corpus_bytes is None else arguments.corpus_bytes
    bench_row = measurement(path, kind)
    cost = corpus_cost(bench_row, text=text, kept_share=share, token_bytes=sizes.token_bytes)
    return _described(cost, bench_row, path=path, kind=kind, text=text, kept_share=share)


def _described(
    cost: CorpusCost, bench_row: Mapping[str, Any], *, path: Path, kind: str, text: float, kept_share: float
) -> str:
    """Return the cost in words, with the source of the measured speed."""
    terabytes = {name: value / 1e12 for name, value in dataclasses.asdict(cost).items()}
    return (
        f"\nCorpus: {text / 1e12:,.2f} TB of clean text from {kind.upper()} files, "
        f"{kept_share:.0%} of what is read kept.\n"
        f"  {cost.core_hours:,.0f} core hours at {bench_row['mb_per_second_core']} MB of text a second and core\n"
        f"  ({path}: {bench_row['megabytes']} MB of {bench_row['source']} on {bench_row['device']}).\n"
        f"  {terabytes['read_bytes']:,.2f} TB of files read, {terabytes['work']:,.2f} TB between, "
        f"{terabytes['tokens']:,.2f} TB of token ids.\n"
        "  Files are as dense as the measured ones; a crawl's pages are mostly markup, and take more of both.\n"
    )


def _shown(value: float) -> str:
    """Return a number with about four digits; a dash for a cost that is not counted."""
    return "-" if not value else f"{value:,.3f}" if value < 10 else f"{value:,.0f}"


def table(recipe: str, costs: Sequence[Cost], mfu: float) -> str:
    """Return the plan as text."""
    lines = [f"Plan of `{recipe}`: A100s at {mfu:.0%} of their peak (bf16 312, fp32 19.5 TFLOP/s)", ""]
    names = ("rows", "GPUs", "PFLOP", "hours", "GPU hours", "GiB read", "GiB kept")
    lines.append(f"{'stage':<10}" + "".join(f"{name:>11}" for name in names))
    for cost in costs:
        values = (
            cost.operations / 1e15,
            cost.hours,
            cost.hours * cost.gpus,
            cost.read_bytes / 2**30,
            cost.weight_bytes / 2**30,
        )
        cells = "".join(f"{_shown(value):>11}" for value in values)
        lines.append(f"{cost.stage:<10}{cost.rows:>11}{cost.gpus:>11}{cells}")
    hours = sum(cost.hours for cost in costs)
    total = sum(cost.hours * cost.gpus for cost in costs)
    weights, scratch = sum(cost.weight_bytes for cost in costs), max((cost.scratch for cost in costs), default=0.0)
    lines += [
        "",
        f"{total:,.1f} GPU hours; {hours:,.1f} hours if the rows follow each other.",
        f"{weights / 2**30:,.2f} GiB of weights, {scratch / 2**30:,.2f} GiB of training states while one row runs.",
        "Counted: matrix products of training. Not counted (-): tokenising, encoding for retrieval, waiting.",
    ]
    if any(cost.stage == "finetune" and not cost.operations for cost in costs):
        lines.append("Fine-tuning counts epochs here: give --examples.")
    return "\n".join(lines) + "\n"
