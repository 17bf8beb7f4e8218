"""Both engines against each other and against the tokenizer that users load."""

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from msm.corpora.subwords import (
    SENTENCEPIECE_MODEL,
    Engine,
    HuggingFace,
    SentencePiece,
    fastest_engine,
    normal,
    read_layout,
    read_tokenizer,
)
from msm.errors import BadInput


def ids(engine: Engine, sentences: list[str]) -> list[list[int]]:
    flat, lengths = engine.encode(sentences)
    assert len(flat) == lengths.sum()
    return [part.tolist() for part in np.split(flat, np.cumsum(lengths)[:-1])]


def test_ids_equal_those_of_the_loaded_tokenizer_for_every_public_text(public_tokenizer: Path, mirror: Path) -> None:
    """20 sentences of each of 121 languages, most of them never seen in training."""
    texts_by_language: dict[str, list[str]] = {}
    with gzip.open(mirror / "documents" / "ntrex128.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            document = json.loads(line)
            language_texts = texts_by_language.setdefault(document["language"], [])
            language_texts += document["sentences"][: 20 - len(language_texts)]
    texts = [text for language_texts in texts_by_language.values() for text in language_texts]
    assert len(texts) == 20 * 121
    expected = AutoTokenizer.from_pretrained(public_tokenizer)(texts, add_special_tokens=False).input_ids
    assert ids(SentencePiece(public_tokenizer), texts) == expected
    assert ids(HuggingFace(public_tokenizer), texts) == expected


@pytest.mark.slow
def test_ids_are_equal_for_every_text_of_the_sources(public_tokenizer: Path, mirror: Path) -> None:
    """Every string of every file but the test set's, once; prints how many took the slow path (`-s`)."""
    engine, theirs = SentencePiece(public_tokenizer), AutoTokenizer.from_pretrained(public_tokenizer)
    hashes: set[int] = set()
    characters = slow = 0
    for path in sorted(mirror.rglob("*.gz")):
        if path.parent.name == "xquad-r":
            continue
        with gzip.open(path, "rt", encoding="utf-8") as file:
            texts = [text for line in file for text in strings(line, path) if hash(text) not in hashes]
        texts = list(dict.fromkeys(texts))
        hashes |= set(map(hash, texts))
        characters += sum(map(len, texts))
        for part in (texts[first : first + 5000] for first in range(0, len(texts), 5000)):
            assert ids(engine, part) == theirs(part, add_special_tokens=False).input_ids, path
            slow += round(engine.slow_share(part) * len(part))
    assert len(hashes) > 300_000
    assert slow < 0.01 * len(hashes)
    print(f"{len(hashes):,} texts, {characters:,} characters; {slow:,} left to the package tokenizers")


def strings(line: str, path: Path) -> list[str]:
    """The strings of a line of JSON, or the line."""
    if "json" not in path.name:
        return [line.rstrip("\n")]
    texts, open_values = [], [json.loads(line)]
    while open_values:
        value = open_values.pop()
        if isinstance(value, str):
            texts.append(value[:5000])
        elif isinstance(value, dict | list):
            open_values += value.values() if isinstance(value, dict) else value
    return texts


def test_engines_agree_on_characters_of_every_kind(public_tokenizer: Path) -> None:
    codes = [*range(0x3400), *range(0xA000, 0xAC00), *range(0xF900, 0x11000), *range(0x1D000, 0x1FC00)]
    texts = [f"the{chr(code)}and {chr(code)}" for code in codes]
    assert ids(SentencePiece(public_tokenizer), texts) == ids(HuggingFace(public_tokenizer), texts)


def test_engines_agree_where_several_segmentations_are_best(invented_tokenizer: Path) -> None:
    texts = [part * count for part in ("ka", "k", ".", "ka te", "山川") for count in range(1, 40)]
    assert ids(SentencePiece(invented_tokenizer), texts) == ids(HuggingFace(invented_tokenizer), texts)


@pytest.mark.parametrize("engine", [SentencePiece, HuggingFace])
def test_text_never_gives_special_tokens(
    invented_tokenizer: Path, engine: type[SentencePiece] | type[HuggingFace]
) -> None:
    with_markers, blank = ids(engine(invented_tokenizer), ["ka<s>te </s> <mask>mi<pad>", "ka te mi"])
    assert with_markers == blank
    assert ids(engine(invented_tokenizer), ["", "\u200b \x07"]) == [[], []]


def test_blanks_of_all_kinds_are_one_space() -> None:
    assert normal("\ufeff a\u00a0\t b\u200b\u3000c\u2581d\n ") == "a b c d"
    assert normal("ﬁ № ①") == "fi No 1"


def test_fastest_engine_must_agree_on_the_sample(invented_tokenizer: Path, tmp_path: Path) -> None:
    sample = ["ka te mi lo", "თე მი"]
    assert fastest_engine(invented_tokenizer, sample) == "sentencepiece"
    other = shutil.copytree(invented_tokenizer, tmp_path / "other")
    text = (other / "tokenizer.json").read_text(encoding="utf-8")
    (other / "tokenizer.json").write_text(text.replace('"NFKC"', '"Lowercase"'), encoding="utf-8")
    assert fastest_engine(other, sample) == "sentencepiece"
    assert fastest_engine(other, [*sample, "KA TE"]) == "tokenizers"
    (other / SENTENCEPIECE_MODEL).unlink()
    assert fastest_engine(other, sample) == "tokenizers"


def test_missing_special_token_is_named(invented_tokenizer: Path, tmp_path: Path) -> None:
    tokenizer = read_tokenizer(invented_tokenizer)
    assert read_layout(invented_tokenizer, tokenizer) == (300, 0, 1, 2, 3, 299)
    other = shutil.copytree(invented_tokenizer, tmp_path / "other")
    config = json.loads((other / "tokenizer_config.json").read_text())
    del config["mask_token"]
    (other / "tokenizer_config.json").write_text(json.dumps(config))
    assert read_layout(other, tokenizer).mask == 1, "the padding, which refuses masked tokens later"
    del config["sep_token"], config["eos_token"]
    (other / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match="the tokenizer has no sep_token"):
        read_layout(other, tokenizer)
    with pytest.raises(BadInput, match=r"no tokenizer\.json"):
        read_tokenizer(tmp_path)
    for content, problem in (("[]", "expected a JSON object"), ('{"sep_token": [1]}', r"sep_token is \[1\]")):
        (other / "tokenizer_config.json").write_text(content)
        with pytest.raises(BadInput, match=rf"tokenizer_config\.json: {problem}"):
            read_layout(other, tokenizer)
    for content in ("null", '{"version": "1.0", "model": {"type": "Unigram", "vocab": [[1, 2, 3]]}}'):
        (other / "tokenizer.json").write_text(content)
        with pytest.raises(BadInput, match=r"tokenizer\.json: not a tokenizer: "):
            read_tokenizer(other)


def test_texts_too_long_for_exact_sums_give_the_same_ids(public_tokenizer: Path) -> None:
    engine = SentencePiece(public_tokenizer)
    texts = ["x" * engine.longest, "one 7000100000000000000 two " * (engine.longest // 2), "short"]
    assert len(texts[1]) > engine.longest and engine.slow_share(texts) > 0
    for ours, theirs in zip(engine.encode(texts), HuggingFace(public_tokenizer).encode(texts), strict=True):
        assert (ours == theirs).all()
