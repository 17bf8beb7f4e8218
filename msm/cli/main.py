"""The command `msm`: run a stage, or one of the verbs for people."""

import importlib
import os
import sys
from collections.abc import Sequence

from msm.cli import run
from msm.cli.parser import Parser
from msm.errors import CommandError
from msm.pipeline import torchrun

VERBS = {
    "recipe": ("msm.cli.recipe", "check a recipe, print it whole, or render its DVC pipeline"),
    "evaluate": ("msm.cli.evaluate", "encode, search and score a benchmark with any encoder"),
    "rerank": ("msm.cli.rerank", "a cross-encoder ranks the best passages of a run anew"),
    "reproduce": ("msm.cli.reproduce", "a public checkpoint against its published scores"),
    "export": ("msm.cli.export", "results and collections in the formats of others"),
    "fuse": ("msm.cli.fuse", "a dense and a sparse run as one"),
    "score": ("msm.cli.score", "measures of a TREC run"),
    "score-answers": ("msm.cli.score_answers", "answers within retrieved passages"),
    "compare": ("msm.cli.compare", "paired differences between models"),
    "mine": ("msm.cli.mine", "hard negatives from a run or a model"),
    "card": ("msm.cli.card", "model cards of checkpoints"),
    "table": ("msm.cli.table", "score folders as tables: terminal, Markdown, LaTeX, CSV, HTML"),
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


def main(words: Sequence[str] | None = None) -> None:
    """Run one command; bad input ends it with exit code 2 and one line."""
    words = list(sys.argv[1:] if words is None else words)
    # Threads of OpenMP spin for milliseconds while they wait, and starve each other once anything else runs; threads
    # that sleep at once cost a third of a step on an idle machine. A short spin costs neither. Read when torch loads.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    try:
        if words[:1] == ["run"]:
            run.main(words[1:])
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
    verbs.add_parser("run", help="run what is missing of a recipe, one task of it, or one stage by hand")
    for verb, (_, purpose) in VERBS.items():
        verbs.add_parser(verb, help=purpose, add_help=False)
    verb = parser.parse_args(words[:1]).verb
    module = importlib.import_module(VERBS[verb][0])
    own = Parser(prog=f"msm {verb}", description=VERBS[verb][1])
    module.add_arguments(own)
    module.main(own.parse_args(words[1:]))
