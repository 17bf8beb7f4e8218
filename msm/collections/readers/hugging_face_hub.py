"""`hf:OWNER/NAME`: a data set of the Hugging Face hub, read by the library `datasets` (extra `hub`).

The folder of the data holds the repository as `OWNER/NAME` or `NAME`, or is the repository; what is not there is
downloaded to `OWNER/NAME` first. From then on no network is needed. As MTEB and BEIR lay their data sets out, passages,
questions and judgements are three configurations:

| what | configuration | split |
|---|---|---|
| passages | `corpus` | `corpus`, or the only one |
| questions | `queries` | `queries`, or the only one |
| judgements | `qrels` or `default` | `test`, or the only one |

Of a repository with several subsets, such as languages, `hf:OWNER/NAME/SUBSET` is one: its configurations are
`SUBSET-corpus` or `corpus-SUBSET` and so on, that of the judgements may be `SUBSET`. Fields are those of the format
`hugging_face`, which also reads a repository without configurations. Code in a repository is never run.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from msm.collections.collection import MULTILINGUAL, Draft
from msm.collections.layout import find_files
from msm.collections.readers import hugging_face
from msm.collections.readers.passage_records import UNKNOWN_LANGUAGE, passage_of, query_of
from msm.collections.records import Passage
from msm.collections.rows import ENDINGS
from msm.corpora.codes import canonical
from msm.corpora.languages import code_of
from msm.corpora.languages import languages as known_languages
from msm.errors import BadInput
from msm.imports import needed_package

JUDGED = "test"


class HubSource(NamedTuple):
    """A repository, and one subset of it; empty for all of it."""

    repository: str
    subset: str

    @property
    def language(self) -> str:
        """Language of its texts where they do not name theirs."""
        is_language = code_of(self.subset) in known_languages()
        return canonical(self.subset) if self.subset and is_language else UNKNOWN_LANGUAGE


def parse(name: str) -> HubSource:
    """Return the source of `OWNER/NAME` or `OWNER/NAME/SUBSET`.

    Raises:
        BadInput: the name has another form.
    """
    owner, slash, rest = name.partition("/")
    repository, _, subset = rest.partition("/")
    if not owner or not slash or not repository or name.endswith("/"):
        raise BadInput(f"hf:{name}: expected hf:OWNER/NAME, or hf:OWNER/NAME/SUBSET")
    return HubSource(f"{owner}/{repository}", subset)


def fetch(source: HubSource, folder: Path) -> None:
    """Download the repository where the folder has nothing of it.

    Raises:
        BadInput: the hub does not have it, or cannot be reached.
    """
    if _repository_folder(source, folder):
        return
    target = folder / source.repository
    partial_folder = target.with_name(f".{target.name}.partial")
    # Imported here, as it takes longer than everything else that the table of benchmarks needs.
    hub: Any = needed_package("huggingface_hub", "hub")
    try:
        hub.snapshot_download(source.repository, repo_type="dataset", local_dir=partial_folder)
    except (OSError, ValueError) as error:
        problem = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadInput(f"hf:{source.repository}: not in {folder}, and not from the hub: {problem}") from error
    partial_folder.rename(target)


def read(source: HubSource, folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read passages, questions and judgements of a source.

    Args:
        source: repository and subset.
        folder: folder of the data.
        languages: languages of the questions that are kept; all where none is named.

    Raises:
        BadInput: the folder lacks the repository, the library is not installed, or the layout is another one.
    """
    repository_folder = _repository_folder(source, folder)
    if repository_folder is None:
        raise BadInput(f"hf:{source.repository}: not in {folder}; `msm evaluate` in one process downloads it")
    library = needed_package("datasets", "hub")
    configurations = _configurations(library, repository_folder)
    if not source.subset and "corpus" not in configurations and find_files(repository_folder, *_LAYOUT, deep=True):
        return hugging_face.read(repository_folder, languages)
    rows = {
        kind: _rows(library, repository_folder, _configuration(configurations, source, kind), kind) for kind in _KINDS
    }
    qrels = [hugging_face.qrel_of(row, where) for where, row in rows["qrels"]]
    judged_ids = {qrel.query_id for qrel in qrels}
    queries = [query_of(row, source.language, where) for where, row in rows["queries"]]
    asked_queries = [
        query for query in queries if query.query_id in judged_ids and (not languages or query.language in languages)
    ]
    query_ids = {query.query_id for query in asked_queries} if languages else judged_ids
    corpus = partial(
        _passages, library, repository_folder, _configuration(configurations, source, "corpus"), source.language
    )
    return Draft(asked_queries, [qrel for qrel in qrels if qrel.query_id in query_ids], {None: corpus}, [MULTILINGUAL])


_KINDS = {"queries": ("queries",), "qrels": ("qrels", "default"), "corpus": ("corpus",)}
_LAYOUT = tuple(f"corpus/*{ending}" for ending in ENDINGS)


def _repository_folder(source: HubSource, folder: Path) -> Path | None:
    """Return the folder that holds the repository; None where there is none."""
    for candidate in (folder / source.repository, folder / source.repository.partition("/")[2]):
        if candidate.is_dir():
            return candidate
    has_files = find_files(folder, *_LAYOUT, *(f"*{ending}" for ending in ENDINGS))
    return folder if has_files or (folder / "README.md").is_file() else None


def _configurations(library: ModuleType, repository_folder: Path) -> list[str]:
    try:
        return library.get_dataset_config_names(str(repository_folder))
    except Exception as error:
        raise _unreadable(repository_folder, error) from error


def _configuration(configurations: Sequence[str], source: HubSource, kind: str) -> str:
    names = list(_KINDS[kind])
    if source.subset:
        names = [form for name in names for form in (f"{source.subset}-{name}", f"{name}-{source.subset}")]
        names += [source.subset] if kind == "qrels" else []
    configuration = next((name for name in names if name in configurations), None)
    if configuration is None:
        known_names = ", ".join(sorted(configurations)[:20]) or "none"
        raise BadInput(f"hf:{source.repository}: no configuration {' or '.join(names)}; there are {known_names}")
    return configuration


def _passages(library: ModuleType, repository_folder: Path, configuration: str, language: str) -> Iterator[Passage]:
    return (
        passage_of(row, language, where) for where, row in _rows(library, repository_folder, configuration, "corpus")
    )


def _rows(
    library: ModuleType, repository_folder: Path, configuration: str, kind: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of a configuration, one at a time."""
    where = f"{repository_folder} ({configuration})"
    try:
        splits = library.get_dataset_split_names(str(repository_folder), configuration)
        split = _split(splits, JUDGED if kind == "qrels" else kind, where)
        stream = library.load_dataset(str(repository_folder), configuration, split=split, streaming=True)
        for number, row in enumerate(stream):
            yield f"{where}: row {number}", row
    except BadInput:
        raise
    except Exception as error:
        raise _unreadable(repository_folder, error) from error


def _split(splits: Sequence[str], split: str, where: str) -> str:
    if split not in splits and len(splits) != 1:
        raise BadInput(f"{where}: expected a split {split}, or only one; there are {', '.join(splits) or 'none'}")
    return split if split in splits else splits[0]


def _unreadable(repository_folder: Path, error: Exception) -> BadInput:
    """Turn what the library raises for files that it cannot read into bad input."""
    problem = (str(error).strip() or type(error).__name__).splitlines()[0]
    return BadInput(f"{repository_folder}: not read by `datasets`: {problem[:300]}")
