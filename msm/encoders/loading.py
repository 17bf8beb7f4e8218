"""Loads an encoder: a sentence-transformers model as its files say, or a bare checkpoint as flags say."""

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from unittest import mock

import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.base import BaseModel
from sentence_transformers.base.modules import Transformer
from transformers import modeling_utils
from transformers.integrations import peft as adapters_of_transformers

from msm.encoders.adapters import base_of, merge_adapters
from msm.encoders.building import POOLER, build_modules, new_transformer
from msm.encoders.encoder import BATCH_TOKENS, Encoder
from msm.encoders.finding import find_model
from msm.encoders.limits import set_lengths
from msm.encoders.model_files import (
    CODE,
    KINDS,
    MODULES,
    OWN,
    SETTINGS,
    USE,
    check_files,
    check_model,
    check_tokenizer,
    linked_model,
    model_kind,
    read_object,
)
from msm.encoders.module_chain import ModuleChain, find_chain
from msm.encoders.precision import resolve_precision
from msm.encoders.start_checkpoints import refuse_other_shapes
from msm.encoders.usage import SIMILARITIES, TASKS, Choice, Usage
from msm.errors import BadInput, first_line
from msm.training import pick_device

PASSAGE_PROMPTS = ("document", "passage", "corpus")
"""Names under which sentence-transformers looks for the prompt of passages, in this order."""
UNUSED = frozenset({"lm_head", "cls", "pooler"})
"""Names of parts that a checkpoint may lack: token states do not depend on them."""
FIELDS_0_1_0 = {"query_tokens", "passage_tokens", "passage_context", "question_mark", "pooling", "similarity"}


