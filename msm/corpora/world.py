"""Stage `world`: makes documents and questions about a small invented world in constructed languages.

Four worlds share languages and customs but no hero: one for the documents of pre-training, and one each for training,
development and test questions.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from msm.corpora.constructed.facts import Story, families, stories
from msm.corpora.constructed.languages import ConstructedLanguage, common_words, languages
from msm.corpora.constructed.telling import Sentence, ask, tell, verb_words
from msm.corpora.settings import World
from msm.files import write_json, write_json_lines

DOCUMENTS = "documents/constructed.jsonl.gz"
QUESTIONS = "questions"
SPLITS = ("train", "dev", "test")


def run(settings: World, *, out: Path) -> dict[str, Any]:
    """Write the documents and the questions of a world.

    Args:
        settings: settings of the stage.
        out: empty folder to fill.
    """
    sizes = {"told": settings.train_documents, "train": settings.question_documents}
    worlds = stories(sizes | dict.fromkeys(("dev", "test"), settings.test_documents), settings.seed)
    tongues = world_languages(settings)
    rows = list(documents(worlds["told"], tongues, settings))
    write_json_lines(out / DOCUMENTS, rows)
    questions: dict[str, int] = {}
    for split in SPLITS:
        for language in tqdm(tongues, desc=f"{split} questions", leave=False, disable=None):
            book = question_book(worlds[split], language, settings.seed)
            questions[split] = sum(len(article["paragraphs"][0]["qas"]) for article in book["data"])
            write_json(out / QUESTIONS / split / f"{language.code}.json", book)
    return {
        "languages": {tongue.code: " ".join(tongue.grammar.order) for tongue in tongues},
        "documents": len(worlds["told"]),
        "sentences": sum(len(row["sentences"]) for row in rows),
        "questions": questions,
        "common_words": common_word_share(rows, settings),
    }


def _names(settings: World) -> int:
    return families(settings.train_documents + settings.question_documents + 2 * settings.test_documents)


def world_languages(settings: World) -> list[ConstructedLanguage]:
    """Return the languages of a world. Training questions are in the first one."""
    return languages(
        settings.languages,
        families=_names(settings),
        common_share=settings.common_share,
        synonyms=settings.synonyms,
        seed=settings.seed,
    )


def documents(stories: list[Story], tongues: list[ConstructedLanguage], settings: World) -> Iterator[dict[str, Any]]:
    """Yield every story in every language, as records of a file of documents, with the same order of sentences."""
    for story in tqdm(stories, desc="documents", leave=False, disable=None):
        focus_rng = random.Random(f"{settings.seed} {story.document_id} asked")
        focus = [
            focus_rng.choice(clause.asks) if clause.asks and focus_rng.random() < settings.asked_share else ""
            for clause in story.clauses
        ]
        for language in tongues:
            rng = _voice(settings.seed, story, language)
            sentences: list[str] = []
            for clause, role in zip(story.clauses, focus, strict=True):
                verb, asked_with = verb_words(clause, language, rng)
                sentences += [ask(clause, role, story.hero, asked_with, language, rng)] if role else []
                sentences.append(tell(clause, verb, language, rng).text)
            yield {"document_id": story.document_id, "language": language.code, "sentences": sentences}


def _voice(seed: int, story: Story, language: ConstructedLanguage) -> random.Random:
    return random.Random(f"{seed} {story.document_id} {language.code}")


def question_book(stories: list[Story], language: ConstructedLanguage, seed: int) -> dict[str, Any]:
    """Make stories and questions about them in the layout of XQuAD-R.

    Each story is an article of one paragraph with a question for each sentence. Ids are the same in all languages.

    Args:
        stories: stories that are told and asked about.
        language: language of texts and questions.
        seed: seed of the choice of words and questions.
    """
    return {"data": [_article(story, language, seed) for story in stories], "version": "constructed"}


def _article(story: Story, language: ConstructedLanguage, seed: int) -> dict[str, Any]:
    rng = _voice(seed, story, language)
    verbs = [verb_words(clause, language, rng) for clause in story.clauses]
    sentences = [tell(clause, verb, language, rng) for clause, (verb, _) in zip(story.clauses, verbs, strict=True)]
    breaks = _breaks(sentences)
    choice = random.Random(f"{seed} {story.document_id} asked")
    qas: list[dict[str, Any]] = []
    for number, (clause, sentence) in enumerate(zip(story.clauses, sentences, strict=True)):
        focus = choice.choice(clause.asks)
        first, last = sentence.spans[focus]
        qas.append(
            {
                "id": f"{story.document_id}-{number:02d}",
                "question": ask(clause, focus, story.hero, verbs[number][1], language, rng),
                "answers": [{"text": sentence.text[first:last], "answer_start": breaks[number][0] + first}],
            }
        )
    paragraph = {
        "context": " ".join(sentence.text for sentence in sentences),
        "sentences": [sentence.text for sentence in sentences],
        "sentence_breaks": breaks,
        "qas": qas,
    }
    return {"title": " ".join(language.words[word][0] for word in story.hero), "paragraphs": [paragraph]}


def _breaks(sentences: list[Sentence]) -> list[list[int]]:
    """First character of each sentence, and the one after its last, in the text that joins them with blanks."""
    breaks: list[list[int]] = []
    start = 0
    for sentence in sentences:
        breaks.append([start, start + len(sentence.text)])
        start += len(sentence.text) + 1
    return breaks


def common_word_share(rows: list[dict[str, Any]], settings: World) -> float:
    """Return the share of the words of all texts that all languages write alike."""
    common = set(common_words(_names(settings), settings.common_share, settings.seed).values())
    words = [word.rstrip(".?") for row in rows for sentence in row["sentences"] for word in sentence.split()]
    return sum(word in common for word in words) / len(words)
