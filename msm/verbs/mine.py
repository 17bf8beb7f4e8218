"""Mines hard negatives from a run or a model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msm.collections.examples import read_examples
from msm.collections.readers.records_json import mined_row
from msm.collections.records import Example
from msm.encoders.loading import open_encoder
from msm.errors import BadInput
from msm.files import write_json_lines
from msm.finetuning import mine as mining
from msm.finetuning.mine import MiningCounts, Ranking
from msm.finetuning.settings import Mine
from msm.settings import listed
from msm.training import pick_device


def mine(
    settings: Mine,
    out: str | Path,
    *,
    run: str | Path | None = None,
    model: str | Path | None = None,
    device: str = "auto",
) -> MiningCounts:
    """Mine hard negatives of training questions, into a file that fine-tuning reads.

    Args:
        settings: settings of the training files, ranks and filters; paths may lie anywhere.
        out: file that gets the examples with negatives, `.jsonl` or `.jsonl.gz`.
        run: TREC run that ranks the passages of the training questions.
        model: folder of the fine-tuned model that ranks them where no run is given.
        device: `auto`, `cpu`, `cuda` or `mps`.

    Returns:
        Numbers of examples, of negatives, and of passages that each filter dropped.

    Raises:
        BadInput: neither a run nor a model is given, the output has another ending, or a file is malformed.
    """
    if run is None and model is None:
        raise BadInput("mining needs a run or a model")
    if not str(out).endswith((".jsonl", ".jsonl.gz")):
        raise BadInput(f"--out must end in .jsonl or .jsonl.gz, to be read as training data, got {out}")
    examples = read_examples(Path(), listed(settings.examples), settings.language, settings.passage_unit)
    counts = MiningCounts()

    def rows() -> Iterator[dict[str, Any]]:
        yield from map(
            mined_row, mining.mine(examples, _ranking(settings, examples, run, model, device), settings, counts)
        )

    write_json_lines(Path(out), rows())  # The output file is opened before a model is loaded.
    return counts


def _ranking(
    settings: Mine, examples: list[Example], run: str | Path | None, model: str | Path | None, device: str
) -> Ranking:
    passages = mining.read_passages(Path(), settings.corpus, examples)
    if run is not None:
        return mining.rank_by_run(Path(run), examples, passages)
    encoder = open_encoder(
        Path(str(model)),
        device=pick_device(device),
        precision=settings.precision,
        batch_tokens=settings.batch_tokens,
    )
    return mining.rank_by_model(examples, passages, encoder, settings.depth_to)
