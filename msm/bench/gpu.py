"""`msm bench gpu` times training steps, encoding and search on one GPU within some minutes, without any download.

A step is one of masked-sentence pre-training in the shapes of XLM-R base, XLM-R large and ModernBERT base. Packed
texts, without and with `torch.compile` of every layer, are compared with padded ones, whose head reads the masked
positions only and whose attention is flash attention where its package is installed. Encoding is compared with
sentence-transformers, with random weights in the shapes of multilingual-e5-small, XLM-R base and ModernBERT base. The
search multiplies exactly and keeps the best passages of each piece of a large set; it is compared with this project's
search on the CPU.

A comparison that has begun when the minutes are over is finished; later ones are left out, with a message. Without a
GPU only `--quick` runs, in tiny shapes on the CPU, which shows that the program works.
"""

import functools
import importlib.util
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel

from msm.bench import pretrain
from msm.bench.encoders import layer_flop, layers_of, modernbert_config
from msm.bench.invented import DEPTH, invented_texts, write_model, xlmr
from msm.bench.race import race
from msm.bench.step_profile import peak_mib
from msm.encoders.heads import body
from msm.encoders.loading import open_encoder
from msm.errors import BadInput
from msm.retrieval.search import BestPassages, nearest

FLASH = "flash_attention_2" if importlib.util.find_spec("flash_attn") else "sdpa"
"""Name of the attention of padded texts in transformers."""
LEAST_COSINE = {"fp32": 0.9999, "bf16": 0.99}
PIECE = 2**18
"""Number of passages that are searched at once."""
CHECKED = 2**14
"""Number of passages of the search on the CPU, with whose result and time those of the GPU are compared."""


class GpuSizes(NamedTuple):
    """Sizes of all comparisons."""

    steps: Mapping[str, pretrain.Shape]
    texts: int
    shapes: Mapping[str, Callable[[int], PreTrainedConfig]]
    """Name of each model to the function that makes its configuration for a number of pieces of the tokenizer."""
    passages: int
    width: int
    queries: int
    pairs: int


FULL = GpuSizes(
    {
        "XLM-R base": pretrain.BASE._replace(documents=32, units=32),
        "XLM-R large": pretrain.LARGE,
        "ModernBERT base": pretrain.MODERNBERT_BASE._replace(documents=32, units=32),
    },
    4096,
    {
        "e5-small": functools.partial(xlmr, 12, 384, 12),
        "XLM-R base": functools.partial(xlmr, 12, 768, 12),
        "ModernBERT base": modernbert_config,
    },
    10_000_000,
    768,
    1000,
    5,
)
TINY = GpuSizes(
    {"tiny": pretrain.Shape(2, 32, 2, 500, 2, 4)},
    24,
    {
        "tiny XLM-R": functools.partial(xlmr, 2, 32, 2),
        "tiny ModernBERT": functools.partial(
            modernbert_config, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48
        ),
    },
    3000,
    16,
    20,
    2,
)


