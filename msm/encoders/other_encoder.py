"""Encoder of a model that turns a text into weights of terms, or into one vector for each token.

Shapes: S texts, V terms, L tokens of a text, H width.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack
from sentence_transformers import MultiVectorEncoder, SparseEncoder
from torch import Tensor

from msm.encoders.encoder import BATCH_TOKENS, CPU_BATCH_TOKENS, batches_of
from msm.encoders.text_encoder import TextEncoder
from msm.encoders.usage import Choice, Side, Text

Rows = csr_array | list[NDArray[np.float32]]
"""Vectors of texts: of a sparse model [S, V]; of a model with one vector for each token [L, H] for each text."""
LOGITS = 2**28
"""Largest number of weights of a batch before they are pooled, one for each token and term: 1 GiB in float32."""
EXPANSION = 64
"""Tokens that a prompt, special tokens and expansion add to a text, as a rule."""


class OtherEncoder(TextEncoder[list[Text], Rows]):
    """A model that sentence-transformers runs, and every choice that decides its vectors.

    Args:
        model: model of sentence-transformers.
        choices: name to value and source; see `msm.encoders.loading`.
        device: device of the model.
        batch_tokens: approximate number of tokens that are encoded at once.
    """

    def __init__(
        self,
        model: SparseEncoder | MultiVectorEncoder,
        choices: Mapping[str, Choice],
        *,
        device: torch.device,
        batch_tokens: int = BATCH_TOKENS,
    ) -> None:
        self.model, self.choices = model.to(device).eval(), dict(choices)
        self.sparse = isinstance(model, SparseEncoder)
        self.kind, self.bulk = str(self.choices["kind"].value), 1 if self.sparse else 8
        tokens = min(batch_tokens, CPU_BATCH_TOKENS) if device.type == "cpu" else batch_tokens
        self.batch_tokens = min(tokens, max(LOGITS // self.width, 1)) if self.sparse else tokens

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return self.model.device

    def describe(self) -> dict[str, Choice]:
        """Return every choice that decides the vectors, and its source: a file, a flag or a default."""
        attention = Choice("sentence-transformers", "default")
        return self.choices | {"attention": attention, "device": Choice(str(self.device), "default")}

    def prepare(self, texts: Sequence[Text], side: Side) -> list[Text]:
        """Return the texts themselves: sentence-transformers tokenises them with each batch."""
        del side
        return list(texts)

    def encode_prepared(self, prepared_texts: list[Text], side: Side) -> Rows:
        """Return the vectors of texts, in their order."""
        sizes = [self._most_tokens(text, side) for text in prepared_texts]
        order = np.argsort([-size for size in sizes], kind="stable")
        batches = [
            [prepared_texts[row] for row in rows] for rows in batches_of(order, sizes, self.batch_tokens) if len(rows)
        ]
        back = np.argsort(order, kind="stable")
        parts = [self._encode(batch, side) for batch in batches]
        if self.sparse:
            empty = csr_array((0, self.width), dtype=np.float32)
            weights = [csr_array(self._finished(part).cpu().numpy()) for part in parts]
            matrix: Any = vstack([empty, *weights], format="csr")
            return csr_array(matrix[back])
        tokens = [text.float().cpu().numpy() for part in parts for text in part]
        return [tokens[place] for place in back]

    def _most_tokens(self, text: Text, side: Side) -> int:
        """Return an upper limit of a text's tokens: a token has a byte or more."""
        size = len("".join(text).encode(errors="replace")) + EXPANSION
        most: Any = self.choices[f"{side}_tokens"].value
        return size if most is None else min(size, most)

    def _encode(self, texts: list[Text], side: Side) -> Any:
        """Return what sentence-transformers gives for one batch: weights of terms, [S, V], or [L, H] for each text."""
        encode: Any = self.model.encode_query if side == "query" else self.model.encode_document
        options: dict[str, Any] = {"prompt": self._prompt(side), "batch_size": len(texts), "show_progress_bar": False}
        if self.sparse:
            options["convert_to_sparse_tensor"] = False
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, self.precision == "bf16"):
            return encode(texts, **options)

    def _finished(self, weights: Tensor) -> Tensor:
        """Of length 1 where that is wanted; fp32, [S, V]."""
        weights = weights.float()
        return F.normalize(weights, dim=1) if self.similarity == "cosine" else weights
