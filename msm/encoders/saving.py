"""Makes encoders to train, and saves them as sentence-transformers folders, which give the same vectors there.

What sentence-transformers has no file for stands in `encoder.json` and is left to its user: a question mark that was
stripped in training, and a paragraph behind a sentence (a title is given as the pair `[title, text]`). Limits that
differ for questions and passages are read by `encode_query` and `encode_document` from version 6 on.
"""

import dataclasses
from pathlib import Path

import torch
from sentence_transformers.base.modules import Transformer

from msm.encoders.building import EncoderForm, new_transformer, shape_model
from msm.encoders.encoder import Encoder
from msm.encoders.loading import check_tokenizers, check_widths, quietly_checked, read_modules
from msm.encoders.model_files import MODULES, OWN, check_model
from msm.encoders.module_chain import find_chain
from msm.encoders.positions import positions
from msm.encoders.usage import TASKS, Choice, Usage
from msm.errors import BadInput
from msm.files import write_json


def new_encoder(
    folder: Path, form: EncoderForm, *, device: torch.device | None = None, precision: str = "fp32"
) -> Encoder:
    """Make an encoder to train, with the weights of a folder and a given form.

    Args:
        folder: folder of a bare checkpoint, or of a model whose transformers are taken; a missing pooler is a new one.
        form: pooling, lengths, prompts and towers of the encoder.
        device: device of the encoder; the CPU when not given.
        precision: `fp32` or `bf16`.

    Raises:
        BadInput: not a loadable checkpoint, two towers where one is wanted, or lengths that it has no positions for.
    """
    check_model(folder, trust_remote_code=False)
    with quietly_checked(folder):
        transformers = _transformers(folder)
        for transformer in transformers:
            check_tokenizers(transformer)
    if form.towers == "one" and len(transformers) > 1:
        raise BadInput(f"{folder}: a model with two towers, but one is wanted")
    for transformer in transformers:
        most = positions(transformer.model)
        longest = max(form.query_tokens, form.passage_tokens)
        if most is not None and longest > most:
            raise BadInput(f"query_tokens and passage_tokens must fit the encoder's {most} positions, got {longest}")
    model = shape_model(transformers, form)
    choices = _choices(model.get_embedding_dimension(), form, precision)
    return Encoder(model, choices, device=device or torch.device("cpu"))


def _transformers(folder: Path) -> list[Transformer]:
    """Return the transformers of a model: one, or that of the questions and that of the passages."""
    if not (folder / MODULES).is_file():
        return [new_transformer(folder)]
    model = read_modules(folder, Usage())
    chains = [find_chain(model, task) for task in TASKS.values()]
    check_widths(folder, chains)
    transformers = dict.fromkeys(chain.transformer for chain in chains if chain is not None)
    if not transformers:
        raise BadInput(f"{folder}: no transformer that can be trained here")
    return list(transformers)


def _choices(width: int | None, form: EncoderForm, precision: str) -> dict[str, Choice]:
    values = dataclasses.asdict(form) | {"dimensions": width, "vectors": "fp32", "precision": precision}
    return {name: Choice(value, "flag") for name, value in values.items()}


def save_encoder(encoder: Encoder, folder: Path) -> None:
    """Write an encoder into an existing folder."""
    encoder.model.save_pretrained(str(folder), create_model_card=False)
    values = {name: encoder.choices[name].value for name in ("passage_context", "question_mark", "scale")}
    write_json(folder / OWN, values)
