"""Small collections that come with the package, for a first try and for the examples of the documentation."""

from pathlib import Path

from msm.errors import BadInput
from msm.settings import suggestion


def example(name: str) -> Path:
    """Return the folder of a small collection; `animals` has BEIR's files and a TREC run.

        >>> import msm
        >>> sorted(path.name for path in msm.example("animals").iterdir())
        ['corpus.jsonl', 'qrels', 'queries.jsonl', 'run.trec']

    Args:
        name: name of the collection.

    Raises:
        BadInput: no collection has the name.
    """
    folders = {folder.name: folder for folder in Path(__file__).parent.iterdir() if folder.is_dir()}
    if name not in folders or name.startswith("_"):
        names = sorted(one for one in folders if not one.startswith("_"))
        raise BadInput(f"{name}: no such example; examples are: {', '.join(names)}{suggestion(name, names)}")
    return folders[name]
