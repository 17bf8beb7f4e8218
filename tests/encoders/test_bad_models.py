"""Model folders that cannot be used: every command that reads one ends in one line and leaves nothing behind."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer

from msm.cli.main import main
from msm.collections.registry import reference
from msm.encoders.building import EncoderForm
from msm.encoders.other_kinds import open_any
from msm.encoders.saving import new_encoder, save_encoder
from msm.encoders.start_checkpoints import load_masked, load_tokenizer
from msm.encoders.usage import Usage
from msm.errors import BadInput
from msm.pipeline.runner import command
from msm.retrieval.settings import Retrieve
from tests.encoders.tiny import edit
from tests.finetuning.made import settings as finetune_settings
from tests.pretraining.made import settings as pretrain_settings

WEIGHTS, SETTINGS = "model.safetensors", "config_sentence_transformers.json"
FORM = EncoderForm("mean", "cosine", 24, 24)
Damage = Callable[[Path], object]


def written(name: str, data: str | bytes) -> Damage:
    """Put other content in a file."""
    return lambda folder: (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def without(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def torn(name: str) -> Damage:
    """Keep the first half of a file."""
    return lambda folder: (folder / name).write_bytes((path := folder / name).read_bytes()[: path.stat().st_size // 2])


def fewer(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    rest = {name: weight for name, weight in weights.items() if "layer.1." not in name}
    save_file(rest, folder / WEIGHTS, {"format": "pt"})


def edited(name: str, **values: Any) -> Damage:
    return lambda folder: edit(folder / name, **values)


class Trap:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.trace,)  # type: ignore[return-value]


def pickled(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    with (folder / "pytorch_model.bin").open("wb") as file:
        pickle.dump({"weight": Trap(folder / "trace")}, file)


def code(folder: Path) -> None:
    text = f"from pathlib import Path\nPath({str(folder / 'trace')!r}).touch()\n"
    (folder / "odd.py").write_text(text)
    auto = {"AutoConfig": "odd.C", "AutoModel": "odd.M", "AutoModelForMaskedLM": "odd.M"}
    edit(folder / "config.json", model_type="odd", auto_map=auto)


def replaced(name: str, old: str, new: str) -> Damage:
    return lambda folder: (folder / name).write_text((folder / name).read_text().replace(old, new))


def adapted(folder: Path, **base: Any) -> None:
    """Adapters in the place of the weights, as sentence-transformers saves them.

    Args:
        folder: of a sentence-transformers model, which is changed.
        base: other values in the configuration of the base, afterwards.
    """
    model = SentenceTransformer(str(shutil.copytree(folder, folder.with_name("base"))), device="cpu")
    shutil.rmtree(folder)
    transformer: Any = model[0].model
    transformer.add_adapter(LoraConfig(r=2, init_lora_weights=False, target_modules="all-linear"))
    model.save_pretrained(str(folder), create_model_card=False)
    edit(folder.with_name("base") / "config.json", **base)


def without_base(folder: Path) -> None:
    adapted(folder)
    shutil.rmtree(folder.with_name("base"))


ANY: dict[str, tuple[Damage, str]] = {
    "no weights": (without(WEIGHTS), "no file named model.safetensors"),
    "fewer weights": (fewer, "lacks 16 weights of .*, such as .*layer.1"),
    "other sizes": (edited("config.json", intermediate_size=40), r"weight .* has shape \[64\], not \[40\]"),
    "torn weights": (torn(WEIGHTS), "file not fully covered"),
    "weights that are text": (written(WEIGHTS, "not a header"), "header too large"),
    "weights without tensors": (written(WEIGHTS, b"\x08\0\0\0\0\0\0\0{}      "), "lacks 37 weights"),
    "weights without bytes": (written(WEIGHTS, b""), "header too small"),
    "torn tokenizer": (torn("tokenizer.json"), r"tokenizer.json:\d+: not JSON"),
    "tokenizer without pieces": (written("tokenizer.json", "{}"), "tokenizer"),
    "null tokenizer": (written("tokenizer.json", "null"), "tokenizer.json: not a JSON object"),
    "tokenizer without bytes": (written("tokenizer.json", ""), "tokenizer.json:1: not JSON"),
    "no tokenizer": (lambda folder: [path.unlink() for path in folder.glob("*token*")], "no tokenizer; none of"),
    "list of tokenizer settings": (written("tokenizer_config.json", "[]"), "tokenizer_config.json: not a JSON object"),
    "null configuration": (written("config.json", "null"), "config.json: not a JSON object, but NoneType"),
    "list of configurations": (written("config.json", "[1]"), "config.json: not a JSON object, but list"),
    "torn configuration": (torn("config.json"), r"config.json:\d+: not JSON"),
    "configuration in bytes": (written("config.json", b"\xff\xfe\0"), "config.json: .*can't decode byte 0xff"),
    "no such type": (edited("config.json", model_type="no_such_type"), "no_such_type"),
    "layers in words": (edited("config.json", num_hidden_layers="two"), "num_hidden_layers.*expected int"),
    "pickle": (pickled, "pickle.*never read"),
    "code": (code, "needs code that comes with it"),
    "nothing": (lambda folder: [path.unlink() for path in folder.iterdir() if path.is_file()], "model"),
}
CHAIN: dict[str, tuple[Damage, str]] = {
    "adapters without a base": (without_base, "adapter_config.json: base_model_name_or_path '.*/base' is no folder"),
    "adapters of a smaller base": (lambda folder: adapted(folder, num_hidden_layers=1), "adapters of another base"),
    "list of adapters": (written("adapter_config.json", "[]"), "adapter_config.json: not a JSON object"),
    "null modules": (written("modules.json", "null"), "modules.json: not a list of modules"),
    "modules in words": (written("modules.json", '["a", "b"]'), "modules.json: not a list of modules"),
    "no modules": (written("modules.json", "[]"), "modules.json: not a list of modules"),
    "module without a type": (written("modules.json", '[{"path": ""}]'), "modules.json: not a list of modules"),
    "module elsewhere": (replaced("modules.json", "1_Pooling", "../elsewhere"), "../elsewhere: not below"),
    "no such module": (replaced("modules.json", ".Pooling", ".NoSuchModule"), "NoSuchModule"),
    "null pooling": (written("1_Pooling/config.json", "null"), "1_Pooling/config.json: not a JSON object"),
    "no such pooling": (edited("1_Pooling/config.json", pooling_mode="middle"), "pooling mode: 'middle'"),
    "pooling of another width": (edited("1_Pooling/config.json", embedding_dimension=7), "width 7, not 32"),
    "list of settings": (written(SETTINGS, "[]"), f"{SETTINGS}: not a JSON object"),
    "list of prompts": (edited(SETTINGS, prompts=["a"]), f"{SETTINGS}: prompts must be texts by name"),
    "prompt in numbers": (edited(SETTINGS, prompts={"query": 1}), f"{SETTINGS}: prompts must be texts by name"),
    "null settings": (written("sentence_bert_config.json", "null"), "sentence_bert_config.json: not a JSON object"),
}
USED: dict[str, tuple[Damage, str]] = {
    "list of own settings": (written("encoder.json", "[]"), "encoder.json: not a JSON object"),
    "list of flags": (written("use.json", "[]"), "use.json: not a JSON object"),
    "no such flag": (written("use.json", '{"middle": 1}'), "use.json: middle is no flag of a model"),
    "no such similarity": (edited(SETTINGS, similarity_fn_name="near"), "near"),
}
"""Damage of files that fine-tuning does not read."""


@pytest.fixture(scope="module")
def chain(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as fine-tuning saves it."""
    folder = tmp_path_factory.mktemp("chain")
    save_encoder(new_encoder(encoder, FORM), folder)
    return folder


