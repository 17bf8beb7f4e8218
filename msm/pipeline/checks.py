"""Finds what would fail later before anything runs: names of benchmarks and files, texts and models that do not fit."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msm.collections.examples import read_examples
from msm.collections.registry import check_split, find_benchmark, find_bitext
from msm.corpora.fetch import ADDRESSES, choose
from msm.corpora.settings import Documents, Download, Parallel, Tokenizer, World
from msm.encoders.settings import Encoder
from msm.errors import BadInput
from msm.evaluation.settings import Score
from msm.files import OPENERS, check_room
from msm.finetuning.settings import DEV, TRAIN, Finetune, Mine
from msm.pipeline.artifacts import file_names, payload
from msm.pipeline.here import check_settings, collections_of
from msm.pipeline.places import check_device
from msm.pipeline.tasks import Task, behind
from msm.pretraining.settings import Pretrain
from msm.retrieval.settings import Lexical, Retrieve
from msm.settings import listed, suggestion

UNITS = {"documents": ("units",), "parallel": ("pairs", "teach"), "distill": ("teach",)}
"""Stages that make the units of a kind of objective."""
WORLD_FILES = ("documents/constructed.jsonl.gz", "questions/train", "questions/dev", "questions/test")
"""Files that the stage `world` writes."""


TRAINING_BYTES = 16
"""Bytes of a parameter that is trained: weight, gradient and the two moments of AdamW, all fp32."""
STATE = 3
"""Copies of the weights in the state of a training: themselves and the two moments of AdamW."""
WEIGHT_BYTES = 4
"""Bytes of a parameter that is only read, in fp32."""


def check(all_tasks: Sequence[Task], where: str, memory: int = 0, new_tasks: Sequence[Task] | None = None) -> None:
    """Check a recipe for what would fail later.

    Args:
        all_tasks: the tasks of a recipe.
        where: file of the recipe, for messages.
        memory: bytes for one task; 0 where that is not known, as on GPUs.
        new_tasks: tasks that are run; all of the recipe where they are not given.

    Raises:
        BadInput: something would fail; the message names the task, the setting and the nearest name that exists.
    """
    files = _source_files(all_tasks, where)
    sources = {task.out for task in all_tasks if task.name.startswith("sources/")}
    mining_outs = {task.out for task in all_tasks if task.stage == "mine"}
    for task in all_tasks if new_tasks is None else new_tasks:
        try:
            _check_names(task)
            _check_units(task, all_tasks)
            _check_lengths(task, all_tasks)
            if task.stage == "pretrain":
                _check_tokenizers(task, all_tasks)
            if memory:
                _check_memory(task, all_tasks, memory)
            if files is not None and task.reads.get("sources") in sources:
                _check_files(task, files)
            if task.reads.get("sources") in mining_outs:
                _check_files(task, {TRAIN, DEV})
        except BadInput as error:
            raise BadInput(f"{where}: {task.name}: {error}") from error


def check_here(new_tasks: Sequence[Task], all_tasks: Sequence[Task], where: str, *, device: str, mirror: str) -> None:
    """Look for what this machine lacks.

    Args:
        new_tasks: tasks that are to be run.
        all_tasks: all tasks of the recipe.
        where: file of the recipe, for messages.
        device: name of the device.
        mirror: folder with a copy of the public files; empty for none.

    Raises:
        BadInput: a task lacks something; the message names both.
    """
    check_device(device)
    for task in new_tasks:
        try:
            check_settings(task.settings, mirror)
        except BadInput as error:
            raise BadInput(f"{where}: {task.name}: {error}") from error
    check_room(Path("artifacts"), _bytes(new_tasks, all_tasks), "the outputs of the recipe")


def _check_tokenizers(task: Task, all_tasks: Sequence[Task]) -> None:
    """Check that the start weights know the pieces of the units: ids of another vocabulary mean nothing."""
    by_out = {other.out: other for other in all_tasks}
    units, weights = (_tokenizer(by_out[task.reads[input_name]], by_out) for input_name in ("units", "weights"))
    if units and weights and (units.settings, units.reads) != (weights.settings, weights.reads):
        raise BadInput(f"its units are cut by {units.name}, and its start weights know {weights.name}")


def _tokenizer(task: Task, by_out: Mapping[str, Task]) -> Task | None:
    """Return the tokenizer behind a task; None where it is none of the recipe's."""
    while task.stage != "tokenizer":
        above = next(
            (task.reads[input_name] for input_name in ("tokenizer", "weights") if input_name in task.reads), None
        )
        if above is None or above not in by_out:
            return None
        task = by_out[above]
    return task


