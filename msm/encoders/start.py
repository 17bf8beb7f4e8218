"""The sentence encoder: any BERT-like Hugging Face model, run on packed tokens.

The weights live in the Hugging Face modules, so they load and save as usual; only the forward pass is ours,
because the usual one computes every pad token.

Shapes: T packed tokens, S sequences, H width, A heads, n sequences of a group, L their longest.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import transformers
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoTokenizer,
    PreTrainedModel,
    XLMRobertaConfig,
)

from msm.corpora.public_tokenizers import ENCODERS
from msm.encoders.packing import Group, Packed
from msm.encoders.published import LICENCES, write_published
from msm.encoders.settings import Encoder
from msm.encoders.trimming import keep_rows, kept_rows
from msm.errors import BadInput
from msm.execution import Execution
from msm.files import read_json
from msm.pipeline import artifacts

FROM_PADDING = {"roberta", "xlm-roberta", "camembert"}
"""Types of models whose places are counted from the padding index + 1; BERT's are counted from 0."""
KNOWN = {"bert", *FROM_PADDING}
MODULES = "modules.json"
"""List of sentence-transformers' modules."""
NEW = {"lm_head", "cls", "pooler"}
"""Parts that a checkpoint may lack."""


def run(settings: Encoder, *, tokenizer: Path, out: Path, execution: Execution) -> dict[str, Any]:
    """Write the start weights: a public checkpoint, or fresh ones of the given sizes.

    Args:
        settings: of the stage.
        tokenizer: folder of the tokenizer; kept beside the weights.
        out: payload folder.
        execution: scratch folder and mirror, for the encoders in the table of sources.

    Returns:
        Facts for the manifest.

    Raises:
        BadInput: the checkpoint's vocabulary is smaller than the tokenizer's, or it cannot be loaded.
    """
    words = AutoTokenizer.from_pretrained(tokenizer)
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
    own = settings.checkpoint and Path(settings.checkpoint).is_dir()
    return facts | ({"checkpoint_checksum": artifacts.payload_checksum(Path(settings.checkpoint))} if own else {})


def _from_checkpoint(checkpoint: str, settings: Encoder, words: Any) -> PreTrainedModel:
    """A checkpoint with its first layers and the embeddings of the tokenizer's pieces."""
    model = load_masked(checkpoint, settings.layers)
    if (own := _own_pieces(checkpoint)) and (
        rows := kept_rows(own, words.get_vocab(), settings.checkpoint)
    ) is not None:
        keep_rows(model, rows)
    if model.config.vocab_size < len(words):
        raise BadInput(
            f"{settings.checkpoint}: {model.config.vocab_size} embeddings, but the tokenizer has {len(words)}"
        )
    return model


def _own_pieces(checkpoint: str) -> dict[str, int]:
    """Piece to id of a checkpoint's own tokenizer; empty if it comes without one."""
    try:
        return AutoTokenizer.from_pretrained(checkpoint).get_vocab()
    except (OSError, ValueError):
        return {}


def fresh(settings: Encoder, tokenizer: Any) -> PreTrainedModel:
    """An XLM-R with random weights, N(0, 0.02)."""
    if settings.width % max(settings.heads, 1):
        raise BadInput(f"width must be a multiple of heads, got {settings.width} and {settings.heads}")
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.width,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        intermediate_size=settings.feed_forward,
        # XLM-R counts places from the padding index + 1.
        max_position_embeddings=settings.positions + 2,
        hidden_dropout_prob=settings.dropout,
        attention_probs_dropout_prob=settings.dropout,
        type_vocab_size=1,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return AutoModelForMaskedLM.from_config(config)


def load_masked(folder: str | Path, layers: int = 0) -> PreTrainedModel:
    """A checkpoint with its language-model head, in fp32; with `layers` above 0, only its first layers."""
    return _load(AutoModelForMaskedLM, folder, layers)


def load_bare(folder: str | Path) -> PreTrainedModel:
    """A checkpoint without its language-model head, in fp32."""
    return _load(AutoModel, folder)


def _load(kind: Any, folder: str | Path, layers: int = 0) -> PreTrainedModel:
    # Loading a body without its head, or the other way round, is what we mean; bars and reports of it only hide errors.
    transformers.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()
    try:
        config = AutoConfig.from_pretrained(folder)
        if config.model_type not in KNOWN:
            raise ValueError(f"type {config.model_type}; known are {', '.join(sorted(KNOWN))}")
        shorten(config, layers)
        model, report = kind.from_pretrained(
            folder, config=config, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
        )
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder}: not a loadable checkpoint: {str(error).splitlines()[0]}") from error
    if lacking := sorted(name for name in report["missing_keys"] if not NEW & set(name.split("."))):
        raise BadInput(f"{folder}: lacks {len(lacking)} weights of the encoder, such as {lacking[0]}")
    return model


