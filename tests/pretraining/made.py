"""Settings for the tests of pre-training."""

from typing import Any

from msm.pretraining.settings import READS, Pretrain
from msm.settings import hints, make, section

SEED = 3
SOFTMAX_DOCUMENTS, BLOCK_TOKENS = 2, 32
COMMON: dict[str, Any] = {
    "objective": "msm",
    "steps": 20,
    "pooling": "cls",
    "language_exponent": 0.3,
    "learning_rate": 1e-3,
    "warmup_steps": 4,
    "schedule_steps": 20,
    "weight_decay": 0.01,
    "clip": 1.0,
    "precision": "fp32",
    "checkpoint_steps": 5,
    "seed": SEED,
}
SECTIONS: dict[str, dict[str, Any]] = {
    "batches": {"batch_documents": 4, "softmax_documents": SOFTMAX_DOCUMENTS},
    "mlm": {"batch_blocks": 4, "block_tokens": BLOCK_TOKENS, "mask_share": 0.15},
    "mexma": {"batch_pairs": 4, "micro_pairs": 2, "layers": 2},
    "distill": {"batch_pairs": 4, "micro_pairs": 2},
}


def settings(**changes: Any) -> Pretrain:
    """Small settings of an objective; a change is named by its field, or by section and field: `mlm.weight`."""
    kinds = {name: section(hint) for name, hint in hints(Pretrain).items()}
    values = dict(COMMON)
    sections = READS[changes.get("objective", "msm")]
    values |= {name: dict(SECTIONS.get(name, {})) for name in sections}
    for name, value in changes.items():
        place, _, field = name.rpartition(".")
        if not place and name not in kinds:
            (place,) = [one for one in sections if name in hints(kinds[one])]  # type: ignore[arg-type]
        (values[place] if place else values)[field] = value
    return make(Pretrain, values, "test")
