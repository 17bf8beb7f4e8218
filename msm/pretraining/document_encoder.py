"""The document encoder, which guesses the vector of a hidden sentence from its neighbours, and the projection heads.

Shapes: D documents, N sentence slots of each, M real sentences of all, H width, A heads, C = H / A.
"""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STANDARD_DEVIATION = 0.02
"""Standard deviation of fresh weights, as in BERT."""
BATCH_NORM_EPS = 1e-5
"""Number that batch normalisation adds to a variance; the released code's 1e-12 is unsafe in half precision."""


class DocumentEncoder(nn.Module):
    """A small transformer over sentence vectors, which hides each sentence in turn and reads the state in its position.

    Layers are post-norm with GELU, positions are learned, and there is no segment and no token for the document (as in
    the released code). For a document of N sentences the encoder reads N rows; row t is the document with sentence t,
    and only it, replaced by the mask vector.

    The result is that of a padded batch of D * N rows, for a fraction of the work: in the first layer the rows differ
    in the masked position only, so their queries, keys and values are projected once a document; in the last layer
    only the masked position is read, so one query a row is asked. The dropout of the input is drawn once a document
    instead of once a row; nothing else differs.

    Args:
        width: number of dimensions of a sentence vector.
        heads: number of attention heads; divides `width`.
        feed_forward: inner width of the feed-forward networks.
        layers: number of layers, 1 or more; the paper takes 2.
        positions: largest number of sentences of a document.
        dropout: dropout rate, of attention weights too.

    Source: arXiv 2302.01626, section 3.1.
    """

    def __init__(self, width: int, heads: int, feed_forward: int, layers: int, positions: int, dropout: float) -> None:
        super().__init__()
        self.mask = nn.Parameter(torch.empty(width))
        self.positions = nn.Embedding(positions, width)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(Layer(width, heads, feed_forward, dropout) for _ in range(layers))
        self.apply(initialise)
        nn.init.normal_(self.mask, std=STANDARD_DEVIATION)

    def forward(self, sentences: Tensor, real: Tensor) -> Tensor:
        """Guess every sentence from the other sentences of its document.

        Args:
            sentences: sentence vectors, [D, N, H]; padding slots may hold anything.
            real: True where there is a sentence, [D, N].

        Returns:
            One guess a sentence, [D, N, H]; padding slots are meaningless.
        """
        positions = self.positions.weight[: sentences.shape[1]]
        visible = self.dropout(self.norm(sentences + positions))
        hidden = self.dropout(self.norm(self.mask + positions)).expand_as(visible)
        first, *rest = cast("list[Layer]", list(self.layers))
        if not rest:
            return first.hidden_from_shared(visible, hidden, real)
        rows = first.all_from_shared(visible, hidden, real)
        keep = real[:, None].expand(-1, rows.shape[1], -1).flatten(0, 1)
        rows = rows.flatten(0, 1)
        for layer in rest[:-1]:
            rows = layer(rows, rows, keep)
        diagonal = torch.arange(sentences.shape[1], device=rows.device).repeat(sentences.shape[0])
        readers = rows[torch.arange(len(rows), device=rows.device), diagonal]
        return rest[-1].read_one(readers, rows, keep).view_as(sentences)

    def share(self, sentences: Tensor, real: Tensor, hidden: Tensor) -> Tensor:
        """Guess several sentences of a document at once, all of them hidden together.

        Args:
            sentences: sentence vectors, [D, N, H]; padding slots may hold anything.
            real: True where there is a sentence, [D, N].
            hidden: True at the sentences to hide, [D, N].

        Returns:
            States, [D, N, H]; those in the hidden positions are the guesses.
        """
        rows = torch.where(hidden[..., None], self.mask, sentences) + self.positions.weight[: sentences.shape[1]]
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

    def forward(self, readers: Tensor, rows: Tensor, keep: Tensor) -> Tensor:
        """New states of some positions, each of which attends to its whole row.

        Args:
            readers: states of the positions to compute, [R, Q, H].
            rows: states of all positions, [R, N, H].
            keep: True at the real sentences, [R, N].

        Returns:
            States, [R, Q, H].
        """
        query, key, value = self._split(self.query(readers)), self._split(self.key(rows)), self._split(self.value(rows))
        dropout = self.dropout.p if self.training else 0.0
        context = F.scaled_dot_product_attention(query, key, value, keep[:, None, None], dropout)
        return self._finish(context.transpose(-3, -2).flatten(-2), readers)

    def read_one(self, readers: Tensor, rows: Tensor, keep: Tensor) -> Tensor:
        """New state of one position of each row.

        Projecting N keys and N values for a single query costs more than the attention itself. The projections are
        moved to where there is one vector only: q . (W x + b) is (W' q) . x + q . b, so the key's weights are applied
        to the query; the sum over w (W x + b) is W (sum over w x) + (sum over w) b, so the value's weights are applied
        to the weighted mean of the row.

        Args:
            readers: state of the position to compute, [R, H].
            rows: states of all positions, [R, N, H].
            keep: True at the real sentences, [R, N].

        Returns:
            States, [R, H].
        """
        query = self.query(readers).unflatten(-1, (self.heads, -1))
        key_weight, value_weight = (part.weight.unflatten(0, (self.heads, -1)) for part in (self.key, self.value))
        key_bias, value_bias = (part.bias.unflatten(0, (self.heads, -1)) for part in (self.key, self.value))
        # W' q of every head: from the C dimensions of a head back to the H of a row.
        key_queries = torch.einsum("rac,ach->rah", query, key_weight)
        logits = key_queries @ rows.mT + (query * key_bias).sum(-1, keepdim=True)
        weights = self._weights(logits, keep[:, None])
        # W (sum over w x) of every head: the weighted mean of the row, then projected from H to C dimensions.
        context = torch.einsum("rah,ach->rac", weights @ rows, value_weight)
        # After dropout the weights do not sum to 1, so the bias is counted as often as they do.
        return self._finish((context + weights.sum(-1, keepdim=True) * value_bias).flatten(-2), readers)

    def all_from_shared(self, visible: Tensor, hidden: Tensor, real: Tensor) -> Tensor:
        """New states of all positions of all rows, from one projection of the N sentences and of the N masks.

        Row t holds N - 1 sentences and one mask, in position t. Its logits are those of the plain document, but for
        column t (every sentence attends to the mask instead of sentence t) and line t (the mask attends).

        Args:
            visible: states of the sentences, [D, N, H].
            hidden: states of the mask vector in each position, [D, N, H].
            real: True at the real sentences, [D, N].

        Returns:
            States, [D, N rows, N positions, H]; row t has sentence t hidden.
        """
        (query, key, value), (mask_query, mask_key, mask_value) = self._project(visible), self._project(hidden)
        positions = visible.shape[1]
        is_mask = torch.eye(positions, dtype=torch.bool, device=visible.device)
        # Logits have the shape [D, A, row, query, key]. Sentences attend to sentences, the same in every row.
        plain = (query @ key.mT)[:, :, None].expand(-1, -1, positions, -1, -1)
        # Column t of row t: all queries meet the mask's key.
        to_mask = (query @ mask_key.mT).mT[..., None]
        logits = torch.where(is_mask[:, None, :], to_mask, plain)
        # Line t of row t: the mask's query meets the sentences' keys, and its own key in position t.
        from_mask = torch.where(is_mask, (mask_query * mask_key).sum(-1)[..., None], mask_query @ key.mT)
        logits = torch.where(is_mask[:, :, None], from_mask[:, :, :, None], logits)
        weights = self._weights(logits, real[:, None, None, None])
        # The product takes the value of sentence t in row t; its weight is given to the mask's value instead.
        mask_weights = weights.diagonal(dim1=2, dim2=4).mT
        context = (weights @ value[:, :, None]).addcmul(mask_weights[..., None], (mask_value - value)[:, :, :, None])
        rows = visible[:, None].expand(-1, positions, -1, -1).diagonal_scatter(hidden.mT, dim1=1, dim2=2)
        return self._finish(context.movedim(1, 3).flatten(-2), rows)

    def hidden_from_shared(self, visible: Tensor, hidden: Tensor, real: Tensor) -> Tensor:
        """New states of the masked positions only, [D, N, H]; the arguments are those of `all_from_shared`."""
        (_, key, value), (mask_query, mask_key, mask_value) = self._project(visible), self._project(hidden)
        is_mask = torch.eye(visible.shape[1], dtype=torch.bool, device=visible.device)
        logits = torch.where(is_mask, (mask_query * mask_key).sum(-1)[..., None], mask_query @ key.mT)
        weights = self._weights(logits, real[:, None, None])
        mask_weights = weights.diagonal(dim1=2, dim2=3)
        context = weights @ value + mask_weights[..., None] * (mask_value - value)
        return self._finish(context.transpose(-3, -2).flatten(-2), hidden)

    def _project(self, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self._split(self.query(states)), self._split(self.key(states)), self._split(self.value(states))

    def _split(self, states: Tensor) -> Tensor:
        return states.unflatten(-1, (self.heads, -1)).transpose(-3, -2)

    def _weights(self, logits: Tensor, keep: Tensor) -> Tensor:
        scale = (self.query.out_features // self.heads) ** -0.5
        weights = (logits * scale).masked_fill(~keep, float("-inf")).softmax(-1)
        return self.dropout(weights)

    def _finish(self, context: Tensor, before: Tensor) -> Tensor:
        states = self.attention_norm(before + self.dropout(self.output(context)))
        return self.output_norm(states + self.dropout(self.outer(F.gelu(self.inner(states)))))


class Head(nn.Module):
    """Projection head that maps sentence vectors to those of the contrastive loss; training alone uses it.

    Batch normalisation takes the statistics of the batch of this process, without padding. Run the head in fp32.

    Args:
        width: number of dimensions of a sentence vector.
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
        """Projected vectors in fp32, [M, H], of sentence vectors, [M, H]."""
        return self.layers(vectors.float())


def heads(projector: str, width: int) -> nn.ModuleDict:
    """Projection heads under the names `query` and `key`.

    Args:
        projector: `asymmetric` for two heads (the paper), `shared` for one that both use, or `none` (its table 7).
        width: number of dimensions of a sentence vector.
    """
    if projector == "none":
        return nn.ModuleDict({"query": nn.Identity(), "key": nn.Identity()})
    key = Head(width)
    return nn.ModuleDict({"query": Head(width) if projector == "asymmetric" else key, "key": key})


def initialise(module: nn.Module) -> None:
    """Draw the weights of a linear layer or an embedding from N(0, 0.02) and set its bias to 0, as in BERT."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=STANDARD_DEVIATION)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
