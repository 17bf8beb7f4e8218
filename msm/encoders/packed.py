"""The states of packed tokens, for every architecture of transformers.

transformers asks one registered function for the attention of every layer of every class that supports its attention
interface. Ours attends within each sequence of a packing, so that all the rest of the model reads tokens laid end to
end. Classes without that interface run as padded batches of like length; the result is the same packed rows.

Shapes: T packed tokens, S sequences, A query heads, K key heads, C width of a head, P slots of all groups, H width.
"""

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import cache
from inspect import signature
from typing import Any, cast
from weakref import WeakKeyDictionary

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from msm.encoders.token_packing import Group, PackedTokens, SlotLayout, pack, padded_batches
from msm.errors import BadInput
from msm.imports import optional_package

FLASH = optional_package("flash_attn")
NAME = "msm_packed"
"""Name under which transformers knows the attention function."""
UNHEEDED = ("softcap", "s_aux", "position_bias", "cache")
"""Options of an attention function that the packed way does not do."""
TRIAL = ((5, 6, 7, 8, 9), (10, 11, 12))
"""Token ids with which a model shows that it can be packed."""
TRIAL_DIFFERENCE = {torch.float64: 1e-3, torch.float32: 1e-3, torch.bfloat16: 0.1, torch.float16: 0.1}
"""Largest difference of packed and padded states, as a share of their norm. Rounding makes less; a sequence that
sees another one makes more."""
FLASH_WIDTH = 256
"""Widest head of flash attention."""


class _UnheededError(Exception):
    """Raised where a class asks of attention what is not done here."""


class _Reading:
    """The packing whose tokens a model is reading, and the masks of its groups, made once for all layers."""

    def __init__(self, packed_tokens: PackedTokens) -> None:
        self.packed_tokens = packed_tokens
        self.masks: dict[tuple[bool, int | None], list[Tensor | None]] = {}
        self.windows_named, self.windows_heeded = False, False
        """Whether the model made a mask with a window or chunks, and whether its layers passed on a window."""

    def group_masks(self, causal: bool, window: int | None) -> list[Tensor | None]:
        """Return where a token may look, for each group; None for everywhere, or where causality alone decides."""
        if (causal, window) not in self.masks:
            device, groups = self.packed_tokens.tokens.device, self.packed_tokens.layout.groups
            self.masks[causal, window] = [_group_mask(group, causal, window, device) for group in groups]
        return self.masks[causal, window]


_known: WeakKeyDictionary[PreTrainedModel, bool] = WeakKeyDictionary()
_now: ContextVar[_Reading | None] = ContextVar("packing", default=None)


def runs_packed(model: PreTrainedModel) -> bool:
    """Return whether a model runs on packed tokens; else it runs on padded batches.

    Its class must come from transformers itself, say that it supports attention functions of others (whether it takes
    one without complaint tells nothing), and take position ids. Some classes that say so mix tokens outside attention
    or ask for what is not done here, so each model also shows it, once, on two short sequences.
    """
    if model not in _known:
        _known[model] = _supports_packing(type(model)) and _shows_packing(model)
    return _known[model]


def token_states(model: PreTrainedModel, packed_tokens: PackedTokens) -> Tensor:
    """Return the last-layer state of every token, whichever way the model runs.

    Args:
        model: an encoder without a head; dropout follows `model.training`.
        packed_tokens: sequences laid end to end; no attention crosses from one to another.

    Returns:
        [T, H], equal to the model's own forward pass on the padded batch but for rounding.
    """
    return _states(model, _Reading(packed_tokens)) if runs_packed(model) else padded_states(model, packed_tokens)


def run_layers(layers: nn.ModuleList, states: Tensor, packed_tokens: PackedTokens) -> Tensor:
    """Run packed tokens through layers whose configuration names this attention, [T, H] to [T, H]."""
    rows = states[None]
    with _reading(_Reading(packed_tokens)):
        for layer in layers:
            rows = layer(rows)
    return rows[0]


def first_position(model: Any) -> int:
    """Return the position id of the first token of a sequence.

    Models like RoBERTa count from the padding index + 1, and their table of positions has a row of padding; all
    others count from 0.
    """
    table = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    return 0 if padding is None else padding + 1


def checkpoint_layers(model: PreTrainedModel) -> None:
    """Keep only the states between layers for the backward pass, which computes each layer a second time.

    Raises:
        BadInput: the class cannot do it.
    """
    if not model.supports_gradient_checkpointing:
        raise BadInput(f"activations: {type(model).__name__} cannot recompute them")
    again = {"use_reentrant": False, "context_fn": _same_reading}
    with warnings.catch_warnings():  # Releases of transformers since 5.2x call it by another name.
        warnings.simplefilter("ignore", FutureWarning)
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=again)


