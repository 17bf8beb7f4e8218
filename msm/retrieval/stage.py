"""Stage `retrieve`: encode questions and candidates, search every pool exactly, write the runs."""

from pathlib import Path
from typing import Any

from msm import distributed
from msm.collections.collection import Collection, Pool, Rules
from msm.collections.exact_ranks import write_exact_ranks
from msm.collections.registry import find_benchmark, find_bitext
from msm.collections.run_folder import pool_depth, ranks_file, run_file, write_protocol
from msm.collections.runs import write_run
from msm.encoders.encoder import Encoder
from msm.encoders.loading import open_encoder
from msm.encoders.usage import Choice
from msm.errors import BadInput
from msm.execution import Execution, Part, read_part
from msm.files import within
from msm.retrieval.bitext_runs import write_pairs
from msm.retrieval.relevant import relevant_pairs
from msm.retrieval.settings import Retrieve
from msm.retrieval.stream import search
from msm.training import pick_device

INSTRUCTION = "{instruction}"


def run(settings: Retrieve, *, sources: Path, model: Path, out: Path, execution: Execution) -> dict[str, Any]:
    """Write a run for every pool of a benchmark, or for every pair of bitext.

    Args:
        settings: of the stage.
        sources: holds the folder of questions.
        model: fine-tuned model folder.
        out: empty folder to fill.
        execution: the device, and the folder of finished shards.

    Returns:
        Counts for the manifest.

    Raises:
        BadInput: malformed questions, or a model that gives no numbers.
    """
    device = pick_device(execution.device)
    distributed.start(device)
    made = {"device": device, "precision": settings.precision, "batch_tokens": settings.batch_tokens}
    if bitext := find_bitext(settings.benchmark):
        if execution.part:
            raise BadInput(f"--part {execution.part}: bitext is mined as a whole")
        pairs = list(bitext[0].read(within(sources, settings.questions), bitext[1]))
        encoder = open_encoder(model, **made)
        facts = write_pairs(out, pairs, bitext[0], encoder, execution.work)
        _write_usage(out, encoder)
        return facts
    benchmark = find_benchmark(settings.benchmark)
    collection = benchmark.read(within(sources, settings.questions))
    depths = {pool: pool_depth(benchmark, pool, settings.depth, settings.pool_depth) for pool in collection.pools}
    encoder = open_encoder(model, **made)
    follow(encoder, collection.rules)
    if part := read_part(execution.part):
        search_part(collection, encoder, depths, execution.work, part)
        return {}
    write_runs(out, collection, encoder, depths, execution.work)
    return {"queries": len(collection.queries), "passages": len(collection.passages), "pools": len(collection.pools)}


def follow(encoder: Encoder, rules: Rules) -> None:
    """Have a model read a collection as the official run does, where nothing says otherwise.

    What a flag or the model's own files say of the context of a passage wins. A prompt with `{instruction}` in it asks
    for the published instruction of the benchmark.

    Raises:
        BadInput: the model asks for an instruction, and the benchmark has none.
    """
    if encoder.choices["passage_context"].source == "default":
        encoder.choices["passage_context"] = Choice(rules.passage_context, "benchmark")
    prompt = str(encoder.choices["query_prompt"].value or "")
    if INSTRUCTION in prompt:
        if not rules.instruction:
            raise BadInput(f"the prompt of questions, {prompt!r}, asks for an instruction, and the benchmark has none")
        encoder.choices["query_prompt"] = Choice(prompt.replace(INSTRUCTION, rules.instruction), "benchmark")


def search_part(collection: Collection, encoder: Encoder, depths: dict[Pool, int], work: Path, part: Part) -> None:
    """Encode and search a part of the passages; the records in the folder of work are all that is kept.

    Args:
        collection: queries, passages and pools.
        encoder: texts to vectors.
        depths: passages to keep for each query, by pool.
        work: folder of the records, one for all parts.
        part: which one.
    """
    relevant, own_ids = relevant_pairs(collection), collection.rules.own_ids
    search(collection.queries, collection.passages, encoder, depths, work, relevant, own_ids, part=part)


def write_runs(out: Path, collection: Collection, encoder: Encoder, depths: dict[Pool, int], work: Path) -> None:
    """Write the run of every pool, the exact ranks of its relevant passages, and how they were made.

    Args:
        out: folder of the runs.
        collection: queries, passages and pools.
        encoder: texts to vectors.
        depths: passages to keep for each query, by pool.
        work: folder of the records of finished shards.

    Raises:
        BadInput: a vector that is not finite.
    """
    relevant = relevant_pairs(collection)
    own_ids = collection.rules.own_ids
    ranking = search(collection.queries, collection.passages, encoder, depths, work, relevant, own_ids)
    for pool in depths:
        write_run(run_file(out, pool), ranking.run(pool), "dense")
        if not collection.answers:
            write_exact_ranks(ranks_file(out, pool), ranking.exact_ranks(pool))
    _write_usage(out, encoder)


def _write_usage(out: Path, encoder: Encoder) -> None:
    # The scale of training multiplies every score alike.
    write_protocol(out, {name: value for name, value in encoder.protocol().items() if name != "scale"})
