"""Encodes, searches and scores a benchmark with any encoder, or with BM25.

The output folder holds:

| name | content |
|---|---|
| `run.trec.gz` | the run of the pool of all languages, or of all languages' own pools, or of all pairs of bitext |
| `scores.jsonl` | the scores, see `msm.evaluation.scores` |
| `retrieve/`, `score/` | the folders of the two stages, with the runs of all pools, their protocol, and per-query
    values |
| `work/` | the state from which a killed run goes on, and links to the model's files where options replace their values
    |

A stage that is finished is not run again; a killed one goes on after the last finished shard. Several processes
(`torchrun`) split the shards; the first one scores.
"""

import contextlib
import dataclasses
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from msm.collections.benchmark import Benchmark, BitextBenchmark
from msm.collections.measure_names import parse_measure
from msm.collections.registry import check_split, find_benchmark, find_bitext, find_split, reference
from msm.encoders.model_files import check_usage, link_model
from msm.encoders.settings import Pooling
from msm.encoders.usage import CONTEXTS, QUESTION_MARKS, SIMILARITIES, VECTOR_KINDS, Usage
from msm.errors import BadInput
from msm.evaluation.settings import Score, Setting, TieRule
from msm.execution import Execution
from msm.files import files_below, new_file
from msm.imports import entry
from msm.pipeline import runner
from msm.pipeline.artifacts import new_folder, payload
from msm.retrieval.fusion import fuse_folders
from msm.retrieval.kinds import check_kind
from msm.retrieval.settings import BM25, NEIGHBOURS, LanguageVectorsKind, Lexical, Retrieve
from msm.settings import listed
from msm.verbs.scores import Scores, copy_scores, drop_empty, score_folder

