"""Stage `report`: writes `report.md`, `table.txt`, plain files and heat maps of a recipe's score folders."""

from pathlib import Path
from typing import Any

from msm.errors import BadInput
from msm.reporting import lineage, markdown
from msm.reporting.heatmap import heatmap
from msm.reporting.plain import write_plain
from msm.reporting.results import read
from msm.reporting.sections import Section, sections
from msm.reporting.settings import DOCUMENT, TABLE, Report
from msm.reporting.terminal import section_text

PICTURE = "heatmap-{}.svg"


def run(settings: Report, *, scores: Path, out: Path) -> dict[str, Any]:
    """Write the report.

    Args:
        settings: settings of the stage.
        scores: folder of score folders, one for each row, such as `artifacts/mini/score`; the stages behind them stand
            beside.
        out: empty folder to fill.

    Returns:
        Counts, for the manifest.

    Raises:
        BadInput: there is no usable score folder.
    """
    results = read(scores)
    found, problems = sections(results, settings)
    if not found:
        reasons = "; ".join(problem.reason for problem in problems) or "run the stage `score` first"
        raise BadInput(f"{scores}: no usable score folder ({reasons})")
    names = [run.name for section in found for model in section.benchmark.models for run in model.runs]
    chains = {name: lineage.chain(name, results.root, largest=0) for name in names}
    text = markdown.document(settings.recipe, found, problems, chains, PICTURE)
    (out / DOCUMENT).write_text(text, encoding="utf-8")
    (out / TABLE).write_text(_table(found, [problem.reason for problem in problems]), encoding="utf-8")
    for section in found:
        first = next(iter(section.tables.values()))
        (out / PICTURE.format(section.benchmark.name)).write_text(heatmap(first), encoding="utf-8")
    write_plain((scores / Path(name).name for name in names), out)
    return {"score_folders": len(names), "left_out": len(problems)}


def _table(found: list[Section], problems: list[str]) -> str:
    texts = [section_text(section) for section in found]
    if problems:
        texts.append("Left out:\n" + "".join(f"  {problem}\n" for problem in problems))
    return "\n\n".join(texts)
