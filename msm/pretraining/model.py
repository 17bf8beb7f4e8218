"""What is trained: the sentence encoder with its language-model head, and what helps it and is thrown away."""

from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from msm.encoders.checkpoints import load_masked
from msm.encoders.heads import inner_width
from msm.errors import BadInput
from msm.pretraining.documents import DocumentEncoder, heads
from msm.pretraining.settings import Msm, Pretrain
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
        self.masked = load_masked(folder, attention_dropout=0.0 if settings.mexma else None)
        msm, config = settings.msm, self.masked.config
        self.groups = read_groups(msm.document_groups) if msm else {}
        torch.manual_seed(settings.seed)
        names = sorted({OTHERS, *self.groups.values()})
        document_heads = (msm.document_heads if msm else 0) or config.num_attention_heads
        if msm and config.hidden_size % document_heads:
            raise BadInput(f"msm.document_heads must divide the width {config.hidden_size}, got {document_heads}")
        self.documents = nn.ModuleDict()
        if msm:
            self.documents.update({name: _document_encoder(msm, config, document_units) for name in names})
        contrast = msm or settings.pairs
        owners = names if msm and msm.group_heads == "separate" else [OTHERS]
        self.heads = nn.ModuleDict()
        if contrast:
            self.heads.update({name: heads(contrast.projector, config.hidden_size) for name in owners})

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


def _document_encoder(msm: Msm, config: Any, document_units: int) -> DocumentEncoder:
    return DocumentEncoder(
        config.hidden_size,
        msm.document_heads or config.num_attention_heads,
        inner_width(config),
        msm.document_layers,
        document_units,
        msm.document_dropout,
    )


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
