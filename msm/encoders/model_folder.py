"""Write a fine-tuned model so that others can use it: Hugging Face files, `encoder.json`, sentence-transformers' files.

One tower is one folder. Two towers are the folders `query` and `passage`, each a whole model; the folder around them
loads in sentence-transformers as a router with `encode_query` and `encode_document`. What sentence-transformers
has no file for is left to its user: a question mark that was stripped in training, and a paragraph behind a sentence
(a title is given as the pair `[title, text]`).
"""

import dataclasses
from pathlib import Path

from safetensors.torch import load_file, save_file

from msm.encoders.text_model import CARD, TOWERS, TextModel, Usage
from msm.errors import BadInput
from msm.files import read_json, write_json

_MODULES = "sentence_transformers.models"


def save_text_model(model: TextModel, folder: Path) -> None:
    """Write a model into an existing folder."""
    places = [folder] if model.usage.towers == "one" else [folder / tower for tower in TOWERS]
    for place, tower in zip(places, model.encoders, strict=True):
        tower.save_pretrained(place)
        model.tokenizer.save_pretrained(place)
    write_usage(folder, model.usage)


def write_usage(folder: Path, usage: Usage) -> None:
    """Write `encoder.json`, and what sentence-transformers needs to give the same vectors.

    Raises:
        BadInput: the pooler is wanted, but the weights beside have none.
    """
    write_json(folder / CARD, dataclasses.asdict(usage))
    if usage.towers == "one":
        modules = _write_modules(folder, usage, usage.passage_tokens)
        _write_list(folder, modules)
        prompts = {"query": usage.query_prefix, "document": usage.passage_prefix}
        _write_prompts(folder, prompts, usage)
        return
    types, structure = {}, {}
    sides = (
        ("query", usage.query_prefix, usage.query_tokens),
        ("document", usage.passage_prefix, usage.passage_tokens),
    )
    for tower, (side, prefix, tokens) in zip(TOWERS, sides, strict=True):
        modules = _write_modules(folder / tower, usage, tokens)
        _write_list(folder / tower, modules)
        _write_prompts(folder / tower, {side: prefix}, usage)
        named = {f"{tower}/{path}".rstrip("/"): kind for path, kind in modules}
        types |= named
        structure[side] = list(named)
    parameters = {"default_route": "document", "allow_empty_key": True}
    write_json(folder / "router_config.json", {"types": types, "structure": structure, "parameters": parameters})
    _write_list(folder, [("", f"{_MODULES}.Router")])
    _write_prompts(folder, {side: prefix for side, prefix, _ in sides}, usage)


def _write_modules(folder: Path, usage: Usage, tokens: int) -> list[tuple[str, str]]:
    """The modules behind the encoder; returns all of them as (path, type)."""
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": tokens, "do_lower_case": False})
    width = read_json(folder / "config.json")["hidden_size"]
    mode = "mean" if usage.pooling == "mean" else "cls"
    modules = [("", f"{_MODULES}.Transformer"), ("1_Pooling", f"{_MODULES}.Pooling")]
    write_json(folder / "1_Pooling" / "config.json", {"embedding_dimension": width, "pooling_mode": mode})
    if usage.pooling == "pooler":
        modules.append(("2_Dense", f"{_MODULES}.Dense"))
        _write_dense(folder, width)
    if usage.similarity == "cosine":
        name = f"{len(modules)}_Normalize"
        modules.append((name, f"{_MODULES}.Normalize"))
        (folder / name).mkdir(exist_ok=True)
    return modules


def _write_dense(folder: Path, width: int) -> None:
    weights = load_file(folder / "model.safetensors")
    found = {
        f"linear.{part}": weight
        for name, weight in weights.items()
        for part in ("weight", "bias")
        if name.endswith(f"pooler.dense.{part}")
    }
    if len(found) < 2:
        raise BadInput(f"{folder}: pooling is pooler, but the weights have no pooler")
    (folder / "2_Dense").mkdir(exist_ok=True)
    save_file(found, folder / "2_Dense" / "model.safetensors")
    activation = {"activation_function": "torch.nn.modules.activation.Tanh"}
    write_json(
        folder / "2_Dense" / "config.json",
        {"in_features": width, "out_features": width, "bias": True, **activation},
    )


def _write_list(folder: Path, modules: list[tuple[str, str]]) -> None:
    rows = [
        {"idx": number, "name": str(number), "path": path, "type": kind} for number, (path, kind) in enumerate(modules)
    ]
    write_json(folder / "modules.json", rows)


def _write_prompts(folder: Path, prompts: dict[str, str], usage: Usage) -> None:
    card = {"prompts": prompts, "default_prompt_name": None, "similarity_fn_name": usage.similarity}
    write_json(folder / "config_sentence_transformers.json", card)
