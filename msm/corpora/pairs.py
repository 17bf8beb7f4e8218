"""Stage `pairs`: turns parallel sentences into token ids, for objectives that learn from translations.

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

from msm.corpora.bitext import TranslationPair, read_pairs
from msm.corpora.pair_shards import PairIndex, write_pair_index, write_pairs, write_sentences
from msm.corpora.settings import Parallel
from msm.corpora.subwords import ENGINES, fastest_engine, read_layout, read_tokenizer
from msm.errors import BadInput
from msm.files import within
from msm.settings import listed

SAMPLE = 2000
"""Number of sentences on which two tokenizer engines must agree."""


def run(settings: Parallel, *, sources: Path, tokenizer: Path, out: Path) -> dict[str, Any]:
    """Write the pairs of every language with the pivot language.

    Args:
        settings: settings of the stage.
        sources: folder that holds the collections.
        tokenizer: folder of a Hugging Face fast tokenizer.
        out: empty folder to fill, see `msm.corpora.pair_shards`.

    Returns:
        Numbers of pairs and of different sentences of every language.

    Raises:
        BadInput: a collection is missing, malformed or without the pivot language, or none holds a language.
    """
    return write(settings, sources, tokenizer, out)[0]


def write(settings: Parallel, sources: Path, tokenizer: Path, out: Path) -> tuple[dict[str, Any], list[str]]:
    """Do the work of the stage; returns its facts, and the sentences of the pivot language in the order written."""
    paths = [within(sources, item) for item in listed(settings.collections)]
    all_pairs = itertools.chain.from_iterable(read_pairs(path, settings.pivot) for path in paths)
    numbers, pairs = number_sentences(all_pairs, settings)
    tokens = PairTokenizer(tokenizer, settings.sentence_tokens, list(itertools.chain(*numbers.values()))[:SAMPLE])
    ids = {language: tokens.encode(list(texts)) for language, texts in numbers.items()}
    counts = {}
    for language, numbered_pairs in tqdm(pairs.items(), unit="language", disable=None):
        # A sentence of nothing but marks without width has no sub-words, so it cannot be learned from.
        sides = (ids[settings.pivot], ids[language])
        long_pairs = [
            pair for pair in numbered_pairs if all(len(side[n]) > 2 for side, n in zip(sides, pair, strict=True))
        ]
        counts[language] = len(long_pairs)
        write_pairs(out, language, np.array(long_pairs, dtype=np.int64).reshape(-1, 2))
    for language, sentences in ids.items():
        write_sentences(out, language, sentences, tokens.layout.vocabulary)
    write_pair_index(out, PairIndex(tokens.layout, settings.pivot, settings.sentence_tokens, counts))
    facts = {"pairs": counts, "sentences": {language: len(texts) for language, texts in numbers.items()}}
    return facts, list(numbers[settings.pivot])


def number_sentences(
    sentence_pairs: Iterable[TranslationPair], settings: Parallel
) -> tuple[dict[str, dict[str, int]], dict[str, dict[tuple[int, int], None]]]:
    """Number the different sentences of every language, and collect the different pairs of these numbers.

    Raises:
        BadInput: there is no pair, or none in a language that the settings name.
    """
    languages = None if settings.languages == "all" else set(listed(settings.languages))
    numbers: dict[str, dict[str, int]] = {settings.pivot: {}}
    pairs: dict[str, dict[tuple[int, int], None]] = {}
    for language, sentence, text in sentence_pairs:
        if languages is None or language in languages:
            pivot, language_numbers = numbers[settings.pivot], numbers.setdefault(language, {})
            pair = pivot.setdefault(sentence, len(pivot)), language_numbers.setdefault(text, len(language_numbers))
            pairs.setdefault(language, {})[pair] = None
    if missing_codes := sorted((languages or set()) - pairs.keys()):
        raise BadInput(f"languages: nothing parallel to {settings.pivot} in {', '.join(missing_codes)}")
    if not pairs:
        raise BadInput(f"collections: nothing parallel to {settings.pivot} in {settings.collections}")
    return numbers, pairs


class PairTokenizer:
    """Turns sentences into ids with special tokens, by the fastest engine that agrees with the Hugging Face tokenizer.

    Args:
        folder: folder of the tokenizer.
        longest: largest number of ids of a sentence, special tokens included. Longer sentences lose their end, but not
            their `</s>`.
        sample: sentences on which the engines must agree.
    """

    def __init__(self, folder: Path, longest: int, sample: list[str]) -> None:
        self.layout, self.longest = read_layout(folder, read_tokenizer(folder)), longest
        self.engine = ENGINES[fastest_engine(folder, sample)](folder)

    def encode(self, sentences: list[str]) -> list[NDArray[np.integer]]:
        """Return the ids of each sentence, from `<s>` to `</s>`."""
        ids, lengths = self.engine.encode(sentences)
        begin, end = [self.layout.begin], [self.layout.end]
        parts = np.split(ids, np.cumsum(lengths)[:-1])
        return [np.concatenate([begin, part[: self.longest - 2], end]) for part in parts]