@contextmanager
def _reading(reading: _Reading | None) -> Iterator[None]:
    token = _now.set(reading)
    try:
        yield
    finally:
        _now.reset(token)


def _same_reading() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Let the second computation of a layer read the packing that the first one read."""
    return nullcontext(), _reading(_now.get())


def _supports_packing(kind: type[PreTrainedModel]) -> bool:
    supports = getattr(kind, "_supports_attention_backend", False)
    is_own = kind.__module__.startswith("transformers.")
    return supports and is_own and {"input_ids", "position_ids"} <= _arguments(kind)


@torch.no_grad()
def _shows_packing(model: PreTrainedModel) -> bool:
    """Return whether two packed sequences have the states that they have alone, windows included."""
    modes = [(module, module.training) for module in model.modules()]
    usual, device = model.config._attn_implementation, model.device
    sequences = [np.array(ids) % model.config.vocab_size for ids in TRIAL]
    model.eval()
    with torch.autocast(device.type, enabled=False):
        alone = torch.cat([padded_states(model, pack([sequence]).to(device)) for sequence in sequences])
        together = _tried(model, pack(sequences).to(device))
    for module, mode in modes:
        module.training = mode
    if together is not None and (together - alone).norm() <= TRIAL_DIFFERENCE[alone.dtype] * alone.norm():
        return True
    model.set_attn_implementation(str(usual))
    return False


def _tried(model: PreTrainedModel, packed_tokens: PackedTokens) -> Tensor | None:
    """Return the states of packed tokens; None where the class asks for what is not done here."""
    reading = _Reading(packed_tokens)
    try:
        states = _states(model, reading)
    except _UnheededError:
        return None
    return None if reading.windows_named and not reading.windows_heeded else states


@cache
def _arguments(kind: type[PreTrainedModel]) -> frozenset[str]:
    return frozenset(signature(kind.forward).parameters)


def _states(model: PreTrainedModel, reading: _Reading) -> Tensor:
    """States of the packing that is read, [T, H]."""
    if model.config._attn_implementation != NAME:
        model.set_attn_implementation(NAME)
    packed_tokens = reading.packed_tokens
    inputs = {"input_ids": packed_tokens.tokens, "position_ids": packed_tokens.positions + first_position(model)}
    types = _types(model, packed_tokens)
    if types is not None:
        inputs["token_type_ids"] = types
    with _reading(reading):
        return model(**{name: values[None] for name, values in inputs.items()}, **_options(model)).last_hidden_state[0]


def padded_states(model: PreTrainedModel, packed_tokens: PackedTokens) -> Tensor:
    """Return the states of `token_states`, [T, H], as padded batches of sequences of like length give them."""
    layout = padded_batches(packed_tokens)
    states = [model(**batch, **_options(model)).last_hidden_state for batch in _batches(model, packed_tokens, layout)]
    return torch.cat([batch.flatten(0, 1) for batch in states]).index_select(0, layout.token_slots)


def _batches(model: PreTrainedModel, packed_tokens: PackedTokens, layout: SlotLayout) -> Iterator[dict[str, Tensor]]:
    """Return the model's inputs for every group of a layout, [n, L] each."""
    types, padding = _types(model, packed_tokens), model.config.pad_token_id or 0
    for group, slots in zip(layout.groups, layout.slots.split(layout.sizes), strict=True):
        tokens = packed_tokens.tokens[slots].view(group.sequences, group.length)
        mask = torch.ones_like(tokens, dtype=torch.bool) if group.mask is None else group.mask
        batch = {"input_ids": tokens.masked_fill(~mask, padding), "attention_mask": mask.long()}
        yield batch if types is None else batch | {"token_type_ids": types[slots].view_as(tokens)}


def _types(model: PreTrainedModel, packed_tokens: PackedTokens) -> Tensor | None:
    """Return token types, [T]; None where the model reads none, or needs none.

    Models like BERT take types that are not given from a row as long as their longest text, too short for packed ones.
    """
    if "token_type_ids" not in _arguments(type(model)):
        return None
    needs_types = hasattr(getattr(model, "embeddings", None), "token_type_embeddings")
    return (
        torch.zeros_like(packed_tokens.tokens) if packed_tokens.types is None and needs_types else packed_tokens.types
    )


