"""What a model of a constructed world has learned: the kind of event, or the story, or both.

    python docs/examples/what_is_learned.py QUESTIONS MODEL...

QUESTIONS is `artifacts/RECIPE/sources/world/files/questions/test`, MODEL a folder
`artifacts/RECIPE/finetune/ROW/model`.
Each question is asked of the passages in other languages than its own, and two numbers are printed:

- event: share of the questions whose best passage *among those of the right story* is a right one. Chance is one
  sentence of a story; the order of events, which all languages share, is enough to learn this.
- story: share of the questions whose best passage of all is of the right story. Chance is one story; names and numbers
  that languages write alike help here.
"""

import sys
from pathlib import Path

import numpy as np

import msm
from msm.collections.registry import find_benchmark


def main(questions: Path, models: list[Path]) -> None:
    """Print both shares and their chance for every model."""
    collection = find_benchmark("constructed").read(questions)
    passages = list(collection.passages)
    stories = np.array([passage.passage_id.split("-")[1] for passage in passages])
    languages = np.array([passage.language for passage in passages])
    right = np.zeros((len(collection.queries), len(passages)), bool)
    right[collection.qrels.queries, collection.qrels.passages] = True
    asked = np.array([query.language for query in collection.queries])
    own = stories[right.argmax(1)]
    others = languages[None] != asked[:, None]
    for model in models:
        encoder = msm.load_encoder(model, device="cpu", precision="fp32")
        scores = encoder.encode([query.text for query in collection.queries], "query") @ (
            encoder.encode([passage.text for passage in passages], "passage").T
        )
        event = np.where(others & (stories[None] == own[:, None]), scores, -np.inf).argmax(1)
        best = np.where(others, scores, -np.inf).argmax(1)
        rows = np.arange(len(scores))
        print(f"{model.parent.name}: event {right[rows, event].mean():.3f}, story {(stories[best] == own).mean():.3f}")
    in_story = (others & (stories[None] == own[:, None])).sum(1)
    event, story = ((right & others).sum(1) / in_story).mean(), (in_story / others.sum(1)).mean()
    print(f"chance: event {event:.3f}, story {story:.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