def _source_files(all_tasks: Sequence[Task], where: str) -> set[str] | None:
    """Return the files that the sources will hold; None where that is known only once they are downloaded."""
    for task in all_tasks:
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


def check_sources(source: Task, new_tasks: Iterable[Task]) -> None:
    """Look, as soon as the sources are there, for files that later tasks read, and read all development questions.

    Args:
        source: the task that has made the sources.
        new_tasks: tasks that are to be run.

    Raises:
        BadInput: a file is not there, or development questions cannot be read or are none.
    """
    reading = [task for task in new_tasks if task.reads.get("sources") == source.out]
    if not reading:
        return
    folder = payload(Path(source.out))
    files, dev_files = set(file_names(folder)), set[tuple[str, ...]]()
    for task in reading:
        try:
            _check_files(task, files)
            if isinstance(task.settings, Finetune | Mine):
                dev = (task.settings.dev_examples, task.settings.language, task.settings.passage_unit)
                if dev not in dev_files:
                    read_examples(folder, listed(dev[0]), *dev[1:])
                dev_files.add(dev)
        except BadInput as error:
            raise BadInput(f"{task.name}: {error}") from error


def _check_files(task: Task, files: set[str]) -> None:
    for setting, name in _files(task):
        plain = {f"{name}{ending}" for ending in ("", *OPENERS)}  # names may leave out how a file is compressed
        if not any(file in plain or file.startswith(f"{name.rstrip('/')}/") for file in files):
            folders = {str(parent) for file in files for parent in Path(file).parents}
            raise BadInput(f"{setting}: the sources have no {name}{suggestion(name, files | folders)}")


def _files(task: Task) -> Iterable[tuple[str, str]]:
    """Yield the setting and the name of every file or folder of the sources that a task reads."""
    settings = task.settings
    if isinstance(settings, Documents | Parallel):
        yield from (("collections", name) for name in listed(settings.collections))
    if isinstance(settings, Finetune | Mine):
        for setting in ("examples", "dev_examples"):
            yield from ((setting, name.rpartition("=")[2]) for name in listed(getattr(settings, setting)))
    if isinstance(settings, Finetune):
        yield from (("batches.translations", name) for name in listed(settings.batches.translations))
        if settings.selection.questions:
            yield "selection.questions", settings.selection.questions
    if isinstance(settings, Mine) and settings.corpus:
        yield "corpus", settings.corpus
    if isinstance(settings, Retrieve) and settings.language_texts:
        yield "language_texts", settings.language_texts
    if isinstance(settings, Retrieve | Lexical | Score):
        yield "questions", settings.questions


def _check_names(task: Task) -> None:
    """Check what the settings of a task name and that does not lie in its inputs: benchmark, split, measures."""
    settings = task.settings
    if isinstance(settings, Finetune) and settings.selection.benchmark:
        find_benchmark(settings.selection.benchmark)
    if isinstance(settings, Lexical):
        find_benchmark(settings.benchmark)
    if isinstance(settings, Retrieve):
        bitext = find_bitext(settings.benchmark)
        if bitext and settings.language_vectors != "none":
            raise BadInput(f"language_vectors: none are taken off bitext, and {settings.benchmark} is bitext")
        if not bitext:
            find_benchmark(settings.benchmark)
    if isinstance(settings, Score):
        check_split(settings.benchmark, settings.split)
        if not find_bitext(settings.benchmark):
            find_benchmark(settings.benchmark).measured_by(listed(settings.measures))


def _check_units(task: Task, all_tasks: Sequence[Task]) -> None:
    """Check that a pre-training reads units of its objective's kind."""
    settings = task.settings
    if not isinstance(settings, Pretrain):
        return
    kinds = UNITS["distill" if settings.distill else "parallel" if settings.parallel else "documents"]
    units = next(other for other in all_tasks if other.out == task.reads["units"])
    if units.stage not in kinds:
        raise BadInput(
            f"objective {settings.objective} reads {' or '.join(kinds)}, and {units.name} is of {units.stage}"
        )


def _check_lengths(task: Task, all_tasks: Sequence[Task]) -> None:
    """Check that no text is longer than an encoder of the recipe's own sizes has positions for."""
    if sizes := own_sizes(task, all_tasks):
        for name, tokens in _lengths(task, all_tasks).items():
            if tokens > sizes[0].positions:
                raise BadInput(f"{name} must fit the encoder's {sizes[0].positions} positions, got {tokens}")


