"""Losses: plain functions of tensors; no module, no state.

Shapes: M sentence vectors of one batch, H width, P scored positions, V vocabulary.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

HEAD_ROWS = 8192
"""Logits of 8,192 positions over 250,000 pieces are 8 GB in fp32."""

KOLEO_EPS = 1e-8


class Contrast(NamedTuple):
    """The contrastive loss and what to watch of it; scalars, without gradient but for `loss`."""

    loss: Tensor
    accuracy: Tensor
    """Share of the queries whose own key scores highest, after the bias."""
    positive: Tensor
    """Mean cosine with the own key."""
    same_document: Tensor
    """Mean cosine with the other keys of the document."""
    cross_document: Tensor
    """Mean cosine with the keys of other documents."""
    alpha: Tensor
    """Mean bias, in logits."""
    alpha_low: Tensor
    alpha_high: Tensor


class Places(NamedTuple):
    """Which keys belong to a query."""

    positives: Tensor
    """The key that each query is to find, [Q]."""
    queries: Tensor
    """Document of each query, [Q]."""
    keys: Tensor
    """Document of each key, [K]; -1 for keys remembered from earlier batches."""


def every_place(documents: Tensor) -> Places:
    """Each sentence is a query and a key, and each query's own key is the sentence itself; documents: [M]."""
    return Places(torch.arange(len(documents), device=documents.device), documents, documents)


def masked_sentence_loss(
    queries: Tensor, keys: Tensor, places: Places, *, temperature: float, mu: float, negatives: str = "all"
) -> Contrast:
    """Mean cross entropy, in nats, of picking each hidden sentence out of all sentences of the batch.

    Sentences of the same document share its topic and outscore strangers for that alone. `alpha`, per query and
    without gradient, is their mean lead in logits; `mu` times it is taken off their logits, never off the positive.

    Args:
        queries: what the document encoder expects at each place, [Q, H]; normalised here.
        keys: the sentences themselves, [K, H]; normalised here.
        places: which key is whose.
        temperature: divides every cosine before the bias is measured.
        mu: 0 for plain InfoNCE; 1 makes the mean same-document logit equal the mean cross-document one.
        negatives: `cross-document` leaves the other sentences of the document out of the softmax.

    Raises:
        ValueError: a query without a key of another document, or, with all negatives, without one of its own.

    Source: arXiv 2302.01626, equations 1 to 3; order of operations as in the released code.
    """
    cosines = F.normalize(queries.float(), dim=1, eps=1e-4) @ F.normalize(keys.float(), dim=1, eps=1e-4).T
    rows = torch.arange(len(queries), device=queries.device)
    same = places.queries[:, None] == places.keys[None, :]
    siblings = same.clone()
    siblings[rows, places.positives] = False
    if same.all(1).any() or (negatives == "all" and not siblings.any(1).all()):
        raise ValueError("a contrastive batch needs two documents, and two sentences of each")
    logits = cosines / temperature
    lead = (_row_means(logits, siblings) - _row_means(logits, ~same)).detach()
    if negatives == "cross-document":
        logits = logits.masked_fill(siblings, float("-inf"))
    else:
        logits = logits - mu * lead[:, None] * siblings
    with torch.no_grad():
        watched = (
            (logits.argmax(1) == places.positives).float().mean(),
            cosines[rows, places.positives].mean(),
            _row_means(cosines, siblings).mean(),
            _row_means(cosines, ~same).mean(),
        )
    return Contrast(F.cross_entropy(logits, places.positives), *watched, lead.mean(), lead.min(), lead.max())


def _row_means(values: Tensor, where: Tensor) -> Tensor:
    """Mean over the marked columns of each row, [Q]; 0 where none is."""
    return (values * where).sum(1) / where.sum(1).clamp(min=1)


