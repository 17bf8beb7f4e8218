"""Finds what would fail later before anything runs: names of benchmarks and files, sizes that do not divide."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msm.collections.registry import find_benchmark, find_bitext
from msm.corpora.fetch import ADDRESSES, choose
from msm.corpora.settings import Documents, Download, Parallel, Tokenizer, World
from msm.encoders.settings import Encoder
from msm.errors import BadInput
from msm.finetuning.settings import Finetune, Mine
from msm.pipeline.tasks import Task, behind
from msm.pretraining.settings import Pretrain
from msm.retrieval.settings import Lexical, Retrieve
from msm.settings import listed, present, suggestion

WORLD_FILES = ("documents/constructed.jsonl.gz", "questions/train", "questions/dev", "questions/test")
"""Files that the stage `world` writes."""


TRAINING_BYTES = 16
"""Bytes of a parameter that is trained: weight, gradient and the two moments of AdamW, all fp32."""
WEIGHT_BYTES = 4
"""Bytes of a parameter that is only read, in fp32."""


def check(made: Sequence[Task], where: str, memory: int = 0) -> None:
    """Look for what would fail later.

    Args:
        made: the tasks of a recipe.
        where: its file, named in messages.
        memory: bytes for one task; 0 where that is not known, as on GPUs.

    Raises:
        BadInput: with the task, the setting and the nearest name that would do.
    """
    files = _source_files(made, where)
    sources = {task.out for task in made if task.name.startswith("sources/")}
    for task in made:
        try:
            _check_sizes(task)
            if task.stage == "pretrain":
                _check_tokenizers(task, made)
            if isinstance(task.settings, Retrieve | Lexical):
                _check_benchmark(task.settings.benchmark)
            if memory:
                _check_memory(task, made, memory)
            if files is not None and task.reads.get("sources") in sources:
                _check_files(task, files)
        except BadInput as error:
            raise BadInput(f"{where}: {task.name}: {error}") from error


def _check_tokenizers(task: Task, made: Sequence[Task]) -> None:
    """Check that the start weights know the pieces of the units: ids of another vocabulary mean nothing."""
    by_out = {other.out: other for other in made}
    units, weights = (_tokenizer(by_out[task.reads[read]], by_out) for read in ("units", "weights"))
    if units and weights and (units.settings, units.reads) != (weights.settings, weights.reads):
        raise BadInput(f"its units are cut by {units.name}, and its start weights know {weights.name}")


def _tokenizer(task: Task, by_out: Mapping[str, Task]) -> Task | None:
    """The tokenizer behind a task; None where it is none of the recipe's."""
    while task.stage != "tokenizer":
        above = next((task.reads[read] for read in ("tokenizer", "weights") if read in task.reads), None)
        if above is None or above not in by_out:
            return None
        task = by_out[above]
    return task


def _source_files(made: Sequence[Task], where: str) -> set[str] | None:
    """Files that the sources will hold; None where that is not known before they are there."""
    for task in made:
        if isinstance(task.settings, World):
            return set(WORLD_FILES)
        if isinstance(task.settings, Download):
            items = listed(task.settings.collections)
            if any(item.startswith(ADDRESSES) for item in items):
                return None
            try:
                collections = [collection for item in items for collection in choose(item).values()]
            except BadInput as error:
                raise BadInput(f"{where}: {task.name}: {error}") from error
            return {file.path for collection in collections for file in collection.files}
    return None


def _check_files(task: Task, files: set[str]) -> None:
    for setting, name in _files(task):
        if not any(file == name or file.startswith(f"{name.rstrip('/')}/") for file in files):
            folders = {str(parent) for file in files for parent in Path(file).parents}
            raise BadInput(f"{setting}: the sources have no {name}{suggestion(name, files | folders)}")


