"""The command `msm`, which runs one of its verbs."""

import os
import sys
from collections.abc import Sequence

from msm import stopping
from msm.cli.parser import Parser
from msm.errors import BadInput, CommandError, Preempted, from_surroundings, visible
from msm.imports import entry
from msm.pipeline import torchrun
from msm.version import __version__

VERBS = {
    "run": ("msm.cli.run", "run the unfinished tasks of a recipe, one task of it, or one stage by hand"),
    "recipe": ("msm.cli.recipe", "check a recipe, print it with all values, or render its DVC pipeline"),
    "benchmarks": ("msm.cli.benchmarks", "list the benchmarks, or print files, rules and sizes of one"),
    "evaluate": ("msm.cli.evaluate", "encode, search and score a benchmark with any encoder"),
    "rerank": ("msm.cli.rerank", "rank the best passages of a run anew with a cross-encoder"),
    "reproduce": ("msm.cli.reproduce", "compare a public checkpoint with its published scores"),
    "export": ("msm.cli.export", "write results and collections in the file formats of other tools"),
    "fuse": ("msm.cli.fuse", "add the scores of a dense and a sparse run"),
    "score": ("msm.cli.score", "score the runs or the vectors of any system"),
    "score-answers": ("msm.cli.score_answers", "score retrieved passages by the answers that they hold"),
    "compare": ("msm.cli.compare", "compare models by paired differences"),
    "mine": ("msm.cli.mine", "mine hard negatives from a run or a model"),
    "card": ("msm.cli.card", "write model cards of checkpoints"),
    "table": ("msm.cli.table", "print score folders as tables: terminal, Markdown, LaTeX, CSV, HTML"),
    "report": ("msm.cli.report", "print the tables of a recipe, and export its results"),
    "corpus": ("msm.cli.corpus", "make clean documents or token shards from crawled files"),
    "corpus-job": ("msm.cli.corpus_job", "write a Kubernetes Indexed Job or a Kubeflow pipeline of msm corpus"),
    "units-job": ("msm.cli.units_job", "write a Kubernetes Indexed Job that packs a corpus in parts"),
    "stage-job": ("msm.cli.stage_job", "write a Kubernetes Job that runs one stage"),
    "volume-job": ("msm.cli.volume_job", "write a Kubernetes Job that gives a fresh volume to the image's user"),
    "bench": ("msm.cli.bench", "time this project against other libraries that give the same results"),
    "pipeline": ("msm.cli.pipeline", "compile a recipe as a Kubeflow pipeline, run it here, or submit it"),
    "verify": ("msm.cli.verify", "compare all files of a recipe with their manifests"),
    "plan": ("msm.cli.plan", "estimate the cost of a recipe in GPU hours and bytes"),
    "completion": ("msm.cli.completion", "print a script that completes commands and flags in bash or zsh"),
}
"""Name of each verb to its module and its purpose. A module has `add_arguments(parser)` and `main(arguments)`, and is
imported when its verb is called. `run` chooses between three parsers by its first word, so that its `main` takes the
words."""

EXTRAS = {
    "kfp": "kubeflow",
    "kubernetes": "kubeflow",
    "torchx": "kubeflow",
    "datatrove": "corpus",
    "datasets": "bench",
    "pytrec_eval": "bench",
}
"""Name of a package that some commands need to the extra that installs it."""


def main(words: Sequence[str] | None = None) -> None:
    """Run one command. It ends with exit code 2 and one line on bad input, or where disk, permission or network fail.

    Any other error is a bug and shows its trace; `python -X dev -m msm` shows the trace of all of them.
    """
    words = list(sys.argv[1:] if words is None else words)
    # Threads of OpenMP spin for milliseconds while they wait, and starve each other once anything else runs; threads
    # that sleep at once cost a third of a step on an idle machine. A short spin costs neither. Read when torch loads.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    stopping.watch()
    try:
        _verb(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output went away, as `| head` does.
        _drop_output()
        sys.exit(141)
    except KeyboardInterrupt:
        print("msm: stopped; run the same command to go on", file=sys.stderr)
        sys.exit(130)
    except stopping.Terminated:
        stop = Preempted("stopped by SIGTERM; the same command goes on")
        torchrun.record(stop)
        print(f"msm: {stop}", file=sys.stderr)
        sys.exit(stop.exit_code)
    except Exception as error:
        expected = error if isinstance(error, CommandError) else from_surroundings(error) or _missing_package(error)
        if expected is None or sys.flags.dev_mode:
            raise
        torchrun.record(expected)
        # An id in a message may hold a character that ends a line, or one that commands the terminal.
        print("msm:", visible(str(expected)), file=sys.stderr)
        _drop_output()
        sys.exit(expected.exit_code)


def _missing_package(error: Exception) -> BadInput | None:
    """Return an error that names the extra of a missing package; None for other errors and packages."""
    package = str(getattr(error, "name", "")).partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or package not in EXTRAS:
        return None
    return BadInput(f"this needs the package {package}: pip install 'msm-bench[{EXTRAS[package]}]'")


def _drop_output() -> None:
    """Drop output that could not be printed, as printing it would fail once more at the end of the process."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _verb(words: list[str]) -> None:
    parser = Parser(prog="msm", description="Benchmark platform for cross-lingual dense retrieval.")
    parser.add_argument("--version", action="version", version=f"msm-bench {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND", title="commands")
    for verb, (_, purpose) in VERBS.items():
        verbs.add_parser(verb, help=purpose, add_help=False)
    if not words:
        parser.print_help()
        return
    verb = parser.parse_args(words[:1]).verb
    run = entry(f"{VERBS[verb][0]}:main")
    if verb == "run":
        run(words[1:])
    else:
        run(parser_of(verb).parse_args(words[1:]))


def parser_of(verb: str) -> Parser:
    """Return the parser of a command's own options."""
    module_name, purpose = VERBS[verb]
    parser = Parser(prog=f"msm {verb}", description=f"{purpose[0].upper()}{purpose[1:]}.")
    entry(f"{module_name}:add_arguments")(parser)
    return parser