LEAST_DEPTH = 100
HERE = "."
QUESTIONS, TEXTS = "questions", "texts"
"""Names of the links to the data and to parallel texts."""
USAGES = {
    "pooling": get_args(Pooling),
    "similarity": SIMILARITIES,
    "vectors": VECTOR_KINDS,
    "passage_context": CONTEXTS,
    "question_mark": QUESTION_MARKS,
}
"""Name of each choice of `Usage` that has fixed values, to these values."""
LEXICAL_CONTEXTS: dict[str | None, Literal["benchmark", "none", "paragraph", "title_text"]] = {
    None: "benchmark",
    "none": "none",
    "paragraph": "paragraph",
    "title": "title_text",
    "title_text": "title_text",
}
"""Text that a model encodes with each passage, to the text that BM25 searches then."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The evaluation of one model on one benchmark, with all its options.

    Raises:
        BadInput: the benchmark or the data do not exist, or options contradict each other.
    """

    model: str
    """Model folder, name in the Hugging Face hub, or `bm25`."""
    benchmark: str
    """Name of the benchmark; with `format`, a name for your data."""
    data: Path
    """Folder of the benchmark's files."""
    out: Path
    """Folder that gets the run and the scores."""
    usage: Usage = field(default_factory=Usage)
    """Choices for the use of the model where they differ from its files."""
    revision: str | None = None
    """Branch, tag or commit of a model in the hub."""
    format: str = ""
    """Format of data of your own: `beir`, `trec`, `squad`, or that of a benchmark."""
    languages: str = ""
    """Codes of the languages of the benchmark that are kept, separated by commas; empty for all."""
    pairs: str = ""
    """Language pairs of bitext: `all-en`, `de-fr,fr-de` or `all`; empty for the benchmark's own."""
    split: str = ""
    """Split of the questions; empty for the benchmark's own, or `test` for data of your own."""
    setting: Setting = "zero-shot"
    """Origin of the training data; see `msm.evaluation.settings.Score`."""
    name: str = ""
    """Name of the model in tables; empty for its folder's name."""
    seed: int = 0
    """Seed of the model's training."""
    measures: str = ""
    """Names of measures that replace the official ones, separated by commas; empty for the official ones."""
    ties: TieRule = "benchmark"
    """Rule for the order of equal scores; see `msm.evaluation.settings.Score`."""
    depth: int = 0
    """Number of passages that are kept for each question; 0 keeps as many as the measures need."""
    fuse: float | None = None
    """Weight of the model's scores when BM25's are added, both scaled; None searches without BM25."""
    language_vectors: LanguageVectorsKind = "none"
    """Kind of language vectors that are subtracted; see `msm.retrieval.settings.Retrieve`."""
    language_texts: Path | None = None
    """Path of parallel documents, from which language vectors are estimated for `shift` and `both_sides`."""
    language_sentences: int = 200
    """Number of sentences of each language from which its vector is estimated; 0 for all."""
    language_pivot: str = "en"
    """Code of the language whose vectors `shift` leaves unchanged."""
    language_labels: str = "given"
    """Source of the language of each text: `given`, or the name of an identifier; see
    `msm.retrieval.settings.Retrieve`."""
    precision: str = "auto"
    """Number format of matrix products: `fp32`, `bf16`, or `auto`, which is bf16 where the hardware has units for
    it."""
    batch_tokens: int = 16384
    """Largest number of tokens that are encoded in one batch."""
    device: str = "auto"
    """Name of the device that the model runs on: `auto`, `cpu`, `cuda` or `mps`."""
    part: str = ""
    """`I/N` encodes and searches part I of N of the passages only; an evaluation without it joins the parts."""

    def __post_init__(self) -> None:
        """Check everything that can be checked before a model is loaded."""
        if not self.benchmark and not self.format:
            raise BadInput("--benchmark NAME or, for data of your own, --format FORMAT is needed")
        _check_usage(self.usage)
        if Path(self.model).is_dir():
            _check_kind(self, Path(self.model))
        if self.bitext is None:
            _check_searched(self)
        else:
            _check_mined(self)
        check_split(self.reference, self.asked_split)
        if self.language_texts and not self.language_texts.exists():
            raise BadInput(f"{self.language_texts}: no such file or folder")
        if not self.data.is_dir():
            raise BadInput(f"{self.data}: no such folder")
        if self.depth < 0:
            raise BadInput(f"--depth must be at least 0, got {self.depth}")

    @cached_property
    def reference(self) -> str:
        """Reference of the benchmark: its name with format, languages and pairs."""
        return reference(self.benchmark, self.format, listed(self.languages), self.pairs)

    @cached_property
    def bitext(self) -> BitextBenchmark | None:
        """The bitext benchmark, or None if the benchmark is searched."""
        bitext = find_bitext(self.reference)
        return bitext[0] if bitext else None

    @property
    def asked_split(self) -> str:
        """Name of the split in scores."""
        return self.split or find_split(self.reference) or "test"

    @property
    def folder_name(self) -> Path:
        """Path of the output folder among several evaluations: benchmark or format, then model."""
        return Path(file_name(self.benchmark or self.format), file_name(self.label))

    @property
    def label(self) -> str:
        """Name of the model, with the size of its vectors where one was chosen."""
        parts = (Path(self.model).name, self.usage.dimensions, self.usage.vectors)
        return " ".join(str(part) for part in parts if part is not None)

    @cached_property
    def kept_depth(self) -> int:
        """Number of passages that are kept of each question."""
        if self.bitext:
            return self.depth or NEIGHBOURS
        return self.depth or _depth(find_benchmark(self.reference).measured_by(listed(self.measures)))

    def run(self) -> Scores:
        """Encode, search and score; finished work is not repeated.

        Raises:
            BadInput: the model is missing or damaged, neither files nor options tell how it is used, or the data are
                malformed.
        """
        execution = Execution(work=self.out / "work", device=self.device, part=self.part)
        if _rank() or self.part:
            return self._run(execution)
        with score_folder(self.out):
            return self._run(execution)

    def _run(self, execution: Execution) -> Scores:
        if not _rank():
            self._fetch()
        with _tidied(self.out):
            runs = _search(self, execution)
        if _rank() or self.part:
            return Scores(self.out, [])
        if self.fuse is not None:
            runs = _fuse(self, runs, execution)
        runner.run_stage("score", _score(self), {"sources": self.data, "run": runs}, self.out / "score", execution)
        _write_run(_run_files(payload(runs), self.bitext), self.out / "run.trec.gz")
        return copy_scores(self.out)

    def _fetch(self) -> None:
        """Download data that a library has, before their checksums are computed."""
        fetch = None if self.bitext else find_benchmark(self.reference).fetch
        if fetch:
            fetch(self.data)