def token_loss(
    head: Callable[[Tensor], Tensor],
    states: Tensor,
    targets: Tensor,
    weights: Tensor | None = None,
    rows: int = HEAD_ROWS,
) -> Tensor:
    """Mean cross entropy in nats of the hidden tokens, in fp32.

    The logits of a large vocabulary are the largest tensor of a step: no more than `rows` rows of them are held, and
    what is over that is computed once more for the gradient.

    Args:
        head: states to logits, [P, H] to [P, V].
        states: of the hidden tokens, [P, H].
        targets: their true ids, [P].
        weights: of each token in the mean, [P]; all the same when not given.
        rows: most positions at once.
    """
    if weights is None:
        weights = torch.full((len(states),), 1 / len(states), device=states.device)
    if len(states) <= rows:
        return _summed_token_loss(head, states, targets, weights)
    parts = zip(states.split(rows), targets.split(rows), weights.split(rows), strict=True)
    sums = [checkpoint(_summed_token_loss, head, *part, use_reentrant=False) for part in parts]
    return torch.stack(sums).sum()


def _summed_token_loss(head: Callable[[Tensor], Tensor], states: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    return F.cross_entropy(head(states).float(), targets, reduction="none") @ weights


def koleo_loss(vectors: Tensor, owners: Tensor) -> Tensor:
    """Minus the mean logarithm of the distance to the nearest other vector of the batch, all of length 1; in fp32.

    Least where vectors spread evenly over the sphere. A batch of fewer than about 32 says little.

    Args:
        vectors: [M, H]; normalised here.
        owners: sentence of each vector; one that comes twice is not its own neighbour, [M].

    Returns:
        A scalar; 0 if all vectors are of one sentence.

    Source: arXiv 1806.03198; with the 1e-8 of MEXMA, arXiv 2409.12737.
    """
    vectors = F.normalize(vectors.float(), dim=1)
    with torch.no_grad():
        # Products of vectors that lie close together differ by less than fp32 can tell; their distances do not.
        apart = torch.cdist(vectors, vectors, compute_mode="donot_use_mm_for_euclid_dist")
        nearest, others = apart.masked_fill(owners[:, None] == owners[None, :], float("inf")).min(1)
    alone = nearest == float("inf")
    distances = torch.linalg.vector_norm(vectors - vectors[others], dim=1)[~alone]
    return -torch.log(distances + KOLEO_EPS).sum() / max(len(distances), 1)


def in_batch_loss(
    queries: Tensor,
    passages: Tensor,
    *,
    scale: Tensor | float,
    allowed: Tensor | None = None,
    near: Tensor | None = None,
) -> Tensor:
    """Mean cross entropy in nats of picking each query's passage out of the passages of the batch, in fp32.

    Args:
        queries: [B, H].
        passages: [P, H]: first the B positives in the order of the queries, then hard negatives.
        scale: multiplies the inner products.
        allowed: where a passage is a candidate of a query, [B, P]; the own one must be. None for everywhere.
        near: where the loss of a query moves a passage, [B, P]; DPR's gathered passages of other devices stand still.
            None for everywhere.
    """
    queries, passages = queries.float(), passages.float()
    scores = queries @ passages.T
    if near is not None:
        scores = torch.where(near, scores, queries @ passages.detach().T)
    logits = scale * scores
    if allowed is not None:
        logits = logits.masked_fill(~allowed, float("-inf"))
    return F.cross_entropy(logits, torch.arange(len(queries), device=queries.device))


def matryoshka_loss(
    queries: Tensor, passages: Tensor, widths: Sequence[int], *, normalise: bool, scale: Tensor | float, **masks: Any
) -> Tensor:
    """Mean of the in-batch loss over vectors that are cut to their leading dimensions.

    Args:
        queries: [B, H].
        passages: [P, H], as for `in_batch_loss`.
        widths: dimensions that are kept in each of the vectors, at most H.
        normalise: give cut vectors the length 1, as the similarity cosine does.
        scale: multiplies the inner products.
        masks: `allowed` and `near` of `in_batch_loss`.

    Source: arXiv 2205.13147, equation 1, with equal weights.
    """
    losses = [
        in_batch_loss(*(_cut(side, width, normalise) for side in (queries, passages)), scale=scale, **masks)
        for width in widths
    ]
    return torch.stack(losses).mean()


def _cut(vectors: Tensor, width: int, normalise: bool) -> Tensor:
    if width == vectors.shape[1]:
        return vectors
    return F.normalize(vectors[:, :width].float(), dim=1) if normalise else vectors[:, :width]
