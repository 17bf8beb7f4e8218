"""Declares the options that decide how a stage or task is executed, and prepares its start."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msm import tracking
from msm.cli.options import add_device, add_log, add_mirror, add_part, add_verify
from msm.errors import BadInput
from msm.execution import Execution
from msm.pipeline import torchrun
from msm.pipeline.places import check_device
from msm.stopping import stop_with_parent


def add_execution(parser: argparse.ArgumentParser) -> None:
    """Declare the execution options: they may change the speed, never the result."""
    options = parser.add_argument_group("execution: may change the speed, never the result")
    options.add_argument(
        "--work",
        type=Path,
        metavar="DIR",
        help="Scratch folder; a stopped stage goes on from what it holds. The default is work/... for --out "
        "artifacts/..., and a hidden folder beside any other --out.",
    )
    options.add_argument(
        "--processes",
        type=int,
        default=0,
        metavar="N",
        help="Number of worker processes; 0 for one on each core (default: 0).",
    )
    options.add_argument(
        "--gpus",
        type=int,
        default=0,
        metavar="N",
        help="Number of processes that torchrun starts, one for each GPU; 0 runs the stage in this "
        "process (default: 0).",
    )
    add_device(options)
    add_mirror(options)
    options.add_argument(
        "--cache_gib",
        type=int,
        default=64,
        metavar="N",
        help="Largest size of the streamed shards in the scratch folder, in GiB (default: 64).",
    )
    options.add_argument(
        "--checkpoint_seconds",
        type=float,
        default=Execution.checkpoint_seconds,
        metavar="S",
        help="Longest time between two checkpoints of a training, in seconds "
        f"(default: {Execution.checkpoint_seconds:g}).",
    )
    options.add_argument(
        "--vector_store",
        type=Path,
        metavar="DIR",
        help="Folder that keeps the vectors of encoded texts for other runs of the same model. Those of one model take "
        "up to --cache_gib.",
    )
    add_part(options, "For the stage retrieve.")
    add_verify(options)
    add_log(options)
    options.add_argument(
        "--stop_with_parent",
        action="store_true",
        help="Save the state and end when the process that started this one dies.",
    )


def begin(arguments: Mapping[str, Any], words: Sequence[str]) -> None:
    """Prepare for a stage or task: watch the parent, and hand the work to torchrun where `--gpus` asks for it.

    Args:
        arguments: values of the options of `add_execution`.
        words: words of this whole command, `msm` included.

    Raises:
        BadInput: a number is negative, or the tool of `--log` is not installed.
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
    """Return the execution options of a command as one value.

    Args:
        arguments: values of the options of `add_execution`.
        out: output folder of the stage or task.
    """
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
    """Return `work/...` for `artifacts/...`: DVC deletes outputs before it runs their stage, and never this folder."""
    parts = out.parts
    return Path("work", *parts[1:]) if parts[0] == "artifacts" else out.with_name(f".{out.name}.work")