def _lengths(task: Task, all_tasks: Sequence[Task]) -> dict[str, int]:
    """Setting and number of tokens of every length of texts that a training reads."""
    settings, lengths = task.settings, {}
    if isinstance(settings, Finetune):
        names = ("query_tokens", "passage_tokens")
        lengths = {f"encoding.{name}": getattr(settings.encoding, name) for name in names}
    if isinstance(settings, Pretrain):
        units = next(other.settings for other in all_tasks if other.out == task.reads["units"])
        lengths = {name: getattr(units, name) for name in ("unit_tokens", "sentence_tokens") if hasattr(units, name)}
        if settings.mlm:
            lengths["mlm.block_tokens"] = settings.mlm.block_tokens
    return lengths


def _check_memory(task: Task, all_tasks: Sequence[Task], memory: int) -> None:
    """See that the weights of a model of the recipe's own sizes fit, with what their training keeps of each.

    Activations are not counted: they follow from batches, which a process cuts to micro-batches. Nor are texts, vectors
    and shards, which are read and searched in blocks, nor checkpoints, whose sizes are known when they are loaded.
    """
    needed_bytes = parameters(task, all_tasks) * _parameter_bytes(task)
    if needed_bytes > memory:
        encoder, tokenizer = own_sizes(task, all_tasks) or (None, None)
        assert encoder is not None and tokenizer is not None
        raise BadInput(
            f"encoder.layers={encoder.layers}, encoder.width={encoder.width} and tokenizer.pieces={tokenizer.pieces} "
            f"are {parameters(task, all_tasks):,} parameters, which take more than {needed_bytes / 2**30:.1f} GiB "
            f"here, and there are {memory / 2**30:.1f} GiB"
        )


def own_sizes(task: Task, all_tasks: Sequence[Task]) -> tuple[Encoder, Tokenizer] | None:
    """The encoder and tokenizer behind a task; None where it has none, or their sizes are those of a checkpoint."""
    above = [other.settings for other in behind(task, all_tasks)]
    encoder = next((other for other in above if isinstance(other, Encoder)), None)
    tokenizer = next((other for other in above if isinstance(other, Tokenizer)), None)
    return None if encoder is None or encoder.checkpoint or tokenizer is None else (encoder, tokenizer)


def parameters(task: Task, all_tasks: Sequence[Task]) -> int:
    """Return the number of parameters of the model that a task makes or reads; 0 where that is not known."""
    sizes = own_sizes(task, all_tasks)
    if sizes is None:
        return 0
    encoder, tokenizer = sizes
    count = encoder.layers * block(encoder.width, encoder.feed_forward)
    count += encoder.width * (tokenizer.pieces + encoder.positions)
    if isinstance(task.settings, Pretrain) and task.settings.msm:
        count += task.settings.msm.document_layers * block(encoder.width, 4 * encoder.width)
    return count


def _parameter_bytes(task: Task) -> int:
    """Return the number of bytes that a stage keeps of every parameter of the model; 0 for a stage without one."""
    settings = task.settings
    if isinstance(settings, Pretrain) or (isinstance(settings, Finetune) and not settings.lora.rank):
        return TRAINING_BYTES
    if isinstance(settings, Retrieve | Mine) and settings.precision == "bf16":
        return WEIGHT_BYTES // 2
    return WEIGHT_BYTES if isinstance(settings, Encoder | Finetune | Retrieve | Mine) else 0


def block(width: int, inner: int) -> int:
    """Return the number of parameters of a transformer layer: projections, feed-forward net, biases and norms."""
    return 4 * width * width + 2 * width * inner + 9 * width + inner


def _bytes(new_tasks: Sequence[Task], all_tasks: Sequence[Task]) -> int:
    """Known bytes of what tasks write: downloads, weights, and the state of the largest training."""
    downloads = [task.settings for task in new_tasks if isinstance(task.settings, Download)]
    files = [file for settings in downloads for collection in collections_of(settings) for file in collection.files]
    models = [task for task in new_tasks if isinstance(task.settings, Encoder | Pretrain | Finetune)]
    weights = [parameters(task, all_tasks) * WEIGHT_BYTES for task in models]
    return sum(file.bytes for file in files) + sum(weights) + STATE * max(weights, default=0)