def shorten(config: Any, layers: int) -> None:
    """Make a configuration one of the first layers only; 0 keeps all.

    Raises:
        ValueError: there are not so many.
    """
    if not layers:
        return
    if layers > config.num_hidden_layers:
        raise ValueError(f"layers is {layers}, but there are {config.num_hidden_layers}")
    config.num_hidden_layers = layers
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:layers]


def copy_usage(checkpoint: Path, folder: Path) -> None:
    """Copy what says how a checkpoint is to be used, and under which licence, beside weights made from it.

    Args:
        checkpoint: a folder; nothing is copied from any other one than a sentence-transformers folder whose encoder
            stands at the root.
        folder: existing folder of the new weights.
    """
    if not (checkpoint / MODULES).is_file():
        return
    paths = [str(module["path"]) for module in read_json(checkpoint / MODULES)]
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


def body(model: PreTrainedModel) -> Any:
    """The encoder inside a masked-language model."""
    return getattr(model, model.base_model_prefix, model)


def language_head(model: Any) -> nn.Module:
    """What turns token states into logits: BERT calls it `cls`, RoBERTa and XLM-R `lm_head`."""
    return model.cls if model.config.model_type == "bert" else model.lm_head


def token_states(model: Any, packed: Packed) -> Tensor:
    """Last-layer state of every token.

    Args:
        model: a BERT-like encoder without head; dropout follows `model.training`.
        packed: the sequences; no attention crosses from one to another.

    Returns:
        [T, H], equal to the model's own forward pass on the padded batch but for rounding.
    """
    states: Tensor = model.embeddings(
        input_ids=packed.tokens[None],
        position_ids=(packed.places + first_position(model))[None],
        token_type_ids=torch.zeros_like(packed.tokens)[None],
    )[0]
    return run_layers(model.encoder.layer, states, packed)


def run_layers(layers: Any, states: Tensor, packed: Packed) -> Tensor:
    """States of packed tokens through BERT layers, [T, H] to [T, H]."""
    for layer in layers:
        attended = _attention(layer.attention.self, states, packed)
        states = layer.attention.output(attended, states)
        states = layer.output(layer.intermediate(states), states)
    return states


def first_position(model: Any) -> int:
    """Position of the first token."""
    return model.config.pad_token_id + 1 if model.config.model_type in FROM_PADDING else 0


def _attention(layer: Any, states: Tensor, packed: Packed) -> Tensor:
    """Attention within the sequences, [T, H] to [T, H]."""
    # One rearrangement of all groups: slices of the packed rows would each have a gradient as large as all rows.
    parts = [project(states).index_select(0, packed.padded) for project in (layer.query, layer.key, layer.value)]
    sizes = [group.sequences * group.length for group in packed.groups]
    dropout = layer.dropout.p if layer.training else 0.0
    of_groups = zip(packed.groups, *(part.split(sizes) for part in parts), strict=True)
    attended = [_group_attention(group, own, layer.num_attention_heads, dropout) for group, *own in of_groups]
    return torch.cat(attended).index_select(0, packed.kept)


def _group_attention(group: Group, parts: list[Tensor], heads: int, dropout: float) -> Tensor:
    """Attention within the sequences of one group, [n L, H]."""
    batch = [part.view(group.sequences, group.length, heads, -1).transpose(1, 2) for part in parts]
    mask = None if group.mask is None else group.mask[:, None, None]
    attended = F.scaled_dot_product_attention(*batch, attn_mask=mask, dropout_p=dropout)
    return attended.transpose(1, 2).flatten(0, 1).flatten(1)


def pool(states: Tensor, packed: Packed, pooling: str) -> Tensor:
    """One vector a sequence.

    Args:
        states: [T, H].
        packed: what the states are of.
        pooling: `cls` for the first token, `mean` over all tokens.

    Returns:
        [S, H], in the order given to `pack`.
    """
    if pooling == "cls":
        return states[packed.starts]
    sums = states.new_zeros(len(packed.starts), states.shape[1], dtype=torch.float32)
    sums = sums.index_add(0, packed.owners, states.float())
    return sums / torch.bincount(packed.owners, minlength=len(packed.starts))[:, None]
