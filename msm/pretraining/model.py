"""The model of pre-training: a sentence encoder, and the parts beside it that only training uses."""

from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from msm.encoders.heads import inner_width
from msm.encoders.start_checkpoints import load_masked
from msm.errors import BadInput
from msm.pretraining.document_encoder import DocumentEncoder, heads
from msm.pretraining.settings import Msm, Pretrain

OTHERS = "others"
"""Group of the languages that `document_groups` does not name."""


class SentenceModel(nn.Module):
    """A sentence encoder with its language-model head, and document encoders and projection heads beside it.

    Args:
        folder: folder of the start weights.
        settings: settings of the stage `pretrain`.
        document_units: largest number of units of a document.

    Raises:
        BadInput: the number of heads of the document encoder does not divide the width.
    """

    def __init__(self, folder: Path, settings: Pretrain, document_units: int) -> None:
        super().__init__()
        # MEXMA's code has no dropout in attention.
        self.masked = load_masked(folder, attention_dropout=0.0 if settings.mexma else None)
        msm, config = settings.msm, self.masked.config
        self.groups = msm.groups if msm else {}
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
        """Return the document encoder of the group that a language belongs to."""
        return cast(DocumentEncoder, self.documents[self.groups.get(language, OTHERS)])

    def query(self, vectors: Tensor, language: str) -> Tensor:
        """Project vectors to queries of the contrastive loss, [M, H] to [M, H], in fp32."""
        return self._head(language)["query"](vectors.float())

    def key(self, vectors: Tensor, language: str) -> Tensor:
        """Project vectors to keys of the contrastive loss, [M, H] to [M, H], in fp32."""
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
