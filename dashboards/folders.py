"""Folders that the dashboard reads, from its command line; it opens no file outside them."""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple


class Folders(NamedTuple):
    """Folders of stages, of exported results and of running stages."""

    artifacts: Path
    results: Path
    work: Path


def folders() -> Folders:
    """Read the folders from `streamlit run dashboards/app.py -- --artifacts DIR --results DIR --work DIR`."""
    parser = argparse.ArgumentParser(prog="dashboards/app.py")
    for name in Folders._fields:
        parser.add_argument(f"--{name}", type=Path, default=Path(name))
    return Folders(**vars(parser.parse_args(sys.argv[1:])))
