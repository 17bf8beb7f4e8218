"""`msm bench encode` times the encoding of real texts in eleven languages against the usual ways.

The models are multilingual-e5-small with its own weights (from the package index, or a mirror) and a ModernBERT of base
shape with random weights. The texts are XQuAD-R's questions, sentences and paragraphs, equally many of every language.
The usual ways are sentence-transformers at its default batch of 32 texts and at the batch that is the fastest here;
with `--peers` also the exported graph in ONNX Runtime and in OpenVINO, which are installed in a folder of their own.
All ways take turns in each round, from texts to vectors, in single precision; their vectors must agree before the clock
runs.
"""

import itertools
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from transformers import AutoModel

from msm.bench.encoders import modernbert_config
from msm.bench.peers import Peer, start_peers
from msm.bench.race import turns
from msm.collections.registry import find_benchmark
from msm.corpora import fetch
from msm.corpora.public_tokenizers import LONGEST, fetch_tokenizer
from msm.corpora.settings import Download
from msm.encoders.encoder import Encoder
from msm.encoders.loading import open_encoder
from msm.encoders.precision import CPU_FLAGS, cpu_flags
from msm.encoders.public_encoders import write_published, write_usage
from msm.execution import Execution

DEFAULT_BATCH = 32
LEAST_COSINE = 0.9999
UNITS = {"avx2", "avx512f", "avx512_vnni", *CPU_FLAGS}
"""Names of the CPU flags that a row lists, because they decide how fast matrices are multiplied."""
REAL = "e5_small_q4"
E5 = "multilingual-e5-small"
Vectors = NDArray[np.float32]


class Size(NamedTuple):
    """Numbers of texts and rounds of a comparison."""

    texts: Mapping[str, int]
    """Number of texts of each kind."""
    rounds: int
    models: tuple[str, ...]
    """Names of the models, of `MODELS`."""
    batches: tuple[int, ...]
    """Numbers of texts in a batch of sentence-transformers, of which the fastest is compared beside its default."""


LARGE_SHARE = 4
"""Number of texts of which the larger model encodes one."""


