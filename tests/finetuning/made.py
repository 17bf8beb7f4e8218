"""Settings and examples for the tests of fine-tuning."""

from typing import Any

from msm.collections.records import Example, Passage, Query
from msm.finetuning.settings import Finetune

WORDS = "ra fudi moro pepiga bud deti vipa soka lumi tane gori".split()


def settings(**changes: Any) -> Finetune:
    values: dict[str, Any] = {
        "examples": "questions/train",
        "dev_examples": "questions/dev",
        "language": "qaa",
        "passage_unit": "sentence",
        "translations": "",
        "sampler": "shuffled",
        "alpha": 0.5,
        "cross_pair": "row",
        "steps": 6,
        "epochs": 0,
        "batch_queries": 8,
        "shard_queries": 8,
        "gather": "grad",
        "micro_queries": 0,
        "hard_negatives": 1,
        "candidates": "all",
        "learning_rate": 1e-3,
        "warmup_steps": 2,
        "weight_decay": 0.0,
        "clip": 2.0,
        "towers": "one",
        "pooling": "cls",
        "similarity": "cosine",
        "scale": 20.0,
        "learn_scale": "yes",
        "query_tokens": 24,
        "passage_tokens": 24,
        "passage_context": "none",
        "query_prefix": "",
        "passage_prefix": "",
        "question_mark": "kept",
        "precision": "fp32",
        "dev_steps": 3,
        "dev_queries": 20,
        "dev_negatives": 1,
        "selection": "last",
        "select_from": 0.0,
        "patience": 0,
        "dev_benchmark": "",
        "dev_questions": "",
        "dev_measure": "",
        "checkpoint_steps": 2,
        "seed": 1,
    }
    return Finetune(**(values | changes))


def examples(count: int, negatives: int = 1) -> list[Example]:
    """Questions of different texts and lengths; the negatives of one are passages of nobody."""

    def text(number: int) -> str:
        return " ".join(WORDS[(number * step) % len(WORDS)] for step in range(1, 3 + number % 7))

    return [
        Example(
            Query(f"q{number}", "qaa", text(number) + "?"),
            Passage(f"p{number}", "qaa", text(number + 3), "Deti"),
            [Passage(f"n{number}-{place}", "qaa", text(number + 5 + place)) for place in range(negatives)],
        )
        for number in range(count)
    ]
