"""The benchmarks by name. A new one is a file that reads it, and a line here.

Names: `mr_tydi` is the published collection, with counts checked; `mr_tydi-sw-bn` some of its languages, checked too;
`mr_tydi:NAME` a pool of one's own in the same files and by the same rules, whose name is NAME; any other name is a
pool of one's own in LAReQA's. `tatoeba@deu-eng,fra-eng` is bitext of some pairs, `bitext:NAME@all-en` one's own. No
pool of one's own bears the name of an official benchmark.
"""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from msm.collections.benchmarks import hybrid, lareqa, mewsli_x, miracl, mr_tydi, wikipedia_passages
from msm.collections.benchmarks.bitext import BITEXTS, BitextBenchmark
from msm.collections.collection import Collection, Pool
from msm.collections.measure_names import ANSWER_DEPTH, AnswerRule, Measure, parse_measure
from msm.collections.readers import user_files
from msm.errors import BadInput


class Benchmark(NamedTuple):
    """How a benchmark is read and scored."""

    protocol: str
    """Whose rules decide what is relevant; written beside every score."""
    read: Callable[..., Collection]
    """From the folder of its files (and the languages wanted, where `by_language`); refuses what is not it."""
    measures: tuple[str, ...]
    """The official ones."""
    read_own: Callable[[Path], Collection] | None = None
    """The same files with other content."""
    by_language: bool = False
    """Whether every language has a pool of its own, so that one may be left out."""
    language_measures: tuple[str, ...] | None = None
    """The official ones on the candidates of one language, where they differ."""
    answers: AnswerRule | None = None
    """How passages are matched with answers, where they are not judged; the measures follow from it."""
    least_depth: int = 1
    """Passages that the measures look at, where they do not say so themselves."""
    split: str | None = None
    """That of the published questions; None for one's own."""

    def parsed_measures(self, pool: Pool | None = None) -> list[Measure]:
        """The official measures, of a pool."""
        one_language = pool is not None and pool.candidate_language is not None
        names = self.language_measures if one_language and self.language_measures else self.measures
        return [parse_measure(name) for name in names]


_HYBRID = Benchmark(
    "hybrid-batch",
    hybrid.read,
    hybrid.MEASURES,
    hybrid.read,
    language_measures=hybrid.LANGUAGE_MEASURES,
    split="test",
)

_XOR = Benchmark(
    "xor_retrieve, tokenizer nltk",
    wikipedia_passages.read_official_xor,
    (),
    wikipedia_passages.read_xor,
    answers="xor-nltk",
    least_depth=ANSWER_DEPTH,
    split="dev",
)
_NQ = Benchmark(
    "dpr string match",
    wikipedia_passages.read_official_nq,
    (),
    wikipedia_passages.read_nq,
    answers="dpr",
    least_depth=ANSWER_DEPTH,
    split="test",
)

BENCHMARKS: dict[str, Benchmark] = {
    "lareqa": Benchmark("lareqa", lareqa.read_official, lareqa.MEASURES, lareqa.read, split="test"),
    "mr_tydi": Benchmark(
        "mr_tydi", mr_tydi.read_official, mr_tydi.MEASURES, mr_tydi.read, by_language=True, split="test"
    ),
    "miracl": Benchmark("miracl", miracl.read_official, miracl.MEASURES, miracl.read, by_language=True, split="dev"),
    "mewsli_x": Benchmark("mewsli_x", mewsli_x.read_official, mewsli_x.MEASURES, mewsli_x.read, split="dev"),
    "xor_retrieve": _XOR,
    "xor_retrieve_treebank": _XOR._replace(protocol="xor_retrieve, tokenizer treebank", answers="xor-treebank"),
    "nq": _NQ,
    "xquad_r": _HYBRID._replace(read=hybrid.read_xquad_r),
    "xquad_r_dedup": _HYBRID._replace(read=hybrid.read_xquad_r_dedup, protocol="hybrid-batch, equal questions merged"),
    "mlqa_r": _HYBRID._replace(read=hybrid.read_mlqa_r, split="dev"),
    "mlqa_r_dedup": _HYBRID._replace(
        read=hybrid.read_mlqa_r_dedup, protocol="hybrid-batch, equal questions merged", split="dev"
    ),
}

FORMATS: dict[str, Benchmark] = {
    "beir": Benchmark("beir", user_files.read_beir, user_files.MEASURES),
    "trec": Benchmark("trec", user_files.read_trec, user_files.MEASURES),
    "squad": Benchmark("squad", user_files.read_squad_folder, user_files.MEASURES),
}
"""Files of one's own; `beir:NAME` gives them a name."""

OWN_POOL = Benchmark("lareqa", lareqa.read, lareqa.MEASURES)

OFFICIAL_NAMES = frozenset(
    {"lareqa", "mewsli_x", "miracl", "mlqa_r", "mr_tydi", "nq", "tatoeba", "xor_retrieve", "xquad_r", "xsim", "xsimpp"}
)
"""Not to be borne by anything else, whether it can be read here or not."""


def find_benchmark(name: str) -> Benchmark:
    """The benchmark of a name.

    Raises:
        BadInput: a pool of one's own under an official name, or an official one that cannot be read here.
    """
    if find_bitext(name):
        raise BadInput(f"{name} is mined, not searched: it has no passages to retrieve")
    if "@" in name:
        raise BadInput(f"{name}: only bitext has pairs ({', '.join(BITEXTS)})")
    kind, colon, own = name.partition(":")
    if colon:
        return _own(kind, own)
    if name in BENCHMARKS or name in FORMATS:
        return (BENCHMARKS | FORMATS)[name]
    base, *languages = name.split("-")
    if base in BENCHMARKS and BENCHMARKS[base].by_language and languages:
        found = BENCHMARKS[base]
        return found._replace(read=partial(found.read, languages=tuple(languages)))
    _refuse_official(name)
    return OWN_POOL


def find_bitext(name: str) -> tuple[BitextBenchmark, str] | None:
    """The bitext benchmark of a name and its pairs; None where the name is none's.

    Raises:
        BadInput: one's own under an official name.
    """
    base, _, pairs = name.partition("@")
    kind, colon, own = base.partition(":")
    if kind not in BITEXTS:
        return None
    if colon:
        if kind != "bitext":
            raise BadInput(f"{base}: bitext of your own is bitext:NAME")
        _refuse_official(own)
    return BITEXTS[kind], pairs or BITEXTS[kind].pairs


def find_split(name: str) -> str | None:
    """The split that a benchmark's published questions are; None for one's own."""
    bitext = find_bitext(name)
    return bitext[0].split if bitext else find_benchmark(name).split


def _own(kind: str, own: str) -> Benchmark:
    known = {name: found for name, found in (BENCHMARKS | FORMATS).items() if name in FORMATS or found.read_own}
    if kind not in known:
        raise BadInput(f"unknown layout of a pool of one's own: {kind!r}; known: {', '.join(known)}")
    _refuse_official(own)
    found = known[kind]
    return found._replace(read=found.read_own or found.read, by_language=False, split=None)


def _refuse_official(name: str) -> None:
    plain = re.sub(r"[-_ .]", "", name.lower().replace("+", "p"))
    if not plain or plain in {re.sub(r"[-_]", "", official) for official in OFFICIAL_NAMES | BENCHMARKS.keys()}:
        raise BadInput(f"{name!r} is no name for a pool of one's own; official are {', '.join(sorted(OFFICIAL_NAMES))}")
