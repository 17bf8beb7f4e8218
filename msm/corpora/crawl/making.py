"""Makes a corpus from a recipe, in a work folder, step by step."""

from pathlib import Path

from msm.corpora.crawl.executors import Placing, run
from msm.corpora.crawl.identification import identifier
from msm.corpora.crawl.perplexity import check_folder
from msm.corpora.crawl.settings import read_recipe
from msm.corpora.crawl.state import CrawlState
from msm.corpora.crawl.steps import make_work


def make(recipe: Path, work: Path, out: str, tokenizer: str, placing: Placing) -> CrawlState:
    """Do the steps of a corpus that are not done yet.

    Args:
        recipe: path of the recipe.
        work: folder for intermediate files, which all tasks can read and write.
        out: address of the shards or documents.
        tokenizer: folder of the tokenizer; empty to write documents.
        placing: place and form in which tasks run.

    Raises:
        BadInput: the recipe, an input, a model or the executor cannot be used.
    """
    values = read_recipe(recipe)
    identifier(values.corpus.identifier)
    if values.corpus.perplexity_models:
        check_folder(values.corpus.perplexity_models)
    local = "://" not in out
    address = str(Path(out).resolve()) if local else out.rstrip("/")
    if local:
        Path(address).mkdir(parents=True, exist_ok=True)
    state = make_work(
        work.resolve(), lambda folder: CrawlState(values, folder, address, tokenizer), values.fingerprint()
    )
    run(state, placing)
    return state
