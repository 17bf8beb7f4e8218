"""Stage `encoder`: the start weights of a sentence encoder."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForMaskedLM, PreTrainedModel, XLMRobertaConfig

from msm.corpora.settings import ENCODERS
from msm.encoders.model_files import MODULES, read_modules_list
from msm.encoders.public_encoders import LICENCES, write_published
from msm.encoders.settings import Encoder
from msm.encoders.start_checkpoints import load_masked, load_tokenizer
from msm.encoders.trimming import keep_rows, kept_rows
from msm.errors import BadInput
from msm.execution import Execution
from msm.pipeline import artifacts


def run(settings: Encoder, *, tokenizer: Path, out: Path, execution: Execution) -> dict[str, Any]:
    """Write the start weights: a public checkpoint, or fresh ones of the given sizes.

    Args:
        settings: settings of the stage.
        tokenizer: folder of the tokenizer, which is copied beside the weights.
        out: payload folder.
        execution: scratch folder and mirror, for the encoders in the table of sources.

    Returns:
        Facts for the manifest.

    Raises:
        BadInput: the checkpoint's vocabulary is smaller than the tokenizer's, or it cannot be loaded.
    """
    words = load_tokenizer(tokenizer)
    # A sentence encoder such as LaBSE comes without a language-model head: that is drawn from the seed then.
    torch.manual_seed(settings.seed)
    execution.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=execution.work) as scratch:
        checkpoint = settings.checkpoint
        if checkpoint in ENCODERS:
            write_published(checkpoint, Path(scratch), work=execution.work, mirror=execution.mirror)
            checkpoint = scratch
        model = _from_checkpoint(checkpoint, settings, words) if checkpoint else fresh(settings, words)
        model.save_pretrained(out)
        words.save_pretrained(out)
        copy_usage(Path(checkpoint), out)
    facts = {"parameters": sum(weight.numel() for weight in model.parameters()), "vocabulary": len(words)}
    is_folder = settings.checkpoint and Path(settings.checkpoint).is_dir()
    return facts | ({"checkpoint_checksum": artifacts.payload_checksum(Path(settings.checkpoint))} if is_folder else {})


def _from_checkpoint(checkpoint: str, settings: Encoder, words: Any) -> PreTrainedModel:
    """Return a checkpoint with its first layers and the embeddings of the tokenizer's pieces."""
    model = load_masked(checkpoint, layers=settings.layers)
    if (pieces := _own_pieces(checkpoint)) and (
        rows := kept_rows(pieces, words.get_vocab(), settings.checkpoint)
    ) is not None:
        keep_rows(model, rows)
    if model.config.vocab_size < len(words):
        raise BadInput(
            f"{settings.checkpoint}: {model.config.vocab_size} embeddings, but the tokenizer has {len(words)}"
        )
    return model


def _own_pieces(checkpoint: str) -> dict[str, int]:
    """Return piece to id of a checkpoint's own tokenizer; empty if it comes without one."""
    try:
        return load_tokenizer(checkpoint).get_vocab()
    except BadInput:
        return {}


def fresh(settings: Encoder, tokenizer: Any) -> PreTrainedModel:
    """Return an XLM-R with random weights, N(0, 0.02)."""
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.width,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        intermediate_size=settings.feed_forward,
        # XLM-R counts positions from the padding index + 1.
        max_position_embeddings=settings.positions + 2,
        hidden_dropout_prob=settings.dropout,
        attention_probs_dropout_prob=settings.dropout,
        type_vocab_size=1,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return AutoModelForMaskedLM.from_config(config)


def copy_usage(checkpoint: Path, folder: Path) -> None:
    """Copy a checkpoint's files of usage and its licence beside weights that were made from it.

    Args:
        checkpoint: folder of a sentence-transformers model whose encoder stands at the root; nothing is copied from any
            other.
        folder: existing folder of the new weights.
    """
    if not (checkpoint / MODULES).is_file():
        return
    paths = [module["path"] for module in read_modules_list(checkpoint)]
    if not paths or paths[0]:
        return
    for name in (MODULES, "config_sentence_transformers.json", "sentence_bert_config.json"):
        if (checkpoint / name).is_file():
            shutil.copyfile(checkpoint / name, folder / name)
    for name in [*paths[1:], LICENCES]:
        if (checkpoint / name).is_dir():
            shutil.copytree(checkpoint / name, folder / name)
        else:
            (folder / name).mkdir(parents=True)  # the hub keeps no empty folders, such as that of Normalize
