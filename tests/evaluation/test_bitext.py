"""Bitext mining against loops over floats."""

import itertools
import zlib
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from msm.errors import BadInput
from msm.evaluation import bitext
from msm.evaluation.margins import by_cosine, by_margin, right
from msm.retrieval.runs import Floats


def noisy(count: int, extra: int, seed: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    sources = rng.normal(size=(count, 8)).astype(np.float32) + 0.7
    targets = np.concatenate([sources + rng.normal(size=sources.shape), rng.normal(size=(extra, 8))])
    return sources, targets.astype(np.float32)


def cosine(a: Floats, b: Floats) -> float:
    return sum(float(x) * float(y) for x, y in zip(a, b, strict=True)) / float(np.linalg.norm(a) * np.linalg.norm(b))


@pytest.mark.parametrize("extra", [0, 25])
def test_margin_choices_equal_loops(extra: int) -> None:
    sources, targets = noisy(60, extra, 1)
    cosines = [[cosine(a, b) for b in targets] for a in sources]
    backward = [fmean(sorted((row[t] for row in cosines), reverse=True)[:4]) for t in range(len(targets))]
    choices, scores = [], []
    for row in cosines:
        neighbours = sorted(range(len(row)), key=lambda place: -row[place])[:4]
        mean = fmean(row[place] for place in neighbours)
        margins = {place: row[place] / ((mean + backward[place]) / 2) for place in neighbours}
        choices.append(max(margins, key=margins.__getitem__))
        scores.append(max(margins.values()))
    found = by_margin(sources * 3, targets * 5)
    assert found.targets.tolist() == choices
    assert found.scores == pytest.approx(scores, rel=1e-4)
    assert by_cosine(sources, targets).targets.tolist() == [int(np.argmax(row)) for row in cosines]
    assert 0 < right(found).mean() < 1
    assert by_cosine(sources, targets).targets.tolist() != choices


def test_a_target_with_the_same_text_is_right_where_texts_are_asked() -> None:
    sources = np.eye(4, dtype=np.float32)
    mined = by_cosine(sources, sources[[1, 0, 2, 3]])
    assert right(mined).tolist() == [False, False, True, True]
    assert right(mined, ["a", "a", "b", "c"]).tolist() == [True] * 4


def test_a_vector_that_is_no_direction_is_refused() -> None:
    with pytest.raises(BadInput, match="vector 1 is not finite or has no length"):
        by_cosine(np.array([[1.0, 0], [0, 0]]), np.eye(2))


def hashed(texts: Sequence[str]) -> Floats:
    """Counts of characters and their pairs: similar for similar texts."""
    vectors = np.zeros((len(texts), 512), np.float32)
    for row, text in enumerate(texts):
        for part in (*text, *map("".join, itertools.pairwise(text))):
            vectors[row, zlib.crc32(part.encode()) % 512] += 1
    return vectors


def write(folder: Path, **texts: list[str]) -> None:
    for name, lines in texts.items():
        (folder / f"{name.replace('_hard', '.hard')}.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    english = [f"sentence {number * 7919} of the {chr(97 + number % 26)} kind" for number in range(40)]
    write(tmp_path, en=english, nl=[f"zin {line}" for line in english], de=[f"Satz {line}" for line in english[::-1]])
    return tmp_path


def test_pairs_and_means(folder: Path) -> None:
    rows = bitext.score(bitext.read_folder(folder, "all-en"), hashed, ("accuracy", "xsim"))
    cells = {(row["query_language"], row["measure"]): row["value"] for row in rows}
    assert cells["nl", "accuracy"] == 1 and cells["nl", "xsim"] == 0
    assert cells["de", "accuracy"] == 0 and cells["de", "xsim"] == 1
    assert cells["mean", "accuracy"] == 0.5 == cells["mean", "xsim"]
    assert rows[-1] == {
        "query_language": "mean", "candidate_language": "other", "measure": "xsim", "value": 0.5, "queries": 80
    }  # fmt: skip
    pairs = [(pair.source_language, pair.target_language) for pair in bitext.read_folder(folder, "all")]
    assert len(pairs) == len(set(pairs)) == 6
    assert [pair[:2] for pair in bitext.read_folder(folder, "en-de, nl-en")] == [("en", "de"), ("nl", "en")]


def test_an_altered_copy_is_an_error_of_xsim_plus_plus(folder: Path) -> None:
    [pair] = bitext.read_folder(folder, "nl-en")
    with pytest.raises(BadInput, match=r"xsim\+\+ needs altered copies .* en\.hard\.txt"):
        bitext.measure(pair, hashed, ["xsim++"])
    write(folder, en_hard=[pair.sources[0], "nothing alike", pair.sources[5]])
    [hard] = bitext.read_folder(folder, "nl-en")
    assert bitext.measure(hard, hashed, ["xsim++", "xsim", "accuracy"]) == {
        "xsim++": pytest.approx(2 / 40),
        "xsim": 0,
        "accuracy": 1,
    }


def test_bad_folders_are_refused(folder: Path, tmp_path: Path) -> None:
    for pairs, message in (("xx-en", "no 'xx' for --pairs"), ("en-en", "no pair of two languages"), ("", "no ''")):
        with pytest.raises(BadInput, match=message):
            list(bitext.read_folder(folder, pairs))
    write(folder, fr=["one"])
    with pytest.raises(BadInput, match=r"not aligned: fr\.txt has 1 lines, en\.txt 40"):
        list(bitext.read_folder(folder, "fr-en"))
    (folder / "fr.txt").write_text("one\n\ntwo\n")
    with pytest.raises(BadInput, match=r"fr\.txt:2: an empty line"):
        list(bitext.read_folder(folder, "fr-en"))
    with pytest.raises(BadInput, match="xsim is that of FLORES-200 devtest"):
        bitext.BITEXTS["xsim"].read(folder, "fr-en")
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "eng_Latn.devtest").write_text("a\n")
    (tmp_path / "f" / "deu_Latn.devtest").write_text("a\n")
    with pytest.raises(BadInput, match="expected 1012 lines, got 1"):
        list(bitext.read_folder(tmp_path / "f", "all-eng_Latn"))


def test_tatoeba_is_read_whole(mirror: Path, tmp_path: Path) -> None:
    pairs = list(bitext.read_tatoeba(mirror / "parallel" / "tatoeba"))
    assert len({pair.source_language for pair in pairs}) == 112
    assert {pair.target_language for pair in pairs} == {"eng"}
    sizes = {pair.source_language: len(pair.sources) for pair in pairs}
    assert sizes["deu"] == sizes["fra"] == 1000 and min(sizes.values()) > 50
    [german] = bitext.BITEXTS["tatoeba"].read(mirror / "parallel" / "tatoeba", "deu-eng")
    assert german.sources == next(pair for pair in pairs if pair.source_language == "deu").sources
    with pytest.raises(BadInput, match="0 languages instead of 112"):
        list(bitext.read_tatoeba(tmp_path))
