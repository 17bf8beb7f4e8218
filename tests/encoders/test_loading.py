"""Every sentence-transformers folder gives the vectors that sentence-transformers gives."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Router, Transformer
from sentence_transformers.sentence_transformer.modules import Dense, LayerNorm, Normalize, Pooling, StaticEmbedding

from msm import load_encoder
from msm.collections.records import Passage
from msm.encoders.encoder import Encoder
from msm.encoders.loading import open_encoder
from msm.encoders.usage import Usage
from msm.errors import BadInput
from tests.encoders.tiny import TEXTS, WIDTH, checkpoint, edit, tokenizer

ROOT = Path(__file__).parents[1] / "data" / "version_0_1_0"
CPU = torch.device("cpu")
SETTINGS = "config_sentence_transformers.json"


def load(folder: Path, usage: Usage | None = None) -> Encoder:
    return open_encoder(folder, usage, device=CPU, precision="fp32")


def save(folder: Path, *modules: torch.nn.Module, **options: object) -> Path:
    SentenceTransformer(modules=list(modules), device="cpu", **options).save_pretrained(  # type: ignore[arg-type]
        str(folder), create_model_card=False
    )
    return folder


def same_vectors(folder: Path, texts: list[str] | None = None) -> Encoder:
    """The encoder, when it gives the directions, and with dot the vectors, of sentence-transformers."""
    texts = texts or [text for text in TEXTS if text]
    ours, theirs = load(folder), SentenceTransformer(str(folder), device="cpu")
    expected = {"query": theirs.encode_query(texts), "passage": theirs.encode_document(texts)}
    for side in ("query", "passage"):
        vectors = ours.encode(texts, side)
        assert vectors.dtype == np.float32 and vectors.shape == expected[side].shape
        cosines = (vectors * expected[side]).sum(1) / np.linalg.norm(vectors, axis=1)
        np.testing.assert_allclose(cosines / np.linalg.norm(expected[side], axis=1), 1, atol=1e-5)
        assert ours.similarity == theirs.similarity_fn_name
        scores = theirs.similarity(expected[side], expected["passage"]).numpy()
        np.testing.assert_allclose(vectors @ ours.encode(texts, "passage").T, scores, rtol=1e-4, atol=1e-4)
    return ours


@pytest.fixture(scope="module")
def roberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("roberta"))


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("bert"), "bert")


MODES = [*Pooling.POOLING_MODES, ("mean", "max")]


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("kind", ["xlm-roberta", "qwen2"])
def test_every_pooling_mode(tmp_path: Path, mode: str, kind: str) -> None:
    start = checkpoint(tmp_path / "start", kind, padding_side="left" if kind == "qwen2" else "right")
    pooling = Pooling(WIDTH, mode)  # type: ignore[arg-type]
    save(tmp_path / "model", Transformer(str(start)), pooling, similarity_fn_name="dot")
    same_vectors(tmp_path / "model")


def test_what_follows_the_pooling_is_applied(roberta: Path, tmp_path: Path) -> None:
    modules = [Pooling(WIDTH, "mean"), Dense(WIDTH, 8), LayerNorm(8), Normalize()]
    save(tmp_path, Transformer(str(roberta)), *modules)
    assert same_vectors(tmp_path).width == 8


def test_a_transformer_in_a_folder_of_its_own(roberta: Path, tmp_path: Path) -> None:
    save(tmp_path, Transformer(str(roberta)), Pooling(WIDTH, "cls"))
    inner = tmp_path / "0_Transformer"
    inner.mkdir()
    for file in [path for path in tmp_path.iterdir() if path.is_file()]:
        if file.name not in ("modules.json", SETTINGS):
            file.rename(inner / file.name)
    rows = json.loads((tmp_path / "modules.json").read_text())
    rows[0]["path"] = "0_Transformer"
    (tmp_path / "modules.json").write_text(json.dumps(rows))
    same_vectors(tmp_path)


def test_the_length_stands_in_the_tokenizer_of_version_6(roberta: Path, tmp_path: Path) -> None:
    save(tmp_path, Transformer(str(roberta), max_seq_length=7), Pooling(WIDTH, "mean"))
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["model_max_length"] == 7
    assert same_vectors(tmp_path).describe()["query_tokens"].value == 7


def test_a_router_with_two_transformers_and_two_limits(roberta: Path, bert: Path, tmp_path: Path) -> None:
    sides = [
        [Transformer(str(folder), max_seq_length=most), Pooling(WIDTH, "mean")]
        for folder, most in ((bert, 6), (roberta, 20))
    ]
    save(tmp_path, Router.for_query_document(query_modules=sides[0], document_modules=sides[1]), Normalize())
    choices = same_vectors(tmp_path).describe()
    assert [choices[f"{side}_tokens"].value for side in ("query", "passage")] == [6, 20]


def test_one_transformer_with_two_limits(roberta: Path, tmp_path: Path) -> None:
    save(tmp_path, Transformer(str(roberta), query_length=5, document_length=12), Pooling(WIDTH, "mean"))
    same_vectors(tmp_path)


@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("mode", ["cls", "mean", "weightedmean", "lasttoken"])
def test_prompts_are_put_before_and_pooled_only_where_the_files_say_so(
    roberta: Path, tmp_path: Path, include: bool, mode: str
) -> None:
    pooling = Pooling(WIDTH, mode, include_prompt=include)  # type: ignore[arg-type]
    prompts = {"query": "bud moro ", "document": "vipa "}
    save(tmp_path, Transformer(str(roberta)), pooling, prompts=prompts, similarity_fn_name="dot")
    encoder = same_vectors(tmp_path)
    assert encoder.describe()["query_prompt"] == ("bud moro ", f"file {SETTINGS}")
    without = load(tmp_path, Usage(query_prompt="", passage_prompt=""))
    assert np.abs(without.encode(TEXTS[:1]) - encoder.encode(TEXTS[:1])).max() > 1e-3


def test_null_prompts_and_default_prompts(roberta: Path, tmp_path: Path) -> None:
    save(tmp_path, Transformer(str(roberta)), Pooling(WIDTH, "mean"))
    edit(tmp_path / SETTINGS, prompts={"query": None, "other": "vipa "}, default_prompt_name="other")
    content = json.loads((tmp_path / SETTINGS).read_text())
    (tmp_path / SETTINGS).write_text(json.dumps(content | {"prompts": {"query": None, "other": "vipa "}}))
    same_vectors(tmp_path)


def test_a_prompt_named_passage_is_that_of_passages(roberta: Path, tmp_path: Path) -> None:
    save(tmp_path, Transformer(str(roberta)), Pooling(WIDTH, "mean"), prompts={"passage": "vipa "})
    expected = SentenceTransformer(str(tmp_path), device="cpu").encode(TEXTS[:2], prompt_name="passage")
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(load(tmp_path).encode(TEXTS[:2], "passage"), expected, atol=1e-5)


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_similarity_without_a_module_that_normalises(roberta: Path, tmp_path: Path, similarity: str) -> None:
    save(tmp_path, Transformer(str(roberta)), Pooling(WIDTH, "mean"), similarity_fn_name=similarity)
    lengths = np.linalg.norm(same_vectors(tmp_path).encode(TEXTS), axis=1)
    assert np.allclose(lengths, 1) == (similarity == "cosine")


def test_static_embeddings(tmp_path: Path) -> None:
    torch.manual_seed(0)
    pieces = tokenizer()
    table = StaticEmbedding(pieces, embedding_weights=torch.randn(len(pieces), 12).numpy())
    save(tmp_path, table, Normalize())
    assert same_vectors(tmp_path).describe()["attention"].value == "sentence-transformers"


def test_dimensions_of_the_files_and_of_a_flag(roberta: Path, tmp_path: Path) -> None:
    save(tmp_path, Transformer(str(roberta)), Pooling(WIDTH, "mean"), truncate_dim=10)
    whole = load(tmp_path, Usage(dimensions=WIDTH)).encode(TEXTS)
    assert same_vectors(tmp_path).width == 10
    for dimensions in (10, 4):
        short = whole[:, :dimensions] / np.linalg.norm(whole[:, :dimensions], axis=1, keepdims=True)
        np.testing.assert_allclose(load(tmp_path, Usage(dimensions=dimensions)).encode(TEXTS), short, atol=1e-5)


@pytest.mark.parametrize("mode", ["mean", "cls"])
def test_pairs_have_the_token_types_that_the_tokenizer_gives(bert: Path, tmp_path: Path, mode: str) -> None:
    pooling = Pooling(WIDTH, mode)  # type: ignore[arg-type]
    save(tmp_path, Transformer(str(bert)), pooling, similarity_fn_name="dot")
    pairs = [["bud moro", text] for text in TEXTS]
    theirs = SentenceTransformer(str(tmp_path), device="cpu").encode_document(pairs)
    passages = [Passage(str(number), "qaa", text, "bud moro") for number, text in enumerate(TEXTS)]
    ours = load(tmp_path, Usage(passage_context="title")).encode_passages(passages)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_bare_checkpoint_is_used_as_flags_say(roberta: Path) -> None:
    encoder = load_encoder(roberta, pooling="mean", similarity="dot", device="cpu", query_prompt="vipa ")
    model = SentenceTransformer(modules=[Transformer(str(roberta)), Pooling(WIDTH, "mean")], device="cpu")
    np.testing.assert_allclose(encoder.encode(TEXTS, "passage"), model.encode(TEXTS), atol=1e-5)
    np.testing.assert_allclose(encoder.encode(TEXTS, "query"), model.encode(TEXTS, prompt="vipa "), atol=1e-5)
    choices = encoder.describe()
    assert choices["pooling"] == ("mean", "flag") and choices["passage_prompt"] == ("", "default")
    assert choices["passage_tokens"].value == 40


def test_vectors_do_not_depend_on_the_batch(roberta: Path) -> None:
    usage = Usage(pooling="mean", similarity="cosine")
    together = load(roberta, usage).encode(TEXTS)
    alone = open_encoder(roberta, usage, device=CPU, precision="fp32", batch_tokens=1).encode(TEXTS)
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert load(roberta, usage).encode([]).shape == (0, WIDTH)


@pytest.mark.parametrize("name", ["one", "two"])
def test_folders_of_version_0_1_0_give_their_vectors(name: str) -> None:
    texts = json.loads((ROOT / "texts.json").read_text())
    encoder, expected = load(ROOT / name), np.load(ROOT / f"{name}.npz")
    np.testing.assert_allclose(encoder.encode_queries(texts["queries"]), expected["queries"], atol=1e-5)
    passages = [Passage(**passage) for passage in texts["passages"]]
    np.testing.assert_allclose(encoder.encode_passages(passages), expected["passages"], atol=1e-5)


def test_version_0_1_0_put_the_prompt_of_a_pair_before_the_text(tmp_path: Path) -> None:
    """The vectors are those of texts that have the prompt in them already, behind the title."""
    folder = tmp_path / "model"
    shutil.copytree(ROOT / "two", folder)
    for place in (folder, folder / "passage"):
        edit(place / SETTINGS, prompts={"document": "ra: ", "query": ""})
    edit(folder / "encoder.json", passage_prefix="ra: ")
    passages = [Passage(**passage) for passage in json.loads((ROOT / "texts.json").read_text())["passages"]]
    prompted_passages = [passage._replace(text=f"ra: {passage.text}") for passage in passages]
    encoder = load(folder)
    vectors = encoder.encode_passages(passages)
    np.testing.assert_allclose(vectors, load(ROOT / "two").encode_passages(prompted_passages), atol=1e-6)
    assert encoder.protocol()["text_prompt"] == "ra: " and "passage_prompt" not in encoder.protocol()
    prompted_vectors = load(folder, Usage(passage_prompt="ra: ")).encode_passages(passages)
    assert np.abs(prompted_vectors - vectors).max() > 1e-3  # a flag is sentence-transformers' prompt, before the title


BAD = {
    "similarity_fn_name euclidean cannot": lambda folder: edit(folder / SETTINGS, similarity_fn_name="euclidean"),
    "similarity_fn_name maxsim cannot": lambda folder: edit(folder / SETTINGS, similarity_fn_name="maxsim"),
    "a learned sparse model": lambda folder: edit(folder / SETTINGS, model_type="SparseEncoder"),
    "model's 64 positions, got 80": lambda folder: edit(folder / "sentence_bert_config.json", max_seq_length=80),
    "tokens must be at least 1": lambda folder: edit(folder / "tokenizer_config.json", model_max_length=-3),
    "dimensions must be from 1 to 16": lambda folder: edit(folder / SETTINGS, truncate_dim=17),
}


@pytest.mark.parametrize("message", BAD)
def test_what_cannot_be_honoured_is_one_line(roberta: Path, tmp_path: Path, message: str) -> None:
    save(tmp_path, Transformer(str(roberta)), Pooling(WIDTH, "mean"))
    BAD[message](tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BadInput, match=message) as error:
        load(tmp_path)
    assert "\n" not in str(error.value) and str(tmp_path) in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("usage", "message"),
    [
        (Usage(), "say --pooling --similarity"),
        (Usage(pooling="mean"), "say --similarity"),
        (Usage(pooling="middle", similarity="dot"), "pooling must be one of"),
        (Usage(pooling="mean", similarity="dot", passage_tokens=65), "must fit the model's 64 positions, got 65"),
        (Usage(pooling="mean", similarity="dot", query_tokens=0), "must be at least 1, got 0"),
        (Usage(pooling="mean", similarity="dot", dimensions=0), "dimensions must be from 1 to 16, got 0"),
    ],
)
def test_flags_that_cannot_be_done(roberta: Path, usage: Usage, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        load(roberta, usage)


def half(folder: Path, target: Path, part: str) -> Path:
    """A copy of a checkpoint without the weights whose name holds a word."""
    from_file, to_file = folder / "model.safetensors", target / "model.safetensors"
    shutil.copytree(folder, target)
    weights = load_file(from_file)
    save_file({name: weight for name, weight in weights.items() if part not in name}, to_file, {"format": "pt"})
    return target


def test_weights_that_are_missing_are_named(bert: Path, tmp_path: Path) -> None:
    usage = Usage(pooling="pooler", similarity="cosine")
    assert load(bert, usage).encode(TEXTS).shape == (len(TEXTS), WIDTH)
    with pytest.raises(BadInput, match="lacks 2 weights of BertModel, such as pooler"):
        load(half(bert, tmp_path / "pooler", "pooler"), usage)
    assert load(tmp_path / "pooler", Usage(pooling="mean", similarity="cosine"))
    with pytest.raises(BadInput, match=r"lacks 16 weights of BertModel, such as encoder.layer.1"):
        load(half(bert, tmp_path / "layer", "layer.1."), Usage(pooling="mean", similarity="cosine"))


def test_a_flag_drops_no_module(roberta: Path, tmp_path: Path) -> None:
    save(tmp_path, Transformer(str(roberta)), Pooling(WIDTH, "mean"), Dense(WIDTH, 8))
    with pytest.raises(BadInput, match="--pooling would drop what the model's files say"):
        load(tmp_path, Usage(pooling="cls"))
    edit(tmp_path / "2_Dense" / "config.json", activation_function="evil.Activation")
    with pytest.raises(BadInput, match=r"activation_function evil.Activation is code of others"):
        load(tmp_path)


def test_code_of_others_never_runs(roberta: Path, tmp_path: Path) -> None:
    shutil.copytree(roberta, tmp_path / "model")
    code = f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n"
    (tmp_path / "model" / "own.py").write_text(code)
    edit(tmp_path / "model" / "config.json", model_type="own", auto_map={"AutoConfig": "own.C", "AutoModel": "own.M"})
    with pytest.raises(BadInput, match="trust_remote_code"):
        load(tmp_path / "model", Usage(pooling="mean", similarity="dot"))
    save(tmp_path / "chain", Transformer(str(roberta)), Pooling(WIDTH, "mean"))
    (tmp_path / "chain" / "own.py").write_text(code)
    rows = json.loads((tmp_path / "chain" / "modules.json").read_text())
    rows[1]["type"] = "own.Pooling"
    (tmp_path / "chain" / "modules.json").write_text(json.dumps(rows))
    with pytest.raises(BadInput, match="trust_remote_code"):
        load(tmp_path / "chain")
    assert not (tmp_path / "ran").exists()