def evaluate(
    model: str | Path, benchmark: str, data: str | Path, out: str | Path | None = None, **options: Any
) -> Scores:
    """Encode, search and score a benchmark with an encoder, or with BM25.

    Finished work is not repeated, and a killed evaluation goes on.

        >>> import msm
        >>> scores = msm.evaluate("intfloat/multilingual-e5-small", "animals", msm.example("animals"), format="beir")
        >>> sorted(scores.by_language("recall@100"))
        ['mean', 'und']
        >>> scores.folder.as_posix()
        'artifacts/evaluate/animals/multilingual-e5-small'

    Args:
        model: model folder, name in the Hugging Face hub, or `bm25`.
        benchmark: name of the benchmark, such as `lareqa`; with `format`, a name for your data.
        data: folder of the benchmark's files.
        out: folder that gets the run and the scores; the default is `artifacts/evaluate/BENCHMARK/MODEL`.
        options: fields of `Evaluation` and of the model's use (`msm.encoders.usage.Usage`), named like the options of
            the command.

    Returns:
        The scores by language, and the folder that holds them.

    Raises:
        BadInput: the benchmark, the data or the model do not exist, or neither files nor options tell how the model is
            used.
        TypeError: there is no such option.
    """
    usage_options = {
        choice.name: options.pop(choice.name) for choice in dataclasses.fields(Usage) if choice.name in options
    }
    usage = options.pop("usage", Usage()).updated(Usage(**usage_options))
    folder = Path("artifacts", "evaluate", file_name(benchmark), file_name(Path(model).name)) if out is None else out
    return Evaluation(
        model=str(model), benchmark=benchmark, data=Path(data), out=Path(folder), usage=usage, **options
    ).run()


def file_name(text: str) -> str:
    """Return the name of a folder that stands for a text."""
    return re.sub(r"[^\w.,@+-]+", "-", text)


def _check_usage(usage: Usage) -> None:
    for name, choices in USAGES.items():
        value = getattr(usage, name)
        if value is not None and value not in choices:
            raise BadInput(f"--{name} must be one of {', '.join(choices)}, got {value!r}")


def _check_kind(evaluation: Evaluation, folder: Path) -> None:
    check_usage(folder, evaluation.usage)
    check_kind(folder, evaluation.reference, evaluation.language_vectors)


def _check_searched(evaluation: Evaluation) -> None:
    find_benchmark(evaluation.reference).measured_by(listed(evaluation.measures))
    if evaluation.model == BM25 and evaluation.language_vectors != "none":
        raise BadInput(f"--language_vectors are taken off vectors, and {BM25} has none")
    if evaluation.model == BM25 and evaluation.fuse is not None:
        raise BadInput(f"--fuse adds {BM25} to a model, and --model is {BM25}")


def _check_mined(evaluation: Evaluation) -> None:
    name = evaluation.reference
    if evaluation.model == BM25 or evaluation.fuse is not None:
        raise BadInput(f"{name} is mined by vectors; {BM25} has none")
    if evaluation.language_vectors != "none":
        raise BadInput(f"--language_vectors: none are taken off bitext, and {name} is bitext")
    if evaluation.usage.vectors not in (None, "fp32"):
        raise BadInput(f"--vectors {evaluation.usage.vectors}: bitext has no passages that an index would keep")


@contextlib.contextmanager
def _tidied(out: Path) -> Iterator[None]:
    """Remove everything after an error, except the state from which another call goes on."""
    try:
        yield
    except BaseException:
        for links in (out / "work").glob(f"*-{_rank()}"):
            shutil.rmtree(links)
        drop_empty(out / "work", out)
        raise


def _search(evaluation: Evaluation, execution: Execution) -> Path:
    """Search, and return the folder of the runs."""
    runs = evaluation.out / "retrieve"
    if evaluation.model == BM25:
        whole = dataclasses.replace(execution, part="")
        runner.run_stage("lexical", _lexical(evaluation), {"sources": evaluation.data}, runs, whole)
    else:
        settings = _retrieve(evaluation)
        reads = {"sources": _sources(evaluation), "model": _model(evaluation)}
        runner.run_stage("retrieve", settings, reads, runs, execution)
    return runs


def _fuse(evaluation: Evaluation, dense: Path, execution: Execution) -> Path:
    """Fuse the runs with those of BM25, and return the folder of the fused runs."""
    sparse, fusion = evaluation.out / "lexical", evaluation.out / "fused"
    runner.run_stage("lexical", _lexical(evaluation), {"sources": evaluation.data}, sparse, execution)
    assert evaluation.fuse is not None
    with new_folder(fusion) as folder:
        fuse_folders(payload(dense), payload(sparse), evaluation.fuse, evaluation.kept_depth, folder)
    return fusion


