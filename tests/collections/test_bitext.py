"""Bitext mining against loops over floats."""

import gzip
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from shutil import copytree
from statistics import fmean
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from msm.cli.main import main
from msm.collections.formats import BITEXT_FORMATS
from msm.collections.readers import bitext
from msm.collections.registry import BITEXTS, find_benchmark, find_bitext
from msm.collections.run_folder import pair_file
from msm.collections.runs import Floats, ranked_run
from msm.collections.trec_files import read_run, write_run
from msm.corpora.codes import canonical
from msm.encoders.building import EncoderForm
from msm.encoders.encoder import Encoder
from msm.encoders.loading import open_encoder
from msm.encoders.saving import new_encoder, save_encoder
from msm.errors import BadInput
from msm.evaluation import stage
from msm.evaluation.bitext_values import pair_rows
from msm.evaluation.settings import Score
from msm.retrieval.bitext_runs import write_pairs
from msm.retrieval.margins import by_cosine, by_margin


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
    our_choices = by_margin(sources * 3, targets * 5)
    assert our_choices.targets[:, 0].tolist() == choices
    assert our_choices.scores[:, 0] == pytest.approx(scores, rel=1e-4)
    assert (np.diff(our_choices.scores, axis=1) <= 0).all()
    nearest = by_cosine(sources, targets).targets
    assert nearest.tolist() == [sorted(range(len(row)), key=lambda place: -row[place])[:4] for row in cosines]
    assert nearest[:, 0].tolist() != choices


def test_a_target_with_the_same_text_is_right_where_texts_are_asked() -> None:
    pair = bitext.Bitext("de", "en", ["A", "B", "C", "D"], ["a", "a", "b", "c"], ["b"])
    choices = np.array([[1, 0], [0, 1], [4, 2], [3, 2]])
    scores = np.array([[2, 1], [2, 1], [2, 1], [1, 1]], np.float32)
    run = ranked_run(pair.source_ids, pair.target_ids, choices, scores)
    for equal, right in ((False, [0, 0, 0, 1]), (True, [1, 1, 0, 1])):
        rows = pair_rows(pair, run, "accuracy", equal, Path("run"))
        assert rows["value"].to_pylist() == right
        assert rows["tied"].to_pylist() == [False, False, False, True]
        assert pair_rows(pair, run, "xsim", equal, Path("run"))["value"].to_pylist() == [1 - value for value in right]
    assert rows["chance"].to_pylist() == pytest.approx([2 / 5, 2 / 5, 1 / 5, 1 / 5])
    with pytest.raises(BadInput, match=r"run: de-2 is no sentence of de-en"):
        pair_rows(pair._replace(targets=["a"], sources=["A"], distractors=[]), run, "accuracy", False, Path("run"))


def test_a_vector_that_is_no_direction_is_refused() -> None:
    with pytest.raises(BadInput, match="vector 1 is not finite or has no length"):
        by_cosine(np.array([[1.0, 0], [0, 0]]), np.eye(2))


def write(folder: Path, **texts: list[str]) -> None:
    for name, lines in texts.items():
        (folder / f"{name.replace('_hard', '.hard')}.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    english = [f"sentence {number * 7919} of the {chr(97 + number % 26)} kind" for number in range(40)]
    write(tmp_path, en=english, nl=[f"zin {line}" for line in english], de=[f"Satz {line}" for line in english[::-1]])
    return tmp_path


def cosines_of(model: Path, sources: list[str], targets: list[str]) -> NDArray[np.float64]:
    """By sentence-transformers, in double precision."""
    theirs = SentenceTransformer(str(model), device="cpu")
    vectors = [np.asarray(theirs.encode(texts), np.float64) for texts in (sources, targets)]
    first, second = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in vectors)
    return first @ second.T


def errors(cosines: NDArray[np.float64]) -> float:
    """Share of xSIM's wrong choices, with loops."""
    forward = [sorted(row, reverse=True)[:4] for row in cosines]
    backward = [sorted(column, reverse=True)[:4] for column in cosines.T]
    wrong = 0
    for place, row in enumerate(cosines):
        near = sorted(range(len(row)), key=lambda target: -row[target])[:4]
        margins = {target: row[target] / ((fmean(forward[place]) + fmean(backward[target])) / 2) for target in near}
        wrong += max(margins, key=margins.__getitem__) != place
    return wrong / len(cosines)


def evaluate(name: str, model: Path, folder: Path, out: Path, *words: str) -> list[dict[str, Any]]:
    main(["evaluate", "--benchmark", name, "--model", str(model), "--data", str(folder), "--out", str(out), *words])
    return [json.loads(line) for line in (out / "scores.jsonl").read_text().splitlines()]


