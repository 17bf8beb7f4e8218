"""Stage `report`: writes `report.md`, `table.txt`, plain files and heat maps of a recipe's score folders."""

from pathlib import Path
from typing import Any

from msm.errors import BadInput
from msm.reporting import ablation_picture, lineage, markdown, scaling_picture, trade_picture, wording
from msm.reporting.contents import Section
from msm.reporting.heatmap import heatmap
from msm.reporting.plain import write_plain
from msm.reporting.results import read
from msm.reporting.sections import sections
from msm.reporting.settings import ABLATIONS, DOCUMENT, HEATMAP, SCALING, TABLE, TRADE, Report
from msm.reporting.terminal import section_text


def run(settings: Report, *, scores: Path, out: Path) -> dict[str, Any]:
    """Write the report.

    Args:
        settings: settings of the stage.
        scores: folder of score folders, one for each row, such as `artifacts/mini/score`. The folders of the stages
            behind them are beside it.
        out: empty folder that gets the files.

    Returns:
        Numbers of score folders that are shown and that are left out, for the manifest.

    Raises:
        BadInput: there is no usable score folder.
    """
    results = read(scores)
    report_sections, problems = sections(results, settings)
    if not report_sections:
        reasons = "; ".join(problem.reason for problem in problems) or "run the stage `score` first"
        raise BadInput(f"{scores}: no usable score folder ({reasons})")
    names = [scores.name for section in report_sections for model in section.benchmark.models for scores in model.seeds]
    chains = {name: lineage.chain(name, results.root, largest=0) for name in names}
    text = markdown.document(settings.recipe, report_sections, problems, chains)
    (out / DOCUMENT).write_text(text, encoding="utf-8")
    (out / TABLE).write_text(_table(report_sections, [problem.reason for problem in problems]), encoding="utf-8")
    for section in report_sections:
        for name, text in _pictures(section).items():
            (out / name).write_text(text, encoding="utf-8")
    write_plain((scores / Path(name).name for name in names), out)
    return {"score_folders": len(names), "left_out": len(problems)}


def _pictures(section: Section) -> dict[str, str]:
    """Return the pictures of a benchmark by the names of their files."""
    first = next(iter(section.tables.values()))
    pictures = {HEATMAP.format(section.benchmark.name): heatmap(first)}
    if section.ablations:
        drawing = ablation_picture.picture(section.ablations, first.title)
        pictures[ABLATIONS.format(section.benchmark.name)] = drawing
    if section.scaling:
        pictures[SCALING.format(section.benchmark.name)] = scaling_picture.picture(section.scaling, first.title)
    if section.trade:
        what = f"{section.title}, {wording.measure(section.benchmark.columns[0][0])}"
        pictures[TRADE.format(section.benchmark.name)] = trade_picture.picture(section.trade, what)
    return pictures


def _table(report_sections: list[Section], problems: list[str]) -> str:
    texts = [section_text(section) for section in report_sections]
    if problems:
        texts.append("Left out:\n" + "".join(f"  {problem}\n" for problem in problems))
    return "\n\n".join(texts)
