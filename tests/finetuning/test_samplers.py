"""Batches by language: what mono, cross and hybrid promise, data sets by size, the same after a jump."""

import json
from collections import Counter
from pathlib import Path

import pytest

from msm.collections.records import Example, Passage, Query
from msm.errors import BadInput
from msm.files import write_json_lines
from msm.finetuning.parallel import Item, join_items, read_items
from msm.finetuning.samplers import LanguageBatches
from tests.finetuning.made import settings

LANGUAGES = ("ar", "de", "en")


def items(count: int, languages: tuple[str, ...] = LANGUAGES, name: str = "q") -> list[Item]:
    return join_items(
        Example(
            Query(f"{name}{number}", language, f"{language} {number}?"),
            Passage(f"{name}{number}-{language}", language, "text"),
            [Passage(f"{name}{number}-{language}-no", language, "no")],
        )
        for number in range(count)
        for language in languages
    )


def kind(batch: list[Example]) -> set[tuple[str, str]]:
    return {(example.query.language, example.positive.language) for example in batch}


def test_mono_batches_are_of_one_language_each_equally_often() -> None:
    batches = LanguageBatches([items(40)], settings(sampler="mono"))
    kinds = [kind(batches.batch(step)) for step in range(600)]
    assert all(len(pairs) == 1 for pairs in kinds)
    counts = Counter(pair for pairs in kinds for pair in pairs)
    assert set(counts) == {(language, language) for language in LANGUAGES}
    assert batches.languages == set(LANGUAGES)
    assert all(abs(count / 600 - 1 / 3) < 0.06 for count in counts.values())


def test_cross_rows_draw_their_own_pair() -> None:
    batches = LanguageBatches([items(40)], settings(sampler="cross"))
    counts = Counter(
        (example.query.language, example.positive.language) for step in range(300) for example in batches.batch(step)
    )
    assert set(counts) == {
        (question, passage) for question in LANGUAGES for passage in LANGUAGES if question != passage
    }
    assert all(abs(count / 2400 - 1 / 6) < 0.03 for count in counts.values())
    assert any(len(kind(batches.batch(step))) > 2 for step in range(10))


@pytest.mark.parametrize("cross_pair", ["row", "batch"])
def test_languages_are_those_that_can_be_drawn(cross_pair: str) -> None:
    data_sets = [items(40), items(40, ("th",), "t")]
    for sampler, expected in (("cross", set(LANGUAGES)), ("mono", {*LANGUAGES, "th"}), ("hybrid", {*LANGUAGES, "th"})):
        batches = LanguageBatches(data_sets, settings(sampler=sampler, cross_pair=cross_pair))
        languages = {language for step in range(200) for pair in kind(batches.batch(step)) for language in pair}
        assert batches.languages == languages == expected


def test_a_cross_batch_can_have_one_pair() -> None:
    batches = LanguageBatches([items(40)], settings(sampler="cross", cross_pair="batch"))
    kinds = [kind(batches.batch(step)) for step in range(200)]
    assert all(len(pairs) == 1 for pairs in kinds)
    assert all(question != passage for pairs in kinds for question, passage in pairs)
    assert len({pair for pairs in kinds for pair in pairs}) == 6


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_hybrid_mixes_whole_batches(alpha: float) -> None:
    batches = LanguageBatches([items(40)], settings(sampler="hybrid", alpha=alpha))
    mono = 0
    for step in range(400):
        same = {question == passage for question, passage in kind(batches.batch(step))}
        assert len(same) == 1
        mono += same == {True}
    assert abs(mono / 400 - alpha) < 0.06


def test_data_sets_are_drawn_by_size_and_never_mixed() -> None:
    batches = LanguageBatches([items(30, name="a"), items(90, name="b")], settings(sampler="mono"))
    sets = [{example.query.query_id[0] for example in batches.batch(step)} for step in range(500)]
    assert all(len(names) == 1 for names in sets)
    assert abs(sets.count({"b"}) / 500 - 0.75) < 0.06


def test_a_data_set_of_one_language_is_left_to_mono_batches() -> None:
    batches = LanguageBatches([items(30), items(500, ("en",), "e")], settings(sampler="hybrid"))
    for step in range(60):
        batch = batches.batch(step)
        question, passage = kind(batch).pop()
        assert question == passage or batch[0].query.query_id.startswith("q")