@pytest.fixture
def model(encoder: Path, tmp_path: Path) -> Path:
    copytree(encoder, tmp_path / "model")
    save_encoder(new_encoder(tmp_path / "model", EncoderForm("mean", "cosine", 24, 24)), tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def bitext_folder(tmp_path: Path) -> Path:
    """Sentences of few words, and versions of them with a word more or less."""
    folder, words = tmp_path / "aligned", ["fudi", "moro", "pepiga", "bud", "Deti", "ra", "vipa", "1845", "1866"]
    folder.mkdir()
    random = np.random.default_rng(0)
    english = [" ".join(random.choice(words, 6)) for _ in range(60)]
    write(folder, en=english, nl=[f"{line} ra" for line in english], de=[line[5:] for line in english])
    write(folder, en_hard=[f"{line} ra" for line in english[:20]])
    return folder


def test_evaluate_gives_what_loops_over_cosines_give(model: Path, bitext_folder: Path, tmp_path: Path) -> None:
    rows = evaluate("bitext:ted", model, bitext_folder, tmp_path / "out")
    cells = {(row["query_language"], row["candidate_language"], row["measure"]): row["value"] for row in rows}
    english = (bitext_folder / "en.txt").read_text().splitlines()
    expected = {}
    for language in ("de", "nl"):
        cosines = cosines_of(model, (bitext_folder / f"{language}.txt").read_text().splitlines(), english)
        expected[language, "accuracy"] = float(np.mean(cosines.argmax(axis=1) == np.arange(60)))
        expected[language, "xsim"] = errors(cosines)
        for measure in ("accuracy", "xsim"):
            assert cells[language, "en", measure] == pytest.approx(expected[language, measure])
    assert 0 < expected["de", "xsim"] < 1
    for measure in ("accuracy", "xsim"):
        mean = fmean(expected[language, measure] for language in ("de", "nl"))
        assert cells["mean", "other", measure] == pytest.approx(mean)
    assert {(row["benchmark"], row["queries"]) for row in rows if row["query_language"] != "mean"} == {("ted", 60)}
    run = read_run(tmp_path / "out" / "run.trec.gz")
    assert len(run.query_ids) == 2 * 60 and len(run.scores) == 2 * 60 * 4
    only = evaluate("bitext", model, bitext_folder, tmp_path / "one", "--pairs", "en-nl")
    assert {row["benchmark"] for row in only} == {"bitext@en-nl"}
    assert {(row["query_language"], row["candidate_language"]) for row in only} == {
        ("en", "nl"), ("en", "other"), ("mean", "other")
    }  # fmt: skip


def test_an_altered_copy_is_an_error_of_xsim_plus_plus(
    model: Path, bitext_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in list(bitext_folder.iterdir()):
        if "hard" not in path.name:
            path.rename(bitext_folder / f"{path.stem}.devtest")
    monkeypatch.setitem(bitext.LINES, "devtest", 60)
    values = {
        name: evaluate(name, model, bitext_folder, tmp_path / name, "--pairs", "nl-en")[0]["value"]
        for name in ("xsim", "xsimpp")
    }
    texts = [(bitext_folder / name).read_text().splitlines() for name in ("nl.devtest", "en.devtest", "en.hard.txt")]
    assert values["xsim"] == pytest.approx(errors(cosines_of(model, texts[0], texts[1])))
    assert values["xsimpp"] == pytest.approx(errors(cosines_of(model, texts[0], texts[1] + texts[2])))
    assert values["xsimpp"] > values["xsim"]
    with pytest.raises(BadInput, match=r"xsim\+\+ needs altered copies of the targets: .*nl\.hard\.txt"):
        list(BITEXTS["xsimpp"].read(bitext_folder, "en-nl"))


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
        BITEXTS["xsim"].read(folder, "fr-en")
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "eng_Latn.devtest").write_text("a\n")
    (tmp_path / "f" / "deu_Latn.devtest").write_text("a\n")
    with pytest.raises(BadInput, match="expected 1012 lines, got 1"):
        list(bitext.read_folder(tmp_path / "f", "all-eng_Latn"))


def test_tatoeba_is_read_whole(mirror: Path, tmp_path: Path) -> None:
    pairs = list(bitext.read_tatoeba(mirror / "parallel" / "tatoeba", "all-eng"))
    assert len({pair.target_language for pair in pairs}) == 112
    assert {pair.source_language for pair in pairs} == {"eng"}
    sizes = {pair.target_language: len(pair.sources) for pair in pairs}
    assert sizes["deu"] == sizes["fra"] == 1000 and min(sizes.values()) > 50
    [german] = BITEXTS["tatoeba"].read(mirror / "parallel" / "tatoeba", "deu-eng")
    assert german.sources == next(pair for pair in pairs if pair.target_language == "deu").sources
    with pytest.raises(BadInput, match="0 languages instead of 112"):
        list(bitext.read_tatoeba(tmp_path, "all-eng"))


TATOEBA = ("tatoeba", "tatoeba_xtreme_r")
XTREME = (
    "af ar bg bn de el es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr nl pt ru sw ta te th tl tr ur vi zh"
).split()  # fmt: skip
"""The languages of XTREME that Tatoeba has, without English."""


def test_the_printed_means_are_of_the_languages_of_xtreme_and_xtreme_r() -> None:
    codes = [{pair.removesuffix("-eng") for pair in BITEXTS[name].pairs.split(",")} for name in TATOEBA]
    narrow, wider = ({canonical("tl" if code == "tgl" else code) for code in each} for each in codes)
    assert narrow == set(XTREME) and len(XTREME) == 36
    assert wider == {*XTREME, "az", "lt", "pl", "uk", "ro"} and len(wider) == 41


def hashed(texts: list[str]) -> NDArray[np.float32]:
    """Counts of character trigrams in 512 buckets."""
    vectors = np.zeros((len(texts), 512), np.float32)
    for row, text in enumerate(texts):
        for place in range(len(text)):
            vectors[row, zlib.crc32(text[place : place + 3].encode()) % 512] += 1
    return vectors


def test_english_searches_the_other_language_of_tatoeba(mirror: Path, tmp_path: Path) -> None:
    folder, rights = mirror / "parallel" / "tatoeba", {}
    for name in ("run", "out"):
        (tmp_path / name).mkdir()
    pairs = list(BITEXTS["tatoeba"].read(folder, "deu-eng,por-eng"))
    for pair in pairs:
        code = pair.target_language
        sides = [
            gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            for path in (next(folder.glob(f"tatoeba.{code}-eng.{side}*")) for side in (code, "eng"))
        ]
        foreign, english = (hashed(side.decode().splitlines()) for side in sides)
        unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (foreign, english)]
        # XTREME: an index of the foreign sentences, and the nearest of them for each English one.
        cosines = unit[1].astype(np.float64) @ unit[0].T.astype(np.float64)
        rights[code] = float(np.mean(cosines.argmax(axis=1) == np.arange(len(cosines))))
        other_way = float(np.mean(cosines.argmax(axis=0) == np.arange(len(cosines))))
        assert abs(rights[code] - other_way) > 0.005
        choices = by_cosine(hashed(pair.sources), hashed(pair.targets))
        run = ranked_run(pair.source_ids, pair.target_ids, choices.targets, choices.scores)
        write_run(pair_file(tmp_path / "run", pair, "accuracy"), run, "t")
    score_settings = Score(benchmark="tatoeba@deu-eng,por-eng", questions="tatoeba", split="test", model="m", seed=0)
    stage.run(score_settings, sources=folder.parent, run=tmp_path / "run", out=tmp_path / "out")
    rows = [json.loads(line) for line in (tmp_path / "out" / "scores.jsonl").read_text().splitlines()]
    cells = {(row["query_language"], row["candidate_language"]): row["value"] for row in rows}
    for code, right in rights.items():
        assert cells["eng", code] == pytest.approx(right, abs=0.0021)
    assert cells["mean", "other"] == pytest.approx((cells["eng", "deu"] + cells["eng", "por"]) / 2)


