"""What `msm bench encode` is made of."""

from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from msm.bench import peer_process
from msm.bench.encode import QUICK, read_texts, table
from msm.bench.race import turns


def test_texts_are_an_equal_share_of_every_language(mirror: Path, tmp_path: Path) -> None:
    texts = read_texts(QUICK, tmp_path, str(mirror))
    assert {kind: len(some) for kind, some in texts.items()} == dict(QUICK.texts)
    greek = [text for text in texts["questions"] if any(0x3B1 <= ord(letter) <= 0x3C9 for letter in text)]
    assert len(greek) == QUICK.texts["questions"] // 11
    assert texts == read_texts(QUICK, _new(tmp_path / "again"), str(mirror))
    assert len(set(texts["paragraphs"])) == len(texts["paragraphs"])


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_every_side_takes_its_turn() -> None:
    calls = []
    sides = {"one": lambda: calls.append("one"), "two": lambda: calls.append("two")}
    rows = turns("race", lambda: calls.append("ours"), sides, 4)
    assert [row["against"] for row in rows] == ["one", "two"]
    assert all(row["rounds"] == 4 and row["ratio"] > 0 for row in rows)
    assert [calls[3 * number] for number in range(4)] == ["ours", "one", "two", "ours"]
    assert all(sorted(calls[3 * number :][:3]) == ["one", "ours", "two"] for number in range(4))
    assert len(calls) == 12


def test_the_table_says_how_and_how_much_faster() -> None:
    row = {"shape": "e5", "kind": "questions", "texts": 550, "mean_tokens": 13.6, "against": "openvino", "ratio": 1.234}
    row |= {"spread": 0.051, "seconds": 2.2, "least_cosine": 0.9999991, "device": "cpu", "units": "avx2", "threads": 2}
    head, _, _, line, cells = table([row | {"precision": "fp32", "rounds": 7}])
    assert "device cpu, units avx2, 2 threads, fp32, 7 rounds, torch " in head
    assert line.count("|") == cells.count("|") == 9
    assert cells == "| e5 | 550 questions | 13.6 | openvino | 1.23 | 0.05 | 250 | 0.999999 |"


def test_a_peer_pads_and_pools_as_one_text_alone(encoder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    table = np.random.default_rng(0).standard_normal((tokenizer.get_vocab_size(), 8)).astype(np.float32)

    def run(inputs: dict[str, np.ndarray]) -> np.ndarray:
        ids, mask = inputs["input_ids"], inputs["attention_mask"]
        assert ids.shape == mask.shape
        return table[ids] + 100.0 * (1 - mask[..., None])  # padding must not be pooled

    texts = ["ka te mi lo", "ka", "su ra " * 20, "ne"] * 20
    vectors = peer_process.encode(texts, tokenizer, run)
    for text, vector in zip(texts, vectors, strict=True):
        mean = table[tokenizer.encode(text).ids].mean(0)
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), rtol=1e-4, atol=1e-5)
