"""Finds the files of a model, and refuses what must not be loaded before anything is loaded."""

import dataclasses
from pathlib import Path
from typing import Any

from msm.encoders.usage import Usage
from msm.errors import BadInput
from msm.files import read_json, within, write_json
from msm.pipeline.artifacts import ADAPTER

MODULES, CONFIG, SETTINGS = "modules.json", "config.json", "config_sentence_transformers.json"
OWN = "encoder.json"
"""File of what sentence-transformers has no file for: the context of a passage, the question mark, the scale of
training."""
USE = "use.json"
"""File of flags that stands beside links to a model's files; see `link_model`."""
TRANSFORMER = "sentence_bert_config.json"
"""File of settings beside the weights of a transformer of sentence-transformers."""
OBJECTS = (CONFIG, SETTINGS, OWN, USE, ADAPTER, TRANSFORMER, "tokenizer.json", "tokenizer_config.json")
"""Files that hold a JSON object."""
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
CODE = "trust_remote_code"
"""Word in every message of the libraries about a model that needs code of its own."""
SPARSE, MULTI_VECTOR = "SparseEncoder", "MultiVectorEncoder"
KINDS = {
    SPARSE: "a learned sparse model",
    MULTI_VECTOR: "a multi-vector model",
    "CrossEncoder": "a cross-encoder",
}
OTHER_KINDS = {SPARSE: "sparse", MULTI_VECTOR: "multi-vector"}
"""Classes of models without one vector for each text that can be evaluated, and their names in runs."""
ONE_VECTOR = ("pooling", "dimensions", "vectors", "query_tokens", "passage_tokens")
"""Flags for models of one vector a text."""


def linked_model(folder: Path) -> Path:
    """Return the model whose files a folder links to, so that messages name it; any other folder is returned itself."""
    links = (path for path in sorted(folder.rglob("*")) if path.is_symlink()) if (folder / USE).is_file() else iter(())
    link = next(links, None)
    return folder if link is None else link.readlink().parents[len(link.relative_to(folder).parts) - 1]


def check_model(folder: Path, *, trust_remote_code: bool) -> None:
    """Refuse a model that cannot be loaded, or not as its files say.

    Raises:
        BadInput: the folder has no model, weights that are pickles only, code of its own that is not trusted, or a part
            that sentence-transformers would drop without an error.
    """
    if is_adapter(folder):
        raise BadInput(f"{folder}: adapters only; a whole model is needed here")
    if not (folder / MODULES).is_file() and not (folder / CONFIG).is_file():
        raise BadInput(f"{folder}: no model; neither {MODULES} nor {CONFIG} is there")
    refuse_pickles(folder)
    read_modules_list(folder)
    _check_prompts(folder / SETTINGS)
    for path in sorted(folder.rglob(TRANSFORMER)):
        read_object(path)
        if (path.parent / ADAPTER).is_file():
            adapter_base(path.parent)
    for path in sorted(folder.rglob(CONFIG)):
        config = read_object(path)
        if not trust_remote_code:
            _refuse_code(path, config)


def _check_prompts(path: Path) -> None:
    prompts = read_object(path).get("prompts") or {}
    if not isinstance(prompts, dict) or not all(isinstance(prompt, str | None) for prompt in prompts.values()):
        raise BadInput(f"{path}: prompts must be texts by name, got {prompts!r}")


def read_modules_list(folder: Path) -> list[dict[str, str]]:
    """Read the modules of a sentence-transformers folder, in order; an empty list for any other folder.

    Raises:
        BadInput: the file is no list of modules, or one of them lies outside the folder.
    """
    path = folder / MODULES
    modules = read_json(path) if path.is_file() else []
    if path.is_file() and not (isinstance(modules, list) and modules and all(map(_is_module, modules))):
        raise BadInput(f"{path}: not a list of modules, each with its type and path")
    for module in modules:
        within(folder, module["path"])
    return modules


def _is_module(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), str) for name in ("type", "path"))


