"""The masked sentence model: a document encoder that guesses a hidden sentence from its neighbours.

Shapes: D documents, N sentence slots of each, M real sentences of all, H width, A heads, C = H / A.
"""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STANDARD_DEVIATION = 0.02
BATCH_NORM_EPS = 1e-5
"""The released code has 1e-12, which is unsafe in half precision; heads run in fp32 and with this."""


class DocumentEncoder(nn.Module):
    """A small transformer over sentence vectors; each sentence is hidden in turn and read at its place.

    Post-norm, GELU, learned places, no segment and no document token (released code). Row t of a document is
    the document with sentence t, and only it, replaced by the mask vector. The D * N rows share their first
    layer's queries, keys and values but for the masked place, and the last layer is asked at the masked place
    only: the same result as the padded (D * N, N) batch for a fraction of the work. Dropout of the input is
    drawn once a document instead of once a row; nothing else differs.

    Args:
        width: of the sentence vectors.
        heads: attention heads.
        feed_forward: inner width.
        layers: the paper: 2.
        places: most sentences of a document.
        dropout: everywhere, attention included.

    Source: arXiv 2302.01626, section 3.1.
    """

    def __init__(self, width: int, heads: int, feed_forward: int, layers: int, places: int, dropout: float) -> None:
        super().__init__()
        self.mask = nn.Parameter(torch.empty(width))
        self.places = nn.Embedding(places, width)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(Layer(width, heads, feed_forward, dropout) for _ in range(layers))
        self.apply(initialise)
        nn.init.normal_(self.mask, std=STANDARD_DEVIATION)

    def forward(self, sentences: Tensor, real: Tensor) -> Tensor:
        """What the document leads one to expect at each place.

        Args:
            sentences: [D, N, H]; anything at the padding.
            real: True where there is a sentence, [D, N].

        Returns:
            [D, N, H]; meaningless at the padding.
        """
        places = self.places.weight[: sentences.shape[1]]
        seen = self.dropout(self.norm(sentences + places))
        hidden = self.dropout(self.norm(self.mask + places)).expand_as(seen)
        first, *rest = cast("list[Layer]", list(self.layers))
        if not rest:
            return first.hidden_from_shared(seen, hidden, real)
        rows = first.all_from_shared(seen, hidden, real)
        keep = real[:, None].expand(-1, rows.shape[1], -1).flatten(0, 1)
        rows = rows.flatten(0, 1)
        for layer in rest[:-1]:
            rows = layer(rows, rows, keep)
        at = torch.arange(sentences.shape[1], device=rows.device).repeat(sentences.shape[0])
        asked = rows[torch.arange(len(rows), device=rows.device), at]
        return rest[-1].ask_one(asked, rows, keep).view_as(sentences)

    def share(self, sentences: Tensor, real: Tensor, hidden: Tensor) -> Tensor:
        """What the rest of the document leads one to expect, with several sentences hidden at once.

        Args:
            sentences: [D, N, H]; anything at the padding.
            real: True where there is a sentence, [D, N].
            hidden: True at the sentences to hide, [D, N].

        Returns:
            [D, N, H]; to be read at the hidden places.
        """
        rows = torch.where(hidden[..., None], self.mask, sentences) + self.places.weight[: sentences.shape[1]]
        rows = self.dropout(self.norm(rows))
        for layer in self.layers:
            rows = layer(rows, rows, real)
        return rows


