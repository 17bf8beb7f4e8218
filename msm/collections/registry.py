"""Finds benchmarks by name. A new one is a file that describes it, and a line here.

A benchmark's name is one word. Data of one's own are of a format and bear a name of their own. Recipes and score
files hold both, and a choice of languages or pairs, in one text, a *reference*:

| reference | meaning |
|---|---|
| `mr_tydi` | the published collection; its sizes are checked |
| `mr_tydi-sw,bn` | some of its languages, checked too (`mr_tydi-sw-bn` is the older spelling) |
| `tatoeba@deu-eng,fra-eng` | some pairs of languages of bitext |
| `beir:NAME` | data of one's own in BEIR's layout |
| `beir:NAME-fi,sv` | the questions of these in some languages (`beir:NAME-fi,` in one) |
| `hf:OWNER/NAME` | a data set of the Hugging Face hub, see `msm.collections.readers.hugging_face_hub` |
| `ir_datasets:ID` | one of ir_datasets' catalogue, see `msm.collections.readers.ir_datasets_catalogue` |
| `mr_tydi:NAME` | data of one's own in the files of Mr. TyDi and by its rules |

No data of one's own bear the name of a published benchmark, and a name that nobody knows is refused.
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import replace

from msm.collections.benchmark import Benchmark, BitextBenchmark
from msm.collections.benchmarks import (
    belebele,
    ciral,
    constructed,
    hybrid,
    lareqa,
    mewsli_x,
    miracl,
    mkqa,
    mlqa,
    mmarco,
    mr_tydi,
    ms_marco,
    multi_eup,
    natural_questions,
    neuclir,
    tatoeba,
    xor_retrieve,
    xsim,
)
from msm.collections.formats import BITEXT_FORMATS, FORMATS, LIBRARIES
from msm.corpora.codes import said_canonical
from msm.errors import BadInput

BENCHMARKS: dict[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        belebele.BENCHMARK,
        belebele.PARALLEL,
        ciral.BENCHMARK,
        ciral.TEST_B,
        constructed.BENCHMARK,
        hybrid.CONSTRUCTED,
        hybrid.MLQA_R,
        hybrid.MLQA_R_DEDUP,
        hybrid.XQUAD_R,
        hybrid.XQUAD_R_DEDUP,
        lareqa.BENCHMARK,
        mewsli_x.BENCHMARK,
        miracl.BENCHMARK,
        mkqa.BENCHMARK,
        mlqa.BENCHMARK,
        mmarco.BENCHMARK,
        mr_tydi.BENCHMARK,
        ms_marco.BENCHMARK,
        multi_eup.BENCHMARK,
        natural_questions.BENCHMARK,
        neuclir.YEAR_2022,
        neuclir.YEAR_2023,
        neuclir.ONE_POOL_2023,
        xor_retrieve.BENCHMARK,
        xor_retrieve.TREEBANK,
    )
}
BITEXTS: dict[str, BitextBenchmark] = {
    benchmark.name: benchmark for benchmark in (tatoeba.BENCHMARK, tatoeba.WIDER, xsim.BENCHMARK, xsim.PLUS_PLUS)
}
"""Benchmarks of aligned sentences, in which translations are mined, by name."""
_LANGUAGE = "[a-z]{2,3}(-[A-Z][A-Za-z]+)*"
_OWN_LANGUAGES = re.compile(f"(?P<name>.+?)-(?P<languages>{_LANGUAGE}(,{_LANGUAGE})*,?)")


def reference(benchmark: str, format: str = "", languages: Sequence[str] = (), pairs: str = "") -> str:
    """Make the reference of some data: one text that names a benchmark or format, languages and pairs.

    Args:
        benchmark: name of a benchmark, or of data of one's own; a reference of its own where nothing else is given.
        format: format of your own data; empty for a benchmark.
        languages: languages that are kept; all where none is named.
        pairs: pairs of languages of bitext.

    Raises:
        BadInput: no benchmark has the name, or a name and a choice do not go together.
    """
    text = f"{format}:{benchmark or format}" if format and ":" not in benchmark else benchmark
    if languages:
        codes = ",".join(said_canonical(language, "--languages") for language in languages)
        # Names of one's own may hold hyphens, so a comma tells that languages follow.
        text += f"-{codes}," if ":" in text and "," not in codes else f"-{codes}"
    if pairs:
        text = f"{text.partition('@')[0]}@{pairs}"
    if not find_bitext(text):
        find_benchmark(text)
    return text


def find_benchmark(name: str) -> Benchmark:
    """Return the benchmark of a reference.

    Raises:
        BadInput: no benchmark has the name, or your own data bear that of a published benchmark.
    """
    if find_bitext(name):
        raise BadInput(f"{name} is mined, not searched: it has no passages to retrieve")
    if "@" in name:
        raise BadInput(f"{name}: only bitext has pairs ({', '.join(BITEXTS | BITEXT_FORMATS)})")
    kind, colon, own_name = name.partition(":")
    if colon:
        return _own(kind, own_name)
    if name in BENCHMARKS:
        return BENCHMARKS[name]
    if name in FORMATS:
        return replace(FORMATS[name].owned(name), name=name)
    base, dash, languages = name.partition("-")
    if dash and base in BENCHMARKS:
        return _in_languages(BENCHMARKS[base], languages)
    raise BadInput(f"unknown benchmark {name!r}; {_nearest(name)}; data of your own are named with --format")


def find_bitext(name: str) -> tuple[BitextBenchmark, str] | None:
    """Return the bitext benchmark of a reference and its pairs; None where the reference names no bitext.

    Raises:
        BadInput: data of one's own under the name of a published benchmark.
    """
    base, _, pairs = name.partition("@")
    kind, colon, own_name = base.partition(":")
    if colon and kind in BITEXTS:
        raise BadInput(f"{base}: bitext of your own is of --format bitext")
    if kind in BITEXT_FORMATS:
        if colon:
            _refuse_official(own_name)
        benchmark = replace(BITEXT_FORMATS[kind], name=own_name or kind, title=own_name or kind)
        return benchmark, pairs or benchmark.pairs
    return (BITEXTS[kind], pairs or BITEXTS[kind].pairs) if kind in BITEXTS else None


def find_split(name: str) -> str | None:
    """Return the split of a benchmark's published questions; None for your own data."""
    bitext = find_bitext(name)
    return bitext[0].split if bitext else find_benchmark(name).split


