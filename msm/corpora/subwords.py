"""Turns sentences into the ids of the Hugging Face tokenizer, by the fastest engine that gives the same ids.

SentencePiece's own engine takes about an eighth of the time of the `tokenizers` package. It is used when the folder
carries the SentencePiece model and both agree on a sample; tokenizers trained here agree on every text, see
`msm.corpora.tokenizer`. (XLM-R's published one does not: about 3 sentences in 1,000 differ.)
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import sentencepiece
from numpy.typing import NDArray
from tokenizers import Tokenizer, normalizers

from msm.errors import BadInput, first_line
from msm.files import read_json_object
from msm.pipeline.artifacts import checksum

SENTENCEPIECE_MODEL = "sentencepiece.bpe.model"
"""File name of the SentencePiece model beside a tokenizer, as in XLM-R's folders."""
BLANKS = "\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200b\u200e\u200f\u2028\u2029\u202f\u205f\u2581\u3000\ufeff\ufffd"
"""Character class of blanks after NFKC: white space, control characters, marks without width."""
ROLES = {
    "bos_token": "<s>",
    "cls_token": "<s>",
    "pad_token": "<pad>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}
"""Special tokens of XLM-R's layout, by the role that transformers gives them."""
_BLANKS = re.compile(f"[{BLANKS}]+")
_NFKC = normalizers.NFKC()

EXACT_SUM = 1 << 14
"""SentencePiece adds scores, multiples of 1/1024 here, in single precision: up to this sum without rounding."""
LONGEST_PIECE = 16
"""Largest number of characters of a piece, which the trainer keeps to."""
UNKNOWN_PENALTY = 10.0
"""Distance that SentencePiece puts between the score of an unknown character and that of the worst piece."""

Ids = NDArray[np.int32]


class Layout(NamedTuple):
    """The size of a vocabulary and the ids of its special tokens."""

    vocabulary: int
    begin: int
    pad: int
    end: int
    unknown: int
    mask: int

    @property
    def special(self) -> tuple[int, ...]:
        """Ids of all special tokens: the lowest and the last id in XLM-R's layout, scattered ids in BERT's."""
        return self.begin, self.pad, self.end, self.unknown, self.mask


class Engine(Protocol):
    """A program that turns sentences into ids."""

    def encode(self, sentences: Sequence[str]) -> tuple[Ids, NDArray[np.int64]]:
        """Return the ids of all sentences, one after the other and without special tokens, and the length of each."""
        ...


def normal(text: str) -> str:
    """Normalise a text as a tokenizer trained here does: NFKC, single spaces, none at the ends."""
    # Python knows newer characters than `tokenizers` does, so it may only decide that there is nothing to do.
    if not unicodedata.is_normalized("NFKC", text):
        text = _NFKC.normalize_str(text)
    # The pattern takes a third of the whole time, and most texts have nothing that it matches.
    if not text.isprintable() or "  " in text or "\u2581" in text or "\ufffd" in text:
        text = _BLANKS.sub(" ", text)
    return text.strip(" ")


class HuggingFace:
    """The engine of the `tokenizers` package on `tokenizer.json`. Its ids are the right ones by definition."""

    def __init__(self, folder: Path) -> None:
        """Load the tokenizer of a folder."""
        self.tokenizer = read_tokenizer(folder)
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self._special = _special_pattern(self.tokenizer)

    def encode(self, sentences: Sequence[str]) -> tuple[Ids, NDArray[np.int64]]:
        """See `Engine`."""
        texts = [self._special.sub(" ", sentence) for sentence in sentences]
        ids = [encoding.ids for encoding in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
        lengths = np.fromiter(map(len, ids), np.int64, len(ids))
        return np.fromiter(chain.from_iterable(ids), np.int32, int(lengths.sum())), lengths


class SentencePiece:
    """The engine of SentencePiece, with ids moved to XLM-R's layout.

    In very long texts the sums of scores could be rounded, and the two engines could choose differently among equal
    scores. Such texts are left to the `tokenizers` package, which adds in double precision.
    """

    def __init__(self, folder: Path) -> None:
        """Load the model of a folder.

        Raises:
            BadInput: its model is damaged.
        """
        path = folder / SENTENCEPIECE_MODEL
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
        except (OSError, RuntimeError) as error:
            raise BadInput(f"{path}: no model of SentencePiece: {' '.join(str(error).split())}") from error
        tokenizer = read_tokenizer(folder)
        self._special = _special_pattern(tokenizer)
        self._unknown = read_layout(folder, tokenizer).unknown
        pieces = range(self._processor.get_piece_size())
        self._scores = np.array([self._processor.get_score(piece) for piece in pieces])
        worst = UNKNOWN_PENALTY - float(self._scores.min())
        self.longest = int(EXACT_SUM / worst) - 1
        """Largest number of characters of a text whose scores are sure to add up without rounding."""
        # A rejected path leaves the best one for less than the longest piece.
        self._limit = EXACT_SUM - (LONGEST_PIECE + 1) * worst
        self._folder = folder

    def _is_exact(self, ids: Ids) -> bool:
        """Whether no sum that led to these ids was rounded. Unknown characters, joined in one id, may hide some."""
        return not (ids == self._processor.unk_id()).any() and -float(self._scores[ids].sum()) < self._limit

    def slow_share(self, sentences: Sequence[str]) -> float:
        """Return the share of the sentences that are left to the `tokenizers` package."""
        texts = [self._special.sub(" ", normal(sentence)) for sentence in sentences]
        encodings = self._processor.encode([text for text in texts if len(text) > self.longest], return_type="numpy")
        return sum(not self._is_exact(ids) for ids in encodings) / max(len(sentences), 1)

    def pieces(self, texts: Sequence[str]) -> list[Ids]:
        """Return SentencePiece's own ids of normal texts without special tokens."""
        return list(self._processor.encode(list(texts), num_threads=1, return_type="numpy"))

    @cached_property
    def _slow(self) -> HuggingFace:
        return HuggingFace(self._folder)

    def encode(self, sentences: Sequence[str]) -> tuple[Ids, NDArray[np.int64]]:
        """See `Engine`."""
        texts = [self._special.sub(" ", normal(sentence)) for sentence in sentences]
        encodings = self.pieces(texts)
        for number, text in enumerate(texts):
            if len(text) > self.longest and not self._is_exact(encodings[number]):
                ids = self._slow.encode([text])[0]
                encodings[number] = np.where(ids == self._unknown, self._processor.unk_id(), ids - 1)
        lengths = np.fromiter(map(len, encodings), np.int64, len(encodings))
        ids = np.concatenate([np.zeros(0, np.int32), *encodings])
        # SentencePiece: <unk> <s> </s> pieces; XLM-R: <s> <pad> </s> <unk> pieces, so the pieces move up by one.
        return np.where(ids == self._processor.unk_id(), self._unknown, ids + 1).astype(np.int32, copy=False), lengths


ENGINES: dict[str, type[HuggingFace] | type[SentencePiece]] = {
    "tokenizers": HuggingFace,
    "sentencepiece": SentencePiece,
}


def fastest_engine(folder: Path, sample: Sequence[str]) -> str:
    """Return the name of the fastest engine that agrees with the Hugging Face tokenizer on all sample sentences."""
    if not (folder / SENTENCEPIECE_MODEL).is_file():
        return "tokenizers"
    right, fast = HuggingFace(folder).encode(sample), SentencePiece(folder).encode(sample)
    same = all(np.array_equal(expected, ids) for expected, ids in zip(right, fast, strict=True))
    return "sentencepiece" if same else "tokenizers"


def read_tokenizer(folder: Path) -> Tokenizer:
    """Read the fast tokenizer of a folder.

    Raises:
        BadInput: the folder holds no `tokenizer.json`, or a damaged one.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise BadInput(f"{folder}: no tokenizer.json, so not the folder of a fast tokenizer")
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # `tokenizers` raises nothing more exact
        raise BadInput(f"{path}: not a tokenizer: {first_line(error)}") from error


def read_layout(folder: Path, tokenizer: Tokenizer) -> Layout:
    """Find the special tokens of a folder's tokenizer.

    Args:
        folder: folder with `tokenizer_config.json`, which names the special tokens.
        tokenizer: tokenizer of the folder, from `read_tokenizer`.

    Raises:
        BadInput: the tokenizer lacks a special token that pre-training needs. Tokenizers of causal models have none of
            BERT's: their `bos_token` begins a text or else their `eos_token`, which also ends it; where nothing hides
            a token the padding stands for the mask, and masked tokens cannot be trained.
    """
    config = read_json_object(folder / "tokenizer_config.json")

    def find(*roles: str) -> int:
        for role in roles:
            token = config.get(role) or ""
            token = token.get("content") if isinstance(token, dict) else token
            if not isinstance(token, str):
                raise BadInput(f"{folder / 'tokenizer_config.json'}: {role} is {token!r:.60}")
            number = tokenizer.token_to_id(token)
            if number is not None:
                return number
        raise BadInput(f"{folder}: the tokenizer has no {roles[0]}")

    end = find("sep_token", "eos_token")
    pad = find("pad_token", "eos_token")
    begin = find("cls_token", "bos_token", "eos_token")
    unknown_id, mask = find("unk_token", "pad_token", "eos_token"), find("mask_token", "pad_token", "eos_token")
    return Layout(tokenizer.get_vocab_size(), begin, pad, end, unknown_id, mask)


def pieces_checksum(tokenizer: Path) -> str:
    """Return the SHA-256 of the pieces of a tokenizer and their ids, which give the tokens of a shard their meaning.

    Args:
        tokenizer: folder of a fast tokenizer.
    """
    return checksum(read_tokenizer(tokenizer).get_vocab(with_added_tokens=True))


def _special_pattern(tokenizer: Tokenizer) -> re.Pattern[str]:
    """Pattern of special tokens that a text spells out. They are read as blanks, because a text cannot contain them."""
    names = [token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special]
    return re.compile("|".join(map(re.escape, names)) or r"(?!)")
