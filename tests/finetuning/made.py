"""Settings and examples for the tests of fine-tuning."""

from typing import Any

from msm.collections.records import Example, Passage, Query
from msm.finetuning.settings import Finetune
from msm.settings import flat, make

WORDS = "ra fudi moro pepiga bud deti vipa soka lumi tane gori".split()


VALUES: dict[str, Any] = {
    "examples": "questions/train",
    "dev_examples": "questions/dev",
    "language": "qaa",
    "steps": 6,
    "learning_rate": 1e-3,
    "warmup_steps": 2,
    "clip": 2.0,
    "precision": "fp32",
    "checkpoint_steps": 2,
    "seed": 1,
    "batches": {"batch_queries": 8, "shard_queries": 8, "hard_negatives": 1},
    "loss": {"gather": "grad", "scale": 20.0, "learn_scale": "yes"},
    "encoding": {"pooling": "cls", "query_tokens": 24, "passage_tokens": 24},
    "selection": {"dev_steps": 3, "dev_queries": 20, "dev_negatives": 1},
}


def settings(**changes: Any) -> Finetune:
    """Small settings; a change is named by its field, in whatever section that stands."""
    values = {name: dict(value) if isinstance(value, dict) else value for name, value in VALUES.items()}
    # Of two fields of one name the first is meant: `alpha` is the share of mono batches.
    places = {one.name.rpartition(".")[2]: one.name.rpartition(".")[0] for one in reversed([*flat(Finetune)])}
    for name, value in changes.items():
        section, _, field = name.rpartition("_") if name.startswith("lora_") else (places[name], "", name)
        (values.setdefault(section, {}) if section else values)[field] = value
    return make(Finetune, values, "test")


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
