"""Stage `retrieve`: encodes questions and passages, searches every pool exactly, and writes the runs."""

from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from msm import distributed
from msm.collections.collection import Collection, Pool, Rules
from msm.collections.exact_ranks import write_exact_ranks
from msm.collections.registry import find_benchmark, find_bitext
from msm.collections.run_folder import pool_depth, ranks_file, run_file, write_protocol
from msm.collections.trec_files import write_run
from msm.encoders.encoder import Encoder
from msm.encoders.other_encoder import OtherEncoder
from msm.encoders.other_kinds import open_any
from msm.encoders.usage import Choice, Usage
from msm.encoders.vector_store import VectorStore
from msm.encoders.vectors import stored_bytes
from msm.errors import BadInput
from msm.execution import Execution, Part, read_part
from msm.files import within
from msm.retrieval.bitext_runs import write_pairs
from msm.retrieval.kinds import check_kind
from msm.retrieval.language_estimates import described, estimate
from msm.retrieval.language_vectors import NO_LANGUAGE_VECTORS, LanguageVectors
from msm.retrieval.parts import refusal
from msm.retrieval.ranking import Ranking
from msm.retrieval.relevant import relevant_pairs
from msm.retrieval.settings import GIVEN, Retrieve
from msm.retrieval.stream import WHOLE, search
from msm.training import pick_device

INSTRUCTION = "{instruction}"


def run(settings: Retrieve, *, sources: Path, model: Path, out: Path, execution: Execution) -> dict[str, Any]:
    """Write a run for every pool of a benchmark, or for every pair of bitext.

    Args:
        settings: settings of the stage.
        sources: folder that holds the folder of questions.
        model: fine-tuned model folder.
        out: empty folder to fill.
        execution: the device, and the folder of finished shards.

    Returns:
        Counts for the manifest.

    Raises:
        BadInput: malformed questions, a model that gives no numbers, or settings that are not for its kind.
    """
    check_kind(model, settings.benchmark, settings.language_vectors)
    part = read_part(execution.part)
    if part and (problem := refusal(settings)):
        raise BadInput(f"--part {execution.part}: {problem}")
    device = pick_device(execution.device)
    distributed.start(device)
    if bitext := find_bitext(settings.benchmark):
        if settings.language_vectors != "none":
            raise BadInput(f"language_vectors: none are taken off bitext, and {settings.benchmark} is bitext")
        pairs = list(bitext[0].read(within(sources, settings.questions), bitext[1]))
        encoder = _opened(settings, model, device, execution)
        assert isinstance(encoder, Encoder)
        facts = write_pairs(out, pairs, bitext[0], encoder, execution.work)
        write_protocol(out, _usage(encoder))
        return facts
    benchmark = find_benchmark(settings.benchmark)
    collection = benchmark.read(within(sources, settings.questions))
    depths = {pool: pool_depth(benchmark, pool, settings.depth, settings.pool_depth) for pool in collection.pools}
    encoder = _opened(settings, model, device, execution)
    follow(encoder, collection.rules)
    language_vectors = NO_LANGUAGE_VECTORS
    if isinstance(encoder, Encoder):
        language_vectors = estimate(settings, sources, collection, encoder, execution.work)
    if part:
        search_part(collection, encoder, depths, execution.work, part, language_vectors)
        return {}
    ranking = write_runs(out, collection, encoder, depths, execution.work, language_vectors)
    write_protocol(out, _usage(encoder) | described(settings))
    facts = {"queries": len(collection.queries), "passages": len(collection.passages), "pools": len(collection.pools)}
    size = _passage_bytes(encoder, ranking, len(collection.passages))
    return facts | {"passage_bytes": size} | _guessed_right(settings, collection, language_vectors)


def _passage_bytes(encoder: Encoder | OtherEncoder, ranking: Ranking, passages: int) -> float:
    """Return the bytes that an index keeps of a passage; the mean where vectors differ in size."""
    if isinstance(encoder, Encoder):
        return stored_bytes(encoder.width, str(encoder.choices["vectors"].value))
    return ranking.stored_bytes / max(passages, 1)


def _guessed_right(settings: Retrieve, collection: Collection, language_vectors: LanguageVectors) -> dict[str, float]:
    """Return the share of the questions whose guessed language is the one that the collection gives."""
    if settings.language_labels == GIVEN:
        return {}
    pairs = zip(language_vectors.labels(collection.queries), collection.queries, strict=True)
    return {"languages_guessed_right": fmean(guess == query.language for guess, query in pairs)}


def _opened(settings: Retrieve, model: Path, device: torch.device, execution: Execution) -> Encoder | OtherEncoder:
    options = {"device": device, "precision": settings.precision, "batch_tokens": settings.batch_tokens}
    encoder = open_any(model, Usage(), **options)
    if execution.vector_store and isinstance(encoder, Encoder):
        encoder.store = VectorStore(execution.vector_store, encoder.protocol(), execution.cache_gib << 30)
    return encoder


def follow(encoder: Encoder | OtherEncoder, rules: Rules) -> None:
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


def search_part(
    collection: Collection,
    encoder: Encoder | OtherEncoder,
    depths: dict[Pool, int],
    work: Path,
    part: Part,
    language_vectors: LanguageVectors = NO_LANGUAGE_VECTORS,
) -> Ranking:
    """Encode and search a part of the passages, and keep a record of each shard in the folder of work.

    Args:
        collection: queries, passages and pools.
        encoder: texts to vectors.
        depths: number of passages to keep for each query, by pool.
        work: folder of the records, one for all parts.
        part: part of the passages.
        language_vectors: language vectors that are subtracted before the search.

    Returns:
        Best passages of this part, and counts of the relevant ones.

    Raises:
        BadInput: a vector that is not finite.
    """
    return search(
        collection.queries,
        collection.passages,
        encoder,
        depths,
        work,
        relevant_pairs(collection),
        collection.rules.own_ids,
        part=part,
        language_vectors=language_vectors,
    )


def write_runs(
    out: Path,
    collection: Collection,
    encoder: Encoder | OtherEncoder,
    depths: dict[Pool, int],
    work: Path,
    language_vectors: LanguageVectors = NO_LANGUAGE_VECTORS,
) -> Ranking:
    """Write the run of every pool and the exact ranks of its relevant passages.

    Args:
        out: folder of the runs.
        collection: queries, passages and pools.
        encoder: texts to vectors.
        depths: number of passages to keep for each query, by pool.
        work: folder of the records of finished shards.
        language_vectors: language vectors that are subtracted before the search.

    Returns:
        Best passages of every pool, and counts of the relevant ones.

    Raises:
        BadInput: a vector that is not finite.
    """
    ranking = search_part(collection, encoder, depths, work, WHOLE, language_vectors)
    for pool in depths:
        write_run(run_file(out, pool), ranking.run(pool), encoder.kind)
        if not collection.answers:
            write_exact_ranks(ranks_file(out, pool), ranking.exact_ranks(pool))
    return ranking


def _usage(encoder: Encoder | OtherEncoder) -> dict[str, object]:
    # The scale of training multiplies every score alike.
    usage = {name: value for name, value in encoder.protocol().items() if name != "scale"}
    return usage | {"processor": encoder.device.type}