def adapter_base(folder: Path) -> Path:
    """Return the folder of the model that adapters belong to.

    Raises:
        BadInput: the adapters name none that lies on this machine.
    """
    base = read_object(folder / ADAPTER).get("base_model_name_or_path")
    if not isinstance(base, str) or not Path(base).is_dir():
        raise BadInput(f"{folder / ADAPTER}: base_model_name_or_path {base!r} is no folder; the base must lie there")
    return Path(base)


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object; an empty one where the file is missing.

    Raises:
        BadInput: not JSON, or not an object.
    """
    if not path.is_file():
        return {}
    value = read_json(path)
    if not isinstance(value, dict):
        raise BadInput(f"{path}: not a JSON object, but {type(value).__name__}")
    return value


def check_tokenizer(tokenizer: Any) -> None:
    """Refuse a tokenizer that was made up because its folder has no files of one: it would know no word.

    Args:
        tokenizer: tokenizer of transformers.

    Raises:
        BadInput: its class reads files of pieces, and none of them is there.
    """
    files = {*getattr(tokenizer, "vocab_files_names", {}).values()}
    folder = Path(getattr(tokenizer, "name_or_path", ""))
    # A module may lie in a folder below the one that its tokenizer names.
    if files and folder.is_dir() and not any(path for name in files for path in folder.rglob(name)):
        raise BadInput(f"{folder}: no tokenizer; none of {', '.join(sorted(files))} is there")


def check_files(folder: Path) -> None:
    """Refuse a model folder with a file that is no JSON, or not the object that it has to be, and name the file.

    Raises:
        BadInput: there is one.
    """
    for path in sorted(folder.rglob("*.json")):
        read_object(path) if path.name in OBJECTS else read_json(path)


def model_kind(folder: Path) -> str:
    """Return the class of sentence-transformers that saved a model; `SentenceTransformer` where no file names it."""
    kind = str(read_object(folder / SETTINGS).get("model_type", "SentenceTransformer"))
    stanford = "HF_ColBERT" in (read_object(folder / CONFIG).get("architectures") or [])
    return MULTI_VECTOR if kind == "ColBERT" or stanford else kind


def is_adapter(folder: Path) -> bool:
    """Return whether a folder holds adapters, and not the model that they belong to."""
    return (folder / ADAPTER).is_file() and not (folder / MODULES).is_file() and not (folder / CONFIG).is_file()


def refuse_pickles(folder: Path) -> None:
    """Refuse weights that would have to be unpickled.

    Raises:
        BadInput: a folder has pickles, and no safetensors beside them.
    """
    pickles = [path for path in sorted(folder.rglob("*")) if path.suffix in PICKLES and path.is_file()]
    for path in pickles:
        if not any(path.parent.glob("*.safetensors")):
            raise BadInput(f"{path}: weights in a pickle are never read; save the model as safetensors")


def _refuse_code(path: Path, config: dict[str, Any]) -> None:
    activation = config.get("activation_function")
    # Splade's pooling knows its activations by their names, and refuses others itself.
    if isinstance(activation, str) and not activation.startswith("torch.") and "pooling_strategy" not in config:
        raise BadInput(f"{path}: activation_function {activation} is code of others; say --trust_remote_code")


def check_usage(folder: Path, usage: Usage) -> None:
    """Refuse flags that are not for the kind of a model.

    Raises:
        BadInput: a flag is for models with one vector for each text.
    """
    if (kind := model_kind(folder)) not in OTHER_KINDS:
        return
    names = [*ONE_VECTOR, *(["similarity"] if kind == MULTI_VECTOR else [])]
    if options := [name for name in names if getattr(usage, name) is not None]:
        raise BadInput(f"{folder}: {KINDS[kind]}; --{options[0]} is for models of one vector a text")


def link_model(folder: Path, usage: Usage, place: Path) -> None:
    """Fill a folder with links to a model's files and with flags, so that the model is used another way.

    Args:
        folder: folder of the model.
        usage: flags that win over the model's files.
        place: folder to fill.
    """
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            link = place / file.relative_to(folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file.absolute())
    values = {name: value for name, value in dataclasses.asdict(usage).items() if value is not None}
    write_json(place / USE, values)
