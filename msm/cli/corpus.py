"""`msm corpus RECIPE`: makes documents or token shards of crawled files, or checks shards or the splitter."""

import argparse
import collections
import dataclasses
import logging
import sys
from pathlib import Path

from msm.corpora.languages import languages
from msm.corpora.sentence_check import check, table
from msm.corpora.shard_manifest import verify
from msm.errors import BadInput
from msm.files import read_json, read_json_lines, write_json
from msm.imports import entry
from msm.pipeline import recipes
from msm.pipeline.artifacts import payload


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `msm corpus`."""
    parser.add_argument(
        "recipe", nargs="?", help="Name of a corpus recipe, such as corpus/common_crawl, or path of its file."
    )
    parser.add_argument(
        "--out",
        default="",
        metavar="ADDRESS",
        help="Folder, or address such as s3://bucket/corpus, that gets the shards or documents.",
    )
    parser.add_argument(
        "--tokenizer",
        default="",
        metavar="DIR",
        help="Folder of the tokenizer of token shards. Without it, documents are written.",
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("work/corpus"),
        metavar="DIR",
        help="Scratch folder that all tasks share (default: work/corpus).",
    )
    parser.add_argument(
        "--executor",
        choices=("local", "slurm", "ray"),
        default="local",
        help="Place where the tasks run: this machine (local), Slurm or Ray (default: local).",
    )
    parser.add_argument(
        "--tasks",
        type=int,
        default=1,
        metavar="N",
        help="Number of tasks of every step, on all machines together (default: 1).",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=-1,
        metavar="N",
        help="Largest number of tasks at one time; -1 for all (default: -1).",
    )
    parser.add_argument(
        "--manifest",
        type=Path,
        metavar="FILE",
        help="File that gets a copy of the manifest, which DVC tracks.",
    )
    pod = parser.add_argument_group("Kubernetes: each pod does some of the tasks, and waits for the rest")
    pod.add_argument(
        "--local_tasks",
        type=int,
        default=-1,
        metavar="K",
        help="Number of tasks that this pod runs; -1 for all (default: -1).",
    )
    pod.add_argument(
        "--pod",
        type=int,
        default=0,
        metavar="N",
        help="Number of this pod, counted from 0, such as $JOB_COMPLETION_INDEX (default: 0).",
    )
    pod.add_argument(
        "--step", default="", metavar="NAME", help="Name of the one step to run, without waiting for other pods."
    )
    pod.add_argument(
        "--poll_seconds",
        type=float,
        default=10.0,
        metavar="S",
        help="Seconds between two looks whether the other pods have finished a step (default: 10).",
    )
    slurm = parser.add_argument_group("Slurm")
    slurm.add_argument(
        "--partition", default="cpu", metavar="NAME", help="Partition that runs the tasks (default: cpu)."
    )
    slurm.add_argument(
        "--time_limit",
        default="24:00:00",
        metavar="HH:MM:SS",
        help="Longest time that a task may take (default: 24:00:00).",
    )
    slurm.add_argument(
        "--environment",
        default="",
        metavar="COMMAND",
        help="Shell command that runs before every task, such as `source .venv/bin/activate`.",
    )
    other = parser.add_argument_group("instead of a recipe")
    other.add_argument(
        "--check_sentences",
        type=Path,
        metavar="FILE",
        help="File of documents with known sentences (JSON Lines), on which the sentence splitter is checked.",
    )
    other.add_argument(
        "--verify",
        type=Path,
        metavar="DIR",
        help="Folder of shards that are compared with the checksums of their manifest.",
    )


def main(arguments: argparse.Namespace) -> None:
    """Make a corpus, check the shards of one, or check the sentence splitter."""
    if arguments.check_sentences:
        sys.stdout.write(sentence_table(arguments.check_sentences))
        return
    if arguments.verify:
        count = verify(arguments.verify)
        sys.stdout.write(f"{count} shards are what the manifest says\n")
        return
    if not arguments.recipe or not arguments.out:
        raise BadInput("msm corpus: needs a recipe and --out")
    make(arguments)


def make(arguments: argparse.Namespace) -> None:
    """Make a corpus. datatrove is imported here, because it is slow to import and belongs to an extra.

    Raises:
        BadInput: the extra `corpus` is not installed.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        placing_class = entry("msm.corpora.crawl.executors:Placing")
        make_corpus = entry("msm.corpora.crawl.making:make")
        manifest_path = entry("msm.corpora.crawl.packing:manifest_path")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("msm"):
            raise
        raise BadInput(f"msm corpus: no module {error.name}; install the extra: pip install -e .[corpus]") from error
    placing = placing_class(
        **{field.name: getattr(arguments, field.name) for field in dataclasses.fields(placing_class)}
    )
    tokenizer = str(payload(Path(arguments.tokenizer)).resolve()) if arguments.tokenizer else ""
    state = make_corpus(recipes.find(arguments.recipe), arguments.work, arguments.out, tokenizer, placing)
    manifest = manifest_path(state)
    if manifest.is_file():
        sys.stdout.write(summary(read_json(manifest)))
        if arguments.manifest:
            write_json(arguments.manifest, read_json(manifest))


def summary(manifest: dict) -> str:
    """Return the counts of documents that were read, dropped and written, in a few lines."""
    pieces = manifest.get("shards") or manifest["files"]
    documents: collections.Counter[str] = collections.Counter()
    for piece in pieces:
        documents[piece["language"]] += piece["documents"]
    lines = [
        f"documents read: {manifest['documents_read']}, kept: {sum(documents.values())} in {len(documents)} languages"
    ]
    for reason, by_language in manifest["dropped"].items():
        most = sorted(by_language.items(), key=lambda pair: -pair[1])[:8]
        counts = ", ".join(f"{language} {count}" for language, count in most)
        lines.append(f"  {reason}: {sum(by_language.values())} ({counts}{', ...' if len(by_language) > 8 else ''})")
    return "\n".join([*lines, f"written: {len(pieces)} files or shards", ""])


def sentence_table(path: Path) -> str:
    """Return a table of the share of a file's sentences that the splitter finds, by language."""
    documents: dict[str, list[list[str]]] = {}
    for _, row in read_json_lines(path):
        if row.get("language") in languages() and "sentences" in row:
            documents.setdefault(row["language"], []).append(row["sentences"])
    return table(check(language, texts) for language, texts in documents.items())