class Breaking(Encoder):
    """Encodes so many texts of a language, then is killed."""

    left = 1_000_000
    encoded_texts = 0

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors, [S, H]."""
        if not self.left:
            raise KeyboardInterrupt
        self.left, self.encoded_texts = self.left - 1, self.encoded_texts + 1
        return super().encode_queries(texts)


def test_a_killed_run_goes_on_after_the_last_finished_pair(model: Path, bitext_folder: Path, tmp_path: Path) -> None:
    pairs = list(bitext.read_folder(bitext_folder, "all"))

    def mined(name: str, work: str, calls: int) -> tuple[dict[str, bytes], int]:
        encoder = open_encoder(model, device=torch.device("cpu"), precision="fp32")
        encoder.__class__ = Breaking
        assert isinstance(encoder, Breaking)
        encoder.left = calls
        (tmp_path / name).mkdir(exist_ok=True)
        write_pairs(tmp_path / name, pairs, BITEXT_FORMATS["bitext"], encoder, tmp_path / work)
        return {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}, encoder.encoded_texts

    expected, all_texts = mined("whole", "whole.work", 1_000)
    assert (len(expected), all_texts) == (6 * 2, 3)
    with pytest.raises(KeyboardInterrupt):
        mined("out", "work", 2)
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == [
        f"de-en.{measure}.trec.gz" for measure in ("accuracy", "xsim")
    ]
    (tmp_path / "work" / "de-en.xsim.trec.gz").write_bytes(b"kept")
    files, _ = mined("out", "work", 1_000)
    assert files == expected | {"de-en.xsim.trec.gz": b"kept"}


@pytest.mark.parametrize("name", ["bitext:xsim++", "bitext:tatoeba", "xsim:mine", "lareqa@de-en", "beir@all"])
def test_names_that_are_no_bitext_of_ones_own(name: str) -> None:
    with pytest.raises(BadInput):
        find_bitext(name)
        find_benchmark(name)
