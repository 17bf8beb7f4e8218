"""Sets the largest numbers of tokens of a question and of a passage, up to the positions of the model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer

from msm.encoders.module_chain import ModuleChain
from msm.encoders.positions import positions
from msm.encoders.usage import Choice, Usage
from msm.errors import BadInput

ENDLESS = 10**9
"""Tokenizers without a largest length of their own name a number above this one."""


def set_lengths(
    folder: Path, model: SentenceTransformer, chains: Sequence[ModuleChain | None], flags: Usage, old: dict[str, Any]
) -> dict[str, Choice]:
    """Set the largest lengths of both sides, and return where each came from.

    Args:
        folder: folder of the model, for messages.
        model: modules of the model, in which the lengths are set.
        chains: chain of the questions and chain of the passages.
        flags: lengths of the command line, which win over those of the files.
        old: values of `encoder.json` of version 0.1.0; empty for other models.

    Raises:
        BadInput: a length below 1, one that the model has no positions for, or a flag for a model that is run by
            sentence-transformers alone.
    """
    lengths = {}
    for chain, side in zip(chains, ("query", "passage"), strict=True):
        name = f"{side}_tokens"
        flag = getattr(flags, name)
        if chain is None:
            if flag is not None:
                raise BadInput(f"{folder}: --{name} cannot be set for this model, which sentence-transformers runs")
            lengths[name] = Choice(model.max_seq_length, "file modules.json")
            continue
        choice = _length(chain, flag, old.get(name))
        _check(folder, name, choice, positions(chain.transformer.model))
        if choice.value is not None and choice.value != _said(chain):
            setattr(chain.transformer, f"{chain.task}_length", choice.value)
        lengths[name] = choice
    return lengths


def _length(chain: ModuleChain, flag: int | None, old: int | None) -> Choice:
    if flag is not None:
        return Choice(flag, "flag")
    if old is not None:
        return Choice(old, "file encoder.json")
    limit, most = _said(chain), positions(chain.transformer.model)
    if limit > ENDLESS:
        return Choice(most, "default")
    # sentence-transformers puts max_position_embeddings where the tokenizer has no length, also where fewer are usable.
    if most is not None and limit == getattr(chain.transformer.config, "max_position_embeddings", None):
        return Choice(min(limit, most), "default")
    return Choice(limit, "file of the tokenizer or transformer")


def _said(chain: ModuleChain) -> int:
    """The length that sentence-transformers would cut at."""
    transformer: Any = chain.transformer
    return getattr(transformer, f"{chain.task}_length") or transformer.tokenizer.model_max_length


def _check(folder: Path, name: str, choice: Choice, most: int | None) -> None:
    length: Any = choice.value
    if length is None:
        return
    if length < 1:
        raise BadInput(f"{folder}: {name} must be at least 1, got {length} ({choice.source})")
    if most is not None and length > most:
        raise BadInput(f"{folder}: {name} must fit the model's {most} positions, got {length} ({choice.source})")