def check_split(name: str, split: str) -> None:
    """Check that a benchmark's questions are of a split.

    Raises:
        BadInput: they are of another one.
    """
    if (benchmark_split := find_split(name)) not in (None, split):
        raise BadInput(f"split must be {benchmark_split}: that is what {name} reads, got {split}")


def describe(name: str) -> Benchmark | BitextBenchmark | None:
    """Return the benchmark of a name in scores; None for your own data."""
    base = re.split("[-@]", name, maxsplit=1)[0]
    return BENCHMARKS.get(base) or BITEXTS.get(base)


def title_of(name: str) -> str:
    """Return the title of a benchmark by its name in scores; the name for some of its languages and your own data."""
    benchmark = describe(name)
    return benchmark.title if benchmark and benchmark.name == name else name


def _in_languages(benchmark: Benchmark, text: str) -> Benchmark:
    """Return a benchmark in some of its languages; with commas between them, or hyphens as older recipes have it."""
    if not benchmark.by_language:
        raise BadInput(f"{benchmark.name}: its languages are searched together, so none can be left out")
    codes = [*benchmark.counts]
    languages = text.split(",") if "," in text or text in codes else text.split("-")
    if unknown_codes := [language for language in languages if language not in codes]:
        raise BadInput(f"{benchmark.title} has no {unknown_codes[0]!r}; it has {', '.join(codes)}")
    return replace(benchmark, languages=tuple(dict.fromkeys(languages)))


def _own(kind: str, own_name: str) -> Benchmark:
    match = _OWN_LANGUAGES.fullmatch(own_name) if "," in own_name else None
    own_name = match["name"] if match else own_name
    formats = FORMATS | BENCHMARKS
    if kind not in formats and kind not in LIBRARIES:
        raise BadInput(f"unknown format {kind!r}; {_nearest(kind)}")
    _refuse_official(own_name)
    benchmark = LIBRARIES[kind](own_name) if kind in LIBRARIES else formats[kind].owned(own_name)
    return replace(benchmark, languages=tuple(match["languages"].rstrip(",").split(","))) if match else benchmark


def _refuse_official(name: str) -> None:
    plain = re.sub(r"[-_ .]", "", name.lower().replace("+", "p"))
    official_names = sorted(name for name, benchmark in (BENCHMARKS | BITEXTS).items() if benchmark.split)
    if not plain or plain in {re.sub(r"[-_]", "", official) for official in official_names}:
        raise BadInput(f"{name!r} is no name for data of your own; published are {', '.join(official_names)}")


def _nearest(name: str) -> str:
    """Return the end of a message about an unknown name: the nearest name, or all names."""
    names = [*BENCHMARKS, *BITEXTS, *FORMATS, *BITEXT_FORMATS, *LIBRARIES]
    close = difflib.get_close_matches(name.partition("-")[0].lower(), names, n=1, cutoff=0.6)
    return f"the nearest is {close[0]}" if close else f"known are {', '.join(sorted(names))}"
