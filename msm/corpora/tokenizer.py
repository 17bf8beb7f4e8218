"""Stage `tokenizer`: saves a public tokenizer, or trains a SentencePiece unigram model on the documents.

A trained tokenizer is a Hugging Face fast tokenizer with XLM-R's special tokens and layout (`<s>` 0, `<pad>` 1, `</s>`
2, `<unk>` 3, pieces, `<mask>` last), and its SentencePiece model lies beside it for fast work on large corpora. Two
departures from XLM-R make both give the same ids for every text: - Text is normalised to NFKC by the tokenizer, not by
SentencePiece's table, which the two read differently. - Scores are rounded to 1/1024. SentencePiece adds them in single
precision, the other in double; rounded so, both sums
  are exact (up to 16,384), and texts with several best segmentations (`....`) get the same one.
"""

import hashlib
import io
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import sentencepiece
from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram
from transformers import AutoTokenizer, PreTrainedTokenizerFast
from transformers.utils import sentencepiece_model_pb2_new as model_pb2

from msm.corpora.documents import document_files, read_documents
from msm.corpora.public_tokenizers import fetch_tokenizer
from msm.corpora.settings import ENCODERS, TRAINED
from msm.corpora.settings import Tokenizer as TokenizerSettings
from msm.corpora.subwords import BLANKS, ROLES, SENTENCEPIECE_MODEL, normal, read_layout, read_tokenizer
from msm.corpora.trimming import trim
from msm.errors import BadInput
from msm.execution import Execution

SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>")
SCORE_STEPS = 1024
"""Scores are multiples of 1 divided by this number, see above."""
THREADS = 4
"""Number of threads of SentencePiece's trainer. It is fixed, because sums depend on how sentences are divided."""
LONGEST_SENTENCE = 1 << 14
"""Largest number of bytes of a sentence that training reads."""


def run(settings: TokenizerSettings, *, documents: Path, out: Path, execution: Execution) -> dict[str, Any]:
    """Save a tokenizer that `AutoTokenizer.from_pretrained` loads.

    Args:
        settings: settings of the stage: which tokenizer to save, or how to train one.
        documents: `LANGUAGE.jsonl` files; not read for a public tokenizer that is not trimmed.
        out: empty folder to fill.
        execution: scratch folder and mirror, for the tokenizers in the table of sources.

    Returns:
        Number of pieces, and of sentences that training read in each language.

    Raises:
        BadInput: the tokenizer does not exist or lacks a special token, or the documents are too few for the pieces.
    """
    if settings.name != TRAINED:
        tokenizer = load(settings.name, work=execution.work, mirror=execution.mirror)
        if settings.least_count:
            return _save_trimmed(tokenizer, settings, documents, out)
        tokenizer.save_pretrained(out)
        for model in (Path(settings.name, SENTENCEPIECE_MODEL), Path(getattr(tokenizer, "vocab_file", None) or "")):
            if model.name == SENTENCEPIECE_MODEL and model.is_file():
                shutil.copyfile(model, out / SENTENCEPIECE_MODEL)
        read_layout(out, read_tokenizer(out))
        return {"pieces": len(tokenizer), "name": settings.name}
    sentences = {
        path.stem: choose(read_sentences(path), settings.language_sentences) for path in document_files(documents)
    }
    model = train(sorted(set().union(*sentences.values())), settings)
    (out / SENTENCEPIECE_MODEL).write_bytes(model)
    tokenizer = to_hugging_face(model)
    tokenizer.save_pretrained(out)
    return {"pieces": len(tokenizer), "sentences": {language: len(texts) for language, texts in sentences.items()}}


def _save_trimmed(
    tokenizer: PreTrainedTokenizerFast, settings: TokenizerSettings, documents: Path, out: Path
) -> dict[str, Any]:
    """Save a public tokenizer with the pieces that the documents use, and return facts for the manifest."""
    files = document_files(documents)
    texts = (sentence for path in files for document in read_documents(path) for sentence in document.sentences)
    small_tokenizer = trim(tokenizer, texts, settings.least_count, settings.name)
    small_tokenizer.save_pretrained(out)
    read_layout(out, read_tokenizer(out))
    return {"pieces": len(small_tokenizer), "pieces_before": len(tokenizer), "name": settings.name}