def _options(model: PreTrainedModel) -> dict[str, Any]:
    return {"use_cache": False} if "use_cache" in _arguments(type(model)) else {}


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    is_causal: bool | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Compute attention within the sequences of the packing that is read; the usual one where none is.

    Args:
        module: the attention layer.
        query: [1, A, T, C].
        key: [1, K, T, C]; K divides A.
        value: [1, K, T, C].
        attention_mask: mask of padded batches; packed ones have none.
        scaling: factor of the products; 1 / sqrt(C) when not given.
        dropout: share of the attention weights that is dropped.
        sliding_window: a token sees keys less than so many positions away; None for all.
        is_causal: whether a token sees none behind it; the layer's own `is_causal` when not given.
        others: further options that the class gives.

    Returns:
        [1, T, A, C], and no attention weights.

    Raises:
        _UnheededError: the class asks for something that would be left undone.
    """
    reading = _now.get()
    if reading is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, is_causal=is_causal, **others
        )
    has_others = any(others.get(name) is not None for name in UNHEEDED)
    if has_others or attention_mask is not None or key.shape[-2] != len(reading.packed_tokens.tokens):
        raise _UnheededError(f"{type(module).__name__} cannot be packed")
    reading.windows_heeded |= sliding_window is not None
    causal = bool(getattr(module, "is_causal", True) if is_causal is None else is_causal)
    window = sliding_window if sliding_window and sliding_window < reading.packed_tokens.longest else None
    rows = [part[0].transpose(0, 1).to(value.dtype) for part in (query, key, value)]
    attend = _flash if _has_flash(rows[0], rows[2], dropout) else _grouped
    return attend(rows, reading, scaling, dropout, causal, window)[None], None


def _grouped(
    rows: list[Tensor], reading: _Reading, scale: float | None, dropout: float, causal: bool, window: int | None
) -> Tensor:
    """Attention group by group, [T, A, C]."""
    layout, repeats = reading.packed_tokens.layout, rows[0].shape[1] // rows[1].shape[1]
    # One rearrangement of all groups: slices of the packed rows would each have a gradient as large as all rows.
    parts = [part.index_select(0, layout.slots).split(layout.sizes) for part in rows]
    states_by_group = []
    for group, mask, query, key, value in zip(layout.groups, reading.group_masks(causal, window), *parts, strict=True):
        batch = [part.unflatten(0, (group.sequences, group.length)).transpose(1, 2) for part in (query, key, value)]
        if repeats > 1:
            batch[1:] = [part.repeat_interleave(repeats, 1) for part in batch[1:]]
        states = F.scaled_dot_product_attention(
            *batch, attn_mask=mask, dropout_p=dropout, is_causal=causal and mask is None, scale=scale
        )
        states_by_group.append(states.transpose(1, 2).flatten(0, 1))
    return torch.cat(states_by_group).index_select(0, layout.token_slots)


def _group_mask(group: Group, causal: bool, window: int | None, device: torch.device) -> Tensor | None:
    """Return a mask [n or 1, 1, L or 1, L]. Padding stands behind the tokens, where a causal model does not look."""
    padding = None if causal or group.mask is None else group.mask[:, None, None]
    if window is None or window >= group.length:
        return padding
    positions = torch.arange(group.length, device=device)
    ahead = positions[:, None] - positions[None, :]
    near = (ahead < window) & (ahead >= 0 if causal else ahead > -window)
    if padding is None:
        return near[None, None]
    # Padding looks at padding: a row that sees nothing would have no gradient but NaN.
    return near & (padding | ~padding.mT)


def _flash(
    rows: list[Tensor], reading: _Reading, scale: float | None, dropout: float, causal: bool, window: int | None
) -> Tensor:
    """Attention of all sequences in one call, [T, A, C]."""
    bounds, longest = reading.packed_tokens.bounds, reading.packed_tokens.longest
    reach = -1 if window is None else window - 1
    sides = (reach, 0 if causal else reach)
    sizes = (bounds, bounds, longest, longest)
    query, key, value = rows
    if FLASH is not None:
        return FLASH.flash_attn_varlen_func(query, key, value, *sizes, dropout, scale, causal=causal, window_size=sides)
    has_groups = query.shape[1] != key.shape[1]
    states = varlen_attn(query, key, value, *sizes, scale=scale, window_size=sides, enable_gqa=has_groups)
    return cast(Tensor, states)


def _has_flash(query: Tensor, value: Tensor, dropout: float) -> bool:
    """Return whether variable-length flash attention serves; torch's own has no dropout, `flash_attn`'s has."""
    fits = query.shape[-1] == value.shape[-1] <= FLASH_WIDTH
    half = value.dtype in (torch.bfloat16, torch.float16)
    return value.is_cuda and half and fits and (not dropout or FLASH is not None)


def _mask(**arguments: Any) -> Tensor | None:
    """Return the mask that a model makes for its layers: none where a packing is read."""
    reading = _now.get()
    if reading is None:
        return sdpa_mask(**arguments)
    reading.windows_named |= arguments.get("local_size") is not None
    return None


AttentionInterface.register(NAME, packed_attention)
AttentionMaskInterface.register(NAME, _mask)
