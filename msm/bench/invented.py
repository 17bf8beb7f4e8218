"""Texts, models and runs made up from a seed, for races: their sizes are real ones, their content does not matter."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from transformers import AutoModel, PreTrainedConfig

from msm.bench.encoders import encoder_config
from msm.collections.runs import Qrels, Run, ranked_run
from msm.corpora import tokenizer
from msm.corpora.settings import TRAINED, Tokenizer
from msm.encoders.building import Form
from msm.encoders.saving import new_encoder, save_encoder

TOKENS = {"sentences": (3.2, 0.5), "passages": (4.7, 0.45)}
"""Logarithm of the words of a text: mean and deviation. About 27 and 130 tokens, as LAReQA and Mr. TyDi have."""
DEPTH = 100
"""Passages of a question in a run that is made up, and in a search."""
LONGEST = 512
"""Tokens of the longest text that the model takes, as XLM-R's."""


def _words(random: np.random.Generator) -> list[str]:
    """5,000 invented words of one to four syllables."""
    syllables = [first + vowel for first in "bdfgklmnprstvz" for vowel in "aeiou"]
    return ["".join(random.choice(syllables, random.integers(1, 5))) for _ in range(5000)]


def _texts(words: list[str], kind: str, random: np.random.Generator) -> Iterator[str]:
    """Texts without end: word frequencies and lengths scatter as those of real text do."""
    frequency = 1 / np.arange(1, len(words) + 1)
    frequency /= frequency.sum()
    while True:
        count = int(np.clip(np.exp(random.normal(*TOKENS[kind])), 4, 400))
        yield " ".join(random.choice(words, count, p=frequency)) + "."


def invented_texts(kind: str, seed: int = 0) -> Iterator[str]:
    """Texts without end, of the lengths of `sentences` or of `passages`."""
    random = np.random.default_rng(seed)
    return _texts(_words(random), kind, random)


def xlmr(layers: int, width: int, heads: int, pieces: int) -> PreTrainedConfig:
    """The configuration of XLM-R in this size, without dropout."""
    return encoder_config(layers=layers, width=width, heads=heads, vocabulary=pieces, tokens=LONGEST)


def write_model(config: Callable[[int], PreTrainedConfig], folder: Path, sentences: list[str]) -> None:
    """A model folder with random weights and a tokenizer of these sentences.

    Args:
        config: the configuration for a number of pieces.
        folder: folder to fill.
        sentences: sentences from which the tokenizer is trained.
    """
    form = Tokenizer(name=TRAINED, pieces=2000, character_coverage=1.0, language_sentences=len(sentences))
    pieces = tokenizer.to_hugging_face(tokenizer.train(sorted(set(sentences)), form))
    torch.manual_seed(0)
    AutoModel.from_config(config(len(pieces))).save_pretrained(folder)
    pieces.save_pretrained(folder)
    save_encoder(new_encoder(folder, Form("mean", "cosine", 256, 256)), folder)


def judged_run(queries: int) -> tuple[Qrels, Run]:
    """Rankings of random passages with rounded scores, so that some tie; up to three relevant each."""
    random = np.random.default_rng(0)
    query_ids = [f"q{number}" for number in range(queries)]
    passage_ids = [f"d{number}" for number in range(10 * queries)]
    # Distinct within a query: a random start, then strides.
    strides = 10 * np.arange(DEPTH)
    positions = (random.integers(0, 10 * queries, queries)[:, None] + strides) % (10 * queries)
    scores = -np.sort(-random.standard_normal((queries, DEPTH)).round(3), axis=1).astype(np.float32)
    run = ranked_run(query_ids, passage_ids, positions, scores)
    has_judgement = np.repeat(np.arange(queries), 3)
    relevant = np.stack(
        [positions[np.arange(queries), random.integers(0, DEPTH, queries)] + step for step in (0, 3, 5)]
    )
    relevant = (relevant % (10 * queries)).T.ravel()
    labels = random.integers(0, 3, len(has_judgement))
    return Qrels(pa.array(query_ids), pa.array(passage_ids), has_judgement, relevant, labels), run