def load(name: str, *, work: Path, mirror: str) -> PreTrainedTokenizerFast:
    """Load the tokenizer of a folder, of the hub, or of an encoder in the table of sources.

    Args:
        name: folder, name on the hub, or one of `public_tokenizers.ENCODERS`.
        work: scratch folder for what is downloaded.
        mirror: folder that replaces the network for the table of sources; empty for none.

    Raises:
        BadInput: there is no such tokenizer, or it is not a fast one.
    """
    if name in ENCODERS:
        return fetch_tokenizer(name, work=work, mirror=mirror)
    if name.startswith(("/", ".")) and not Path(name).is_dir():
        raise BadInput(f"name: no such folder: {name}")
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise BadInput(f"name: cannot load {name!r}: {str(error).splitlines()[0].rstrip(' :')}") from error
    if not tokenizer.is_fast:
        raise BadInput(f"name: {name!r} is not a fast tokenizer")
    return tokenizer


def read_sentences(path: Path) -> Iterator[str]:
    """Yield all sentences of a file of documents, normalised."""
    for document in read_documents(path):
        yield from map(normal, document.sentences)


def choose(sentences: Iterable[str], most: int) -> set[str]:
    """Choose a number of different sentences. The choice does not depend on their order."""
    distinct = set(sentences) - {""}
    if len(distinct) <= most:
        return distinct
    return set(sorted(distinct, key=lambda sentence: hashlib.sha256(sentence.encode()).digest())[:most])


def train(sentences: list[str], settings: TokenizerSettings) -> bytes:
    """Train a SentencePiece unigram model whose scores are multiples of 1/1024.

    Args:
        sentences: different, normalised and in a fixed order: the same sentences give the same bytes.
        settings: settings of the stage, which give the number of pieces and the share of characters.

    Raises:
        BadInput: the sentences give fewer pieces, or have more characters than pieces.
    """
    file = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=file,
            model_type="unigram",
            vocab_size=settings.pieces - 2,  # <pad> and <mask> are not SentencePiece's
            character_coverage=settings.character_coverage,
            normalization_rule_name="identity",
            max_sentence_length=LONGEST_SENTENCE,
            num_threads=THREADS,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise BadInput(f"pieces: {settings.pieces} {_reason(str(error))}") from error
    model = _parse(file.getvalue())
    for piece in model.pieces:
        piece.score = round(piece.score * SCORE_STEPS) / SCORE_STEPS
    return model.SerializeToString(deterministic=True)


def _parse(model: bytes) -> Any:
    # SentencePiece's own copy of this module needs a newer protobuf than Kubeflow allows.
    return model_pb2.ModelProto.FromString(model)  # pyright: ignore[reportAttributeAccessIssue]


def _reason(message: str) -> str:
    """The message of SentencePiece, with its numbers of pieces raised by the two that it does not count."""
    if most := re.search(r"a value <= (\d+)", message):
        return f"are too many: these documents give at most {int(most[1]) + 2}"
    if fewest := re.search(r"smaller than required_chars. \d+ vs (\d+)", message):
        return f"are too few: the special tokens and characters alone are {int(fewest[1]) + 2}"
    return f"cannot be had from these documents: {message.splitlines()[0]}"


def to_hugging_face(model: bytes) -> PreTrainedTokenizerFast:
    """Make a fast tokenizer of the pieces of a model from `train`.

    Args:
        model: content of SentencePiece's file.
    """
    pieces = _parse(model).pieces[3:]  # after <unk> <s> </s>
    special = [(token, 0.0) for token in SPECIAL_TOKENS]
    vocabulary = [*special, *((piece.piece, piece.score) for piece in pieces), ("<mask>", 0.0)]
    tokenizer = Tokenizer(Unigram(vocabulary, unk_id=SPECIAL_TOKENS.index("<unk>"), byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(f"[{BLANKS}]+"), " "), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", SPECIAL_TOKENS.index("<s>")), ("</s>", SPECIAL_TOKENS.index("</s>"))],
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **ROLES)