def run(quick: bool, *, mirror: str = "", peers: bool = False) -> Iterator[dict[str, Any]]:
    """Yield one row for each comparison, as `docs/speed.md` shows them.

    Args:
        quick: whether one model and fewer texts and rounds are enough.
        mirror: folder with a copy of the public texts and weights, which replaces the network; empty for none.
        peers: whether other projects' engines are installed and compared, too.
    """
    size = QUICK if quick else FULL
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = read_texts(size, folder, mirror)
        for shape in size.models:
            model = folder / shape.replace(" ", "-")
            model.mkdir()
            MODELS[shape](model, folder / "work", mirror)
            share = LARGE_SHARE if shape != E5 else 1
            shape_texts = {kind: some[::share] for kind, some in texts.items()}
            yield from _races(shape, model, shape_texts, size, folder / "peers" if peers else None)


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown: the conditions of the comparisons, then one row for each."""
    first = rows[0]
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "sentence-transformers"))
    yield (
        f"{platform.processor() or platform.machine()}, device {first['device']}, units {first['units']}, "
        f"{first['threads']} threads, {first['precision']}, {first['rounds']} rounds, {packages}:"
    )
    yield ""
    yield "| shape | texts | tokens | against | times as fast | spread | ours, texts a second | least cosine |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        speed = row["texts"] / max(row["seconds"], 1e-3)
        cells = (row["shape"], f"{row['texts']} {row['kind']}", row["mean_tokens"], row["against"])
        numbers = (f"{row['ratio']:.2f}", f"{row['spread']:.2f}", f"{speed:.0f}", f"{row['least_cosine']:.6f}")
        yield f"| {' | '.join(map(str, (*cells, *numbers)))} |"


def read_texts(size: Size, folder: Path, mirror: str) -> dict[str, list[str]]:
    """Return texts of XQuAD-R by kind, equally many of every language and the same ones at every call."""
    source = folder / "source"
    source.mkdir()
    execution = Execution(work=folder / "work", mirror=mirror)
    fetch.run(Download(collections="xquad-r"), out=source, execution=execution)
    collection = find_benchmark("lareqa").read(source / "xquad-r")
    questions, sentences, paragraphs = {}, {}, {}
    for query in collection.queries:
        questions.setdefault(query.language, []).append(query.text)
    for passage in collection.passages:
        sentences.setdefault(passage.language, []).append(passage.text)
        paragraphs.setdefault(passage.language, {})[passage.context] = None
    pools = {"questions": questions, "sentences": sentences, "paragraphs": paragraphs}
    return {kind: _spread(pools[kind], count) for kind, count in size.texts.items()}


def _spread(texts: Mapping[str, Sequence[str]], count: int) -> list[str]:
    """Return `count` texts, every language's in equal steps from its first to its last."""
    each = count // len(texts)
    return [text for some in texts.values() for text in itertools.islice(some, 0, None, len(some) // each)][:count]


def write_e5(folder: Path, work: Path, mirror: str) -> None:
    """Write the model folder of multilingual-e5-small."""
    write_published(REAL, folder, work=work, mirror=mirror)


def write_modernbert(folder: Path, work: Path, mirror: str) -> None:
    """Write the model folder of a ModernBERT of base shape with random weights, as speed does not depend on them."""
    words = fetch_tokenizer(REAL, work=work, mirror=mirror)
    words.save_pretrained(folder)
    torch.manual_seed(0)
    config = modernbert_config(len(words))
    AutoModel.from_config(config).save_pretrained(folder)
    write_usage(folder, config.hidden_size, LONGEST, {"query": "", "passage": ""})


MODELS = {E5: write_e5, "ModernBERT base": write_modernbert}
"""Names of the models to the functions that write their folders."""
FULL = Size({"questions": 550, "sentences": 550, "paragraphs": 110}, 7, tuple(MODELS), (8, 16, 64, 128))
QUICK = Size({"questions": 55, "sentences": 33, "paragraphs": 11}, 3, (E5,), (8, 64))


def _races(
    shape: str, folder: Path, texts: Mapping[str, list[str]], size: Size, peers: Path | None
) -> Iterator[dict[str, Any]]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    ours = open_encoder(folder, device=device, precision="fp32")
    theirs = SentenceTransformer(str(folder), device=str(device))
    engines = start_peers(folder, peers, real=shape == E5) if peers else []
    for kind, some in texts.items():
        yield from _race(shape, kind, some, ours, theirs, engines, size)
    for peer in engines:
        peer.close()


def _race(
    shape: str,
    kind: str,
    texts: list[str],
    ours: Encoder,
    theirs: SentenceTransformer,
    peers: Sequence[Peer],
    size: Size,
) -> Iterator[dict[str, Any]]:
    side = "query" if kind == "questions" else "passage"
    prompt = str(ours.choices[f"{side}_prompt"].value)

    def padded(batch: int) -> Callable[[], Vectors]:
        return lambda: theirs.encode(texts, prompt=prompt, batch_size=batch, normalize_embeddings=True)

    best = min(size.batches, key=lambda batch: _seconds(padded(batch)))
    sides: dict[str, Callable[[], Vectors]] = {
        "sentence-transformers, default batch": padded(DEFAULT_BATCH),
        "sentence-transformers, best batch": padded(best),
        **{peer.name: lambda peer=peer: peer.encode([prompt + text for text in texts]) for peer in peers},
    }
    reference = ours.encode(texts, side)
    least = {name: float((encode() * reference).sum(axis=1).min()) for name, encode in sides.items()}
    limits = {peer.name: peer.least_cosine for peer in peers}
    for name, cosine in least.items():
        if cosine < limits.get(name, LEAST_COSINE):
            raise RuntimeError(f"{shape}, {kind}: the vectors of {name} differ: cosine {cosine}")
    tokens = [len(ids) for ids in ours.model.tokenizer([prompt + text for text in texts])["input_ids"]]
    facts = {
        "shape": shape,
        "best_batch": best,
        "kind": kind,
        "texts": len(texts),
        "mean_tokens": round(statistics.mean(tokens), 1),
        "precision": "fp32",
        "way": str(ours.describe()["attention"].value),
        "threads": torch.get_num_threads(),
        "units": " ".join(sorted(UNITS & cpu_flags())) or "none named",
    }
    for row in turns("encode", lambda: ours.encode(texts, side), sides, size.rounds):
        yield row | facts | {"least_cosine": round(least[row["against"]], 6)}


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
