"""`msm benchmarks` says what the registry says."""

import pytest

from msm.cli.main import main
from msm.collections.registry import BENCHMARKS, BITEXTS


def test_every_published_benchmark_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["benchmarks"])
    lines = {line.split(maxsplit=1)[0]: line for line in capsys.readouterr().out.splitlines() if line}
    names = {name for name, one in (BENCHMARKS | BITEXTS).items() if one.split}
    assert names <= lines.keys()
    # 26 languages of 6,619 questions; 900 questions and 488 passages in 122 languages.
    assert all(text in lines["mkqa"] for text in ("26", "172,094", "21,015,324", "success@100"))
    assert all(text in lines["belebele"] for text in ("122", "109,800", "59,536", "ndcg@10"))
    assert "36" in lines["tatoeba"] and "41" in lines["tatoeba_xtreme_r"]


def test_one_benchmark_is_described_with_its_files_and_rules(capsys: pytest.CaptureFixture[str]) -> None:
    main(["benchmarks", "ciral"])
    text = capsys.readouterr().out
    assert all(part in text for part in ("hausa_passages.jsonl", "yo 100/82,095/8,311", "the title and the text"))
    main(["benchmarks", "tatoeba"])
    assert "tatoeba.XXX-eng.XXX" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["benchmarks", "mkaq"])
    assert "the nearest is mkqa" in capsys.readouterr().err
