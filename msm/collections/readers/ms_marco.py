"""Reads training triples of MS MARCO and mMARCO, as texts or as ids."""

from collections.abc import Iterator
from pathlib import Path

from msm.collections.layout import find_file
from msm.collections.records import Example, Passage, Query, text_id
from msm.collections.text_lines import read_lines
from msm.errors import BadInput, bad_line


def rows(path: Path, least: int) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and columns of a file with tabs.

    Raises:
        BadInput: a line with fewer columns than `least`, or an empty column, or as `read_lines`.
    """
    for number, line in read_lines(path):
        columns = [column.strip() for column in line.split("\t")]
        if len(columns) < least:
            raise bad_line(path, number, f"expected at least {least} columns with tabs, got {len(columns)}")
        if not all(columns):
            raise bad_line(path, number, f"column {columns.index('') + 1} is empty")
        yield number, columns


def read_texts(path: Path, language: str) -> Iterator[Example]:
    """Read examples of lines `query`, `positive` and any number of negatives; equal queries share an id."""
    for _, (query, positive, *negatives) in rows(path, least=2):
        passages = [Passage(text_id(text), language, text) for text in (positive, *negatives)]
        yield Example(Query(text_id(query), language, query), passages[0], passages[1:])


def read_ids(folder: Path, language: str) -> Iterator[Example]:
    """Read examples of `triples*.tsv`, which names query, positive and negatives by their ids.

    Texts stand in `queries*.tsv` and `collection*.tsv`, or in `LANG_queries*.tsv` and `LANG_collection*.tsv`.

    Raises:
        BadInput: a file is missing, or an id that no text has.
    """
    triples = find_file(folder, "triples*.tsv")
    negatives: dict[tuple[str, str], dict[str, int]] = {}
    for number, (query, positive, *others) in rows(triples, least=2):
        numbers = negatives.setdefault((query, positive), {})
        for other in others:
            numbers.setdefault(other, number)
    queries = _texts(find_file(folder, f"{language}_queries*.tsv", "queries*.tsv"), {query for query, _ in negatives})
    passage_ids = {passage for (_, positive), others in negatives.items() for passage in (positive, *others)}
    passages = _texts(find_file(folder, f"{language}_collection*.tsv", "collection*.tsv"), passage_ids)
    right: dict[str, list[str]] = {}
    for query, positive in negatives:
        right.setdefault(query, []).append(positive)
    for (query, positive), others in negatives.items():
        more = tuple(other for other in right[query] if other != positive)
        yield Example(
            Query(query, language, queries[query]),
            Passage(positive, language, passages[positive]),
            [Passage(other, language, passages[other]) for other in others if other not in right[query]],
            more,
        )


def _texts(path: Path, ids: set[str]) -> dict[str, str]:
    texts = {columns[0]: columns[-1] for _, columns in rows(path, least=2) if columns[0] in ids}
    if missing_ids := sorted(ids - texts.keys()):
        raise BadInput(f"{path}: no text for id {missing_ids[0]} (and {len(missing_ids) - 1} more)")
    return texts
