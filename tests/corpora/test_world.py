import dataclasses
import gzip
import itertools
import json
import unicodedata
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from msm.corpora import world
from msm.corpora.constructed.facts import Clause, Phrase, families, stories
from msm.corpora.constructed.languages import ALPHABETS, ConstructedLanguage, languages
from msm.corpora.constructed.scripts import FUNCTION_WORDS, NAMES
from msm.corpora.constructed.telling import ask, tell
from msm.corpora.settings import World
from msm.pipeline.artifacts import checksums

SETTINGS = World(
    languages=4,
    train_documents=60,
    question_documents=20,
    test_documents=12,
    common_share=0.6,
    synonyms=2,
    asked_share=0.25,
    seed=3,
)
SPLITS = ("train", "dev", "test")


def build(settings: World, out: Path) -> dict[str, Any]:
    out.mkdir()
    return world.run(settings, out=out)


@pytest.fixture(scope="module")
def world_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("world") / "out"
    build(SETTINGS, out)
    return out


def told(folder: Path) -> dict[str, dict[str, list[str]]]:
    """Language to document id to sentences, in the order of the file."""
    documents: dict[str, dict[str, list[str]]] = {}
    with gzip.open(folder / "documents/constructed.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            documents.setdefault(row["language"], {})[row["document_id"]] = row["sentences"]
    return documents


def books(folder: Path, split: str) -> dict[str, Any]:
    paths = sorted((folder / "questions" / split).glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def paragraphs(book: dict[str, Any]) -> list[dict[str, Any]]:
    return [paragraph for article in book["data"] for paragraph in article["paragraphs"]]


def own(word: str) -> bool:
    """Whether a word is of one language: common ones are digits or capitalised."""
    return not word[0].isdigit() and not word[0].isupper()


def bare(text: str, language: ConstructedLanguage) -> list[str]:
    """The words of a text without endings and punctuation."""
    words = [word.rstrip(".?") for word in text.split()]
    return [word.removesuffix(language.ending) if own(word) else word for word in words]


def meanings(sentence: str, language: ConstructedLanguage) -> Counter[str]:
    """What the words of a sentence mean, by looking each up in the lexicon turned round."""
    inverse = {word: meaning for meaning, words in language.words.items() for word in words}
    return Counter(inverse[word] for word in bare(sentence, language))


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not(world_folder: Path, tmp_path: Path) -> None:
    build(SETTINGS, tmp_path / "again")
    build(dataclasses.replace(SETTINGS, seed=4), tmp_path / "other")
    assert checksums(tmp_path / "again") == checksums(world_folder)
    assert set(checksums(tmp_path / "other").values()).isdisjoint(checksums(world_folder).values())


def test_worlds_share_no_hero_and_no_document(world_folder: Path) -> None:
    heroes = {split: {article["title"] for article in books(world_folder, split)["qaa"]["data"]} for split in SPLITS}
    for one, other in itertools.combinations(SPLITS, 2):
        assert heroes[one].isdisjoint(heroes[other])
    text = " ".join(sentence for sentences in told(world_folder)["qaa"].values() for sentence in sentences)
    assert not any(hero in text for split in SPLITS for hero in heroes[split])


def test_languages_have_words_for_all_that_happens_in_large_worlds() -> None:
    words = languages(1, families=families(20_000), common_share=0.5, synonyms=1, seed=2)[0].words
    for story in stories({"told": 20_000}, 2)["told"]:
        phrases = [phrase for clause in story.clauses for phrase in clause.phrases.values()]
        assert {word for phrase in phrases for word in phrase.words} <= words.keys(), story.document_id


def test_all_languages_tell_the_same_in_the_same_order(world_folder: Path) -> None:
    documents = told(world_folder)
    tongues = {language.code: language for language in world.world_languages(SETTINGS)}
    first, *others = documents
    assert list(documents) == ["qaa", "qab", "qac", "qad"]
    for code in others:
        assert list(documents[code]) == list(documents[first])
        for document_id, sentences in documents[code].items():
            expected = [meanings(sentence, tongues[first]) for sentence in documents[first][document_id]]
            assert [meanings(sentence, tongues[code]) for sentence in sentences] == expected


def test_documents_have_8_to_16_sentences_of_4_to_11_words(tmp_path: Path) -> None:
    build(dataclasses.replace(SETTINGS, asked_share=0.0), tmp_path / "out")
    lengths = {len(sentences) for sentences in told(tmp_path / "out")["qaa"].values()}
    words = {
        len(sentence.split())
        for documents in told(tmp_path / "out").values()
        for sentences in documents.values()
        for sentence in sentences
    }
    assert min(lengths) >= 8
    assert max(lengths) <= 17
    assert min(words) >= 4
    assert max(words) <= 11


def test_asked_share_of_the_sentences_follow_their_question(world_folder: Path) -> None:
    sentences = [sentence for document in told(world_folder)["qab"].values() for sentence in document]
    count = sum(sentence.endswith("?") for sentence in sentences)
    assert count / (len(sentences) - count) == pytest.approx(SETTINGS.asked_share, abs=0.03)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_common_share_of_the_names_and_numbers_is_written_alike(share: float, tmp_path: Path) -> None:
    settings = dataclasses.replace(SETTINGS, common_share=share, train_documents=200)
    facts = build(settings, tmp_path / "out")
    tongues = {tongue.code: tongue for tongue in world.world_languages(settings)}
    texts = {code: " ".join(itertools.chain(*rows.values())) for code, rows in told(tmp_path / "out").items()}
    vocabularies = {code: Counter(bare(text, tongues[code])) for code, text in texts.items()}
    common_words = set.intersection(*(set(words) for words in vocabularies.values()))
    pairs = itertools.combinations(vocabularies.values(), 2)
    assert all(set(one) & set(other) == common_words for one, other in pairs)
    for tongue in tongues.values():
        counts = vocabularies[tongue.code]
        names = [words[0] for meaning, words in tongue.words.items() if meaning.split(":")[0] in NAMES]
        running = sum(counts[word] for word in names)
        assert sum(word in common_words for word in names if counts[word]) / sum(
            counts[word] > 0 for word in names
        ) == (pytest.approx(share, abs=0.02))
        assert sum(counts[word] for word in common_words) / running == pytest.approx(share, abs=0.08)
    total = sum(counts.total() for counts in vocabularies.values())
    common = sum(counts[word] for counts in vocabularies.values() for word in common_words)
    assert facts["common_words"] == pytest.approx(common / total)


def test_languages_that_share_a_script_have_words_of_their_own() -> None:
    tongues = languages(30, families=100, common_share=0.5, synonyms=1, seed=1)
    assert len({tongue.code for tongue in tongues}) == 30
    first, second = (tongues[index] for index in (1, 1 + len(ALPHABETS)))
    meanings_apart = [meaning for meaning in first.words if first.words[meaning] != tongues[2].words[meaning]]
    same = sum(first.words[meaning] == second.words[meaning] for meaning in meanings_apart)
    assert same < 0.02 * len(meanings_apart)
    words = [{word for words in tongue.words.values() for word in words} for tongue in (first, second)]
    common = words[0] & {word for words in tongues[2].words.values() for word in words}
    assert len((words[0] & words[1]) - common) < 0.1 * len(words[0])


def test_every_language_has_a_script_of_its_own() -> None:
    tongues = languages(len(ALPHABETS), families=100, common_share=0.5, synonyms=2, seed=1)
    common = set.intersection(*({word for words in tongue.words.values() for word in words} for tongue in tongues))
    scripts = []
    for tongue in tongues:
        letters = "".join(word for words in tongue.words.values() for word in words if word not in common)
        assert unicodedata.normalize("NFKC", letters) == letters
        scripts.append({unicodedata.name(letter).split()[0] for letter in letters})
    assert all(len(script) == 1 for script in scripts)
    assert len(set.union(*scripts)) == len(tongues)


def test_no_word_has_two_meanings() -> None:
    for tongue in languages(4, families=100, common_share=0.5, synonyms=3, seed=1):
        words = [word for meaning in tongue.words.values() for word in meaning]
        assert len(words) == len(set(words))
        assert set(FUNCTION_WORDS) <= tongue.words.keys()


def test_some_words_take_an_ending_and_no_word_looks_as_if_it_had_one(world_folder: Path) -> None:
    for tongue in world.world_languages(SETTINGS):
        lexicon = [word for words in tongue.words.values() for word in words if own(word)]
        assert not any(word.endswith(tongue.ending) for word in lexicon)
        text = " ".join(itertools.chain(*told(world_folder)[tongue.code].values()))
        words = [word for word in text.split() if own(word)]
        count = sum(word.rstrip(".?").endswith(tongue.ending) for word in words)
        assert count / len(words) == pytest.approx(0.05, abs=0.015)


def test_languages_order_subject_verb_and_object_in_their_own_way() -> None:
    clause = Clause("verb:learn", {"subject": Phrase(("given:1",)), "object": Phrase(("trade:smith",))}, ("object",))
    orders = []
    for tongue in languages(6, families=100, common_share=0.5, synonyms=1, seed=1):
        letters = {tongue.words[word][0]: letter for word, letter in (("given:1", "S"), ("trade:smith", "O"))}
        sentence = tell(clause, "V", tongue, Random(1)).text
        orders.append("".join(letters.get(word, word) for word in bare(sentence, tongue)))
    assert orders == ["SVO", "SOV", "VSO", "VOS", "OVS", "OSV"]


def test_a_question_leaves_out_what_it_asks_for() -> None:
    hero = ("given:1", "family:2")
    phrases = {"subject": Phrase(hero[:1]), "object": Phrase(("trade:smith",)), "company": Phrase(("given:7",))}
    clause = Clause("verb:learn", phrases, ("object",))
    for tongue in languages(6, families=100, common_share=0.5, synonyms=1, seed=1):
        words = meanings(ask(clause, "object", hero, tongue.words["verb:learn"][0], tongue, Random(1)), tongue)
        assert words == Counter(["what", *hero, "verb:learn"])
        words = meanings(ask(clause, "company", hero, tongue.words["verb:learn"][0], tongue, Random(1)), tongue)
        assert words == Counter(["who", *hero, "verb:learn", "trade:smith"])


@pytest.mark.parametrize("split", SPLITS)
def test_sentence_breaks_tile_the_context_and_hold_the_answers(world_folder: Path, split: str) -> None:
    for book in books(world_folder, split).values():
        for paragraph in paragraphs(book):
            context, breaks = paragraph["context"], paragraph["sentence_breaks"]
            assert " ".join(context[first:last] for first, last in breaks) == context
            assert [context[first:last] for first, last in breaks] == paragraph["sentences"]
            for qa in paragraph["qas"]:
                (answer,) = qa["answers"]
                start, end = answer["answer_start"], answer["answer_start"] + len(answer["text"])
                assert context[start:end] == answer["text"]
                assert sum(first <= start and end <= last for first, last in breaks) == 1
                assert answer["text"] not in qa["question"].rstrip("?").split()


@pytest.mark.parametrize("synonyms", [1, 3])
def test_a_question_has_another_word_for_the_verb_if_there_is_one(synonyms: int, tmp_path: Path) -> None:
    settings = dataclasses.replace(SETTINGS, synonyms=synonyms)
    build(settings, tmp_path / "out")
    tongue = world.world_languages(settings)[1]
    verbs = {word for meaning, words in tongue.words.items() if meaning.startswith("verb:") for word in words}
    for paragraph in paragraphs(books(tmp_path / "out", "test")["qab"]):
        for qa, sentence in zip(paragraph["qas"], paragraph["sentences"], strict=True):
            verb_of_sentence, verb_of_question = (
                verbs & set(bare(text, tongue)) for text in (sentence, qa["question"])
            )
            assert len(verb_of_sentence) == len(verb_of_question) == 1
            assert (verb_of_sentence == verb_of_question) == (synonyms == 1)


@pytest.mark.parametrize("split", SPLITS)
def test_a_reader_of_the_lareqa_layout_finds_the_same_pairs_in_all_languages(world_folder: Path, split: str) -> None:
    tongues = {language.code: language for language in world.world_languages(SETTINGS)}
    answers_by_language: dict[str, dict[str, tuple[int, int, Counter[str]]]] = {}
    for code, book in books(world_folder, split).items():
        pairs: dict[str, tuple[int, int, Counter[str]]] = {}
        for number, paragraph in enumerate(paragraphs(book)):
            for qa in paragraph["qas"]:
                start = qa["answers"][0]["answer_start"]
                hits = [place for place, (a, b) in enumerate(paragraph["sentence_breaks"]) if a <= start < b]
                pairs[qa["id"]] = (number, hits[0], meanings(qa["question"], tongues[code]))
        assert len(pairs) == sum(len(paragraph["qas"]) for paragraph in paragraphs(book))
        answers_by_language[code] = pairs
    assert list(answers_by_language) == list(tongues)
    assert all(
        pairs == answers_by_language["qaa"] and list(pairs) == list(answers_by_language["qaa"])
        for pairs in answers_by_language.values()
    )


def test_what_comes_later_depends_on_what_was_told() -> None:
    events: dict[str, Counter[str]] = {}
    for story in stories({"told": 800}, seed=1)["told"]:
        verbs = {clause.verb: clause for clause in story.clauses}
        if {"verb:strike", "verb:lose"} <= verbs.keys():
            cause = verbs["verb:strike"].phrases["subject"].words[0]
            events.setdefault(cause, Counter())[verbs["verb:lose"].phrases["object"].words[0]] += 1
    usual = [losses.most_common(1)[0] for losses in events.values()]
    assert len({loss for loss, _ in usual}) > 3
    assert all(count / losses.total() > 0.6 for (_, count), losses in zip(usual, events.values(), strict=True))
