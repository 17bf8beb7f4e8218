"""Loads encoders of the other kinds: learned sparse models, and models with one vector for each token.

sentence-transformers runs them (`SparseEncoder`, `MultiVectorEncoder`); PyLate's and Stanford's ColBERT folders are of
the second kind. They are evaluated here, not trained.
"""

from pathlib import Path

import torch
from sentence_transformers import MultiVectorEncoder, SparseEncoder

from msm.encoders.encoder import BATCH_TOKENS, Encoder
from msm.encoders.loading import (
    check_tokenizers,
    first_said,
    module_names,
    open_encoder,
    prompt_choices,
    quietly_checked,
    read_flags,
)
from msm.encoders.model_files import (
    CONFIG,
    MULTI_VECTOR,
    OTHER_KINDS,
    OWN,
    SETTINGS,
    SPARSE,
    check_model,
    check_usage,
    linked_model,
    model_kind,
    read_object,
)
from msm.encoders.other_encoder import OtherEncoder
from msm.encoders.precision import resolve_precision
from msm.encoders.usage import SIMILARITIES, Choice, Usage
from msm.errors import BadInput

CLASSES: dict[str, type[SparseEncoder] | type[MultiVectorEncoder]] = {
    SPARSE: SparseEncoder,
    MULTI_VECTOR: MultiVectorEncoder,
}


def open_any(
    folder: Path, usage: Usage, *, device: torch.device, precision: str, batch_tokens: int = BATCH_TOKENS
) -> Encoder | OtherEncoder:
    """Load an encoder of any kind; see `msm.encoders.loading.open_encoder`.

    Raises:
        BadInput: there is no model, it is damaged, or a flag is not for its kind.
    """
    if (kind := model_kind(folder)) not in OTHER_KINDS:
        return open_encoder(folder, usage, device=device, precision=precision, batch_tokens=batch_tokens)
    flags = read_flags(folder).updated(usage)
    folder = linked_model(folder)
    check_usage(folder, flags)
    trust = bool(flags.trust_remote_code)
    check_model(folder, trust_remote_code=trust)
    # A sparse model needs the head that masked tokens are guessed with.
    with quietly_checked(folder, ignorable=frozenset({"pooler"})):
        model = CLASSES[kind](
            str(folder),
            device="cpu",
            local_files_only=True,
            trust_remote_code=trust,
            model_kwargs={"dtype": torch.float32, "use_safetensors": True},
        )
        check_tokenizers(model)
        # A sparse model's modules may not know, before they have encoded a text, how many terms there are.
        width = model.encode(["a"], show_progress_bar=False)[0].shape[-1]
    choices = _choices(folder, model, flags) | {"dimensions": Choice(width, "file of the model")}
    choices["precision"] = Choice(resolve_precision(precision, device), "default" if precision == "auto" else "flag")
    return OtherEncoder(model, choices, device=device, batch_tokens=batch_tokens)


def _choices(folder: Path, model: SparseEncoder | MultiVectorEncoder, flags: Usage) -> dict[str, Choice]:
    """Every choice that decides the vectors but for their size."""
    own_file, first = read_object(folder / OWN), model[0]
    file = f"file {SETTINGS}"
    choices = {
        "kind": Choice(OTHER_KINDS[model_kind(folder)], file if (folder / SETTINGS).is_file() else f"file {CONFIG}"),
        "modules": Choice(module_names(model), "file of the model"),
        "similarity": first_said(flags.similarity, model.similarity_fn_name, file, "dot"),
        **prompt_choices(model, flags),
        "query_tokens": Choice(getattr(first, "query_length", None) or model.max_seq_length, "file of the model"),
        "passage_tokens": Choice(getattr(first, "document_length", None) or model.max_seq_length, "file of the model"),
    }
    if isinstance(model, SparseEncoder) and choices["similarity"].value not in SIMILARITIES:
        value = choices["similarity"].value
        raise BadInput(f"{folder}: similarity {value} cannot be searched here; it can be {' or '.join(SIMILARITIES)}")
    for name, least in (("passage_context", "none"), ("question_mark", "kept")):
        choices[name] = first_said(getattr(flags, name), own_file.get(name), f"file {OWN}", least)
    return choices
