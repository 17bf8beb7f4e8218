"""Smaller vectors: what an index keeps of each passage. Questions stay in fp32, as such indexes compare them.

Shapes: S passages, H width.
"""

import torch
from torch import Tensor

_BITS = {"fp32": 32, "fp16": 16, "int8": 8, "binary": 1}
_SCALE_BYTES = 4


def stored(vectors: Tensor, kind: str) -> Tensor:
    """Return vectors of passages as they come back from an index, fp32, [S, H]."""
    if kind == "fp16":
        return vectors.half().float()
    if kind == "int8":
        scales = vectors.abs().amax(1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny) / 127
        return (vectors / scales).round() * scales
    if kind == "binary":
        return torch.where(vectors >= 0, 1.0, -1.0) / vectors.shape[1] ** 0.5
    return vectors


def stored_bytes(width: int, kind: str) -> int:
    """Return the number of bytes of one passage in an index."""
    return -(-width * _BITS[kind] // 8) + (_SCALE_BYTES if kind == "int8" else 0)
