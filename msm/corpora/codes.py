"""One spelling for every language: BCP 47's canonical form.

`iw` is `he`, `pt-br` and `pt_BR` are `pt-BR`, `deu` and `ger` are `de`, `ZH-hans` is `zh-Hans`. Codes of three letters
that have no shorter one stay, in lower case, and so do those of private use. `iso_639.csv` holds the shorter codes:
ISO 639-2 and 639-3 to 639-1, and the main language of a group (`cmn`, `swh`, `arb` ...) to the code of the group.
"""

import csv
import functools
import logging
from importlib.resources import files

WITHDRAWN = {"in": "id", "iw": "he", "ji": "yi", "jw": "jv", "mo": "ro"}
"""Codes of ISO 639-1 that were replaced."""


def canonical(code: str) -> str:
    """The canonical form of a language code; of a text that is no code, the text in that form all the same.

    Args:
        code: subtags of a language, a script and a region, with hyphens or underscores between them.
    """
    language, *rest = code.strip().replace("_", "-").split("-")
    language = language.lower()
    language = WITHDRAWN.get(language) or _shorter().get(language, language)
    return "-".join([language, *map(_subtag, rest)])


def said_canonical(code: str, where: str) -> str:
    """The canonical form; says once for each place when it is another one.

    Args:
        code: as written.
        where: file or folder, for the message.
    """
    found = canonical(code)
    if found != code:
        _say(code, found, where)
    return found


@functools.cache
def _say(code: str, found: str, where: str) -> None:
    logging.getLogger(__name__).warning("%s: language %s is read as %s", where, code, found)


def _subtag(text: str) -> str:
    if len(text) == 4 and text.isalpha():
        return text.capitalize()
    return text.upper() if len(text) == 2 and text.isalpha() else text.lower()


@functools.cache
def _shorter() -> dict[str, str]:
    text = (files("msm.corpora") / "iso_639.csv").read_text(encoding="utf-8")
    return {row["three"]: row["two"] for row in csv.DictReader(text.splitlines())}
