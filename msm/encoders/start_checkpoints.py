"""Loads checkpoints of transformers to pre-train from.

No code of a checkpoint runs, nothing is unpickled (weights are safetensors, or files of torch read with
`weights_only`), and no question is asked on the terminal. Whatever is wrong is one line.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForTextEncoding,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES,
)

from msm.encoders.model_files import CODE, CONFIG, check_files, check_tokenizer, read_object
from msm.errors import BadInput, first_line
from msm.pipeline.artifacts import ADAPTER

HALVES = {kind for kind, name in MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES.items() if name.endswith("EncoderModel")}
"""Types of encoder-decoders whose encoder can be loaded alone, such as T5 and mT5."""
ATTENTION_DROPOUTS = ("attention_probs_dropout_prob", "attention_dropout")
"""Names of the dropout rate of attention weights in configurations."""


def load_masked(name: str | Path, *, layers: int = 0, attention_dropout: float | None = None) -> PreTrainedModel:
    """Load a checkpoint with its masked-language head, in fp32, or without a head if its class has none.

    A head that the class has and the checkpoint lacks is drawn; of T5 and its kind the encoder is taken.

    Args:
        name: folder, or name in the Hugging Face hub.
        layers: number of its first layers that are kept; 0 keeps all.
        attention_dropout: dropout rate of attention weights, instead of the checkpoint's own.

    Raises:
        BadInput: not a checkpoint that can be loaded, or one that lacks weights of the encoder.
    """
    config = read_config(name)
    _shorten(name, config, layers)
    usual = {key: getattr(config, key) for key in ATTENTION_DROPOUTS if hasattr(config, key)}
    if attention_dropout is not None:
        if not usual:
            raise BadInput(f"{name}: nothing is known of the attention dropout of {config.model_type}")
        for key in usual:
            setattr(config, key, attention_dropout)
    has_head = config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not config.is_encoder_decoder
    kind = AutoModelForMaskedLM if has_head else _bare_kind(name, config)
    model, missing_weights = _load(kind, name, config)
    for key, value in usual.items():
        # The layers have what was given; what is saved is to be as it was.
        setattr(model.config, key, value)
    inside = f"{model.base_model_prefix}." if has_head else ""
    _check_complete(name, [weight for weight in missing_weights if weight.startswith(inside)])
    return model


def load_tokenizer(name: str | Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a checkpoint.

    Raises:
        BadInput: there is no tokenizer, or it cannot be loaded.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    except Exception as error:  # A damaged file raises whatever its reader happens to stumble over.
        check_files(Path(name))
        raise BadInput(f"{name}: no tokenizer that can be loaded: {first_line(error)}") from error
    check_tokenizer(tokenizer)
    return tokenizer


def read_config(name: str | Path) -> PreTrainedConfig:
    """Read the configuration of a checkpoint.

    Raises:
        BadInput: there is no configuration, it is damaged, or it needs code that must not run.
    """
    read_object(Path(name) / CONFIG)
    if (Path(name) / ADAPTER).is_file():
        raise BadInput(f"{name}: adapters, and not the model that they belong to; give a model with them merged in")
    try:
        return AutoConfig.from_pretrained(name, trust_remote_code=False)
    except Exception as error:  # A damaged file raises whatever its reader happens to stumble over.
        raise _unloadable(name, error) from error


def _load(kind: Any, name: str | Path, config: PreTrainedConfig) -> tuple[Any, list[str]]:
    """A model, and the names of weights that its files lack."""
    # Loading a body without its head, or the other way round, is what we mean; bars and reports of it only hide errors.
    transformers.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()
    try:
        model, report = kind.from_pretrained(
            name,
            config=config,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            trust_remote_code=False,
        )
    except Exception as error:  # A damaged file raises whatever its reader happens to stumble over.
        raise _unloadable(name, error) from error
    refuse_other_shapes(name, report["mismatched_keys"])
    return model, sorted(report["missing_keys"])


def refuse_other_shapes(name: str | Path, mismatches: Collection[tuple[str, Any, Any]]) -> None:
    """Refuse weights whose shapes are not those of the configuration.

    Args:
        name: name of the checkpoint, for messages.
        mismatches: name, shape in the file and shape in the model of each such weight.

    Raises:
        BadInput: there are any.
    """
    for weight, file_shape, model_shape in sorted(mismatches)[:1]:
        raise BadInput(f"{name}: weight {weight} has shape {list(file_shape)}, not {list(model_shape)}")


def _unloadable(name: str | Path, error: Exception) -> BadInput:
    check_files(Path(name))
    if "Weights only load failed" in str(error):
        return BadInput(f"{name}: its weights are a pickle of more than tensors, which is never read")
    if CODE in str(error):
        return BadInput(f"{name}: needs code that comes with it, and no code of others runs here")
    return BadInput(f"{name}: not a checkpoint that can be loaded: {first_line(error)}")


def _shorten(name: str | Path, config: PreTrainedConfig, layers: int) -> None:
    """Make a configuration describe the first layers only; 0 keeps all."""
    if not layers:
        return
    if layers > config.num_hidden_layers:
        raise BadInput(f"{name}: layers is {layers}, but there are {config.num_hidden_layers}")
    config.num_hidden_layers = layers
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:layers]


def _bare_kind(name: str | Path, config: PreTrainedConfig) -> Any:
    """What loads the encoder of a checkpoint."""
    if config.model_type in HALVES:
        return AutoModelForTextEncoding
    if config.is_encoder_decoder:
        types = ", ".join(sorted(HALVES))
        raise BadInput(f"{name}: {config.model_type} is an encoder-decoder; encoders are taken of {types} only")
    return AutoModel


def _check_complete(name: str | Path, weights: list[str]) -> None:
    """Refuse a checkpoint that lacks other weights than those of its pooler."""
    weights = [weight for weight in weights if not _is_pooler(weight)]
    if weights:
        raise BadInput(f"{name}: lacks {len(weights)} weights of the encoder, such as {weights[0]}")


def _is_pooler(weight: str) -> bool:
    return "pooler" in weight.split(".")
