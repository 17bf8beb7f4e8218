"""The command `msm`: run a stage, or one of the verbs for people."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from msm.errors import BadInput, CommandError
from msm.execution import DEVICES, Execution
from msm.pipeline import runner, torchrun
from msm.pipeline.stages import STAGES
from msm.settings import base_type, choices, flat, limits, make, nested

VERBS = {
    "recipe": ("msm.cli.recipe", "make a recipe the active one (params.yaml)"),
    "evaluate": ("msm.cli.evaluate", "encode, search and score a benchmark with any encoder"),
    "reproduce": ("msm.cli.reproduce", "a public checkpoint against its published scores"),
    "export": ("msm.cli.export", "results and collections in the formats of others"),
    "fuse": ("msm.cli.fuse", "a dense and a sparse run as one"),
    "score": ("msm.cli.score", "measures of a TREC run"),
    "score-answers": ("msm.cli.score_answers", "answers within retrieved passages"),
    "compare": ("msm.cli.compare", "paired differences between models"),
    "mine": ("msm.cli.mine", "hard negatives from a run or a model"),
    "card": ("msm.cli.card", "model cards of checkpoints"),
    "report": ("msm.cli.report", "print a recipe's tables, export its results"),
    "corpus": ("msm.cli.corpus", "crawled files to clean documents or token shards, on any cluster"),
    "corpus-job": ("msm.cli.corpus_job", "that as a Kubernetes Indexed Job or a Kubeflow pipeline"),
    "units-job": ("msm.cli.units_job", "the stage units over a corpus in parts as a Kubernetes Indexed Job"),
    "stage-job": ("msm.cli.stage_job", "one stage as a Kubernetes Job on the shared volume"),
    "volume-job": ("msm.cli.volume_job", "a fresh volume handed to the image's user, as a Kubernetes Job"),
    "bench": ("msm.cli.bench", "speed against the usual way, equal outputs checked"),
    "pipeline": ("msm.cli.pipeline", "Kubeflow: compile, run here, submit"),
    "plan": ("msm.cli.plan", "what a recipe costs: GPU hours and bytes, by arithmetic"),
}
"""Verb to module; each has `add_arguments(parser)` and `main(arguments)`, imported when asked for."""


class Parser(argparse.ArgumentParser):
    """Ends with exit code 2 and one line, as every bad input does."""

    def error(self, message: str) -> NoReturn:
        """Print one line and exit."""
        self.exit(2, f"{self.prog}: {message}\n")


def main(words: Sequence[str] | None = None) -> None:
    """Run one command; bad input ends it with exit code 2 and one line."""
    words = list(sys.argv[1:] if words is None else words)
    # Threads of OpenMP spin for milliseconds while they wait, and starve each other once anything else runs; threads
    # that sleep at once cost a third of a step on an idle machine. A short spin costs neither. Read when torch loads.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    try:
        if words[:1] == ["run"]:
            _run(words[1:])
        else:
            _verb(words)
    except CommandError as error:
        torchrun.record(error)
        print(f"msm: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output went away, as `| head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except KeyboardInterrupt:
        print("msm: stopped; run the same command to go on", file=sys.stderr)
        sys.exit(130)


def _verb(words: list[str]) -> None:
    parser = Parser(prog="msm", description="Benchmark platform for cross-lingual dense retrieval.", add_help=True)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("run", help="run one stage by hand: " + ", ".join(STAGES))
    for verb, (_, purpose) in VERBS.items():
        verbs.add_parser(verb, help=purpose, add_help=False)
    verb = parser.parse_args(words[:1]).verb
    module = importlib.import_module(VERBS[verb][0])
    own = Parser(prog=f"msm {verb}", description=VERBS[verb][1])
    module.add_arguments(own)
    module.main(own.parse_args(words[1:]))


def _run(words: list[str]) -> None:
    stages = Parser(prog="msm run", description="Run one stage; `msm run STAGE --help` lists its settings.")
    stages.add_argument("stage", choices=STAGES, metavar="STAGE", help=", ".join(STAGES))
    name = stages.parse_args(words[:1]).stage
    stage = STAGES[name]
    arguments = vars(_stage_parser(name).parse_args(words[1:]))
    values = {setting: arguments[setting] for setting, _, _ in flat(stage.settings)}
    given = {setting: value for setting, value in values.items() if value is not None}
    settings = make(stage.settings, nested(given), f"run {name}")
    for option in ("processes", "gpus", "cache_gib", "checkpoint_seconds"):
        if arguments[option] < 0:
            raise BadInput(f"--{option} must be at least 0, got {arguments[option]}")
    if arguments["stop_with_parent"]:
        runner.stop_with_parent()
    if arguments["gpus"] and not torchrun.is_worker():
        sys.exit(torchrun.run(["msm", "run", *words], arguments["gpus"]))
    out: Path = arguments["out"]
    execution = Execution(
        work=arguments["work"] or _work_folder(out),
        processes=arguments["processes"],
        device=arguments["device"],
        mirror=arguments["mirror"],
        cache_gib=arguments["cache_gib"],
        checkpoint_seconds=arguments["checkpoint_seconds"],
    )
    reads = {read: arguments[read] for read in stage.reads}
    manifest = runner.run_stage(name, settings, reads, out, execution)
    print(f"{name}: {out} ({manifest['seconds']:.1f} s)", file=sys.stderr)


def _work_folder(out: Path) -> Path:
    """`work/...` for `artifacts/...`; DVC deletes outputs before it runs their stage, never this."""
    parts = out.parts
    return Path("work", *parts[1:]) if parts[0] == "artifacts" else out.with_name(f".{out.name}.work")


def _stage_parser(name: str) -> Parser:
    stage = STAGES[name]
    usage = f"msm run {name} --INPUT DIR ... --SETTING VALUE ... --out DIR"
    parser = Parser(prog=f"msm run {name}", usage=usage, description=stage.purpose + ".")
    folders = parser.add_argument_group("folders")
    for read in stage.reads:
        folders.add_argument(f"--{read}", type=Path, required=True, metavar="DIR")
    folders.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help=f"gets manifest.json and {stage.payload}/"
    )
    folders.add_argument("--work", type=Path, metavar="DIR", help="scratch folder that survives a kill")
    options = parser.add_argument_group("execution: may change the speed, never the result")
    options.add_argument("--processes", type=int, default=0, metavar="N", help="worker processes; 0 for one a core")
    options.add_argument(
        "--gpus", type=int, default=0, metavar="N", help="run N processes by torchrun, one a GPU; 0 runs in this one"
    )
    options.add_argument("--device", choices=DEVICES, default="auto")
    options.add_argument("--mirror", default="", metavar="DIR", help="local copy of the public files")
    options.add_argument(
        "--cache_gib", type=int, default=64, metavar="N", help="streamed shards kept in the scratch folder"
    )
    options.add_argument(
        "--checkpoint_seconds",
        type=float,
        default=Execution.checkpoint_seconds,
        metavar="S",
        help="training writes a checkpoint at least this often",
    )
    options.add_argument("--stop_with_parent", action="store_true", help="save and end when the starting process dies")
    group = parser.add_argument_group("settings: decide the result; one without a default is needed, a later one wins")
    for setting, hint, meaning in flat(stage.settings):
        group.add_argument(f"--{setting}", type=base_type(hint), help=_help(meaning, hint))
    return parser


def _help(meaning: str, hint: Any) -> str:
    bounds = limits(hint)
    allowed = choices(hint)
    parts = [meaning.replace("%", "%%")]
    if allowed:
        parts.append(f"[{' | '.join(allowed)}]")
    elif bounds:
        parts.append(
            f"[{bounds.low:g} to {bounds.high:g}]" if bounds.high != float("inf") else f"[from {bounds.low:g}]"
        )
    return " ".join(part for part in parts if part)
