"""Tatoeba: English sentences look for their translation among those of another language, by cosine.

XTREME's scorer indexes the other language and searches it with English. It prints the mean over 36 languages, XTREME-R
over 41, of the 112 that LASER published.

Sources: XTREME, arXiv:2003.11080; XTREME-R, arXiv:2104.07412; github.com/facebookresearch/LASER, data/tatoeba/v1.
"""

from collections.abc import Sequence
from dataclasses import replace

from msm.collections.benchmark import BitextBenchmark
from msm.collections.readers.bitext import read_tatoeba

XTREME = (
    "afr ara bul ben deu ell spa est eus pes fin fra heb hin hun ind ita jpn jav kat kaz kor mal mar nld por rus swh "
    "tam tel tha tgl tur urd vie cmn"
).split()
XTREME_R = [*XTREME, "aze", "lit", "pol", "ukr", "ron"]


def _pairs(languages: Sequence[str]) -> str:
    return ",".join(f"{language}-eng" for language in languages)


BENCHMARK = BitextBenchmark(
    name="tatoeba",
    title="Tatoeba",
    protocol="tatoeba, English searches the other language, nearest by cosine",
    reader=read_tatoeba,
    pairs=_pairs(XTREME),
    measures=("accuracy",),
    split="test",
)
WIDER = replace(BENCHMARK, name="tatoeba_xtreme_r", title="Tatoeba, languages of XTREME-R", pairs=_pairs(XTREME_R))
