"""Reads and writes TREC's files of runs and judgements (qrels).

A run is lines of `query Q0 passage rank score tag`, qrels are lines of `query iteration passage label`;
columns are separated by blanks or tabs, lines that begin with `#` are comments as in trec_eval 10, and compressed files
are decompressed. The rank column is not read; within equal scores the order of the lines is kept for the tie rule
`list`. This project writes float32 scores. Runs of others have float64 scores in trec_eval 10, and had float32 scores
before: two scores that differ only beyond that were tied.

Ids may hold blanks, which the files cannot: a blank is written as its picture (U+2420 for a space) and read back.

Shapes: E entries of a run.
"""

import codecs
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from msm.collections.runs import Integers, Qrels, Run, sorted_run
from msm.errors import BadInput, bad_line
from msm.files import NO_TEXT, new_file, open_bytes

_IDS = pa.dictionary(pa.int32(), pa.string())
_RUN_COLUMNS = {"query": _IDS, "q0": None, "passage": _IDS, "rank": None, "score": pa.float64(), "tag": None}
_QRELS_COLUMNS = {"query": _IDS, "iteration": None, "passage": _IDS, "label": pa.int64()}
_PICTURES = {ord(blank): ord(blank) + 0x2400 for blank in " \t\n\r\v\f"}
"""Blanks of an id to what is written for them: Unicode's pictures of control characters."""
_BACK = {picture: blank for blank, picture in _PICTURES.items()}
_BLANK, _PICTURE = r"[ \t\n\r\v\f]", f"[{''.join(map(chr, _BACK))}]"
_COMMENT = re.compile(rb"^#[^\n]*", re.MULTILINE)
_BLANKS = bytes.maketrans(b"\t\r\v\f", b"    ")


def write_run(path: Path, run: Run, tag: str) -> None:
    """Write a TREC run, atomically; scores with the digits that give the same float back.

    Raises:
        BadInput: an id that is empty or that the file cannot hold.
    """
    ranks = np.arange(len(run.queries)) - np.searchsorted(run.queries, run.queries) + 1
    queries, passages = _ids(run.query_ids, run.queries, path), _ids(run.passage_ids, run.passages, path)
    _write(path, [queries, "Q0", passages, ranks, run.scores, tag])


def write_qrels(path: Path, qrels: Qrels) -> None:
    """Write TREC qrels, atomically.

    Raises:
        BadInput: an id that is empty or that the file cannot hold.
    """
    queries, passages = _ids(qrels.query_ids, qrels.queries, path), _ids(qrels.passage_ids, qrels.passages, path)
    _write(path, [queries, "0", passages, qrels.labels])


def _ids(ids: pa.Array, indices: Integers, path: Path) -> pa.Array:
    return _escaped(ids, path).take(pa.array(indices))


def _escaped(ids: pa.Array, path: Path) -> pa.Array:
    """Return ids with signs in place of blanks."""
    refuse_ids(ids, path)
    if not _any_match(ids, _BLANK):
        return ids
    return pa.array([text.translate(_PICTURES) for text in ids.to_pylist()], pa.string())


def refuse_ids(ids: pa.Array, where: Path | str) -> None:
    """Refuse ids that TREC files cannot hold.

    Raises:
        BadInput: an id that is empty or holds the picture of a blank.
    """
    if _any_match(ids, f"^$|{_PICTURE}"):
        wrong = next(text for text in ids.to_pylist() if re.search(f"^$|{_PICTURE}", text))
        raise BadInput(f"{where}: an id must not be empty or hold the picture of a blank, got {wrong!r}")


def _unescaped(ids: pa.Array) -> pa.Array:
    """Return ids with blanks in place of their signs."""
    if not _any_match(ids, _PICTURE):
        return ids
    return pa.array([text.translate(_BACK) for text in ids.to_pylist()], pa.string())


def _any_match(ids: pa.Array, pattern: str) -> bool:
    return bool(pc.call_function("match_substring_regex", [ids], pc.MatchSubstringOptions(pattern)).true_count)


def _write(path: Path, columns: list[Any]) -> None:
    rows = len(next(column for column in columns if not isinstance(column, str)))
    arrays = [pa.repeat(column, rows) if isinstance(column, str) else pa.array(column) for column in columns]
    table = pa.table(arrays, names=[str(number) for number in range(len(arrays))])
    options = pacsv.WriteOptions(include_header=False, delimiter=" ", quoting_style="none")
    with new_file(path, "wb") as file:
        pacsv.write_csv(table, file, options)


def read_run(path: Path, *, may_be_empty: bool = False, double: bool = False) -> Run:
    """Read a TREC run.

    Args:
        path: file of the run.
        may_be_empty: whether a file without a line is a run that retrieved nothing; else it is refused as damaged.
        double: whether scores are read as float64, as trec_eval 10 does; else as float32, in which our own runs are
            written.

    Raises:
        BadInput: no such file, no line, a line that has not six columns, a score that is not finite, or a passage
            twice for one query; the message names the line and the value.
    """
    data = _normalised(path)
    if not data.strip() and may_be_empty:
        nothing = np.empty(0, np.int32)
        return Run(pa.array([], pa.string()), pa.array([], pa.string()), nothing, nothing, np.empty(0, np.float32))
    _refuse_empty(data, path)
    table = _parsed(path, data, _RUN_COLUMNS)
    (query_ids, queries), (passage_ids, passages) = _ids_and_indices(table["query"]), _ids_and_indices(table["passage"])
    with np.errstate(over="ignore"):
        scores = table["score"].to_numpy().astype(np.float64 if double else np.float32)
    if not np.isfinite(scores).all():
        number, words = _line(data, np.argmin(np.isfinite(scores)))
        raise bad_line(path, number, f"score is not finite: {words[4]}")
    firsts = _firsts(queries, passages, len(passage_ids))
    _refuse(path, data, firsts, firsts != np.arange(len(firsts)), "twice in the run")
    return sorted_run(query_ids, passage_ids, queries, passages, scores, double=double)


