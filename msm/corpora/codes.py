"""Language codes in one spelling, the canonical form of BCP 47.

`iw` becomes `he`, `pt-br` and `pt_BR` become `pt-BR`, `deu` and `ger` become `de`, and `ZH-hans` becomes `zh-Hans`.
Codes of three letters without a shorter code stay as they are, in lower case, and so do codes of private use.
`iso_639.csv` holds the shorter codes: ISO 639-2 and 639-3 to 639-1, and the main language of a group (`cmn`, `swh`,
`arb` ...) to the code of the group.
"""

import csv
import functools
import logging
from importlib.resources import files

WITHDRAWN = {"in": "id", "iw": "he", "ji": "yi", "jw": "jv", "mo": "ro"}
"""Codes that ISO 639-1 has replaced, and the codes that replace them."""


def canonical(code: str) -> str:
    """Return the canonical form of a language code. A text that is no code is changed in the same way.

    Args:
        code: subtags of a language, a script and a region, with hyphens or underscores between them.
    """
    language, *rest = code.strip().replace("_", "-").split("-")
    language = language.lower()
    language = WITHDRAWN.get(language) or _shorter().get(language, language)
    return "-".join([language, *map(_subtag, rest)])


def said_canonical(code: str, where: str) -> str:
    """Return the canonical form of a code, and warn once for each file where it differs from the code.

    Args:
        code: language code as it is written.
        where: file or folder that holds it, for the message.
    """
    language = canonical(code)
    if language != code:
        _say(code, language, where)
    return language


@functools.cache
def _say(code: str, language: str, where: str) -> None:
    logging.getLogger(__name__).warning("%s: language %s is read as %s", where, code, language)


def _subtag(text: str) -> str:
    if len(text) == 4 and text.isalpha():
        return text.capitalize()
    return text.upper() if len(text) == 2 and text.isalpha() else text.lower()


@functools.cache
def _shorter() -> dict[str, str]:
    text = (files("msm.corpora") / "iso_639.csv").read_text(encoding="utf-8")
    return {row["three"]: row["two"] for row in csv.DictReader(text.splitlines())}
