"""Decides whether retrieved passages hold an answer string, by the rules of XOR-Retrieve's scorer and of DPR.

XOR-Retrieve looks at the first n tokens of the ranked passages, joined by single blanks, and asks for any answer as
it is written: an answer with punctuation that the tokenizer takes apart never matches, and a short one matches inside
a longer word. The lenient rule keeps what that finds and matches the same tokens as DPR does, so that neither
punctuation nor case decides.

Sources: XORQA evals/eval_xor_retrieve.py; DPR dpr/data/qa_validation.py and tokenizers.py (`has_answer`, `string`).
"""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import regex

from msm.errors import BadInput
from msm.imports import entry

TokenizerName = Literal["nltk", "treebank"]
"""`nltk` splits sentences first, with the punkt model, as the official scorer; `treebank` does not."""

Tokenizer = Callable[[str], list[str]]

_DPR_TOKEN = regex.compile(r"[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]")
_YES_NO = frozenset({"yes", "no"})
_QUOTES = {"``": '"', "''": '"'}


def find_tokenizer(name: TokenizerName) -> Tokenizer:
    """Return NLTK's `word_tokenize`, with or without its sentence splitter.

    Raises:
        BadInput: the sentence splitter's model is not on this machine.
    """
    # Loaded when asked for: it takes a second, and few benchmarks need it.
    word_tokenize = entry("nltk.tokenize:word_tokenize")
    if name == "treebank":
        return lambda text: word_tokenize(text, preserve_line=True)
    try:
        word_tokenize("a")
    except LookupError as error:
        raise BadInput(
            "the official tokenizer needs NLTK's sentence splitter: run `python -m nltk.downloader punkt_tab` (or copy "
            "tokenizers/punkt_tab into a folder named by NLTK_DATA), or give --tokenizer treebank, which does without"
        ) from error
    return word_tokenize


def first_tokens(passages: Iterable[str], tokenizer: Tokenizer, count: int) -> list[str]:
    """Return the first tokens of ranked passages, at most `count`."""
    tokens: list[str] = []
    for passage in passages:
        tokens += tokenizer(passage)
        if len(tokens) >= count:
            break
    return tokens[:count]


def spans(answers: Iterable[str]) -> list[str]:
    """Return the answers that can stand in a passage: all but `yes` and `no`."""
    return [answer for answer in answers if answer not in _YES_NO]


def holds_string(tokens: Sequence[str], answers: Iterable[str]) -> bool:
    """Return whether an answer is a substring, case included, of the tokens joined by blanks (XOR-Retrieve)."""
    text = " ".join(tokens)
    return any(answer in text for answer in answers)


def holds_leniently(tokens: Sequence[str], answers: Sequence[str]) -> bool:
    """Return what XOR-Retrieve's rule says, or DPR's rule on the same tokens, quotation marks as written."""
    text = " ".join(_QUOTES.get(token, token) for token in tokens)
    return holds_string(tokens, answers) or first_match([text], answers) is not None


def first_match(passages: Iterable[str], answers: Iterable[str]) -> int | None:
    """Return the index of the first passage that holds an answer's words in sequence, in any case (DPR)."""
    phrases = [_words(answer) for answer in answers]
    for position, passage in enumerate(passages):
        words = _words(passage)
        # Words have no blanks, so a run of them is a substring; DPR finds an answer without words everywhere.
        if any(answer in words or not answer.strip() for answer in phrases):
            return position
    return None


def _words(text: str) -> str:
    """Lower-case words and marks, each between blanks."""
    return f" {' '.join(_DPR_TOKEN.findall(unicodedata.normalize('NFD', text))).lower()} "