def read_qrels(path: Path) -> Qrels:
    """Read TREC judgements. A line that repeats an earlier one is skipped.

    Raises:
        BadInput: no such file, no line, a line that has not four columns, a label that is not an integer,
            or a passage with two labels for one query; the message names the line and the value.
    """
    data = _normalised(path)
    _refuse_empty(data, path)
    table = _parsed(path, data, _QRELS_COLUMNS)
    (query_ids, queries), (passage_ids, passages) = _ids_and_indices(table["query"]), _ids_and_indices(table["passage"])
    labels = table["label"].to_numpy()
    firsts = _firsts(queries, passages, len(passage_ids))
    _refuse(path, data, firsts, labels != labels[firsts], "with two labels")
    is_first = firsts == np.arange(len(firsts))
    return Qrels(query_ids, passage_ids, queries[is_first], passages[is_first], labels[is_first])


def _normalised(path: Path) -> bytes:
    """Return the file with one blank between columns and none around them; lines stay where they are."""
    with open_bytes(path) as file:
        try:
            data = file.read()
        except NO_TEXT as error:
            raise BadInput(f"{path}: not a whole {path.suffix} file: {error}") from error
    data = data.removeprefix(codecs.BOM_UTF8).translate(_BLANKS)
    while b"  " in data:
        data = data.replace(b"  ", b" ")
    data = data.replace(b" \n", b"\n").replace(b"\n ", b"\n").strip(b" ")
    return _COMMENT.sub(b"", data) if data.startswith(b"#") or b"\n#" in data else data


def _refuse_empty(data: bytes, path: Path) -> None:
    if not data.strip():
        raise BadInput(f"{path}: empty, expected at least one line")


def _parsed(path: Path, data: bytes, columns: dict[str, pa.DataType | None]) -> dict[str, pa.Array]:
    kinds = {name: kind for name, kind in columns.items() if kind}
    try:
        table = pacsv.read_csv(
            pa.BufferReader(data),
            pacsv.ReadOptions(column_names=list(columns), block_size=1 << 24),
            pacsv.ParseOptions(delimiter=" ", quote_char=False),
            pacsv.ConvertOptions(column_types=kinds, include_columns=list(kinds), null_values=[]),
        )
    except pa.ArrowInvalid as error:
        raise _explained(path, data, columns) or BadInput(f"{path}: {error}") from error
    table = table.unify_dictionaries().combine_chunks()
    return {name: table[name].chunk(0) for name in kinds}


def _explained(path: Path, data: bytes, columns: dict[str, pa.DataType | None]) -> BadInput | None:
    """Why the file cannot be parsed: its first wrong line."""
    names = list(columns)
    number_at = names.index("score" if "score" in names else "label")
    for number, words in _lines(data):
        if len(words) != len(names):
            return bad_line(path, number, f"expected {len(names)} columns, got {len(words)}")
        try:
            pa.scalar(" ".join(words))
            pa.scalar(words[number_at]).cast(columns[names[number_at]])
        except UnicodeEncodeError:
            return bad_line(path, number, "not UTF-8")
        except pa.ArrowInvalid:
            kind = "a number" if names[number_at] == "score" else "an integer"
            return bad_line(path, number, f"{names[number_at]} is not {kind}: {words[number_at]}")
    return None


def _lines(data: bytes) -> Iterator[tuple[int, list[str]]]:
    """Number, from 1, and words of every line that is not blank."""
    for number, line in enumerate(data.split(b"\n"), start=1):
        if line:
            yield number, line.decode(errors="surrogateescape").split(" ")


def _line(data: bytes, entry: np.integer[Any]) -> tuple[int, list[str]]:
    return next(itertools.islice(_lines(data), int(entry), None))


def _ids_and_indices(column: pa.Array) -> tuple[pa.Array, Integers]:
    return _unescaped(column.dictionary), column.indices.to_numpy()


def _firsts(queries: Integers, passages: Integers, passage_count: int) -> Integers:
    """Return the index of the first entry with the same query and passage, for every entry, [E]."""
    pairs = queries * np.int64(passage_count) + passages
    if np.all(np.diff(np.sort(pairs))):
        return np.arange(len(pairs))
    _, first_rows, distinct = np.unique(pairs, return_index=True, return_inverse=True)
    return first_rows[distinct]


def _refuse(path: Path, data: bytes, firsts: Integers, wrong: NDArray[np.bool_], problem: str) -> None:
    """Stop at the first wrong entry.

    Raises:
        BadInput: there is one.
    """
    if wrong.any():
        (number, words), (first, _) = _line(data, np.argmax(wrong)), _line(data, firsts[np.argmax(wrong)])
        raise bad_line(path, number, f"query {words[0]}, passage {words[2]}: {problem} (first on line {first})")
