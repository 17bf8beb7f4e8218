"""Languages of texts by language identification, and language vectors taken off by them."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from msm.collections.records import Query
from msm.collections.registry import find_benchmark
from msm.collections.trec_files import read_run
from msm.encoders.building import EncoderForm
from msm.encoders.loading import open_encoder
from msm.encoders.saving import new_encoder, save_encoder
from msm.errors import BadInput
from msm.execution import Execution
from msm.retrieval import stage
from msm.retrieval.language_labels import labels_by
from msm.retrieval.settings import Retrieve

langid = pytest.importorskip("py3langid.langid")
TEXTS = {
    "de": ["Der Hund schläft unter dem Tisch", "Wann wurde die Brücke gebaut?", "Die Stadt liegt am Fluss", "Gift"],
    "en": ["The dog sleeps under the table", "When was the bridge built?", "The town lies on the river", "Gift"],
    "fr": ["Le chien dort sous la table", "Quand le pont fut-il construit ?", "La ville est au bord du fleuve", "Pont"],
}
SETTINGS = Retrieve(
    benchmark="beir:own", questions="data", depth=12, language_vectors="own", language_sentences=0,
    language_labels="py3langid",
)  # fmt: skip


def guesses(texts: list[str]) -> list[str]:
    """Those of the library itself when it is told the languages."""
    model = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
    model.set_languages(sorted(TEXTS))
    return [str(model.classify(text)[0]) for text in texts]


def test_a_guess_is_the_likeliest_of_the_languages_there_are() -> None:
    texts = [Query(str(number), "", text) for number, text in enumerate(itertools.chain(*TEXTS.values()))]
    labels = labels_by("py3langid", ["fr", "en", "de"])(texts)
    assert labels == guesses([text.text for text in texts])
    assert labels[:3] == ["de"] * 3 and labels[4:7] == ["en"] * 3
    with_subtags = labels_by("py3langid", ["zh-Hans", "pt-BR"])
    assert with_subtags([Query("", "", "\u957f\u57ce\u5728\u54ea\u91cc"), Query("", "", "onde fica a ponte?")]) == [
        "zh-Hans",
        "pt-BR",
    ]


@pytest.mark.parametrize(
    ("identifier", "languages", "problem"),
    [
        ("py3langid", ["en", "qaa"], "cannot name qaa"),
        ("py3langid", ["zh-Hans", "zh-Hant"], "cannot tell zh-Hans from zh-Hant"),
        ("no/such/model.bin", ["en"], "no such fastText model"),
    ],
)
def test_what_cannot_be_guessed_is_refused(identifier: str, languages: list[str], problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        labels_by(identifier, languages)
    with pytest.raises(BadInput, match="no language vectors"):
        replace(SETTINGS, language_vectors="none")


def test_vectors_are_taken_off_by_the_guess(encoder: Path, tmp_path: Path) -> None:
    save_encoder(new_encoder(encoder, EncoderForm("mean", "cosine", 24, 24, "none")), tmp_path / "model")
    rows = [
        (f"{language}{place}", language, text) for language, texts in TEXTS.items() for place, text in enumerate(texts)
    ]
    data = tmp_path / "sources" / "data"
    (data / "qrels").mkdir(parents=True)
    for name, prefix in (("corpus", "p"), ("queries", "q")):
        lines = [{"_id": prefix + key, "title": "", "text": text, "language": language} for key, language, text in rows]
        (data / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    qrels = "".join(f"q{key}\tp{key}\t1\n" for key, *_ in rows)
    (data / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{qrels}")
    (tmp_path / "run").mkdir()
    execution = Execution(work=tmp_path / "work", device="cpu")
    facts = stage.run(
        SETTINGS, sources=tmp_path / "sources", model=tmp_path / "model", out=tmp_path / "run", execution=execution
    )

    labels = np.array(guesses([text for *_, text in rows]))
    assert facts["languages_guessed_right"] == np.mean(labels == [language for _, language, _ in rows]) < 1
    collection = find_benchmark("beir:own").read(data)
    model = open_encoder(tmp_path / "model", device=torch.device("cpu"), precision="fp32")
    queries = model.encode_queries([query.text for query in collection.queries]).astype(float)
    passages = model.encode_passages(list(collection.passages)).astype(float)
    for language in set(labels):
        mean = passages[labels == language].mean(axis=0)
        queries[labels == language] -= mean
        passages[labels == language] -= mean
    unit = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (queries, passages)]
    run = read_run(tmp_path / "run" / "multilingual.trec.gz")
    places = {passage.passage_id: place for place, passage in enumerate(collection.passages)}
    columns = [places[run.passage_ids[int(passage)].as_py()] for passage in run.passages]
    np.testing.assert_allclose((unit[0] @ unit[1].T)[run.queries, columns], run.scores, atol=2e-6)
    assert "languages guessed by py3langid" in (tmp_path / "run" / "protocol.json").read_text()
