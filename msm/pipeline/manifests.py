"""Manifests of earlier versions, read as if this one had written them."""

from collections.abc import Mapping
from typing import Any

FORMAT = 2
"""Of the manifests that are written: 1 had the settings of pre-training and fine-tuning flat."""
DOCUMENTS = {"batch_documents": "batches.batch_documents", "softmax_documents": "batches.softmax_documents"}
MLM = {
    "batch_blocks": "mlm.batch_blocks",
    "block_tokens": "mlm.block_tokens",
    "mlm_text": "mlm.text",
    "mask_share": "mlm.mask_share",
    "mlm_weight": "mlm.weight",
}
MSM = {
    "msm_weight": "msm.weight",
    **{
        name: f"msm.{name}"
        for name in (
            *("temperature", "mu", "negatives", "gather", "masking", "projector", "document_layers"),
            *("document_heads", "document_dropout", "document_groups", "group_heads"),
        )
    },
}
PAIRS = {
    "msm_weight": "pairs.weight",
    "temperature": "pairs.temperature",
    "projector": "pairs.projector",
    "memory_keys": "pairs.memory_keys",
}
MEXMA = {
    "batch_documents": "mexma.batch_pairs",
    "softmax_documents": "mexma.micro_pairs",
    "mask_share": "mexma.mask_share",
    "msm_weight": "mexma.alignment_weight",
    "mlm_weight": "mexma.unmasking_weight",
    "koleo_weight": "mexma.koleo_weight",
    "document_layers": "mexma.layers",
    "document_heads": "mexma.heads",
    "document_dropout": "mexma.dropout",
}
DISTILL = {"batch_documents": "distill.batch_pairs", "softmax_documents": "distill.micro_pairs"}
PRETRAIN = {
    "msm": DOCUMENTS | MLM | MSM,
    "mlm": DOCUMENTS | MLM,
    **dict.fromkeys(("crop", "ict", "ccp"), DOCUMENTS | MLM | PAIRS),
    "mexma": MEXMA,
    "distill": DISTILL,
}
"""Objective to the new names of the settings that it reads; the others of these names it never read."""
READ_BY_NONE = {name for names in PRETRAIN.values() for name in names}
FINETUNE = {
    **{
        name: f"batches.{name}"
        for name in (
            *("sampler", "alpha", "cross_pair", "translations", "batch_queries", "shard_queries", "micro_queries"),
            "hard_negatives",
        )
    },
    **{name: f"loss.{name}" for name in ("gather", "candidates", "scale", "learn_scale")},
    **{
        name: f"encoding.{name}"
        for name in (
            *("towers", "pooling", "similarity", "query_tokens", "passage_tokens", "passage_context"),
            *("query_prefix", "passage_prefix", "question_mark"),
        )
    },
    "selection": "selection.keep",
    "select_from": "selection.from_share",
    **{name: f"selection.{name}" for name in ("patience", "dev_steps", "dev_queries", "dev_negatives")},
    "dev_benchmark": "selection.benchmark",
    "dev_questions": "selection.questions",
    "dev_measure": "selection.measure",
}


def upgrade(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest of any earlier format in the newest one; its command stays as it was run.

    Args:
        manifest: manifest as it was read; one without a usable format is returned unchanged.
    """
    result = dict(manifest)
    if result.get("format") == 1 and isinstance(result.get("settings"), Mapping):
        result |= {"format": FORMAT, "settings": _nested(str(result.get("stage")), result["settings"])}
    return result


def _nested(stage: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    names: Mapping[str, str] = {}
    extra_names: set[str] = set()
    if stage == "pretrain":
        names = PRETRAIN.get(str(settings.get("objective")), {})
        extra_names = READ_BY_NONE - names.keys()
    elif stage == "finetune":
        names = FINETUNE
    result: dict[str, Any] = {}
    for name, value in settings.items():
        section, dot, field = names.get(name, name).rpartition(".")
        if dot:
            result.setdefault(section, {})[field] = value
        elif name not in extra_names:
            result[name] = value
    return result