def load_encoder(
    folder_or_name: str | Path,
    *,
    pooling: str | None = None,
    similarity: str | None = None,
    query_prompt: str | None = None,
    passage_prompt: str | None = None,
    dimensions: int | None = None,
    precision: str = "auto",
    device: str = "auto",
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> Encoder:
    """Load an encoder from a local folder, or by its name in the Hugging Face hub.

    A sentence-transformers model is used as its files say; an argument that is given wins. A bare transformers
    checkpoint needs `pooling` and `similarity`. `encoder.describe()` says every choice and where it came from.

        >>> import msm
        >>> encoder = msm.load_encoder("intfloat/multilingual-e5-small", device="cpu")
        >>> vectors = encoder.encode(["where do cats sleep?", "wo schlafen Katzen?"], side="query")
        >>> vectors.dtype, len(vectors)
        (dtype('float32'), 2)

    Args:
        folder_or_name: a folder; a name in the hub, such as `intfloat/multilingual-e5-small`; or `e5_small_q4`, that
            model with the weights that the Python package index has.
        pooling: see `msm.encoders.usage.Usage`.
        similarity: `cosine` or `dot`.
        query_prompt: put before every question.
        passage_prompt: put before every passage.
        dimensions: leading dimensions that are kept; with cosine the vectors are of length 1 again.
        precision: `fp32`, `bf16`, or `auto`: bf16 where the hardware has units for it.
        device: `auto`, `cpu`, `cuda` or `mps`.
        revision: branch, tag or commit of a name in the hub.
        trust_remote_code: whether code that comes with the model may run.

    Raises:
        BadInput: no model, a damaged one, or one whose files say what cannot be honoured.
    """
    usage = Usage(
        pooling=pooling,
        similarity=similarity,
        query_prompt=query_prompt,
        passage_prompt=passage_prompt,
        dimensions=dimensions,
        trust_remote_code=trust_remote_code,
    )
    return open_encoder(find_model(folder_or_name, revision), usage, device=pick_device(device), precision=precision)


def open_encoder(
    folder: Path,
    usage: Usage | None = None,
    *,
    device: torch.device,
    precision: str,
    batch_tokens: int = BATCH_TOKENS,
) -> Encoder:
    """Load an encoder of a model folder as its files say, except where flags say otherwise.

    Args:
        folder: folder of a sentence-transformers model, a bare checkpoint, a model of version 0.1.0, or adapters of one
            of these.
        usage: choices of the command line; those of a folder that `link_model` made are in it.
        device: device of the model.
        precision: `auto`, `fp32` or `bf16`.
        batch_tokens: number of tokens that are encoded at once.

    Raises:
        BadInput: see `load_encoder`.
    """
    flags = read_flags(folder).updated(usage or Usage())
    folder = linked_model(folder)
    base = base_of(folder)
    check_model(base, trust_remote_code=bool(flags.trust_remote_code))
    if (kind := model_kind(base)) in KINDS:
        raise BadInput(f"{folder}: {KINDS[kind]} ({kind}), not a model of one vector for each text")
    with quietly_checked(folder, ignorable=frozenset() if flags.pooling == POOLER else UNUSED):
        model = read_modules(base, flags)
        check_tokenizers(model)
        if base != folder:
            merge_adapters(model, folder)
    choices = _choices(base, model, flags)
    choices["precision"] = Choice(resolve_precision(precision, device), "default" if precision == "auto" else "flag")
    return Encoder(model, choices, device=device, batch_tokens=batch_tokens)


def read_flags(folder: Path) -> Usage:
    """Read the flags beside the links of `msm.encoders.model_files.link_model`; any other folder has none.

    Raises:
        BadInput: the file holds something else.
    """
    values = read_object(folder / USE)
    if unknown_names := sorted(values.keys() - {field.name for field in dataclasses.fields(Usage)}):
        raise BadInput(f"{folder / USE}: {unknown_names[0]} is no flag of a model")
    return Usage(**values)


def read_modules(folder: Path, flags: Usage) -> SentenceTransformer:
    """Load the modules of a model folder.

    Raises:
        BadInput: it is a bare checkpoint and nothing says how its states become vectors, or a flag would drop a part.
    """
    if not (folder / MODULES).is_file():
        options = [name for name in ("pooling", "similarity") if getattr(flags, name) is None]
        if options:
            words = " ".join(f"--{name}" for name in options)
            raise BadInput(f"{folder}: nothing says how this model is to be used; say {words}")
        transformer = new_transformer(folder, trust_remote_code=bool(flags.trust_remote_code))
        return build_modules([transformer], pooling=str(flags.pooling))
    model = SentenceTransformer(
        str(folder),
        device="cpu",
        local_files_only=True,
        trust_remote_code=bool(flags.trust_remote_code),
        model_kwargs={"dtype": torch.float32, "use_safetensors": True},
    )
    return model if flags.pooling is None else _pooled_otherwise(folder, model, flags)


def check_tokenizers(model: torch.nn.Module) -> None:
    """Refuse a model whose tokenizer was made up; see `msm.encoders.model_files.check_tokenizer`."""
    for module in model.modules():
        if isinstance(module, Transformer):
            check_tokenizer(module.tokenizer)


def check_widths(folder: Path, chains: Sequence[ModuleChain | None]) -> None:
    """Refuse a pooling that names another width than its transformer has: vectors would be cut to it.

    Raises:
        BadInput: there is one.
    """
    for chain in chains:
        if chain is None:
            continue
        pooling_width, width = chain.rest[0].embedding_dimension, chain.transformer.get_embedding_dimension()
        if pooling_width != width:
            raise BadInput(f"{folder}: the pooling is of width {pooling_width}, not {width} as its transformer")


def _pooled_otherwise(folder: Path, model: SentenceTransformer, flags: Usage) -> SentenceTransformer:
    """Make a model of the same transformer with another pooling."""
    names = [type(module).__name__ for module in model.children()]
    if names not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise BadInput(f"{folder}: --pooling would drop what the model's files say ({', '.join(names)})")
    normalise = "Normalize" in names and flags.similarity != "dot"
    new_model = build_modules([cast(Any, model[0])], pooling=str(flags.pooling), normalise=normalise)
    new_model.prompts, new_model.default_prompt_name = model.prompts, model.default_prompt_name
    new_model.similarity_fn_name, new_model.truncate_dim = model.similarity_fn_name, model.truncate_dim
    return new_model


def _choices(folder: Path, model: SentenceTransformer, flags: Usage) -> dict[str, Choice]:
    """Return every choice that decides the vectors; lengths are set in the model, which truncates texts."""
    own_file = read_object(folder / OWN)
    chains = [find_chain(model, task) for task in TASKS.values()]
    check_widths(folder, chains)
    choices = {
        "modules": Choice(module_names(model), f"file {MODULES}" if (folder / MODULES).is_file() else "flag"),
        "pooling": _pooling(flags, chains),
        "similarity": _similarity(folder, flags),
        **prompt_choices(model, flags),
        **set_lengths(folder, model, chains, flags, own_file if FIELDS_0_1_0 <= own_file.keys() else {}),
        "dimensions": _dimensions(folder, model, flags),
        "vectors": first_said(flags.vectors, None, "", "fp32"),
    }
    for name, least in (("passage_context", "none"), ("question_mark", "kept")):
        choices[name] = first_said(getattr(flags, name), own_file.get(name), f"file {OWN}", least)
    if FIELDS_0_1_0 <= own_file.keys():
        choices |= _text_prompt(choices)
    if "scale" in own_file:
        choices["scale"] = Choice(own_file["scale"], f"file {OWN}")
    return choices


def _text_prompt(choices: dict[str, Choice]) -> dict[str, Choice]:
    """The prompt of passages in its place: of a pair, version 0.1.0 put it before the text and not before the title."""
    prompt = choices["passage_prompt"]
    if choices["passage_context"].value != "title" or prompt.source == "flag":
        return {}
    return {"passage_prompt": Choice("", "default"), "text_prompt": prompt}


def first_said(flag: Any, value: Any, file: str, least: Any) -> Choice:
    """Return the value of a flag, else that of a file, else the default, with its source."""
    if flag is not None:
        return Choice(flag, "flag")
    return Choice(least, "default") if value is None else Choice(value, file)


def module_names(model: BaseModel) -> str:
    """Return the names of the classes of a model's modules, in order."""
    return " > ".join(type(module).__name__ for module in model.children())


def _pooling(flags: Usage, chains: list[Any]) -> Choice:
    if flags.pooling is not None:
        return Choice(flags.pooling, "flag")
    modes = {str(getattr(chain.rest[0], "pooling_mode", "")) for chain in chains if chain is not None}
    return Choice(" / ".join(sorted(modes)), f"file {MODULES}")


def _similarity(folder: Path, flags: Usage) -> Choice:
    name = read_object(folder / SETTINGS).get("similarity_fn_name")
    choice = first_said(flags.similarity, name, f"file {SETTINGS}", "cosine")
    if choice.value not in SIMILARITIES:
        where = "--similarity" if choice.source == "flag" else f"{folder / SETTINGS}: similarity_fn_name"
        raise BadInput(f"{where} {choice.value} cannot be searched here; it can be {' or '.join(SIMILARITIES)}")
    return choice


def prompt_choices(model: BaseModel, flags: Usage) -> dict[str, Choice]:
    """Return the prompts of both sides. Each has one, if empty, so that no default prompt is used."""
    passage = next((name for name in PASSAGE_PROMPTS if model.prompts.get(name)), "document")
    prompts = {"query": model.prompts.get("query"), "passage": model.prompts.get(passage)}
    return {
        f"{side}_prompt": first_said(getattr(flags, f"{side}_prompt"), prompt or None, f"file {SETTINGS}", "")
        for side, prompt in prompts.items()
    }


def _dimensions(folder: Path, model: SentenceTransformer, flags: Usage) -> Choice:
    size, model.truncate_dim = model.truncate_dim, None
    whole = model.get_embedding_dimension()
    choice = first_said(flags.dimensions, size, f"file {SETTINGS}", whole)
    if not isinstance(choice.value, int) or choice.value < 1 or (whole is not None and choice.value > whole):
        raise BadInput(f"{folder}: dimensions must be from 1 to {whole}, got {choice.value}")
    return choice


@contextmanager
def quietly_checked(folder: Path, *, ignorable: frozenset[str] = UNUSED) -> Iterator[None]:
    """Load a model without progress bars and reports; missing or damaged parts end in one line.

    Args:
        folder: folder of the model, for messages.
        ignorable: names of parts that may lack weights.

    Raises:
        BadInput: weights are missing, or the folder cannot be loaded.
    """

    def check(*, model: Any, loading_info: Any, **_: Any) -> None:
        names = sorted(name for name in loading_info.missing_keys if not ignorable & set(name.split(".")))
        if names:
            raise BadInput(f"{folder}: lacks {len(names)} weights of {type(model).__name__}, such as {names[0]}")
        refuse_other_shapes(folder, loading_info.mismatched_keys)

    def check_adapters(*, loading_info: Any, **_: Any) -> None:
        refuse_other_shapes(folder, loading_info.mismatched_keys)
        for name in sorted({*loading_info.missing_keys, *loading_info.unexpected_keys})[:1]:
            raise BadInput(f"{folder}: adapters of another base: {name} is on one side only")

    transformers.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    try:
        # The report that transformers only logs is the one place that knows which weights a checkpoint lacks.
        with (
            mock.patch.object(modeling_utils, "log_state_dict_report", check),
            mock.patch.object(adapters_of_transformers, "log_state_dict_report", check_adapters),
        ):
            yield
    except (BadInput, torch.OutOfMemoryError):
        raise
    except Exception as error:  # the loaders of others fail in any way on damaged files
        check_files(folder)
        if CODE in str(error):
            problem = "needs code that comes with it; only `msm evaluate --trust_remote_code` lets that run"
        elif "processing class" in str(error):
            problem = "not a loadable model: there is no tokenizer, or a damaged one"
        else:
            problem = f"not a loadable model: {first_line(error)}"
        raise BadInput(f"{folder}: {problem}") from error