def _files(task: Task) -> Iterable[tuple[str, str]]:
    """Setting and name of every file or folder of the sources that a task reads."""
    settings = task.settings
    if isinstance(settings, Documents | Parallel):
        yield from (("collections", name) for name in listed(settings.collections))
    if isinstance(settings, Finetune | Mine):
        for setting in ("examples", "dev_examples"):
            yield from ((setting, name.rpartition("=")[2]) for name in listed(getattr(settings, setting)))
    if isinstance(settings, Retrieve | Lexical):
        yield "questions", settings.questions


def _check_benchmark(name: str) -> None:
    if not find_bitext(name):
        find_benchmark(name)


def _check_sizes(task: Task) -> None:
    settings = task.settings
    if isinstance(settings, Pretrain):
        parts = settings.micro_batches
        if settings.mlm and present(settings.mlm).batch_blocks % parts:
            raise BadInput(f"mlm.batch_blocks must be a multiple of {parts} softmaxes, got {settings.mlm.batch_blocks}")
    if isinstance(settings, Finetune):
        batches, softmax = settings.batches, settings.batches.shard_queries
        _divides("batches.shard_queries", softmax, batches.batch_queries)
        together = softmax if settings.loss.gather == "none" else batches.batch_queries
        _divides("batches.micro_queries", settings.micro, together)
        if settings.loss.candidates == "hard" and not batches.hard_negatives:
            raise BadInput("loss.candidates=hard leaves only hard negatives, and batches.hard_negatives is 0")
        if not listed(settings.dev_examples):
            raise BadInput("dev_examples names no file; every fine-tuning is watched on questions that it does not see")
        if settings.steps and settings.epochs:
            raise BadInput(f"either steps or epochs must be 0, got {settings.steps} and {settings.epochs}")


def _check_memory(task: Task, made: Sequence[Task], memory: int) -> None:
    """See that the weights of a model of the recipe's own sizes fit, with what their training keeps of each.

    Activations are not counted: they follow from batches, which a process cuts to micro-batches. Nor are texts, vectors
    and shards, which are read and searched in blocks, nor checkpoints, whose sizes are known when they are loaded.
    """
    above = [other.settings for other in behind(task, made)]
    encoder = next((other for other in above if isinstance(other, Encoder)), None)
    tokenizer = next((other for other in above if isinstance(other, Tokenizer)), None)
    each = _parameter_bytes(task)
    if not each or encoder is None or encoder.checkpoint or tokenizer is None:
        return
    parameters = encoder.layers * block(encoder.width, encoder.feed_forward)
    parameters += encoder.width * (tokenizer.pieces + encoder.positions)
    if isinstance(task.settings, Pretrain) and task.settings.msm:
        parameters += task.settings.msm.document_layers * block(encoder.width, 4 * encoder.width)
    if (needed := parameters * each) > memory:
        raise BadInput(
            f"encoder.layers={encoder.layers}, encoder.width={encoder.width} and tokenizer.pieces={tokenizer.pieces} "
            f"are {parameters:,} parameters, which take more than {needed / 2**30:.1f} GiB here, and there are "
            f"{memory / 2**30:.1f} GiB"
        )


def _parameter_bytes(task: Task) -> int:
    """Bytes that a stage keeps of every parameter of the model; 0 for a stage without one."""
    settings = task.settings
    if isinstance(settings, Pretrain) or (isinstance(settings, Finetune) and not settings.lora.rank):
        return TRAINING_BYTES
    if isinstance(settings, Retrieve | Mine) and settings.precision == "bf16":
        return WEIGHT_BYTES // 2
    return WEIGHT_BYTES if isinstance(settings, Encoder | Finetune | Retrieve | Mine) else 0


def block(width: int, inner: int) -> int:
    """Return the number of parameters of a transformer layer: projections, feed-forward net, biases and norms."""
    return 4 * width * width + 2 * width * inner + 9 * width + inner


def _divides(name: str, part: int, whole: int) -> None:
    if whole % part:
        raise BadInput(f"{name} must divide {whole}, got {part}")
