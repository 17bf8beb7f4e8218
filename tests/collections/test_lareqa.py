import json
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from msm.collections.registry import find_benchmark
from msm.collections.sizes import XQUAD_R
from msm.errors import BadInput


def paragraph(sentences: list[str], questions: list[tuple[str, int]]) -> dict[str, Any]:
    """SQuAD JSON of sentences joined by blanks, and questions answered at the end of one of them."""
    starts, breaks, place = [], [], 0
    for sentence in sentences:
        breaks.append([place, place + len(sentence)])
        starts.append(place + len(sentence) - 1)
        place += len(sentence) + 1
    qas = [{"id": name, "question": f"{name}?", "answers": [{"answer_start": starts[at]}]} for name, at in questions]
    return {"context": " ".join(sentences), "sentence_breaks": breaks, "qas": qas}


def write(folder: Path, languages: dict[str, list[dict[str, Any]]]) -> Path:
    for language, paragraphs in languages.items():
        value = {"data": [{"title": "", "paragraphs": [record]} for record in paragraphs]}
        (folder / f"{language}.json").write_text(json.dumps(value))
    return folder


@pytest.fixture
def own(tmp_path: Path) -> Path:
    german = [paragraph(["Eins.", "Zwei.", "Eins."], [("q1", 0), ("q2", 1)]), paragraph(["Zwei."], [("q3", 0)])]
    english = [paragraph(["One.", "Two."], [("q1", 0), ("q2", 1)]), paragraph(["Two."], [])]
    return write(tmp_path, {"en": english, "de": german})


def test_candidates_are_all_sentences_by_language_and_equal_ones_stay_apart(own: Path) -> None:
    collection = find_benchmark("lareqa:own").read(own)
    assert [passage.passage_id for passage in collection.passages] == [
        *("de-0-0", "de-0-1", "de-0-2", "de-1-0"),
        *("en-0-0", "en-0-1", "en-1-0"),
    ]
    assert [query.query_id for query in collection.queries] == ["de-q1", "de-q2", "de-q3", "en-q1", "en-q2"]
    assert collection.questions == ["q1", "q2", "q3", "q1", "q2"]
    assert list(collection.passages)[1].context == "Eins. Zwei. Eins."


def test_questions_about_one_paragraph_and_their_translations_are_a_cluster(own: Path) -> None:
    clusters = find_benchmark("lareqa:own").read(own).query_clusters
    assert clusters[0] == clusters[1] == clusters[3] == clusters[4] != clusters[2]


def test_paragraphs_that_a_translation_joins_are_one_cluster(tmp_path: Path) -> None:
    """English keeps in one paragraph what German tells in two."""
    german = [paragraph(["Eins."], [("q1", 0)]), paragraph(["Zwei."], [("q2", 0)]), paragraph(["Drei."], [("q3", 0)])]
    english = [paragraph(["One.", "Two."], [("q1", 0), ("q2", 1)])]
    clusters = find_benchmark("lareqa:own").read(write(tmp_path, {"de": german, "en": english})).query_clusters
    assert len(set(clusters)) == 2 and clusters[0] == clusters[1] == clusters[3] != clusters[2]


def test_relevant_are_the_answers_in_all_languages_and_their_twins_in_the_paragraph(own: Path) -> None:
    collection = find_benchmark("lareqa:own").read(own)
    relevant: dict[str, set[str]] = {}
    for query, passage in zip(collection.qrels.queries, collection.qrels.passages, strict=True):
        relevant.setdefault(collection.queries[query].query_id, set()).add(
            collection.qrels.passage_ids[passage].as_py()
        )
    assert relevant == {
        "de-q1": {"de-0-0", "de-0-2", "en-0-0"},
        "en-q1": {"de-0-0", "de-0-2", "en-0-0"},
        "de-q2": {"de-0-1", "en-0-1"},
        "en-q2": {"de-0-1", "en-0-1"},
        "de-q3": {"de-1-0"},
    }


def test_a_pool_of_one_language_leaves_out_questions_without_an_answer_there(own: Path) -> None:
    collection = find_benchmark("lareqa:own").read(own)
    [pool] = [pool for pool in collection.pools if pool.candidate_language == "en"]
    qrels = collection.pool_qrels(pool)
    assert sorted({collection.queries[query].query_id for query in qrels.queries}) == [
        "de-q1",
        "de-q2",
        "en-q1",
        "en-q2",
    ]
    assert {collection.passages.languages[qrels.passage_ids[place].as_py()] for place in qrels.passages} == {"en"}
    assert [pool.name for pool in collection.pools] == ["multilingual", "pool.de", "pool.en"]


def test_a_folder_without_questions_and_a_language_twice_are_refused(own: Path, tmp_path: Path) -> None:
    copy(own / "de.json", own / "de.json.gz")
    with pytest.raises(BadInput, match=r"de\.json\.gz: de stands in de\.json too"):
        find_benchmark("lareqa:own").read(own)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r"empty: no questions here"):
        find_benchmark("lareqa:own").read(tmp_path / "empty")


def test_the_official_pool_has_the_published_counts(mirror: Path) -> None:
    collection = find_benchmark("lareqa").read(mirror / "xquad-r")
    assert (len(collection.queries), len(collection.passages)) == (13090, 13014)
    assert {language: size for language, size in collection.sizes().items()} == {
        language: (counts.questions, counts.passages) for language, counts in XQUAD_R.items()
    }
    assert {queries for queries, _ in collection.sizes().values()} == {1190}
    assert len(collection.qrels.queries) == 11 * 13090
    assert len(set(zip(collection.qrels.queries, collection.qrels.passages, strict=True))) == 11 * 13090
    for pool in collection.pools[1:]:
        assert len(collection.pool_qrels(pool).queries) == 13090


def test_another_pool_may_not_bear_the_official_name(own: Path, mirror: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"not the published LAReQA .*: ar has 0 questions instead of 1190; .* lareqa"):
        find_benchmark("lareqa").read(own)
    (tmp_path / "part").mkdir()
    for path in (mirror / "xquad-r").glob("*.json.gz"):
        if path.name != "zh.json.gz":
            copy(path, tmp_path / "part")
    with pytest.raises(BadInput, match="zh has 0 questions"):
        find_benchmark("lareqa").read(tmp_path / "part")
    assert len(find_benchmark("lareqa:mine").read(own).queries) == 5
