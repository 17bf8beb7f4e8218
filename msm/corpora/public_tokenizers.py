"""Public tokenizers that a recipe names by a short name, such as `e5_small_q4`."""

from pathlib import Path

from transformers import PreTrainedTokenizerFast

from msm.corpora import fetch
from msm.corpora.subwords import ROLES
from msm.errors import BadInput

TOKENIZER = "tokenizer.json"
LONGEST = 512
"""Tokens of the longest text that these encoders read."""


def fetch_tokenizer(name: str, *, work: Path, mirror: str) -> PreTrainedTokenizerFast:
    """The tokenizer of an encoder in the table of sources; nothing but its file is downloaded.

    Args:
        name: one of `ENCODERS`.
        work: scratch folder for what is downloaded.
        mirror: folder that replaces the network; empty for none.

    Raises:
        BadInput: the file cannot be had, or is damaged.
    """
    collection = fetch.choose(name)[name]
    file = next(file for file in collection.files if Path(file.path).name == TOKENIZER)
    return read_public(fetch.take(file, collection, work, mirror))


def read_public(path: Path, *, longest: int = LONGEST) -> PreTrainedTokenizerFast:
    """The tokenizer of a `tokenizer.json` with XLM-R's special tokens, exactly as that file describes it.

    Args:
        path: the file.
        longest: tokens of the longest text that the encoder reads.

    Raises:
        BadInput: the file is no tokenizer.
    """
    try:
        # XLM-R's own class of transformers would build the normaliser anew instead of reading it.
        return PreTrainedTokenizerFast(tokenizer_file=str(path), model_max_length=longest, **ROLES)
    except Exception as error:  # `tokenizers` raises nothing more exact
        raise BadInput(f"{path}: not a tokenizer: {str(error).splitlines()[0]}") from error
