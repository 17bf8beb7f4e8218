"""Stage `pairs`: parallel sentences to token ids, for objectives that are about translations.

Different sentences are kept once, however many pairs they are in. All texts are held in memory while the stage runs,
about 200 bytes a sentence.
"""

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from msm.corpora.bitext import Pair, read_pairs
from msm.corpora.pair_shards import PairIndex, write_pair_index, write_pairs, write_sentences
from msm.corpora.settings import Parallel
from msm.corpora.subwords import ENGINES, fastest_engine, read_layout, read_tokenizer
from msm.errors import BadInput
from msm.execution import Execution
from msm.files import within
from msm.settings import listed

SAMPLE = 2000
"""Sentences on which two tokenizer engines must agree."""


def run(settings: Parallel, *, sources: Path, tokenizer: Path, out: Path, execution: Execution) -> dict[str, Any]:
    """Write the pairs of every language with the pivot.

    Args:
        settings: which collections and languages.
        sources: the folder that the collections are in.
        tokenizer: folder of a Hugging Face fast tokenizer.
        out: empty folder to fill, see `msm.corpora.pair_shards`.
        execution: not needed.

    Returns:
        Pairs and different sentences of every language.

    Raises:
        BadInput: a collection is missing, malformed or without the pivot; a language is in none of them.
    """
    del execution
    return write(settings, sources, tokenizer, out)[0]


def write(settings: Parallel, sources: Path, tokenizer: Path, out: Path) -> tuple[dict[str, Any], list[str]]:
    """The work of the stage; returns its facts and the pivot's sentences in the order written."""
    paths = [within(sources, item) for item in listed(settings.collections)]
    found = itertools.chain.from_iterable(read_pairs(path, settings.pivot) for path in paths)
    numbers, pairs = number_sentences(found, settings)
    tokens = Tokenizer(tokenizer, settings.sentence_tokens, list(itertools.chain(*numbers.values()))[:SAMPLE])
    ids = {language: tokens.encode(list(texts)) for language, texts in numbers.items()}
    counts = {}
    for language, numbered in tqdm(pairs.items(), unit="language", disable=None):
        # A sentence of nothing but marks without width has no sub-words, and is nobody's translation.
        sides = (ids[settings.pivot], ids[language])
        kept = [pair for pair in numbered if all(len(side[n]) > 2 for side, n in zip(sides, pair, strict=True))]
        counts[language] = len(kept)
        write_pairs(out, language, np.array(kept, dtype=np.int64).reshape(-1, 2))
    for language, sentences in ids.items():
        write_sentences(out, language, sentences, tokens.layout.vocabulary)
    write_pair_index(out, PairIndex(tokens.layout, settings.pivot, settings.sentence_tokens, counts))
    facts = {"pairs": counts, "sentences": {language: len(texts) for language, texts in numbers.items()}}
    return facts, list(numbers[settings.pivot])


def number_sentences(
    found: Iterable[Pair], settings: Parallel
) -> tuple[dict[str, dict[str, int]], dict[str, dict[tuple[int, int], None]]]:
    """Different sentences of every language with their numbers, and different pairs of these numbers.

    Raises:
        BadInput: no pair, or none of a language that is asked for.
    """
    wanted = None if settings.languages == "all" else set(listed(settings.languages))
    numbers: dict[str, dict[str, int]] = {settings.pivot: {}}
    pairs: dict[str, dict[tuple[int, int], None]] = {}
    for language, sentence, text in found:
        if wanted is None or language in wanted:
            pivot, own = numbers[settings.pivot], numbers.setdefault(language, {})
            pair = pivot.setdefault(sentence, len(pivot)), own.setdefault(text, len(own))
            pairs.setdefault(language, {})[pair] = None
    if missing := sorted((wanted or set()) - pairs.keys()):
        raise BadInput(f"languages: nothing parallel to {settings.pivot} in {', '.join(missing)}")
    if not pairs:
        raise BadInput(f"collections: nothing parallel to {settings.pivot} in {settings.collections}")
    return numbers, pairs


class Tokenizer:
    """Sentences to ids with special tokens, by the fastest engine that gives the Hugging Face tokenizer's.

    Args:
        folder: of the tokenizer.
        longest: ids of a sentence, special tokens included; longer ones lose their end, not their `</s>`.
        sample: sentences on which the engines must agree.
    """

    def __init__(self, folder: Path, longest: int, sample: list[str]) -> None:
        self.layout, self.longest = read_layout(folder, read_tokenizer(folder)), longest
        self.engine = ENGINES[fastest_engine(folder, sample)](folder)

    def encode(self, sentences: list[str]) -> list[NDArray[np.integer]]:
        """Ids of each sentence, `<s>` ... `</s>`."""
        ids, lengths = self.engine.encode(sentences)
        begin, end = [self.layout.begin], [self.layout.end]
        parts = np.split(ids, np.cumsum(lengths)[:-1])
        return [np.concatenate([begin, part[: self.longest - 2], end]) for part in parts]