def _depth(benchmark: Benchmark) -> int:
    """Return the number of passages that fusion and the languages of answers need; measures use exact ranks."""
    names = [*benchmark.measures, *(benchmark.language_measures or ())]
    return max([LEAST_DEPTH, benchmark.least_depth, *(parse_measure(name).cutoff or 0 for name in names)])


def _model(evaluation: Evaluation) -> Path:
    """Return the model's folder, or a folder of links to its files where options replace their values."""
    folder = entry("msm.encoders.finding:find_model")(evaluation.model, evaluation.revision)
    _check_kind(evaluation, folder)
    if evaluation.usage == Usage():
        return folder
    place = evaluation.out / "work" / f"model-{_rank()}"
    with new_folder(place) as links:
        link_model(folder, evaluation.usage, links)
    return place


def _sources(evaluation: Evaluation) -> Path:
    """Return the folder of the data; with parallel texts, a folder of links to both."""
    texts = evaluation.language_texts
    if texts is None:
        return evaluation.data
    place = evaluation.out / "work" / f"sources-{evaluation.part.replace('/', '-')}-{_rank()}"
    with new_folder(place) as links:
        _link_files(payload(evaluation.data), links / QUESTIONS)
        _link_files(payload(texts), links / TEXTS / texts.name)
    return place


def _link_files(source: Path, place: Path) -> None:
    """Make links to a file, or to all files of a folder: files behind a link to the folder would have no checksum."""
    for file in list(files_below(source)) or [source]:
        link = place / file.relative_to(source)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file.resolve())


def _rank() -> int:
    """Return the number of this process among those that torchrun has started."""
    return int(os.environ.get("RANK", "0"))


def _retrieve(evaluation: Evaluation) -> Retrieve:
    return Retrieve(
        benchmark=evaluation.reference,
        questions=QUESTIONS if evaluation.language_texts else HERE,
        depth=evaluation.kept_depth,
        pool_depth=evaluation.kept_depth,
        batch_tokens=evaluation.batch_tokens,
        # By its name: torch is not imported where BM25 alone is evaluated.
        precision=entry("msm.encoders.precision:resolve_on")(evaluation.precision, evaluation.device),
        language_vectors=evaluation.language_vectors,
        language_texts=f"{TEXTS}/{evaluation.language_texts.name}" if evaluation.language_texts else "",
        language_sentences=evaluation.language_sentences,
        language_pivot=evaluation.language_pivot,
        language_labels=evaluation.language_labels,
    )


def _lexical(evaluation: Evaluation) -> Lexical:
    """Return the settings of BM25, with Anserini's parameters."""
    return Lexical(
        benchmark=evaluation.reference,
        questions=HERE,
        analyzer="words",
        k1=0.9,
        b=0.4,
        depth=evaluation.kept_depth,
        pool_depth=evaluation.kept_depth,
        passage_context=LEXICAL_CONTEXTS[evaluation.usage.passage_context],
    )


def _score(evaluation: Evaluation) -> Score:
    return Score(
        benchmark=evaluation.reference,
        questions=HERE,
        split=evaluation.asked_split,
        setting=evaluation.setting,
        model=evaluation.name or evaluation.label + _treatment(evaluation),
        ties=evaluation.ties,
        measures=evaluation.measures,
        seed=evaluation.seed,
    )


def _treatment(evaluation: Evaluation) -> str:
    """Return the words after the model's name that tell how its vectors or scores were changed."""
    kind = evaluation.language_vectors
    labels = "" if evaluation.language_labels == "given" else ", languages guessed"
    treatment = "" if kind == "none" else f" (language vectors: {kind}{labels})"
    return treatment + (" + bm25" if evaluation.fuse is not None else "")


def _run_files(folder: Path, bitext: BitextBenchmark | None) -> list[Path]:
    """Return the file of the pool of all languages; else those of the languages, or of the last measure of bitext."""
    whole = folder / "multilingual.trec.gz"
    if whole.is_file():
        return [whole]
    return sorted(folder.glob(f"*.{bitext.measures[-1]}.trec.gz" if bitext else "*.trec.gz"))


def _write_run(files: list[Path], path: Path) -> None:
    """Write gzip files end to end into one, as gzip allows."""
    with new_file(path.with_suffix(""), "wb") as file:
        for part in files:
            file.write(part.read_bytes())
    path.with_suffix("").rename(path)
