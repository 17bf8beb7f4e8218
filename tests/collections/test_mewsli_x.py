import json
from pathlib import Path
from typing import Any

import pytest

from msm.collections.benchmarks import mewsli_x
from msm.collections.registry import find_benchmark
from msm.errors import BadInput


def span(text: str, part: str) -> dict[str, Any]:
    start = text.index(part)
    return {"start": start, "end": start + len(part), "text": part}


def mention(name: str, entity: str, language: str, text: str, sentence: str, surface: str) -> dict[str, Any]:
    context = {
        "document_id": f"{language}-news",
        "language": language,
        "text": text,
        "sentence_spans": [span(text, sentence)],
    }
    return {
        "context": context,
        "mention": {"example_id": name, "entity_id": entity, "mention_span": span(text, surface)},
    }


def entity(name: str, language: str, description: str) -> dict[str, Any]:
    spans = [{"start": 0, "end": len(description)}]
    return {
        "entity_id": name, "title": "never used", "description": description, "description_language": language,
        "sentence_spans": spans,
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    mentions = [
        mention(
            "m1", "Q2", "de", "Vorher. Die {Stadt} Bonn\nliegt  am Rhein.", "Die {Stadt} Bonn\nliegt  am Rhein.", "Bonn"
        ),
        mention("m2", "Q1", "uk", "Київ.", "Київ.", "Київ"),
    ]
    record = {"context": mentions[1]["context"], "mentions": [mentions[1]["mention"]]}
    entities = [entity("Q1", "uk", "Столиця."), entity("Q2", "en", "A city\nin Germany.")]
    for name, records in (("wikinews_mentions-dev", [mentions[0], record]), ("candidate_set_entities", entities)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return tmp_path


def test_queries_and_candidates_are_spelt_as_in_xtreme_r(folder: Path) -> None:
    collection = find_benchmark("mewsli_x:mine").read(folder)
    assert [tuple(query) for query in collection.queries] == [
        ("m1", "de", "Bonn: Die (Stadt) { Bonn } liegt am Rhein."),
        ("m2", "uk", "Київ: { Київ } ."),
    ]
    assert [tuple(passage)[:4] for passage in collection.passages] == [
        ("Q1", "uk", "Столиця.", ""),
        ("Q2", "en", "A city in Germany.", ""),
    ]
    passage_ids = collection.qrels.passage_ids.take(collection.qrels.passages.tolist()).to_pylist()
    assert (collection.qrels.queries.tolist(), passage_ids) == ([0, 1], ["Q2", "Q1"])
    assert [pool[1:] for pool in collection.pools] == [(None, None)]
    assert [str(measure) for measure in find_benchmark("mewsli_x").parsed_measures()] == ["map@20"]


def test_mentions_of_one_article_are_a_cluster(folder: Path) -> None:
    assert find_benchmark("mewsli_x:mine").read(folder).query_clusters == ["de-news", "uk-news"]


def test_counts_of_the_release_are_checked(folder: Path) -> None:
    assert sum(counts.questions or 0 for counts in mewsli_x.BENCHMARK.counts.values()) == 2991
    with pytest.raises(BadInput, match=r"ar has 0 questions instead of 318; .* --format mewsli_x"):
        find_benchmark("mewsli_x").read(folder)


def test_a_malformed_line_is_named(folder: Path) -> None:
    path = folder / "candidate_set_entities.jsonl"
    path.write_text(path.read_text() + '{"entity_id": "Q3"}\n')
    with pytest.raises(BadInput, match=r"candidate_set_entities\.jsonl:3: no field 'description_language'"):
        find_benchmark("mewsli_x:mine").read(folder)
