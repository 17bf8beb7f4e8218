"""Filters with models of one's own, made here: fastText's languages and KenLM's perplexity."""

import io
from pathlib import Path

import pytest
import sentencepiece

from msm.corpora.crawl.identification import identifier
from msm.corpora.crawl.perplexity import perplexity
from msm.files import read_json_lines

LANGUAGES = ("de", "en", "es")
ARPA = """\\data\\
ngram 1={count}
ngram 2=1

\\1-grams:
-99\t<s>\t0
-1.0\t</s>
-3.0\t<unk>
{pieces}

\\2-grams:
-0.5\t<s>\t</s>

\\end\\
"""


def test_a_fasttext_model_tells_languages(mirror: Path, tmp_path: Path) -> None:
    fasttext = pytest.importorskip("fasttext", reason="needs fastText: pip install fasttext")
    rows = read_json_lines(mirror / "documents" / "ntrex128.jsonl.gz")
    texts = [(row["language"], text) for _, row in rows if row["language"] in LANGUAGES for text in row["sentences"]]
    (tmp_path / "lines.txt").write_text("".join(f"__label__{label} {text}\n" for label, text in texts[::2]))
    model = fasttext.train_supervised(str(tmp_path / "lines.txt"), minn=2, maxn=4, epoch=10, thread=1, verbose=0)
    model.save_model(str(tmp_path / "languages.bin"))
    guesses = [(label, identifier(str(tmp_path / "languages.bin"))(text)) for label, text in texts[1::20]]
    assert sum(guess.language == label for label, guess in guesses) > 0.9 * len(guesses)
    assert all(0 < guess.score <= 1.001 for _, guess in guesses)


def test_perplexity_is_that_of_the_model(tmp_path: Path) -> None:
    pytest.importorskip("kenlm", reason="needs KenLM: pip install kenlm")
    model = io.BytesIO()
    sentences = ["a bird sings", "a fish swims", "the bird swims", "the fish sings"] * 10
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences), model_writer=model, vocab_size=24, hard_vocab_limit=False, minloglevel=2
    )
    (tmp_path / "en.sp.model").write_bytes(model.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = [processor.id_to_piece(number) for number in range(3, processor.get_piece_size())]
    logarithms = {piece: -1 - number / 10 for number, piece in enumerate(pieces)}
    lines = "\n".join(f"{value}\t{piece}\t0" for piece, value in logarithms.items())
    (tmp_path / "en.arpa.bin").write_text(ARPA.format(count=len(pieces) + 3, pieces=lines))
    paragraphs = ["a bird sings", "the fish"]
    encodings = [processor.encode(text, out_type=str) for text in paragraphs]
    total = sum(logarithms[piece] for text in encodings for piece in text) - 1.0 * len(encodings)  # each ends with </s>
    expected = 10 ** (-total / sum(len(text) + 1 for text in encodings))
    assert perplexity(paragraphs, str(tmp_path), "en") == pytest.approx(expected, rel=1e-5)
    assert perplexity(paragraphs, str(tmp_path), "fi") is None
