"""Turns the vectors that encoders give into the kinds that a search takes."""

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from msm.encoders.encoder import Encoder
from msm.encoders.other_encoder import OtherEncoder
from msm.encoders.usage import Side
from msm.retrieval.inner_products import DenseVectors
from msm.retrieval.sparse_vectors import SparseVectors
from msm.retrieval.text_vectors import Arrays, TextVectors
from msm.retrieval.token_vectors import TokenVectors


def encode(encoder: Encoder | OtherEncoder, inputs: Any, side: Side) -> TextVectors:
    """Return vectors of texts that the same encoder has prepared."""
    rows = encoder.encode_prepared(inputs, side)
    if isinstance(rows, np.ndarray):
        return DenseVectors(rows)
    if isinstance(rows, csr_array):
        return SparseVectors(rows)
    counts = np.array([len(text) for text in rows], np.int64)
    values = np.concatenate([np.empty((0, encoder.width), np.float32), *rows])
    return TokenVectors(values, counts, mean=encoder.similarity == "meanmaxsim", device=encoder.device)


def restored(arrays: Arrays) -> TextVectors:
    """Return vectors of passages that were written to disk."""
    if "vectors" in arrays:
        return DenseVectors(arrays["vectors"])
    if "weights" in arrays:
        weights = arrays["weights"], arrays["terms"], arrays["bounds"]
        return SparseVectors(csr_array(weights, shape=tuple(arrays["shape"])))
    return TokenVectors(arrays["tokens"], arrays["counts"])
