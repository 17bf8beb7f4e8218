"""Smaller vectors against what an index of NumPy arrays would give back."""

import numpy as np
import torch

from msm.encoders.vectors import stored, stored_bytes


def test_vectors_come_back_as_an_index_would_give_them() -> None:
    vectors = np.random.default_rng(0).standard_normal((20, 24)).astype(np.float32)
    tensor = torch.from_numpy(vectors)
    np.testing.assert_array_equal(stored(tensor, "fp32").numpy(), vectors)
    np.testing.assert_array_equal(stored(tensor, "fp16").numpy(), vectors.astype(np.float16).astype(np.float32))
    scales = np.abs(vectors).max(axis=1, keepdims=True) / 127
    codes = np.rint(vectors / scales).astype(np.int8)
    np.testing.assert_allclose(stored(tensor, "int8").numpy(), codes * scales, rtol=1e-5)
    bits = np.unpackbits(np.packbits(vectors >= 0, axis=1), axis=1).astype(np.float32) * 2 - 1
    np.testing.assert_allclose(stored(tensor, "binary").numpy() * 24**0.5, bits, rtol=1e-6)
    assert [stored_bytes(24, kind) for kind in ("fp32", "fp16", "int8", "binary")] == [96, 48, 28, 3]
    assert not stored(torch.zeros(1, 4), "int8").any()
