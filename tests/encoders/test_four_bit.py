"""Files of four-bit weights, made by hand."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from msm.encoders.four_bit import FourBitFile, unpack_blocks
from msm.errors import BadInput
from tests.encoders.four_bit_files import WIDTH, random_tensors, write_file

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁ka", "té", "山"]


def test_blocks_are_as_described() -> None:
    codes = [8, 9, 0, 15, 7, *[8] * 11, 10, 6, *[8] * 14]
    half = struct.pack("<e", 0.5) + bytes(codes[j] | codes[j + 16] << 4 for j in range(16))
    tenth = struct.pack("<e", -0.25) + bytes([0x0F] * 16)
    values = unpack_blocks(np.frombuffer(half + tenth, np.uint8))
    assert values.dtype == np.float32
    assert values[:5].tolist() == [0.0, 0.5, -4.0, 3.5, -0.5]
    assert values[16:18].tolist() == [1.0, -1.0]
    assert values[32:48].tolist() == [7 * -0.25] * 16
    assert values[48:].tolist() == [-8 * -0.25] * 16


def test_tensors_and_pieces_come_back(tmp_path: Path) -> None:
    tensors = random_tensors(len(PIECES))
    write_file(tmp_path / "file", tensors, PIECES)
    file = FourBitFile(tmp_path / "file")
    assert file.pieces == PIECES
    assert file.sizes == (WIDTH, 2, 4, 64, len(PIECES), 40, 2)
    assert file.entries.keys() == tensors.keys()
    for name, values in tensors.items():
        np.testing.assert_allclose(file.tensor(name, *values.shape), values, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mark": b"E5S2"}, "not a file of four-bit weights"),
        ({"version": 2}, "version 2 of four-bit weights; 1 can be read"),
        ({"block": 64}, "blocks of 64 weights; 32 can be read"),
        ({"layers": 0}, "layers must be at least 1, got 0"),
        ({"width": -32}, "width must be at least 1, got -32"),
        ({"heads": 5}, "width 32 is not a multiple of 5 heads"),
        ({"epsilon": 2.0}, "epsilon must be between 0 and 1, got 2.0"),
        ({"piece_count": -1}, "-1 pieces"),
        ({"piece_count": 2**31 - 1}, r"ends at byte \d+, but 8589934592 bytes should follow byte \d+"),
        ({"text": 8}, "offsets of pieces lead out of their 8 bytes"),
        ({"text": 10**15}, r"ends at byte \d+, but 1000000000000000 bytes should follow byte \d+"),
        ({"tensor_count": 2**31 - 1}, "file: "),
        ({"emb.word": lambda kind, *rest: (7, *rest)}, "emb.word is of kind 7; 0 and 1 can be read"),
        ({"emb.word": lambda kind, count, *rest: (kind, count + 32, *rest)}, r"emb.word has 256 weights in 126 bytes"),
        ({"emb.pos": lambda kind, count, start, size: (kind, count, 10**12, size)}, r"emb.pos leads out of the file"),
    ],
)
def test_files_that_contradict_themselves_are_one_clear_line(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    write_file(tmp_path / "file", random_tensors(len(PIECES)), PIECES, **changes)
    with pytest.raises(BadInput, match=message):
        FourBitFile(tmp_path / "file")


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    write_file(tmp_path / "whole", random_tensors(len(PIECES)), PIECES)
    whole = (tmp_path / "whole").read_bytes()
    for length in [*range(400), *range(400, len(whole), 997), len(whole) - 1]:
        (tmp_path / "file").write_bytes(whole[:length])
        with pytest.raises(BadInput, match=str(tmp_path / "file")):
            FourBitFile(tmp_path / "file")


def test_wrong_tensors_are_named(tmp_path: Path) -> None:
    tensors = random_tensors(len(PIECES))
    tensors["emb.ln.b"][3] = np.inf
    write_file(tmp_path / "file", tensors, PIECES)
    file = FourBitFile(tmp_path / "file")
    with pytest.raises(BadInput, match=r"holds no tensor l9.q.w"):
        file.tensor("l9.q.w", WIDTH, WIDTH)
    with pytest.raises(BadInput, match=r"emb.pos has 1280 weights, its shape is \[41, 32\]"):
        file.tensor("emb.pos", 41, WIDTH)
    with pytest.raises(BadInput, match=r"emb.ln.b has weights that are not finite"):
        file.tensor("emb.ln.b", WIDTH)


def test_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"cannot be read: .*No such file"):
        FourBitFile(tmp_path / "none")