def use(folder: Path) -> None:
    usage = Usage() if (folder / "modules.json").exists() else Usage(pooling="mean", similarity="cosine")
    open_any(folder, usage, device=torch.device("cpu"), precision="fp32")


def tune(folder: Path) -> None:
    new_encoder(folder, FORM)


def pretrain(folder: Path) -> None:
    load_masked(folder)
    load_tokenizer(folder)


CASES = [
    *((kind, door, name) for kind in ("bare", "chain") for door in (use, tune) for name in ANY),
    *(("bare", pretrain, name) for name in ANY),
    *(("chain", door, name) for door in (use, tune) for name in CHAIN),
    *(("chain", use, name) for name in USED),
]


@pytest.mark.parametrize(("kind", "door", "name"), CASES, ids=lambda value: getattr(value, "__name__", value))
def test_damage_is_one_line(
    kind: str,
    door: Callable[[Path], None],
    name: str,
    encoder: Path,
    chain: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("a question was asked on the terminal"))
    folder = shutil.copytree(chain if kind == "chain" else encoder, tmp_path / "model")
    damage, message = (ANY | CHAIN | USED)[name]
    damage(folder)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BadInput, match=message) as error:
        door(folder)
    assert "\n" not in str(error.value) and str(folder) in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["torn weights", "no tokenizer", "null configuration", "pickle", "code"])
def test_every_command_ends_and_leaves_nothing(
    name: str, encoder: Path, sources: Path, units: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = shutil.copytree(encoder, tmp_path / "model"), tmp_path / "out" / "here"
    ANY[name][0](model)
    data = {"sources": sources, "weights": model}
    retrieve = Retrieve(benchmark=reference("own", "lareqa"), questions="questions/test")
    usage = ["--pooling", "mean", "--similarity", "cosine", "--out", str(out)]
    questions = ["--format", "lareqa", "--benchmark", "own", "--data", str(sources / "questions" / "test")]
    commands = {
        "pretrain": command("pretrain", pretrain_settings(steps=1), {"units": units, "weights": model}, out)[1:],
        "finetune": command("finetune", finetune_settings(steps=1), data, out)[1:],
        "retrieve": command("retrieve", retrieve, {"sources": sources, "model": model}, out)[1:],
        "evaluate": ["evaluate", *questions, "--model", str(model), *usage],
    }
    for words in commands.values():
        with pytest.raises(SystemExit) as end:
            main(words)
        error = capsys.readouterr().err
        assert end.value.code == 2
        assert error.startswith(f"msm: {model}") and error.count("\n") == 1
        assert not [path for path in tmp_path.rglob("*") if path.name == "trace" or path == out]
        assert not any((tmp_path / "out").glob("*")), words
