"""What must be true of every reader, whatever its format: one tiny folder for each, written in every odd way."""

import bz2
import gzip
import itertools
import json
import logging
import lzma
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import zstandard

from msm.collections.examples import read_examples
from msm.collections.formats import FORMATS
from msm.collections.registry import BENCHMARKS, find_benchmark
from msm.errors import BadInput

QUESTION, PASSAGE = "is it or not?", "so it may be"
"""Texts that every folder holds, so that a test can put others of their length in their place."""
Files = Mapping[str, str]
"""Name below the folder to text."""


def rows(*records: Mapping[str, Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def squad(*names: str) -> str:
    qas = [{"id": name, "question": QUESTION, "answers": [{"text": "s", "answer_start": 0}]} for name in names]
    return json.dumps({"data": [{"title": "t", "paragraphs": [{"context": PASSAGE, "qas": qas}]}]}, indent=0)


def mewsli(language: str) -> Files:
    span = {"start": 0, "end": 4, "text": "Nile"}
    text = f"Nile {QUESTION}"
    context = {
        "text": text,
        "language": language,
        "sentence_spans": [{"start": 0, "end": len(text)}],
        "document_id": "n",
    }
    mention = {"example_id": "m", "mention_span": span, "entity_id": "Q1"}
    entity = {
        "entity_id": "Q1",
        "description_language": language,
        "description": PASSAGE,
        "title": "t",
        "sentence_spans": [{"start": 0, "end": len(PASSAGE)}],
    }
    return {
        "wikinews_mentions-dev.jsonl": rows({"context": context, "mention": mention}),
        "candidate_set_entities.jsonl": rows(entity),
    }


TOPIC = [{"lang": "eng", "source": "original", "topic_title": QUESTION, "topic_description": "d"}]
NEUCLIR = {
    "topics.0720.utf8.jsonl": rows({"topic_id": "1", "topics": TOPIC}),
    "neuclir-2023-topics.0605.jsonl": rows({"topic_id": "1", "topics": TOPIC}),
    **{
        f"{code}-00000-of-00001.jsonl": rows({"id": code, "title": "t", "text": PASSAGE})
        for code in ("fas", "rus", "zho")
    },
}
RECORD = {
    "query_id": "1",
    "query": QUESTION,
    "positive_passages": [{"docid": "a", "text": PASSAGE}],
    "negative_passages": [],
}
PASSAGES = "id\ttext\ttitle\n1\t" + PASSAGE + "\tt\n"
BELEBELE = {
    "link": "l",
    "split": "dev",
    "question_number": 1,
    "flores_passage": PASSAGE,
    "question": QUESTION,
}
FOLDERS: dict[str, Files] = {
    "beir": {
        "corpus.jsonl": rows({"_id": "a", "title": "t", "text": PASSAGE}),
        "queries.jsonl": rows({"_id": "1", "text": QUESTION}),
        "qrels/test.tsv": "query-id\tcorpus-id\tscore\n1\ta\t1\n",
    },
    "trec": {"topics.tsv": f"1\t{QUESTION}\n", "qrels.txt": "1 0 a 1\n", "collection.tsv": f"a\t{PASSAGE}\n"},
    "squad": {"de.json": squad("q")},
    "lareqa": {"de.json": squad("q"), "en.json": squad("q")},
    "xquad_r": {"de.json": squad("q"), "en.json": squad("q")},
    "xquad_r_dedup": {"de.json": squad("q", "r")},
    "mlqa": {"test-context-de-question-de.json": squad("q")},
    "dpr": {
        "en.json": json.dumps(
            [{"question": QUESTION, "positive_ctxs": [{"text": PASSAGE, "passage_id": "a"}]}], indent=0
        )
    },
    "tevatron": {"en.jsonl": rows(RECORD)},
    "tevatron 2": {
        "train.jsonl": rows({"query_id": "1", "query_text": QUESTION, "positive_document_ids": ["a"]}),
        "corpus.jsonl": rows({"docid": "a", "text": PASSAGE}),
    },
    "flag_embedding": {"en.jsonl": rows({"query": QUESTION, "pos": [PASSAGE], "neg": []})},
    "sentence_transformers": {"en.jsonl": rows({"anchor": QUESTION, "positive": PASSAGE})},
    "hugging_face": {
        "corpus/corpus.jsonl": rows({"_id": "a", "title": "t", "text": PASSAGE}),
        "queries/queries.jsonl": rows({"_id": "1", "text": QUESTION}),
        "qrels/test.jsonl": rows({"query-id": "1", "corpus-id": "a", "score": 1}),
    },
    "mr_tydi": {
        "sw/topic.test.tsv": f"1\t{QUESTION}\n",
        "sw/qrels.test.txt": "1 0 a 1\n",
        "sw/collection/docs.jsonl": rows({"id": "a", "contents": PASSAGE}),
    },
    "miracl": {
        "topics/topics.miracl-v1.0-sw-dev.tsv": f"1\t{QUESTION}\n",
        "qrels/qrels.miracl-v1.0-sw-dev.tsv": "1\t0\ta\t1\n",
        "miracl-corpus-v1.0-sw/docs-0.jsonl": rows({"docid": "a", "title": "t", "text": PASSAGE}),
    },
    "mewsli_x": mewsli("de"),
    "xor_retrieve": {
        "xor_dev_retrieve_eng_span_v1_1.jsonl": rows({"id": "1", "lang": "ja", "question": QUESTION, "answers": ["s"]}),
        "enwiki_20190201_w100.tsv": PASSAGES,
    },
    "nq": {"nq-test.qa.csv": f"{QUESTION}\t['s']\n", "psgs_w100.tsv": PASSAGES},
    "mkqa": {
        "mkqa.jsonl": rows(
            {"example_id": 1, "queries": {"de": QUESTION}, "answers": {"en": [{"type": "entity", "text": "s"}]}}
        ),
        "psgs_w100.tsv": PASSAGES,
    },
    "ms_marco": {
        "queries.dev.small.tsv": f"1\t{QUESTION}\n",
        "qrels.dev.small.tsv": "1\t0\ta\t1\n",
        "collection.tsv": f"a\t{PASSAGE}\n",
    },
    "mmarco": {
        "queries/german_queries.dev.small.tsv": f"1\t{QUESTION}\n",
        "qrels.dev.small.tsv": "1\t0\ta\t1\n",
        "collections/german_collection.tsv": f"a\t{PASSAGE}\n",
    },
    "belebele": {"deu_Latn.jsonl": rows(BELEBELE)},
    "belebele_parallel": {"deu_Latn.jsonl": rows(BELEBELE), "zho_Hans.jsonl": rows(BELEBELE)},
    "ciral": {
        "topics.ciral-v1.0-ha-test-a.tsv": f"1\t{QUESTION}\n",
        "qrels.ciral-v1.0-ha-test-a-pools.tsv": "1 Q0 a 1\n",
        "hausa_passages.jsonl": rows({"docid": "a", "title": "t", "text": PASSAGE}),
    },
    "ciral_b": {
        "topics.ciral-v1.0-ha-test-b.tsv": f"1\t{QUESTION}\n",
        "qrels.ciral-v1.0-ha-test-b.tsv": "1 Q0 a 1\n",
        "hausa_passages.jsonl": rows({"docid": "a", "title": "t", "text": PASSAGE}),
    },
    "neuclir_2022": {
        **NEUCLIR,
        "2022-qrels.all": "".join(f"1 {code} {code} 1\n" for code in ("fas", "rus", "zho")),
    },
    "neuclir_2023": {**NEUCLIR, **{f"qrels.final.gains.{code}": f"1 0 {code} 1\n" for code in ("fas", "rus", "zho")}},
    "neuclir_2023_mlir": {**NEUCLIR, "qrels.final.gains": "1 0 fas 1\n"},
    "multi_eup": {
        "MultiEuP.csv": f'did,LANGUAGE,TEXT,title_DE,qid_DE\na,DE,"{PASSAGE}",{QUESTION},q0\n',
    },
}
SAME_READER = {"constructed", "constructed_hybrid", "mlqa_r", "mlqa_r_dedup", "xor_retrieve_treebank"}
"""Benchmarks that are read as another one is."""
PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
}
every = pytest.mark.parametrize("name", FOLDERS)


TRAINING: dict[str, tuple[str, Files]] = {
    "texts": ("a.tsv", {"a.tsv": f"{QUESTION}\t{PASSAGE}\n"}),
    "ids": (
        "m",
        {
            "m/triples.tsv": "1\ta\tb\n",
            "m/queries.tsv": f"1\t{QUESTION}\n",
            "m/en_collection.tsv": f"a\t{PASSAGE}\nb\tother\n",
        },
    ),
    "sentences": ("s", {"s/src-test.txt": f"{PASSAGE}\n", "s/tgt-test.txt": f"{QUESTION}\n"}),
    "squad": ("s", {"s/en.json": squad("q")}),
    "records": ("r.jsonl", {"r.jsonl": rows(RECORD)}),
    "dpr": ("en.json", FOLDERS["dpr"]),
    "tevatron 2": ("t", {f"t/{name}": text for name, text in FOLDERS["tevatron 2"].items()}),
    "beir": ("b", {f"b/{name}".replace("test", "train"): text for name, text in FOLDERS["beir"].items()}),
    "mr_tydi": ("sw", {name.replace("test", "train"): text for name, text in FOLDERS["mr_tydi"].items()}),
}
"""What is trained on: the name that is given, and its files."""


def put(folder: Path, files: Files, change: Callable[[bytes], bytes] = bytes, ending: str = "") -> Path:
    for name, text in files.items():
        path = folder / f"{name}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(change(text.encode()))
    return folder


def content(name: str, folder: Path) -> dict[str, Any]:
    """All that a reader makes of a folder."""
    collection = find_benchmark(f"{name.partition(' ')[0]}:own").read(folder)
    passages = collection.qrels.passage_ids.to_pylist()
    judgements = [
        (query, passages[passage], label)
        for query, passage, label in zip(*(column.tolist() for column in collection.qrels[2:]), strict=True)
    ]
    return {
        "queries": collection.queries,
        "passages": list(collection.passages),
        "judged": judgements,
        "answers": dict(collection.answers),
        "pools": collection.pools,
        "questions": collection.questions,
    }


def replaced(files: Files, question: str, passage: str) -> Files:
    """The same with other texts; in JSON, escaped."""

    def fill(name: str, text: str) -> str:
        is_json = ".json" in name
        for old, new in ((QUESTION, question), (PASSAGE, passage)):
            text = text.replace(old, json.dumps(new, ensure_ascii=False)[1:-1] if is_json else new)
        return text

    return {name: fill(name, text) for name, text in files.items()}


def test_no_format_is_forgotten() -> None:
    names = {name.partition(" ")[0] for name in FOLDERS}
    assert names == (FORMATS.keys() | BENCHMARKS.keys()) - SAME_READER


@every
def test_a_folder_holds_a_judged_question_and_its_passage(name: str, tmp_path: Path) -> None:
    facts = content(name, put(tmp_path, FOLDERS[name]))
    assert any(QUESTION in query.text for query in facts["queries"])
    assert any(PASSAGE == passage.text for passage in facts["passages"])
    assert facts["judged"] or facts["answers"]


@every
def test_every_file_may_be_compressed_each_in_its_own_way(name: str, tmp_path: Path) -> None:
    endings = [*PACK, ""]
    for number, (file, text) in enumerate(FOLDERS[name].items(), start=len(name)):
        ending = endings[number % len(endings)]
        put(tmp_path / "packed", {file: text}, PACK.get(ending, bytes), ending)
    assert content(name, tmp_path / "packed") == content(name, put(tmp_path / "plain", FOLDERS[name]))


@every
def test_marks_and_line_ends_change_nothing(name: str, tmp_path: Path) -> None:
    def changed(data: bytes) -> bytes:
        return b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n").removesuffix(b"\r\n")

    odd = content(name, put(tmp_path / "odd", FOLDERS[name], changed))
    assert odd == content(name, put(tmp_path / "plain", FOLDERS[name]))


@every
def test_only_a_line_feed_ends_a_line(name: str, tmp_path: Path) -> None:
    files = replaced(FOLDERS[name], "is\rit\u2028or\x85not?", "so\rit\u2028may\x85be")
    facts = content(name, put(tmp_path, files))

    def texts(kind: str) -> list[str]:
        # Tables that Python's csv reads, and Mewsli-X's own rule, make blanks of some of them.
        return [re.sub("[\r\u2028\x85]", " ", text[2]) for text in facts[kind]]

    assert any(QUESTION in text for text in texts("queries"))
    assert PASSAGE in texts("passages")


STREAMED = (
    "beir trec hugging_face mr_tydi miracl mewsli_x xor_retrieve nq mkqa ms_marco mmarco ciral neuclir_2022 "
    "neuclir_2023_mlir"
).split()
"""Formats of corpora that do not fit in memory."""


@pytest.mark.parametrize("name", [*STREAMED, "tevatron 2"])
def test_passages_of_large_corpora_are_read_one_at_a_time(name: str, tmp_path: Path) -> None:
    """What stands behind the first passages is not looked at before it is asked for."""
    files = {file: text + "\nbroken\n" if PASSAGE in text else text for file, text in FOLDERS[name].items()}
    benchmark = find_benchmark(f"{name.partition(' ')[0]}:own")
    draft = benchmark.reader(put(tmp_path, files), ())
    passages = iter(next(iter(draft.passages.values()))())
    assert next(passages).text == PASSAGE
    with pytest.raises(BadInput, match=r":\d+: "):
        list(passages)


@every
def test_files_of_macos_are_passed_over(name: str, tmp_path: Path) -> None:
    put(tmp_path / "odd", FOLDERS[name])
    for file in FOLDERS[name]:
        path = tmp_path / "odd" / file
        path.with_name(f"._{path.name}").write_bytes(b"\x00\x05\x16\x07\x00\x02")
    assert content(name, tmp_path / "odd") == content(name, put(tmp_path / "plain", FOLDERS[name]))


@every
def test_links_are_followed(name: str, tmp_path: Path) -> None:
    put(tmp_path / "plain", FOLDERS[name])
    for file in FOLDERS[name]:
        link = tmp_path / "links" / file
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(tmp_path / "plain" / file)
    (tmp_path / "folder").symlink_to(tmp_path / "links")
    assert content(name, tmp_path / "folder") == content(name, tmp_path / "plain")


@every
def test_two_files_that_both_match_are_refused_by_name(name: str, tmp_path: Path) -> None:
    for number, file in enumerate(FOLDERS[name]):
        if file in unread(name):
            continue
        folder = put(tmp_path / str(number), FOLDERS[name])
        copy = folder / f"{file}.gz"
        copy.write_bytes(gzip.compress((folder / file).read_bytes()))
        with pytest.raises(BadInput) as refusal:
            content(name, folder)
        assert Path(file).name in str(refusal.value) and copy.name in str(refusal.value), str(refusal.value)


def unread(name: str) -> set[str]:
    """Files of a folder that the benchmark has no use for."""
    other = {"neuclir_2022": "neuclir-2023-topics.0605.jsonl"}
    return {other.get(name, "topics.0720.utf8.jsonl")} if name.startswith("neuclir") else set()


@every
def test_half_a_character_is_refused_with_file_and_line(name: str, tmp_path: Path) -> None:
    for number, (file, text) in enumerate(FOLDERS[name].items()):
        place = next((text.index(mark) for mark in (QUESTION, PASSAGE) if mark in text), None)
        if place is None or ".json" not in file or file in unread(name):
            continue
        folder = put(tmp_path / str(number), {**FOLDERS[name], file: f"{text[:place]}\\ud83d{text[place:]}"})
        line = text[:place].count("\n") + 1
        with pytest.raises(BadInput, match=rf"{Path(file).name}:{line}: .*half a character"):
            content(name, folder)


@pytest.mark.parametrize("name", TRAINING)
def test_training_data_of_every_kind(name: str, tmp_path: Path) -> None:
    reference, files = TRAINING[name]
    language = "sw" if name == "mr_tydi" else "en"
    expected = read_examples(put(tmp_path / "plain", files), [reference], language)
    assert (expected[0].query.text, expected[0].positive.text) == (QUESTION, PASSAGE)
    odd = tmp_path / "odd"
    for ending, (file, text) in zip(itertools.cycle(PACK), files.items(), strict=False):
        pack = PACK[ending]
        put(odd, {file: text}, lambda data, pack=pack: pack(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n")), ending)
        path = odd / file
        path.with_name(f"._{path.name}").write_bytes(b"\x00\x05\x16\x07")
    (tmp_path / "link").symlink_to(odd)
    assert read_examples(tmp_path / "link", [reference], language) == expected


CODES: dict[str, Files] = {
    "beir": {**FOLDERS["beir"], "queries.jsonl": rows({"_id": "1", "text": QUESTION, "lang": "iw"})},
    "hugging_face": {
        **FOLDERS["hugging_face"],
        "queries/queries.jsonl": rows({"_id": "1", "text": QUESTION, "language": "heb"}),
    },
    "squad": {"iw.json": squad("q")},
    "lareqa": {"iw.json": squad("q"), "en.json": squad("q")},
    "tevatron": {"iw.jsonl": rows(RECORD)},
    "tevatron 2": {
        **FOLDERS["tevatron 2"],
        "train.jsonl": rows({"query_id": "1", "query": QUESTION, "positive_document_ids": ["a"], "language": "iw"}),
    },
    "mewsli_x": mewsli("iw"),
    "xor_retrieve": {
        **FOLDERS["xor_retrieve"],
        "xor_dev_retrieve_eng_span_v1_1.jsonl": rows({"id": "1", "lang": "iw", "question": QUESTION, "answers": ["s"]}),
    },
    "mkqa": {**FOLDERS["mkqa"], "mkqa.jsonl": FOLDERS["mkqa"]["mkqa.jsonl"].replace('"de"', '"iw"')},
    "multi_eup": {"MultiEuP.csv": FOLDERS["multi_eup"]["MultiEuP.csv"].replace("DE", "IW")},
    "belebele": {"heb_Hebr.jsonl": rows(BELEBELE)},
}


@pytest.mark.parametrize("name", CODES)
def test_languages_have_their_canonical_code(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        facts = content(name, put(tmp_path, CODES[name]))
    assert "he" in {query.language for query in facts["queries"]}
    assert not {"iw", "heb"} & {text.language for text in (*facts["queries"], *facts["passages"])}
    assert "is read as he" in caplog.text


def test_two_files_of_one_language_are_refused(tmp_path: Path) -> None:
    put(tmp_path, {"iw.json": squad("q"), "he.json": squad("q")})
    for name in ("squad", "lareqa"):
        with pytest.raises(BadInput, match=r"(he|iw)\.json: he stands in .*(he|iw)\.json too"):
            content(name, tmp_path)


IDS: dict[str, Files] = {
    name: {file: text.replace('"a"', '"a b"').replace("\ta\t", "\ta b\t") for file, text in FOLDERS[name].items()}
    for name in ("beir", "hugging_face", "tevatron", "tevatron 2", "dpr")
}


@pytest.mark.parametrize("name", IDS)
def test_ids_may_hold_blanks(name: str, tmp_path: Path) -> None:
    assert {passage for _, passage, _ in content(name, put(tmp_path, IDS[name]))["judged"]} == {"a b"}
