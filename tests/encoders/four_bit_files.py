"""A writer of files of four-bit weights, byte by byte as their description says."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH, LAYERS, HEADS, INNER, POSITIONS, TYPES = 32, 2, 4, 64, 40, 2
Tensors = dict[str, NDArray[np.float32]]


def random_tensors(vocabulary: int, seed: int = 0) -> Tensors:
    """Weights of a small encoder whose matrices four bits hold exactly."""
    random = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "emb.word": (vocabulary, WIDTH),
        "emb.pos": (POSITIONS, WIDTH),
        "emb.type": (TYPES, WIDTH),
        "emb.ln.w": (WIDTH,),
        "emb.ln.b": (WIDTH,),
    }
    for layer in range(LAYERS):
        for part in ("q", "k", "v", "ao"):
            shapes |= {f"l{layer}.{part}.w": (WIDTH, WIDTH), f"l{layer}.{part}.b": (WIDTH,)}
        shapes |= {f"l{layer}.fi.w": (INNER, WIDTH), f"l{layer}.fi.b": (INNER,)}
        shapes |= {f"l{layer}.fo.w": (WIDTH, INNER), f"l{layer}.fo.b": (WIDTH,)}
        shapes |= {f"l{layer}.{norm}.{part}": (WIDTH,) for norm in ("aln", "oln") for part in "wb"}
    return {name: _exact(random, shape, is_matrix(name)) for name, shape in shapes.items()}


def is_matrix(name: str) -> bool:
    """Whether a tensor is stored in four bits."""
    return name == "emb.word" or (name.endswith(".w") and "ln" not in name)


def _exact(random: np.random.Generator, shape: tuple[int, ...], blocks: bool) -> NDArray[np.float32]:
    if not blocks:
        return random.normal(0, 0.2, shape).astype(np.float32)
    codes = random.integers(-8, 8, (int(np.prod(shape)) // 32, 32))
    codes[:, 0] = -8  # so that the scale can be told from the block
    scales = random.uniform(0.01, 0.1, (len(codes), 1)).astype(np.float16).astype(np.float32)
    return (codes * scales).astype(np.float32).reshape(shape)


def block(values: NDArray[np.float32]) -> bytes:
    """Eighteen bytes of thirty-two weights whose least is -8 scales."""
    scale = float(values.min()) / -8
    codes = [round(float(value) / scale) + 8 if scale else 8 for value in values]
    return struct.pack("<e", scale) + bytes(codes[j] | codes[j + 16] << 4 for j in range(16))


def write_file(path: Path, tensors: Tensors, pieces: list[str], **changes: Any) -> None:
    """Write a file; `changes` replaces sizes, or the table's values of a tensor, to make a wrong one."""
    sizes = dict(width=WIDTH, layers=LAYERS, heads=HEADS, inner=INNER, vocabulary=len(pieces), positions=POSITIONS)
    sizes = {**sizes, "types": TYPES, "epsilon": 1e-12, "block": 32, "mark": b"E5S1", "version": 1} | changes
    numbers = [sizes[name] for name in ("width", "layers", "heads", "inner", "vocabulary", "positions", "types")]
    head = sizes["mark"] + struct.pack("<I7ifi", sizes["version"], *numbers, sizes["epsilon"], sizes["block"])
    text = [piece.encode() for piece in pieces]
    starts = np.cumsum([0, *map(len, text)])
    head += struct.pack(
        "<5iQ", sizes.get("piece_count", len(pieces)), 0, 2, 1, 3, sizes.get("text", sum(map(len, text)))
    )
    head += struct.pack(f"<{len(starts)}I", *starts) + bytes(4 * len(pieces)) + b"".join(text)
    head += struct.pack("<iI", 1, 7) + bytes(7)
    content = {name: _content(name, values) for name, values in tensors.items()}
    table_bytes = sum(2 + len(name) + 21 for name in content)
    offset = len(head) + 4 + table_bytes
    table = struct.pack("<i", sizes.get("tensor_count", len(content)))
    for name, content_bytes in content.items():
        row = (int(is_matrix(name)), tensors[name].size, offset, len(content_bytes))
        kind, count, start, length = sizes.get(name, lambda *values: values)(*row)
        table += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", kind, count, start, length)
        offset += len(content_bytes)
    path.write_bytes(head + table + b"".join(content.values()))


def _content(name: str, values: NDArray[np.float32]) -> bytes:
    if not is_matrix(name):
        return values.astype("<f4").tobytes()
    return b"".join(block(row) for row in values.reshape(-1, 32))
