"""Belebele in its published files: `LANG.jsonl` (or Parquet) with FLORES-200's codes, such as `deu_Latn.jsonl`.

A row is a question of a passage: `link` and `split` together name the passage, `question_number` the question,
`flores_passage` and `question` are their texts, `dialect` the language. The choices of answers are not read. All of it
exists in every language.

Languages are written in their canonical form, without the script where the published languages have only one:
`deu_Latn` is `de`, `arb_Latn` is `ar-Latn`, `zho_Hant` is `zh-Hant`.

Source: arXiv:2308.16884; github.com/facebookresearch/belebele (README of commit 08633e8).
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msm.collections.collection import Draft
from msm.collections.layout import find_files, only
from msm.collections.readers.parallel import Side, SideQuestion, monolingual_draft, own_pools, parallel_draft
from msm.collections.records import Passage, text_id
from msm.collections.rows import ENDINGS, read_rows
from msm.corpora.codes import canonical
from msm.errors import BadInput
from msm.files import plain_name

LOG = logging.getLogger(__name__)
WRITTEN_TWICE = frozenset("arb_Latn ben_Latn hin_Latn npi_Latn sin_Latn urd_Latn zho_Hans zho_Hant".split())
"""Codes of languages that exist in several scripts, whose script is named."""


def language_of(code: str) -> str:
    """Return the canonical language of a code of FLORES-200."""
    return canonical(code if code in WRITTEN_TWICE else code.partition("_")[0])


def read(folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read questions of some languages, each on the passages of its own.

    Args:
        folder: the files lie anywhere below it.
        languages: languages that are read; all that the folder has where none is named.

    Raises:
        BadInput: a language is missing or in two files, or a row is malformed.
    """
    return monolingual_draft(_sides(folder, languages))


def read_parallel(folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read questions of some languages on the passages of all of these languages in one pool.

    Raises:
        BadInput: the errors of `read`.
    """
    sides = _sides(folder, languages)
    return parallel_draft(sides, own_pools(sides))


def _sides(folder: Path, languages: Sequence[str]) -> dict[str, Side]:
    files: dict[str, list[Path]] = {}
    for path in find_files(folder, *(f"*_????{ending}" for ending in ENDINGS), deep=True):
        code = Path(plain_name(path)).stem
        language = language_of(code)
        files.setdefault(language, []).append(path)
        if not languages or language in languages:
            LOG.info("%s: language %s is read as %s", path, code, language)
    if not files:
        raise BadInput(f"{folder}: no file such as deu_Latn.jsonl here (plain or compressed)")
    codes = sorted(languages or files)
    if absent := [language for language in codes if language not in files]:
        raise BadInput(f"{folder}: no file of the language {absent[0]}; there are {', '.join(sorted(files))}")
    return {language: _side(only(files[language]), language) for language in codes}


def _side(path: Path, language: str) -> Side:
    side = Side([], {})
    for where, row in read_rows(path):
        link, split, number, text, question = (
            _text(row, name, where) for name in ("link", "split", "question_number", "flores_passage", "question")
        )
        name = text_id(f"{link}\n{split}")
        passage = Passage(f"{language}-{name}", language, text)
        if side.passages.setdefault(passage.passage_id, passage) != passage:
            raise BadInput(f"{where}: the passage of {link} ({split}) has another text in an earlier row")
        side.questions.append(SideQuestion(f"{name}-{number}", question, passage.passage_id))
    return side


def _text(row: dict[str, Any], name: str, where: str) -> str:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise BadInput(f"{where}: field {name!r} must be text, got {value!r:.60}")
    return str(value)
