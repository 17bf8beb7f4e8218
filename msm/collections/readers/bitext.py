"""Reads aligned sentences for bitext mining.

Files, each one sentence a line, may be compressed:
a folder of one's own has `LANG.txt` for every language, all with the same number of lines;
Tatoeba has `tatoeba.XXX-eng.XXX` and `tatoeba.XXX-eng.eng` for every language (LASER's files, v1);
FLORES-200 has `LANG.devtest` (1,012 lines) or `LANG.dev` (997).
For xSIM++, `LANG.hard.txt` beside the text of a language holds altered copies of its sentences: more wrong targets.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from msm.collections.bitext import Bitext
from msm.collections.layout import find_file, find_files, only
from msm.collections.text_lines import read_lines
from msm.errors import BadInput, bad_line
from msm.files import plain_name

LINES = {"devtest": 1012, "dev": 997}
"""Number of lines of each language in the splits of FLORES-200."""
TATOEBA_LANGUAGES, TATOEBA_LINES = 112, 1000
_NAME = re.compile(r"(?P<language>.+?)\.(?P<kind>txt|devtest|dev)")


def read_folder(folder: Path, pairs: str) -> Iterator[Bitext]:
    """Read some pairs of aligned files.

    Args:
        folder: folder of `LANG.txt`, or of `LANG.devtest` or `LANG.dev` as FLORES-200 has them.
        pairs: `all-en` for every language to English, `de-fr`, several with commas, or `all` for every ordered pair.

    Raises:
        BadInput: no such language, empty lines, or files that are not aligned.
    """
    files = _language_files(folder)
    texts: dict[str, list[str]] = {}
    for source, target in _language_pairs(pairs, sorted(files), folder):
        for language in (source, target):
            if language not in texts:
                texts[language] = _read(files[language])
        if len(texts[source]) != len(texts[target]):
            raise BadInput(
                f"{folder}: not aligned: {files[source].name} has {len(texts[source])} lines, "
                f"{files[target].name} {len(texts[target])}"
            )
        hard = find_files(folder, f"{target}.hard.txt")
        yield Bitext(source, target, texts[source], texts[target], _read(only(hard)) if hard else [])


def read_flores(folder: Path, pairs: str) -> Iterator[Bitext]:
    """Read FLORES-200 devtest, as xSIM is reported.

    Raises:
        BadInput: a file that is not `LANG.devtest`, or as `read_folder`.
    """
    for path in _language_files(folder).values():
        if ".devtest" not in path.suffixes:
            raise BadInput(f"{path}: xsim is that of FLORES-200 devtest (LANG.devtest); take bitext for other files")
    return read_folder(folder, pairs)


def read_flores_hard(folder: Path, pairs: str) -> Iterator[Bitext]:
    """Read FLORES-200 devtest with altered copies of the targets, as xSIM++ is reported.

    Raises:
        BadInput: a target language without `LANG.hard.txt`, or as `read_flores`.
    """
    for bitext in read_flores(folder, pairs):
        if not bitext.distractors:
            raise BadInput(f"xsim++ needs altered copies of the targets: {folder}/{bitext.target_language}.hard.txt")
        yield bitext


def read_tatoeba(folder: Path, pairs: str) -> Iterator[Bitext]:
    """Read languages of Tatoeba with English, which searches the other language, as in XTREME.

    Args:
        folder: folder of all files of Tatoeba.
        pairs: `all-eng`, or some, such as `deu-eng,fra-eng`.

    Raises:
        BadInput: a language is missing, or a pair is not aligned or has more than 1,000 lines.
    """
    files = {path.name.split(".")[1].removesuffix("-eng"): path for path in _tatoeba_files(folder)}
    if len(files) != TATOEBA_LANGUAGES:
        raise BadInput(f"{folder}: not the whole of Tatoeba: {len(files)} languages instead of {TATOEBA_LANGUAGES}")
    language_pairs = _language_pairs(pairs, [*files, "eng"], folder)
    for language, path in files.items():
        if (language, "eng") not in language_pairs:
            continue
        sources, targets = _read(find_file(folder, f"tatoeba.{language}-eng.eng")), _read(path)
        if len(sources) != len(targets) or len(sources) > TATOEBA_LINES:
            raise BadInput(f"{path}: not Tatoeba: {len(targets)} lines, and {len(sources)} in English")
        yield Bitext("eng", language, sources, targets, [], shared_lines=False)


def _tatoeba_files(folder: Path) -> list[Path]:
    """Files of the languages other than English, sorted."""
    files = find_files(folder, "tatoeba.*-eng.*")
    return sorted(path for path in files if not plain_name(path).endswith(".eng"))


def _language_files(folder: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in find_files(folder, "*.txt", "*.devtest", "*.dev"):
        match = _NAME.fullmatch(plain_name(path))
        if match and not match["language"].endswith(".hard"):
            language = match["language"]
            if language in files:
                raise BadInput(f"{path}: {language} stands in {files[language].name} too; keep one of them")
            files[language] = path
    if not files:
        raise BadInput(f"{folder}: no LANG.txt, LANG.devtest or LANG.dev here")
    return files


def _language_pairs(pairs: str, languages: list[str], folder: Path) -> list[tuple[str, str]]:
    language_pairs: dict[tuple[str, str], None] = {}
    for text in pairs.split(","):
        source, dash, target = text.strip().partition("-")
        sides = ("all", "all") if not dash and source == "all" else (source, target)
        for language in sides:
            if language != "all" and language not in languages:
                raise BadInput(f"{folder}: no {language!r} for --pairs {pairs}; there are {', '.join(languages)}")
        sources, targets = (languages if side == "all" else [side] for side in sides)
        language_pairs |= {(a, b): None for a in sources for b in targets if a != b}
    if not language_pairs:
        raise BadInput(f"--pairs {pairs}: no pair of two languages")
    return list(language_pairs)


def _read(path: Path) -> list[str]:
    lines = [line for _, line in read_lines(path)]
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            raise bad_line(path, number, "an empty line")
    line_count = next((count for kind, count in LINES.items() if f".{kind}" in path.suffixes), len(lines))
    if not lines or len(lines) != line_count:
        raise BadInput(f"{path}: expected {line_count or 'some'} lines, got {len(lines)}")
    return lines
