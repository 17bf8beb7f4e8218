"""Tiny models with random weights, made in a moment."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import AutoModel, BertConfig, PreTrainedTokenizerFast, Qwen2Config, XLMRobertaConfig

TEXTS = ["ra 1845 fudi moro pepiga bud Deti.", "vipa fudi moro?", "", "1866 bud fudi " * 30, "moro"]
WIDTH = 16
SIZES: dict[str, Any] = {
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "pad_token_id": 1,
}


def tokenizer(**options: Any) -> PreTrainedTokenizerFast:
    """Pieces of `TEXTS`; the second text of a pair has token type 1."""
    pieces = Tokenizer(models.BPE(unk_token="<unk>"))
    pieces.pre_tokenizer = pre_tokenizers.Metaspace()  # type: ignore[assignment]
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    pieces.train_from_iterator(TEXTS * 3, trainers.BpeTrainer(vocab_size=60, special_tokens=special))
    pieces.post_processor = processors.TemplateProcessing(  # type: ignore[assignment]
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = {"bos_token": "<s>", "cls_token": "<s>", "sep_token": "</s>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(
        tokenizer_object=pieces, pad_token="<pad>", mask_token="<mask>", **names, **({"model_max_length": 40} | options)
    )


def checkpoint(folder: Path, kind: str = "xlm-roberta", **options: Any) -> Path:
    """A bare checkpoint of a class, with the tokenizer beside it."""
    types = {"model_input_names": ["input_ids", "token_type_ids", "attention_mask"]} if kind == "bert" else {}
    pieces = tokenizer(**types, **options)
    sizes = SIZES | {"vocab_size": len(pieces)}
    config = {
        "xlm-roberta": lambda: XLMRobertaConfig(max_position_embeddings=66, type_vocab_size=1, **sizes),
        "bert": lambda: BertConfig(max_position_embeddings=64, type_vocab_size=2, **sizes),
        "qwen2": lambda: Qwen2Config(max_position_embeddings=64, num_key_value_heads=1, **sizes),
    }[kind]()
    torch.manual_seed(0)
    model = AutoModel.from_config(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.3 * torch.randn_like(weight)
    model.save_pretrained(folder)
    pieces.save_pretrained(folder)
    return folder


def edit(path: Path, **values: Any) -> None:
    """Change values of a JSON object; None removes one."""
    content = json.loads(path.read_text()) if path.is_file() else {}
    content |= values
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))
