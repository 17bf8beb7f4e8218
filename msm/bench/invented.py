"""Makes up texts, models and runs from a seed, for comparisons of speed: their sizes are real, their content is not."""

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
from msm.encoders.building import EncoderForm
from msm.encoders.saving import new_encoder, save_encoder

TOKENS = {"sentences": (3.2, 0.5), "passages": (4.7, 0.45)}
"""Mean and standard deviation of the logarithm of the number of words of a text, by kind. They make about 27 and 130
tokens, as in LAReQA and Mr. TyDi."""
DEPTH = 100
"""Number of passages that a run, and a search, keep for each question."""
LONGEST = 512
"""Largest number of tokens of a text, that of XLM-R."""


def _words(random: np.random.Generator) -> list[str]:
    """Return 5,000 invented words of one to four syllables."""
    syllables = [first + vowel for first in "bdfgklmnprstvz" for vowel in "aeiou"]
    return ["".join(random.choice(syllables, random.integers(1, 5))) for _ in range(5000)]


def _texts(words: list[str], kind: str, random: np.random.Generator) -> Iterator[str]:
    """Yield texts without end, whose word frequencies and lengths scatter like those of real texts."""
    frequency = 1 / np.arange(1, len(words) + 1)
    frequency /= frequency.sum()
    while True:
        count = int(np.clip(np.exp(random.normal(*TOKENS[kind])), 4, 400))
        yield " ".join(random.choice(words, count, p=frequency)) + "."


def invented_texts(kind: str, seed: int = 0) -> Iterator[str]:
    """Yield texts without end, which are as long as real `sentences` or `passages`."""
    random = np.random.default_rng(seed)
    return _texts(_words(random), kind, random)


def xlmr(layers: int, width: int, heads: int, pieces: int) -> PreTrainedConfig:
    """Return the configuration of an XLM-R of this size without dropout."""
    return encoder_config(layers=layers, width=width, heads=heads, vocabulary=pieces, tokens=LONGEST)


def write_model(config: Callable[[int], PreTrainedConfig], folder: Path, sentences: list[str]) -> None:
    """Write a model folder with random weights and a tokenizer of some sentences.

    Args:
        config: function that makes the configuration for a number of pieces of the tokenizer.
        folder: folder that gets the files.
        sentences: sentences from which the tokenizer is trained.
    """
    form = Tokenizer(name=TRAINED, pieces=2000, character_coverage=1.0, language_sentences=len(sentences))
    pieces = tokenizer.to_hugging_face(tokenizer.train(sorted(set(sentences)), form))
    torch.manual_seed(0)
    AutoModel.from_config(config(len(pieces))).save_pretrained(folder)
    pieces.save_pretrained(folder)
    save_encoder(new_encoder(folder, EncoderForm("mean", "cosine", 256, 256)), folder)


def judged_run(queries: int) -> tuple[Qrels, Run]:
    """Return judgements and a run of random passages: up to three relevant ones a question, and some equal scores."""
    random = np.random.default_rng(0)
    query_ids = [f"q{number}" for number in range(queries)]
    passage_ids = [f"d{number}" for number in range(10 * queries)]
    # Passages of one question differ: they begin at a random one and go on in equal steps.
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
