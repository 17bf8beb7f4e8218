"""The unit builder against the protocol's cases and against a slow one that follows its words."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from msm.corpora import units
from msm.corpora.settings import Units as Settings
from msm.corpora.shards import Units, read_units
from msm.errors import BadInput
from msm.execution import Execution

BEGIN, END = 0, 2
Write = Callable[[Path, list[dict[str, Any]]], None]


def run(documents: Path, tokenizer: Path, out: Path, settings: Settings, processes: int = 1) -> dict[str, Any]:
    out.mkdir()
    execution = Execution(work=out, processes=processes)
    return units.run(settings, documents=documents, tokenizer=tokenizer, out=out, execution=execution)


def found_runs(shards: Units, language: str) -> list[tuple[str, list[list[int]]]]:
    shard = shards[language]
    return [(shard.document_id(number), [unit.tolist() for unit in shard.span(number)]) for number in range(len(shard))]


def slow_runs(path: Path, tokenizer: Path, settings: Settings) -> list[tuple[str, list[list[int]]]]:
    """Sentence by sentence, as the protocol says it."""
    encode = AutoTokenizer.from_pretrained(tokenizer)
    room = settings.unit_tokens - 1
    result = []
    for line in path.read_text(encoding="utf-8").splitlines():
        document = json.loads(line)
        spans: list[list[int]] = []
        for ids in encode(document["sentences"], add_special_tokens=False).input_ids:
            sentence = [*ids, END]
            if spans and len(spans[-1]) + len(sentence) <= room:
                spans[-1].extend(sentence)
            else:
                spans.append(sentence)
        with_begin = [[BEGIN, *unit[:room]] for unit in spans]
        while len(with_begin) >= settings.min_units:
            result.append((document["document_id"], with_begin[: settings.document_units]))
            with_begin = with_begin[settings.document_units :]
    return result


def test_seventy_units_give_two_documents_and_drop_six(
    invented_tokenizer: Path, tmp_path: Path, write_documents: Write
) -> None:
    sentence = "ka te mi lo su."
    ids = AutoTokenizer.from_pretrained(invented_tokenizer)(sentence).input_ids
    rows = [{"language": "aa", "document_id": f"d{count}", "sentences": [sentence] * count} for count in (70, 31, 64)]
    write_documents(tmp_path / "documents", rows)
    settings = Settings(unit_tokens=len(ids), document_units=32, min_units=32)
    facts = run(tmp_path / "documents", invented_tokenizer, tmp_path / "out", settings)
    assert found_runs(read_units(tmp_path / "out"), "aa") == [
        (name, [ids] * 32) for name in ("d70",) * 2 + ("d64",) * 2
    ]
    assert facts["languages"]["aa"]["runs"] == 4
    assert facts["languages"]["aa"]["token_share"] == round(4 * 32 / 165, 4)
    assert facts["languages"]["aa"]["fill"] == 1.0


@pytest.mark.parametrize(
    "settings",
    [
        Settings(unit_tokens=32, document_units=8, min_units=3),
        Settings(unit_tokens=64, document_units=4, min_units=4),
        Settings(unit_tokens=8, document_units=32, min_units=2),
    ],
)
def test_runs_equal_the_slow_builder(
    documents_folder: Path, invented_tokenizer: Path, tmp_path: Path, settings: Settings
) -> None:
    run(documents_folder, invented_tokenizer, tmp_path / "out", settings)
    shards = read_units(tmp_path / "out")
    for language in shards.languages:
        expected = slow_runs(documents_folder / f"{language}.jsonl", invented_tokenizer, settings)
        assert found_runs(shards, language) == expected
        assert len(expected) > 10


def test_runs_equal_the_slow_builder_on_public_text(public: Path, public_tokenizer: Path, tmp_path: Path) -> None:
    settings = Settings(unit_tokens=64, document_units=32, min_units=8)
    facts = run(public, public_tokenizer, tmp_path / "out", settings)
    assert facts["engine"] == "sentencepiece"
    shards = read_units(tmp_path / "out")
    for language in ("my", "th", "zh"):
        assert found_runs(shards, language) == slow_runs(public / f"{language}.jsonl", public_tokenizer, settings)


def test_both_engines_write_the_same_shards(documents_folder: Path, invented_tokenizer: Path, tmp_path: Path) -> None:
    settings = Settings(unit_tokens=32, document_units=8, min_units=3)
    run(documents_folder, invented_tokenizer, tmp_path / "fast", settings)
    plain = tmp_path / "tokenizer"
    plain.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (plain / name).write_bytes((invented_tokenizer / name).read_bytes())
    assert run(documents_folder, plain, tmp_path / "slow", settings)["engine"] == "tokenizers"
    assert_same_files(tmp_path / "fast", tmp_path / "slow")


def test_processes_and_chunks_change_nothing(
    documents_folder: Path, invented_tokenizer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(unit_tokens=32, document_units=8, min_units=3)
    run(documents_folder, invented_tokenizer, tmp_path / "one", settings)
    monkeypatch.setattr(units, "CHUNK_BYTES", 5_000)
    run(documents_folder, invented_tokenizer, tmp_path / "two", settings, processes=2)
    assert_same_files(tmp_path / "one", tmp_path / "two")


def assert_same_files(one: Path, two: Path) -> None:
    names = sorted(path.name for path in one.iterdir())
    assert names == sorted(path.name for path in two.iterdir())
    for name in names:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


@pytest.mark.parametrize("size", [1, 100, 10**6])
def test_chunks_are_whole_lines(documents_folder: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(units, "CHUNK_BYTES", size)
    path = documents_folder / "aa.jsonl"
    parts = [path.read_bytes()[chunk.start : chunk.stop] for chunk in units.cut(path)]
    assert b"".join(parts) == path.read_bytes()
    assert all(part.endswith(b"\n") for part in parts)


def test_blocks_hold_the_text_of_documents_without_a_run(
    documents_folder: Path, invented_tokenizer: Path, tmp_path: Path
) -> None:
    run(
        documents_folder,
        invented_tokenizer,
        tmp_path / "out",
        Settings(unit_tokens=32, document_units=32, min_units=20),
    )
    shard = read_units(tmp_path / "out")["bb"]
    assert 0 < len(shard) < 40
    encode = AutoTokenizer.from_pretrained(invented_tokenizer)
    lines = (documents_folder / "bb.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [text for line in lines for text in json.loads(line)["sentences"]]
    expected = [number for ids in encode(texts, add_special_tokens=False).input_ids for number in [*ids, END]]
    blocks = shard.blocks(1000)
    assert [number for position in range(len(blocks)) for number in blocks[position][1:].tolist()] == expected
    assert shard.document_ids == [f"bb-{number}" for number in range(40)]


def test_sentence_without_subwords_is_left_out(
    invented_tokenizer: Path, tmp_path: Path, write_documents: Write
) -> None:
    sentences = ["ka te.", "\u200b", "mi lo."]
    write_documents(tmp_path / "documents", [{"language": "aa", "document_id": "d", "sentences": sentences}])
    run(
        tmp_path / "documents",
        invented_tokenizer,
        tmp_path / "out",
        Settings(unit_tokens=8, document_units=4, min_units=2),
    )
    shards = read_units(tmp_path / "out")
    assert shards.index.languages["aa"].sentences == 2
    assert len(shards["aa"].span(0)) == 2


def test_language_without_a_run_keeps_its_blocks(
    invented_tokenizer: Path, tmp_path: Path, write_documents: Write
) -> None:
    rows = [
        {"language": "aa", "document_id": "long", "sentences": ["ka te mi lo su."] * 20},
        {"language": "bb", "document_id": "short", "sentences": ["თე მი ლო."] * 2},
    ]
    write_documents(tmp_path / "documents", rows)
    facts = run(
        tmp_path / "documents",
        invented_tokenizer,
        tmp_path / "out",
        Settings(unit_tokens=8, document_units=8, min_units=4),
    )
    assert facts["languages"]["bb"]["runs"] == 0
    assert (facts["languages"]["bb"]["token_share"], facts["languages"]["bb"]["fill"]) == (0.0, 0.0)
    assert len(read_units(tmp_path / "out")["bb"].blocks(64)) == 1


def test_bad_input_is_one_clear_line(documents_folder: Path, invented_tokenizer: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="min_units must be at most document_units, 4: 8"):
        run(
            documents_folder,
            invented_tokenizer,
            tmp_path / "one",
            Settings(unit_tokens=8, document_units=4, min_units=8),
        )
    with pytest.raises(BadInput, match="min_units: no document has 500 units of up to 64 tokens in any language"):
        run(
            documents_folder,
            invented_tokenizer,
            tmp_path / "two",
            Settings(unit_tokens=64, document_units=500, min_units=500),
        )
    with pytest.raises(BadInput, match=r"no tokenizer\.json"):
        run(documents_folder, tmp_path, tmp_path / "three", Settings(unit_tokens=8, document_units=4, min_units=2))
    (tmp_path / "aa.jsonl").write_text("")
    with pytest.raises(BadInput, match=r"aa\.jsonl: holds no document"):
        run(tmp_path, invented_tokenizer, tmp_path / "four", Settings(unit_tokens=8, document_units=4, min_units=2))
    (tmp_path / "aa.jsonl").write_text('{"language": "aa", "document_id": "x", "sentences": ["a", null]}\n')
    with pytest.raises(BadInput, match=r"aa\.jsonl:1: not a document: sentences must be a list of texts"):
        run(tmp_path, invented_tokenizer, tmp_path / "five", Settings(unit_tokens=8, document_units=4, min_units=2))
