"""Our results as MTEB reads them."""

from pathlib import Path
from statistics import fmean

import pytest

from msm.cli.main import main
from msm.evaluation import exported
from msm.evaluation.mteb_results import mteb_code

MEANS = ("mean", "all")
RESULTS = Path(__file__).parents[2] / "results"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("en", "eng-Latn"),
        ("deu", "deu-Latn"),
        ("zh", "zho-Hans"),
        ("zh-Hant", "zho-Hant"),
        ("eng_Latn", "eng-Latn"),
        ("pt-BR", "por-Latn"),
        ("qaa", "qaa"),
    ],
)
def test_languages_bear_the_codes_of_mteb(ours: str, theirs: str) -> None:
    assert mteb_code(ours) == theirs


@pytest.mark.slow
def test_every_code_of_the_table_is_that_of_mteb() -> None:
    mteb = pytest.importorskip("mteb.languages.iso_mappings")
    from mteb.languages import check_language_code

    from msm.evaluation.mteb_results import _codes

    for code in _codes().values():
        check_language_code(code)
    assert mteb.ISO_TO_LANGUAGE["eng"] == "English"


@pytest.mark.slow
def test_mteb_reads_committed_results_back(tmp_path: Path) -> None:
    mteb = pytest.importorskip("mteb")
    from mteb.results import TaskResult

    folder = RESULTS / "real" / "score" / "lareqa-e5-small-1"
    main(["export", "--format", "mteb", "--scores", str(RESULTS / "real"), "--out", str(tmp_path / "results")])
    path = tmp_path / "results" / "e5-small" / "seed_1" / "lareqa.json"
    task = TaskResult.from_disk(path, load_historic_data=False)
    lines = [line for _, line in exported.score_lines(folder, "scores.jsonl") if line["measure"] == "map@20"]
    one = {(line["query_language"], line["candidate_language"]): line["value"] for line in lines}
    english = [value for pair, value in one.items() if "en" in pair and not {"same", "other"} & set(pair)]
    assert task.get_score(languages=["eng"]) == pytest.approx(fmean(english))
    assert task.get_score(languages=["eng-Latn"]) == pytest.approx(fmean(english))
    assert set(task.languages) == {
        mteb_code(language).partition("-")[0] for language, _ in one if language not in MEANS
    }
    results = mteb.ResultCache(cache_path=tmp_path).load_results(include_remote=False)
    names = {(one.model_name, one.model_revision) for one in results.model_results}
    manifests = exported.score_folders(RESULTS / "real")
    assert len(names) == len(manifests) == 10 and ("e5-small", "seed_1") in names
    assert all(task.task_name == "lareqa" for model in results.model_results for task in model.task_results)
