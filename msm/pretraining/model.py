"""What is trained: the sentence encoder with its language-model head, and what helps it and is thrown away."""

from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from msm.encoders.checkpoints import load_masked
from msm.encoders.heads import inner_width
from msm.errors import BadInput
from msm.pretraining.documents import DocumentEncoder, heads
from msm.pretraining.settings import Pretrain
from msm.settings import listed

OTHERS = "others"
"""Group of the languages that `document_groups` does not name."""


class SentenceModel(nn.Module):
    """Sentence encoder, document encoders and projection heads.

    Args:
        folder: the start weights.
        settings: of pre-training.
        document_units: most sentences of a document.
    """

    def __init__(self, folder: Path, settings: Pretrain, document_units: int) -> None:
        super().__init__()
        # MEXMA's code has no dropout in attention.
        self.masked = load_masked(folder, attention_dropout=0.0 if settings.objective == "mexma" else None)
        self.groups = read_groups(settings.document_groups)
        config = self.masked.config
        document_heads = settings.document_heads or config.num_attention_heads
        if settings.objective == "msm" and config.hidden_size % document_heads:
            raise BadInput(f"document_heads must divide the width {config.hidden_size}, got {document_heads}")
        torch.manual_seed(settings.seed)
        names = sorted({OTHERS, *self.groups.values()})
        self.documents = nn.ModuleDict(
            {
                name: DocumentEncoder(
                    config.hidden_size,
                    document_heads,
                    inner_width(config),
                    settings.document_layers,
                    document_units,
                    settings.document_dropout,
                )
                for name in (names if settings.objective == "msm" else [])
            }
        )
        owners = names if settings.group_heads == "separate" else [OTHERS]
        self.heads = nn.ModuleDict({name: heads(settings.projector, config.hidden_size) for name in owners})

    def document_encoder(self, language: str) -> DocumentEncoder:
        """The document encoder of a language's group."""
        return cast(DocumentEncoder, self.documents[self.groups.get(language, OTHERS)])

    def query(self, vectors: Tensor, language: str) -> Tensor:
        """Projected queries, in fp32: [M, H] to [M, H]."""
        return self._head(language)["query"](vectors.float())

    def key(self, vectors: Tensor, language: str) -> Tensor:
        """Projected keys, in fp32: [M, H] to [M, H]."""
        return self._head(language)["key"](vectors.float())

    def _head(self, language: str) -> nn.ModuleDict:
        group = self.groups.get(language, OTHERS)
        return cast(nn.ModuleDict, self.heads[group if group in self.heads else OTHERS])


def read_groups(text: str) -> dict[str, str]:
    """Language to group, from `en=english, fr=romance, es=romance`.

    Raises:
        BadInput: an entry of another form, or a language twice.
    """
    groups: dict[str, str] = {}
    for entry in listed(text):
        language, mark, group = entry.partition("=")
        if not mark or not language or not group.isidentifier() or language in groups:
            raise BadInput(f"document_groups must be LANGUAGE=GROUP with commas, each language once, got {entry!r}")
        groups[language] = group
    return groups