def test_rows_are_different_items_and_the_same_after_a_jump() -> None:
    one, other = (LanguageBatches([items(12)], settings(sampler="hybrid", seed=5)) for _ in range(2))
    every = [one.batch(step) for step in range(30)]
    assert other.batch(29) == every[29]
    assert other.batch(3) == every[3]
    for batch in every:
        assert len({example.query.query_id for example in batch}) == len(batch) == 8
        assert all(len(example.negatives) == 1 for example in batch)
    assert LanguageBatches([items(12)], settings(sampler="hybrid", seed=6)).batch(3) != every[3]


def test_answers_in_other_languages_are_right(sources: Path) -> None:
    names = ", ".join(f"{language}=questions/dev" for language in ("qaa", "qab", "qac"))
    ((item, *_),) = read_items(sources, settings(examples=names))
    example = item.example("qaa", "qab")
    assert example.query == item.queries["qaa"]
    assert example.positive == item.answers["qab"].positive
    assert set(example.others) == {item.answers[language].positive.passage_id for language in ("qaa", "qac")}


def test_too_few_passages_are_refused() -> None:
    with pytest.raises(BadInput, match="no data set has so many different passages for a mono batch"):
        LanguageBatches([items(7)], settings(sampler="mono"))
    with pytest.raises(BadInput, match="for a cross batch"):
        LanguageBatches([items(50, ("en",))], settings(sampler="hybrid"))
    LanguageBatches([items(50, ("en",))], settings(sampler="hybrid", alpha=1.0))


def test_translated_questions_join_their_passages(tmp_path: Path) -> None:
    book = {"data": [{"title": "T", "paragraphs": [{"context": "A b.", "qas": []}]}]}
    book["data"][0]["paragraphs"][0]["qas"] = [
        {"id": "1", "question": " wer? ", "answers": [{"text": "A", "answer_start": 0}]}
    ]
    (tmp_path / "de.json").write_text(json.dumps(book))
    write_json_lines(tmp_path / "xor.jsonl", [{"language": "de", "text": "wer?", "english": "who?"}])
    form = settings(examples="de=de.json", translations="xor.jsonl", sampler="hybrid", alpha=0.5)
    ((item,),) = read_items(tmp_path, form)
    assert {language: query.text for language, query in item.queries.items()} == {"de": "wer?", "en": "who?"}
    assert item.mono() == ["de"]
    assert item.pairs() == [("en", "de")]
    write_json_lines(tmp_path / "xor.jsonl", [{"language": "de", "text": "was?", "english": "what?"}])
    with pytest.raises(BadInput, match=r"xor\.jsonl: parallel to none of the training questions"):
        read_items(tmp_path, form)
    write_json_lines(tmp_path / "xor.jsonl", [{"language": "de", "text": "was?"}])
    with pytest.raises(BadInput, match=r"xor\.jsonl:1: expected texts"):
        read_items(tmp_path, form)


def test_files_of_a_folder_are_one_data_set_of_parallel_items(sources: Path) -> None:
    names = ", ".join(f"{language}=questions/dev" for language in ("qaa", "qab", "qac"))
    (items,) = read_items(sources, settings(examples=names))
    assert read_items(sources, settings(examples="all=questions/dev")) == [items]
    with pytest.raises(BadInput, match=r"no questions here \(LANG\.json"):
        read_items(sources, settings(examples="all=documents"))
    assert all(item.mono() == ["qaa", "qab", "qac"] for item in items)
    assert len(items[0].pairs()) == 6


def test_korean_questions_of_tydi_have_english_ones(mirror: Path) -> None:
    form = settings(
        examples="ko=tydi-goldp/ko.train.json, en=tydi-goldp/en.train.json",
        translations="parallel/xor_questions.jsonl",
        sampler="hybrid",
        alpha=0.5,
    )
    korean, english = read_items(mirror, form)
    both = [item for item in korean if set(item.queries) == {"en", "ko"}]
    # Most were asked because Korean had no answer to them.
    assert len(both) > 50
    assert len(english) > 3000
    LanguageBatches([korean, english], form).batch(0)


def test_translations_are_a_data_set_of_cross_batches(mirror: Path) -> None:
    form = settings(examples="ko=tydi-goldp/ko.train.json, parallel/xor_questions.jsonl", sampler="hybrid", alpha=0.5)
    korean, translations = read_items(mirror, form)
    assert len(translations) > 30_000
    assert not any(item.mono() for item in translations)
    batches = LanguageBatches([korean, translations], form)
    kinds = [kind(batches.batch(step)) for step in range(20)]
    assert {("ko", "ko")} in kinds
    cross_kinds = [pairs for pairs in kinds if pairs != {("ko", "ko")}]
    assert cross_kinds
    assert all(passage == "en" and question != "en" for pairs in cross_kinds for question, passage in pairs)
