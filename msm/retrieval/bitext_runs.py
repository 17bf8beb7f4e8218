"""Bitext mining as runs: for each pair of languages and measure, the best targets of every source.

`SOURCE-TARGET.MEASURE.trec.gz`: scores are cosines for `accuracy` and margins for `xsim` and `xsim++`. Both sides are
encoded alike, as the model encodes queries.
"""

import functools
import shutil
from pathlib import Path

import numpy as np
from tqdm import tqdm

from msm import distributed
from msm.collections.benchmark import BitextBenchmark
from msm.collections.bitext import Bitext
from msm.collections.run_folder import pair_file
from msm.collections.runs import Floats, ranked_run
from msm.collections.trec_files import write_run
from msm.encoders.encoder import Encoder
from msm.retrieval.margins import by_cosine, by_margin

KEPT_LANGUAGES = 256
"""Number of languages whose vectors are kept for their next pair: 1 GB with a thousand sentences each and a width of
1,024."""


def write_pairs(
    out: Path, pairs: list[Bitext], benchmark: BitextBenchmark, encoder: Encoder, work: Path
) -> dict[str, int]:
    """Write the runs of every pair; those that a killed run finished are not made again.

    Args:
        out: folder of the runs.
        pairs: pairs of languages.
        benchmark: benchmark, which names the measures.
        encoder: encoder of the sentences.
        work: folder of the finished runs, one for all processes.

    Returns:
        Numbers of pairs and sources.

    Raises:
        BadInput: a vector that is not finite.
    """

    @functools.lru_cache(KEPT_LANGUAGES)
    def vectors(texts: tuple[str, ...]) -> Floats:
        return encoder.encode_queries(texts)

    mine = pairs[distributed.rank() :: distributed.world_size()]
    for bitext in tqdm(mine, desc="encode and mine", unit=" pairs", disable=distributed.rank() > 0 or None):
        for measure in benchmark.measures:
            path = pair_file(work, bitext, measure)
            if not path.is_file():
                sources, targets = vectors(tuple(bitext.sources)), vectors(tuple(bitext.targets))
                hard = vectors(tuple(bitext.distractors)) if measure == "xsim++" else targets[:0]
                ids = bitext.target_ids[: len(targets) + len(hard)]
                translations = (by_cosine if measure == "accuracy" else by_margin)(
                    sources, np.concatenate([targets, hard])
                )
                write_run(path, ranked_run(bitext.source_ids, ids, translations.targets, translations.scores), measure)
    distributed.barrier()
    for bitext in pairs:
        for measure in benchmark.measures:
            shutil.copy(pair_file(work, bitext, measure), out)
    # The first process removes the folder of work when it is through.
    distributed.barrier()
    return {"pairs": len(pairs), "queries": sum(len(bitext.sources) for bitext in pairs)}
