"""Perplexity of a document under the KenLM model of its language, as in CCNet; an optional filter."""

import functools
from pathlib import Path
from typing import Any

import sentencepiece

from msm.corpora.crawl.normal import compared
from msm.errors import BadInput
from msm.imports import entry, optional_package


def check_folder(folder: str) -> None:
    """Check that the filter can work.

    Raises:
        BadInput: KenLM is not installed, or the folder holds no model.
    """
    if optional_package("kenlm") is None:
        raise BadInput("perplexity_models: needs `pip install kenlm`, or leave it empty")
    if not any(Path(folder).glob("*.arpa.bin")):
        raise BadInput(f"perplexity_models: {folder}: holds no LANG.arpa.bin")


def perplexity(paragraphs: list[str], folder: str, language: str) -> float | None:
    """Return the perplexity of a document by piece, or None where its language has no model."""
    model = _model(folder, language)
    if model is None:
        return None
    processor, scores = model
    texts = [" ".join(processor.encode(_spaced(paragraph), out_type=str)) for paragraph in paragraphs]
    pieces = sum(len(text.split()) + 1 for text in texts)
    return 10.0 ** (-sum(scores.score(text) for text in texts) / max(pieces, 1))


def _spaced(paragraph: str) -> str:
    return " ".join(filter(None, (compared(word) for word in paragraph.split())))


@functools.lru_cache(maxsize=8)
def _model(folder: str, language: str) -> tuple[Any, Any] | None:
    paths = [Path(folder, f"{language}.{end}") for end in ("sp.model", "arpa.bin")]
    if not all(path.is_file() for path in paths):
        return None
    return sentencepiece.SentencePieceProcessor(model_file=str(paths[0])), entry("kenlm:Model")(str(paths[1]))
