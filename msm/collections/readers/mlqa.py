"""MLQA in its published files: `test-context-LANG-question-LANG.json`, SQuAD JSON, anywhere below the folder.

Candidates are the paragraphs; equal paragraphs of a language are one. Translations of a question share their id, so
its answers in other languages are the paragraphs there that have a question of that id, and the files of two different
languages say nothing that these do not. Relevant is the paragraph in each language in which the question exists.

Source: arXiv:1910.07475; github.com/facebookresearch/MLQA (README of commit 24bf470).
"""

from collections.abc import Sequence
from pathlib import Path

from msm.collections.collection import Draft
from msm.collections.layout import find_file, find_files
from msm.collections.readers.parallel import Side, SideQuestion, cross_pools, parallel_draft
from msm.collections.readers.squad import read_squad
from msm.collections.records import Passage
from msm.errors import BadInput
from msm.files import plain_name

LANGUAGES = ("ar", "de", "en", "es", "hi", "vi", "zh")


def read(folder: Path, languages: Sequence[str] = (), split: str = "test") -> Draft:
    """Read questions of some languages on the paragraphs of all of these, in one pool and by language.

    Args:
        folder: the files lie anywhere below it.
        languages: languages that are read; all that the folder has where none is named.
        split: dev or test.

    Raises:
        BadInput: a file is missing, malformed or there twice.
    """
    codes = {plain_name(path).split("-")[2] for path in find_files(folder, _name(split, "*"), deep=True)}
    read_languages = sorted(languages or codes.intersection(LANGUAGES))
    if not read_languages:
        raise BadInput(f"{folder}: no {_name(split, 'LANG')} here (plain or compressed)")
    sides = {
        language: _side(find_file(folder, _name(split, language), deep=True), language) for language in read_languages
    }
    return parallel_draft(sides, cross_pools(sides))


def _name(split: str, language: str) -> str:
    return f"{split}-context-{language}-question-{language}.json"


def _side(path: Path, language: str) -> Side:
    side = Side([], {})
    for paragraph in read_squad(path, language):
        passage_id = f"{language}-{paragraph.paragraph_id}"
        side.passages[passage_id] = Passage(passage_id, language, paragraph.context, paragraph.title)
        side.questions.extend(
            SideQuestion(question.question_id, question.text, passage_id) for question in paragraph.questions
        )
    return side
