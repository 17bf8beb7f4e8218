"""Options that several commands share: labels of scores, and how a stage or task is executed."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from msm import tracking
from msm.errors import BadInput
from msm.evaluation.settings import Setting
from msm.execution import DEVICES, Execution
from msm.pipeline import torchrun
from msm.pipeline.places import check_device
from msm.stopping import stop_with_parent


def add_labels(parser: argparse._ArgumentGroup, what: str) -> None:
    """Declare the labels of scores that decide no value.

    Args:
        parser: group that the options stand in.
        what: the word for what was trained, `model` or `system`.
    """
    parser.add_argument(
        "--split",
        help="Split of the questions. The default is the benchmark's published split; test for your own data.",
    )
    parser.add_argument(
        "--setting",
        choices=get_args(Setting),
        default="zero-shot",
        help="Origin of the fine-tuning data: other languages than the test's (zero-shot), all of them "
        "(multilingual), or all of them with a checkpoint that was selected on the test questions.",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help=f"Seed of the {what}'s training (0).")


def add_execution(parser: argparse.ArgumentParser) -> None:
    """Declare the execution options: they may change the speed, never the result."""
    options = parser.add_argument_group("execution: may change the speed, never the result")
    options.add_argument(
        "--work",
        type=Path,
        metavar="DIR",
        help="Scratch folder; a stopped run goes on from what it holds. The default follows from --out.",
    )
    options.add_argument(
        "--processes", type=int, default=0, metavar="N", help="Number of worker processes; 0 starts one for each core."
    )
    options.add_argument(
        "--gpus",
        type=int,
        default=0,
        metavar="N",
        help="Number of processes that torchrun starts, one for each GPU; 0 runs the stage in this process.",
    )
    options.add_argument(
        "--device", choices=DEVICES, default="auto", help="Device that computes; auto takes a GPU if there is one."
    )
    options.add_argument(
        "--mirror",
        default="",
        metavar="DIR",
        help="Folder with a copy of the public files, which is read instead of the network.",
    )
    options.add_argument(
        "--cache_gib",
        type=int,
        default=64,
        metavar="N",
        help="Largest size of the streamed shards in the scratch folder, in GiB (64).",
    )
    options.add_argument(
        "--checkpoint_seconds",
        type=float,
        default=Execution.checkpoint_seconds,
        metavar="S",
        help="Longest time between two checkpoints of a training, in seconds.",
    )
    options.add_argument(
        "--vector_store",
        type=Path,
        metavar="DIR",
        help="Folder that keeps vectors of encoded texts for other runs of the same model, up to --cache_gib "
        "for each model.",
    )
    options.add_argument(
        "--part",
        default="",
        metavar="I/N",
        help="Part of the passages that is encoded and searched, number I of N, such as 2/8; a run without it"
        " then joins the parts. For the stage retrieve.",
    )
    add_verify(options)
    add_log(options)
    options.add_argument(
        "--stop_with_parent",
        action="store_true",
        help="Save the state and end when the process that started this one dies.",
    )


def add_verify(options: argparse._ActionsContainer) -> None:
    """Declare the option that has all bytes of inputs compared with their manifests."""
    options.add_argument(
        "--verify",
        action="store_true",
        help="Compare all bytes of the inputs with their manifests. Without it, only files whose size or time"
        " differ are read.",
    )


def add_log(options: argparse._ActionsContainer) -> None:
    """Declare the option that names a tool to watch trainings and scores."""
    options.add_argument(
        "--log",
        choices=("", *tracking.BACKENDS),
        default="",
        metavar="TOOL",
        help="Tool that shows losses, scores by language and reports, beside the file log.jsonl: tensorboard,"
        " mlflow or wandb.",
    )


def begin(arguments: Mapping[str, Any], words: Sequence[str]) -> None:
    """Prepare for a stage or task: watch the parent, and hand the work to torchrun where `--gpus` asks for it.

    Args:
        arguments: values of the options of `add_execution`.
        words: words of this whole command, `msm` included.

    Raises:
        BadInput: a negative number, or a tool that is not installed.
    """
    for option in ("processes", "gpus", "cache_gib", "checkpoint_seconds"):
        if arguments[option] < 0:
            raise BadInput(f"--{option} must be at least 0, got {arguments[option]}")
    tracking.check(arguments["log"])
    check_device(arguments["device"], arguments["gpus"])
    if arguments["stop_with_parent"]:
        stop_with_parent()
    if arguments["gpus"] and not torchrun.is_worker():
        sys.exit(torchrun.run(words, arguments["gpus"]))


def execution(arguments: Mapping[str, Any], out: Path) -> Execution:
    """Return the execution options as given."""
    return Execution(
        work=arguments["work"] or _work_folder(out),
        processes=arguments["processes"],
        device=arguments["device"],
        mirror=arguments["mirror"],
        cache_gib=arguments["cache_gib"],
        checkpoint_seconds=arguments["checkpoint_seconds"],
        vector_store=arguments["vector_store"],
        part=arguments["part"],
        verify=arguments["verify"],
        log=arguments["log"],
    )


def _work_folder(out: Path) -> Path:
    """`work/...` for `artifacts/...`; DVC deletes outputs before it runs their stage, never this."""
    parts = out.parts
    return Path("work", *parts[1:]) if parts[0] == "artifacts" else out.with_name(f".{out.name}.work")
