"""Trims a public tokenizer to the pieces that some documents use.

Only unigram vocabularies can be trimmed. Removing a piece removes segmentations, so a text whose best segmentation is
made of kept pieces keeps this segmentation. `msm.encoders.start` then takes the embeddings of the kept pieces.
"""

import json
import re
from collections.abc import Iterable
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from msm.errors import BadInput

BATCH = 4096
"""Number of texts whose pieces are counted at once."""
BYTE = re.compile("<0x[0-9A-F]{2}>")
"""A piece that spells one byte of a character which is no piece."""
BEGINNING = "▁"
"""Mark of a piece that begins a word."""


def trim(
    tokenizer: PreTrainedTokenizerFast, texts: Iterable[str], least_count: int, name: str
) -> PreTrainedTokenizerFast:
    """Make a tokenizer without the pieces that are rare in some texts.

    Pieces of one character, bytes and special tokens are always kept; so is the piece with the lowest score, on which
    the score of an unknown character depends. The kept pieces stay in their order.

    Args:
        tokenizer: tokenizer with a unigram vocabulary.
        texts: texts in which pieces are counted; never those of a test set.
        least_count: smallest number of times that a kept piece occurs in the segmentations of the texts.
        name: name of the tokenizer, for messages.

    Raises:
        BadInput: the tokenizer is of another kind, or a part of it refers to pieces in an unknown way.
    """
    values: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
    kind = values["model"].get("type")
    if kind != "Unigram":
        raise BadInput(f"least_count: {name} has a {kind} vocabulary; only Unigram ones can be trimmed")
    vocabulary = values["model"]["vocab"]
    special = {token["content"] for token in values["added_tokens"]}
    counts = count_pieces(tokenizer.backend_tokenizer, texts)
    stays = np.array([counts[i] >= least_count or is_kept(piece, special) for i, (piece, _) in enumerate(vocabulary)])
    stays[np.argmin([score for _, score in vocabulary])] = True
    _renumber(values, stays, name)
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(values)),
        model_max_length=tokenizer.model_max_length,
        **tokenizer.special_tokens_map,
    )


def count_pieces(tokenizer: Tokenizer, texts: Iterable[str]) -> NDArray[np.int64]:
    """Count how often every piece occurs in the segmentations of the texts, by id."""
    counts = np.zeros(tokenizer.get_vocab_size(), np.int64)
    rest = iter(texts)
    while batch := list(islice(rest, BATCH)):
        ids = chain.from_iterable(text.ids for text in tokenizer.encode_batch_fast(batch, add_special_tokens=False))
        counts += np.bincount(np.fromiter(ids, np.int64), minlength=len(counts))
    return counts


def is_kept(piece: str, special: set[str]) -> bool:
    """Whether a piece is kept however rare it is: one character, one byte, or a special token."""
    return len(piece.removeprefix(BEGINNING)) <= 1 or piece in special or bool(BYTE.fullmatch(piece))


def _renumber(values: dict[str, Any], mask: NDArray[np.bool_], name: str) -> None:
    """Remove pieces from a tokenizer's JSON, and give the others their new ids everywhere."""
    model = values["model"]
    # Added tokens that are no pieces follow the vocabulary in their old order.
    last = max((token["id"] for token in values["added_tokens"]), default=0)
    places = np.cumsum(np.concatenate([mask, np.ones(max(0, last + 1 - len(mask)), bool)])) - 1
    model["vocab"] = [entry for entry, stays in zip(model["vocab"], mask, strict=True) if stays]
    if model.get("unk_id") is not None:
        model["unk_id"] = int(places[model["unk_id"]])
    for token in values["added_tokens"]:
        token["id"] = int(places[token["id"]])
    values |= {"padding": None, "truncation": None}
    if values["post_processor"]:
        _renumber_processor(values["post_processor"], places, name)


def _renumber_processor(processor: dict[str, Any], places: NDArray[np.int64], name: str) -> None:
    match processor["type"]:
        case "Sequence":
            for part in processor["processors"]:
                _renumber_processor(part, places, name)
        case "TemplateProcessing":
            for token in processor["special_tokens"].values():
                token["ids"] = [int(places[number]) for number in token["ids"]]
        case "RobertaProcessing" | "BertProcessing":
            for role in ("sep", "cls"):
                token, number = processor[role]
                processor[role] = [token, int(places[number])]
        case "ByteLevel":
            pass  # names no ids
        case kind:
            raise BadInput(f"least_count: {name} has a post-processor {kind}, which cannot be renumbered")
