"""A trimmed tokenizer against the one that it was trimmed from."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from msm.corpora import tokenizer
from msm.corpora.settings import Tokenizer as TokenizerSettings
from msm.corpora.subwords import read_layout, read_tokenizer
from msm.corpora.trimming import trim
from msm.errors import BadInput
from msm.execution import Execution


def sentences(documents: Path, language: str) -> list[str]:
    lines = (documents / f"{language}.jsonl").read_text(encoding="utf-8").splitlines()
    return [sentence for line in lines for sentence in json.loads(line)["sentences"]]


def trimmed(name: str, documents: Path, out: Path, *, pieces: int = 0) -> dict[str, Any]:
    out.mkdir()
    settings = TokenizerSettings(name=name, pieces=pieces, character_coverage=1.0, language_sentences=1, least_count=2)
    return tokenizer.run(settings, documents=documents, out=out, execution=Execution(work=out))


@pytest.fixture
def one_language(documents_folder: Path, tmp_path: Path) -> Path:
    """Documents of one of the three languages that the tokenizer was trained on."""
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "aa.jsonl").write_bytes((documents_folder / "aa.jsonl").read_bytes())
    return folder


def test_kept_pieces_are_those_of_the_documents(one_language: Path, invented_tokenizer: Path, tmp_path: Path) -> None:
    facts = trimmed(str(invented_tokenizer), one_language, tmp_path / "out")
    old, new = (AutoTokenizer.from_pretrained(folder) for folder in (invented_tokenizer, tmp_path / "out"))
    pieces = old.convert_ids_to_tokens(range(len(old)))
    counts = Counter(
        piece
        for sentence in sentences(one_language, "aa")
        for piece in old.tokenize(sentence, add_special_tokens=False)
    )
    scores = dict(json.loads((invented_tokenizer / "tokenizer.json").read_text())["model"]["vocab"])
    lowest = min(scores, key=scores.__getitem__)
    special = set(old.all_special_tokens)
    expected = [
        piece
        for piece in pieces
        if counts[piece] >= 2 or len(piece.replace("▁", "")) <= 1 or piece in special or piece == lowest
    ]
    assert new.convert_ids_to_tokens(range(len(new))) == expected
    assert facts == {"pieces": len(expected), "pieces_before": len(old), "name": str(invented_tokenizer)}
    assert len(expected) < len(old)


def test_texts_of_kept_pieces_keep_their_ids_up_to_renumbering(
    one_language: Path, invented_tokenizer: Path, tmp_path: Path
) -> None:
    trimmed(str(invented_tokenizer), one_language, tmp_path / "out")
    old, new = (AutoTokenizer.from_pretrained(folder) for folder in (invented_tokenizer, tmp_path / "out"))
    pieces = set(new.get_vocab())
    texts = [text for text in sentences(one_language, "aa") if pieces.issuperset(old.tokenize(text))]
    assert len(texts) > 100
    pairs = list(zip(texts, reversed(texts), strict=True))
    for text in [*texts, "ka <mask> te", "ka ☃☃ te", ""]:
        assert new.convert_ids_to_tokens(new(text).input_ids) == old.convert_ids_to_tokens(old(text).input_ids)
    for first, second in pairs[:50]:
        expected = old(first, second)
        assert new.convert_ids_to_tokens(new(first, second).input_ids) == old.convert_ids_to_tokens(expected.input_ids)


def test_special_tokens_keep_their_roles(one_language: Path, invented_tokenizer: Path, tmp_path: Path) -> None:
    trimmed(str(invented_tokenizer), one_language, tmp_path / "out")
    layout = read_layout(tmp_path / "out", read_tokenizer(tmp_path / "out"))
    assert layout[1:] == (0, 1, 2, 3, layout.vocabulary - 1)
    assert AutoTokenizer.from_pretrained(tmp_path / "out").mask_token == "<mask>"
    assert not (tmp_path / "out" / "sentencepiece.bpe.model").exists()


def test_added_tokens_behind_the_vocabulary_stay_behind_it(invented_tokenizer: Path) -> None:
    old = AutoTokenizer.from_pretrained(invented_tokenizer)
    old.add_tokens(["[one]", "[two]"])
    new = trim(old, ["ka te"] * 2, 2, "x")
    assert new.convert_tokens_to_ids(["[one]", "[two]"]) == [len(new) - 2, len(new) - 1]
    assert new.tokenize("ka [two] te") == old.tokenize("ka [two] te")


def test_what_cannot_be_trimmed_is_named(documents_folder: Path, tmp_path: Path) -> None:
    bpe = Tokenizer(models.BPE(unk_token="<unk>"))
    bpe.pre_tokenizer = pre_tokenizers.Whitespace()
    bpe.train_from_iterator(["ka te mi"], trainers.BpeTrainer(special_tokens=["<unk>"]))
    PreTrainedTokenizerFast(tokenizer_object=bpe, unk_token="<unk>").save_pretrained(tmp_path / "bpe")
    with pytest.raises(BadInput, match=r"least_count: .*/bpe has a BPE vocabulary; only Unigram ones can be trimmed$"):
        trimmed(str(tmp_path / "bpe"), documents_folder, tmp_path / "out")
    with pytest.raises(BadInput, match="least_count trims a public tokenizer"):
        trimmed("trained", documents_folder, tmp_path / "other", pieces=100)


def test_order_of_the_texts_changes_nothing(invented_tokenizer: Path, one_language: Path) -> None:
    old = AutoTokenizer.from_pretrained(invented_tokenizer)
    texts = sentences(one_language, "aa")
    other_order = random.Random(1).sample(texts, len(texts))
    first, second = (trim(old, some, 3, "x").backend_tokenizer.to_str() for some in (texts, other_order))
    assert first == second