class Layer(nn.Module):
    """One post-norm transformer layer."""

    def __init__(self, width: int, heads: int, feed_forward: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.output = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, feed_forward)
        self.outer = nn.Linear(feed_forward, width)
        self.output_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, asked: Tensor, rows: Tensor, keep: Tensor) -> Tensor:
        """States at the asked places, each attending to its whole row.

        Args:
            asked: [R, Q, H].
            rows: [R, N, H].
            keep: True at the real sentences, [R, N].

        Returns:
            [R, Q, H].
        """
        query, key, value = self._split(self.query(asked)), self._split(self.key(rows)), self._split(self.value(rows))
        dropout = self.dropout.p if self.training else 0.0
        attended = F.scaled_dot_product_attention(query, key, value, keep[:, None, None], dropout)
        return self._finish(attended.transpose(-3, -2).flatten(-2), asked)

    def ask_one(self, asked: Tensor, rows: Tensor, keep: Tensor) -> Tensor:
        """State at one asked place of each row.

        A single question is not worth N keys and values: what their projections do to the N places of a row is done
        to the question and to the weighted mean of the places instead, (W q) x for q (W x).

        Args:
            asked: [R, H].
            rows: [R, N, H].
            keep: True at the real sentences, [R, N].

        Returns:
            [R, H].
        """
        query = self.query(asked).unflatten(-1, (self.heads, -1))
        key_weight, value_weight = (part.weight.unflatten(0, (self.heads, -1)) for part in (self.key, self.value))
        key_bias, value_bias = (part.bias.unflatten(0, (self.heads, -1)) for part in (self.key, self.value))
        questions = torch.einsum("rac,ach->rah", query, key_weight)
        logits = questions @ rows.mT + (query * key_bias).sum(-1, keepdim=True)
        weights = self._weights(logits, keep[:, None])
        attended = torch.einsum("rah,ach->rac", weights @ rows, value_weight)
        # Dropout leaves weights that do not sum to 1.
        return self._finish((attended + weights.sum(-1, keepdim=True) * value_bias).flatten(-2), asked)

    def all_from_shared(self, seen: Tensor, hidden: Tensor, real: Tensor) -> Tensor:
        """Every place of every row, from the projections of the N sentences and the N masks alone.

        Args:
            seen: the sentences, [D, N, H].
            hidden: the mask vector at each place, [D, N, H].
            real: True at the real sentences, [D, N].

        Returns:
            [D, N rows, N places, H]; row t has sentence t hidden.
        """
        (query, key, value), (mask_query, mask_key, mask_value) = self._project(seen), self._project(hidden)
        places = seen.shape[1]
        masked = torch.eye(places, dtype=torch.bool, device=seen.device)
        # Logits [D, A, row, asked, key]: sentences ask sentences, then column t and line t of row t are replaced.
        plain = (query @ key.mT)[:, :, None].expand(-1, -1, places, -1, -1)
        to_mask = (query @ mask_key.mT).mT[..., None]
        logits = torch.where(masked[:, None, :], to_mask, plain)
        from_mask = torch.where(masked, (mask_query * mask_key).sum(-1)[..., None], mask_query @ key.mT)
        logits = torch.where(masked[:, :, None], from_mask[:, :, :, None], logits)
        weights = self._weights(logits, real[:, None, None, None])
        own = weights.diagonal(dim1=2, dim2=4).mT
        attended = (weights @ value[:, :, None]).addcmul(own[..., None], (mask_value - value)[:, :, :, None])
        rows = seen[:, None].expand(-1, places, -1, -1).diagonal_scatter(hidden.mT, dim1=1, dim2=2)
        return self._finish(attended.movedim(1, 3).flatten(-2), rows)

    def hidden_from_shared(self, seen: Tensor, hidden: Tensor, real: Tensor) -> Tensor:
        """The masked place of every row only, [D, N, H]; arguments as `all_from_shared`."""
        (_, key, value), (mask_query, mask_key, mask_value) = self._project(seen), self._project(hidden)
        masked = torch.eye(seen.shape[1], dtype=torch.bool, device=seen.device)
        logits = torch.where(masked, (mask_query * mask_key).sum(-1)[..., None], mask_query @ key.mT)
        weights = self._weights(logits, real[:, None, None])
        own = weights.diagonal(dim1=2, dim2=3)
        attended = weights @ value + own[..., None] * (mask_value - value)
        return self._finish(attended.transpose(-3, -2).flatten(-2), hidden)

    def _project(self, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self._split(self.query(states)), self._split(self.key(states)), self._split(self.value(states))

    def _split(self, states: Tensor) -> Tensor:
        return states.unflatten(-1, (self.heads, -1)).transpose(-3, -2)

    def _weights(self, logits: Tensor, keep: Tensor) -> Tensor:
        scale = (self.query.out_features // self.heads) ** -0.5
        weights = (logits * scale).masked_fill(~keep, float("-inf")).softmax(-1)
        return self.dropout(weights)

    def _finish(self, attended: Tensor, before: Tensor) -> Tensor:
        states = self.attention_norm(before + self.dropout(self.output(attended)))
        return self.output_norm(states + self.dropout(self.outer(F.gelu(self.inner(states)))))


class Head(nn.Module):
    """Projection of a sentence vector for the contrastive loss only; thrown away afterwards.

    The statistics are those of the local batch, and of real sentences only. Run it in fp32.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, width, bias=False),
            nn.BatchNorm1d(width, eps=BATCH_NORM_EPS),
            nn.ReLU(),
            nn.Linear(width, width, bias=False),
            nn.BatchNorm1d(width, eps=BATCH_NORM_EPS, affine=False),
        )
        self.apply(initialise)

    def forward(self, vectors: Tensor) -> Tensor:
        """[M, H] to [M, H]."""
        return self.layers(vectors.float())


def heads(projector: str, width: int) -> nn.ModuleDict:
    """The heads of queries and keys: two, one for both, or none.

    Args:
        projector: `asymmetric` (the paper), `shared` or `none` (its table 7).
        width: of the vectors.
    """
    if projector == "none":
        return nn.ModuleDict({"query": nn.Identity(), "key": nn.Identity()})
    key = Head(width)
    return nn.ModuleDict({"query": Head(width) if projector == "asymmetric" else key, "key": key})


def initialise(module: nn.Module) -> None:
    """Weights of N(0, 0.02) and biases of 0, as BERT's."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=STANDARD_DEVIATION)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