def run(quick: bool, *, minutes: float) -> Iterator[dict[str, Any]]:
    """Yield one row for each comparison.

    Args:
        quick: whether tiny shapes are enough.
        minutes: number of minutes after which no further comparison begins.

    Raises:
        BadInput: this machine has no GPU, and `quick` is false.
    """
    if not torch.cuda.is_available() and not quick:
        raise BadInput("bench gpu: no GPU here; --quick runs tiny shapes on the CPU")
    plan, end = TINY if quick else FULL, time.monotonic() + 60 * minutes
    works: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
        **{f"step, {name}": functools.partial(_steps, name, shape, plan.pairs) for name, shape in plan.steps.items()},
        **{f"encode, {name}": functools.partial(_encode, name, config, plan) for name, config in plan.shapes.items()},
        "search": functools.partial(_search, plan),
    }
    for name, work in works.items():
        if time.monotonic() > end:
            sys.stderr.write(f"{name}: left out, {minutes:g} minutes are over\n")
            continue
        yield from work()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown, one row for each comparison."""
    yield f"{rows[0]['device']}, torch {torch.__version__}, padded side with {FLASH}:"
    yield ""
    yield "| what | shape | times as fast | spread | tokens a second | MFU | MiB, theirs and ours |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        peaks = " and ".join(map(str, row["peak_mib"])) if row.get("peak_mib") else ""
        speed = f"{row['tokens'] / row['seconds']:,.0f}" if row.get("tokens") else ""
        cells = (row["name"], row["shape"], f"{row['ratio']:.2f}", f"{row['spread']:.2f}", speed, row.get("mfu", ""))
        yield f"| {' | '.join(map(str, cells))} | {peaks} |"


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _precision() -> str:
    return "bf16" if torch.cuda.is_available() else "fp32"


def _steps(name: str, shape: pretrain.Shape, pairs: int) -> Iterator[dict[str, Any]]:
    """Compare a step of pre-training on packed texts, then that with compiled layers, with the step on padded texts."""
    torch.manual_seed(0)
    contender = pretrain.new_contender(shape, _device())
    contender.masked_model.set_attn_implementation(FLASH)
    optimizer = torch.optim.AdamW(contender.parameters(), lr=1e-6, fused=True)
    batch = pretrain.new_batch(shape, _precision())
    pretrain.check_equal(contender, batch, pretrain.masked_only_losses)
    ours = pretrain.step_of(contender, optimizer, batch, pretrain.packed_losses)
    theirs = pretrain.step_of(contender, optimizer, batch, pretrain.masked_only_losses)
    facts = {
        "shape": name,
        "fill": round(batch.fill, 3),
        "tokens": 2 * sum(map(len, batch.units)),
        "precision": batch.precision,
        "flop": pretrain.flop_of(contender, batch),
    }
    peaks = {"peak_mib": [peak_mib(theirs), peak_mib(ours)]}
    yield race("gpu_step_packed", ours, theirs, pairs, **facts) | peaks
    for layer in layers_of(body(contender.masked_model)):
        # Without a GPU the layers are traced only, which takes seconds; code for a CPU would take minutes.
        layer.compile(dynamic=True, backend="inductor" if torch.cuda.is_available() else "eager")
    yield race("gpu_step_packed_compiled", ours, theirs, pairs, **facts) | {
        "peak_mib": [peaks["peak_mib"][0], peak_mib(ours)]
    }


def _encode(name: str, config: Callable[[int], PreTrainedConfig], plan: GpuSizes) -> Iterator[dict[str, Any]]:
    """Compare encoding with that of sentence-transformers, with the same weights and precision."""
    with tempfile.TemporaryDirectory() as number:
        folder = Path(number)
        write_model(config, folder, list(itertools.islice(invented_texts("sentences"), 3000)))
        texts = list(itertools.islice(invented_texts("passages", 1), plan.texts))
        ours = open_encoder(folder, device=_device(), precision=_precision())
        dtype = torch.bfloat16 if _precision() == "bf16" else torch.float32
        options = {"dtype": dtype, "attn_implementation": FLASH}
        theirs = SentenceTransformer(str(folder), device=str(_device()), model_kwargs=options)
    tokens = [len(ids) for ids in ours.model.tokenizer(texts)["input_ids"]]
    reference = theirs.encode(texts, normalize_embeddings=True, convert_to_numpy=True).astype(np.float32)
    cosine = float((ours.encode(texts, "passage") * reference).sum(1).min())
    if cosine < LEAST_COSINE[_precision()]:
        raise RuntimeError(f"{name}: the vectors of the two sides differ: cosine {cosine}")
    facts = {
        "shape": name,
        "texts": len(texts),
        "tokens": sum(tokens),
        "precision": _precision(),
        "flop": layer_flop(cast(PreTrainedModel, theirs[0].auto_model), tokens),
        "least_cosine": round(cosine, 6),
    }
    yield race("gpu_encode", lambda: ours.encode(texts, "passage"), lambda: theirs.encode(texts), plan.pairs, **facts)


def _search(plan: GpuSizes) -> Iterator[dict[str, Any]]:
    """Time the exact search of pieces that are made on the device and merged one after the other."""
    generator = torch.Generator(_device()).manual_seed(0)
    queries = torch.randn(plan.queries, plan.width, device=_device(), generator=generator)
    few = torch.randn(min(CHECKED, plan.passages), plan.width, device=_device(), generator=generator)
    own_queries, own_few = queries.cpu().numpy(), few.cpu().numpy()
    places, scores = nearest(own_queries, own_few, DEPTH)
    theirs = _piece(queries, few)
    apart = np.abs(theirs[1].cpu().numpy() - scores).max()
    if apart > 1e-3 or (theirs[0].cpu().numpy() != places).mean() > 0.01:
        raise RuntimeError(f"the search on the device differs: scores by {apart}")
    facts = {"shape": f"{len(few):,} x {plan.width}, {plan.queries} queries", "depth": DEPTH}
    yield race(
        "gpu_search_by_ours_on_cpu",
        lambda: nearest(own_queries, own_few, DEPTH),
        lambda: _piece(queries, few),
        3,
        **facts,
    )
    start = time.perf_counter()
    best = BestPassages(plan.queries, DEPTH)
    for first in range(0, plan.passages, PIECE):
        rows = min(PIECE, plan.passages - first)
        piece = torch.randn(rows, plan.width, device=_device(), generator=generator)
        best.add(*(part.cpu().numpy() for part in _piece(queries, piece, first)))
    seconds = time.perf_counter() - start
    shape = f"{plan.passages:,} x {plan.width} in pieces of {PIECE:,}, {plan.queries} queries"
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    row = {"name": "gpu_search_in_pieces", "shape": shape, "ratio": 1.0, "spread": 0.0, "seconds": round(seconds, 2)}
    yield row | {"device": device}


def _piece(queries: Tensor, passages: Tensor, first: int = 0) -> tuple[Tensor, Tensor]:
    """Return positions and scores of the best passages of a piece, by float32 products."""
    scores, places = torch.topk(queries @ passages.T, min(DEPTH, len(passages)), dim=1)
    return places + first, scores
