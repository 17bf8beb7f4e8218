"""Writes public encoders that a recipe names by a short name, such as `e5_small_q4`, as ordinary model folders.

The folder that is written loads in transformers and in sentence-transformers: configuration, weights, tokenizer,
pooling, similarity and prompts as the authors of the model describe them. The licences lie beside the weights.
"""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from transformers import BertConfig

from msm.corpora import fetch
from msm.corpora.public_tokenizers import TOKENIZER, read_public
from msm.encoders.four_bit import EncoderSizes, FourBitFile
from msm.errors import BadInput
from msm.files import write_json

FOUR_BIT = "e5-small-q4.bin"
WEIGHTS = "model.safetensors"
LICENCES = "licences"
E5_SMALL = EncoderSizes(384, 12, 12, 1536, 250037, 512, 2)
PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
"""Matrices of a layer: name in the file of four-bit weights to name in a BERT."""
NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}

Weights = dict[str, NDArray[np.float32]]


def published_folder(name: str) -> Path:
    """The folder of an encoder of the table of sources in the user's cache, fetched and unpacked where it is missing.

    Args:
        name: `e5_small` or `e5_small_q4`.

    Returns:
        `$XDG_CACHE_HOME/msm/NAME`, or `~/.cache/msm/NAME`.

    Raises:
        BadInput: a file cannot be had, or is damaged.
    """
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "msm"
    folder = caches / name
    if not folder.is_dir():
        caches.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=caches) as scratch:
            target = Path(scratch, name)
            target.mkdir()
            write_published(name, target, work=Path(scratch, "work"), mirror="")
            # Another process may have been faster.
            if not folder.is_dir():
                target.rename(folder)
    return folder


def write_published(name: str, folder: Path, *, work: Path, mirror: str) -> None:
    """Write an encoder of the table of sources to a folder.

    Args:
        name: `e5_small` or `e5_small_q4`.
        folder: existing, empty folder to fill.
        work: scratch folder for downloads.
        mirror: folder that replaces the network; empty for none.

    Raises:
        BadInput: a file cannot be downloaded, or is damaged.
    """
    collection = fetch.choose(name)[name]
    files = {Path(file.path).name: fetch.take(file, collection, work, mirror) for file in collection.files}
    if FOUR_BIT in files:
        write_four_bit(files[FOUR_BIT], files[TOKENIZER], folder)
    else:
        shutil.copyfile(files[WEIGHTS], folder / WEIGHTS)
        _write_around(folder, files[TOKENIZER], E5_SMALL, epsilon=1e-12)
    (folder / LICENCES).mkdir()
    for path in files.values():
        if path.parent.name == LICENCES:
            shutil.copyfile(path, folder / LICENCES / path.name)
    origin = {"name": name, "origin": collection.origin, "commit": collection.commit, "licence": collection.licence}
    write_json(folder / LICENCES / "origin.json", origin)


def write_four_bit(weights: Path, tokenizer: Path, folder: Path) -> None:
    """Write the encoder of a file of four-bit weights, in single precision.

    Args:
        weights: the file.
        tokenizer: its `tokenizer.json`.
        folder: existing folder to fill.

    Raises:
        BadInput: the file is damaged, or the tokenizer has other pieces.
    """
    file = FourBitFile(weights)
    pieces = read_public(tokenizer).get_vocab()
    if any(pieces.get(piece) != number for number, piece in enumerate(file.pieces)):
        raise BadInput(f"{tokenizer}: not the tokenizer of {weights}: its pieces are others")
    if len(pieces) > file.sizes.vocabulary:
        raise BadInput(f"{weights}: {file.sizes.vocabulary} embeddings, but the tokenizer has {len(pieces)} pieces")
    save_file(_bert_weights(file), folder / WEIGHTS, metadata={"format": "pt"})
    # Written as the decimal it was, not as the single-precision number next to it.
    _write_around(folder, tokenizer, file.sizes, epsilon=float(f"{file.epsilon:.6g}"))


def _bert_weights(file: FourBitFile) -> Weights:
    """All tensors under the names of transformers' BERT."""
    width, layers, _, inner, vocabulary, positions, types = file.sizes
    weights: Weights = {
        "embeddings.word_embeddings.weight": file.tensor("emb.word", vocabulary, width),
        "embeddings.position_embeddings.weight": file.tensor("emb.pos", positions, width),
        "embeddings.token_type_embeddings.weight": file.tensor("emb.type", types, width),
        "embeddings.LayerNorm.weight": file.tensor("emb.ln.w", width),
        "embeddings.LayerNorm.bias": file.tensor("emb.ln.b", width),
    }
    shapes = dict.fromkeys(PARTS, (width, width)) | {"fi": (inner, width), "fo": (width, inner)}
    for layer in range(layers):
        for part, name in PARTS.items():
            weights[f"encoder.layer.{layer}.{name}.weight"] = file.tensor(f"l{layer}.{part}.w", *shapes[part])
            weights[f"encoder.layer.{layer}.{name}.bias"] = file.tensor(f"l{layer}.{part}.b", shapes[part][0])
        for part, name in NORMS.items():
            weights[f"encoder.layer.{layer}.{name}.weight"] = file.tensor(f"l{layer}.{part}.w", width)
            weights[f"encoder.layer.{layer}.{name}.bias"] = file.tensor(f"l{layer}.{part}.b", width)
    return weights


def _write_around(folder: Path, tokenizer: Path, sizes: EncoderSizes, *, epsilon: float) -> None:
    """Write everything but the weights: configuration, tokenizer, and sentence-transformers' files."""
    words: Any = read_public(tokenizer, longest=sizes.positions)
    words.save_pretrained(folder)
    BertConfig(
        architectures=["BertModel"],
        vocab_size=sizes.vocabulary,
        hidden_size=sizes.width,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        intermediate_size=sizes.feed_forward,
        max_position_embeddings=sizes.positions,
        type_vocab_size=sizes.token_types,
        layer_norm_eps=epsilon,
        # The published file says 0, which is <s> in this vocabulary; the padding is 1.
        pad_token_id=words.convert_tokens_to_ids("<pad>"),
        bos_token_id=words.convert_tokens_to_ids("<s>"),
        eos_token_id=words.convert_tokens_to_ids("</s>"),
        dtype="float32",
    ).save_pretrained(folder)
    write_usage(folder, sizes.width, sizes.positions, {"query": "query: ", "passage": "passage: "})


def write_usage(folder: Path, width: int, longest: int, prompts: dict[str, str]) -> None:
    """Write sentence-transformers' files of a model whose vectors are means of the token states, compared by cosine.

    Args:
        folder: folder of the model.
        width: number of dimensions of its states.
        longest: number of tokens of its longest text.
        prompts: texts that are put before a `query` and before a `passage`.
    """
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    write_json(
        folder / "modules.json",
        [
            {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for number, (path, kind) in enumerate(modules)
        ],
    )
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": longest, "do_lower_case": False})
    for path, _ in modules[1:]:
        (folder / path).mkdir()
    pooling = {"embedding_dimension": width, "pooling_mode": "mean"}
    write_json(folder / "1_Pooling" / "config.json", pooling)
    # sentence-transformers adds an empty prompt `document` where there is none, and prefers it to `passage`.
    card = {
        "prompts": prompts | {"document": prompts["passage"]},
        "default_prompt_name": None,
        "similarity_fn_name": "cosine",
    }
    write_json(folder / "config_sentence_transformers.json", card)
