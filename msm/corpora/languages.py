"""The 108 languages of the paper's corpus: their codes, scripts, and the models that know them.

`languages.csv` is the table. Its codes are Common Crawl's and Wikipedia's: `no` is Bokmål, `als` Alemannic, `zh` both
scripts. `splitter` says whether sentencex has rules of the language's own; `xlmr` and `mbert` whether the language was
in the training text of XLM-R (CC-100) and multilingual BERT (cased); `identified` whether py3langid can name it.
"""

import csv
import functools
import logging
from collections.abc import Iterable
from importlib.resources import files
from typing import NamedTuple


class Language(NamedTuple):
    """A row of the table."""

    code: str
    name: str
    script: str
    """Unicode's name of the main script; `Japanese` is Han, Hiragana and Katakana."""
    splitter: str
    """Rules by which sentencex splits sentences: the language's `own`, or those of another language (`fallback`)."""
    xlmr: str
    """Whether XLM-R was trained on the language, `yes` or `no`."""
    mbert: str
    """Whether multilingual BERT was trained on the language, `yes` or `no`."""
    identified: str
    """Whether the language identifier py3langid knows the language, `yes` or `no`."""


JAPANESE = ("Han", "Hiragana", "Katakana")


@functools.cache
def languages() -> dict[str, Language]:
    """Return the table, by code."""
    text = (files("msm.corpora") / "languages.csv").read_text(encoding="utf-8")
    return {row["code"]: Language(**row) for row in csv.DictReader(text.splitlines())}


def scripts(code: str) -> tuple[str, ...]:
    """Scripts that a text of the language is written in; empty for a language that is not in the table."""
    language = languages().get(code)
    if language is None:
        return ()
    return {"Japanese": JAPANESE, "Hangul": ("Hangul", "Han")}.get(language.script, (language.script,))


def falls_back(code: str) -> bool:
    """Whether sentences of the language are split by the rules of another one."""
    language = languages().get(code)
    return language is None or language.splitter == "fallback"


def say_fallbacks(codes: Iterable[str]) -> list[str]:
    """Warn of the languages that are split by the rules of another one, and return them."""
    fallbacks = sorted(code for code in codes if falls_back(code))
    if fallbacks:
        logging.getLogger(__name__).warning(
            "no sentence rules of their own, split by those of others: %s", ", ".join(fallbacks)
        )
    return fallbacks


ALIASES = {
    "nb": "no", "nob": "no", "iw": "he", "in": "id", "jw": "jv", "fil": "tl", "ji": "yi", "gsw": "als", "sdh": "ckb",
    "cmn": "zh", "hbs": "sh", "ary": "ar", "uzs": "uz", "ext": "es",
}  # fmt: skip
"""Codes of other data sets, and the codes of the table that they stand for."""


def code_of(name: str) -> str:
    """Return the table's code for a name such as `zh-Hans`, `en_XX` or `nb`, or else the part before `-` or `_`."""
    short = name.strip().lower().replace("_", "-").partition("-")[0]
    return ALIASES.get(short, short)
