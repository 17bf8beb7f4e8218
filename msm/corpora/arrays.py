"""Reads arrays of numbers from files."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from msm.errors import BadInput


def read_array(path: Path) -> NDArray[Any]:
    """Map the array of an `.npy` file, which is read where it is looked at.

    Raises:
        BadInput: the file is missing, cut off, or no array.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BadInput(f"{path}: {error}") from error
