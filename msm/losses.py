"""Losses of pre-training and fine-tuning, as plain functions of tensors without state.

Shapes: M sentence vectors of one batch, H width, P scored positions, V vocabulary.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

HEAD_ROWS = 8192
"""Most positions whose logits are held at once: those of 8,192 positions over 250,000 pieces are 8 GB in fp32."""
BLOCK = 2**25
"""Logits that are held at once where their gradient is computed beside the loss: 128 MiB in fp32."""
KOLEO_EPS = 1e-8
"""Number that is added to a distance before its logarithm is taken (MEXMA's released code)."""


class ContrastiveLoss(NamedTuple):
    """A contrastive loss and the values that are logged beside it; scalars, and only `loss` carries a gradient."""

    loss: Tensor
    """Mean cross entropy in nats."""
    accuracy: Tensor
    """Share of the queries whose positive has the highest logit, after the bias was taken off."""
    positive: Tensor
    """Mean cosine of a query and its positive."""
    same_document: Tensor
    """Mean cosine of a query and the other keys of its document."""
    cross_document: Tensor
    """Mean cosine of a query and the keys of other documents."""
    alpha: Tensor
    """Mean bias over the queries, in logits."""
    alpha_low: Tensor
    """Smallest bias of a query, in logits."""
    alpha_high: Tensor
    """Largest bias of a query, in logits."""


class Matches(NamedTuple):
    """Which key each query is to find, and the documents of queries and keys."""

    positives: Tensor
    """Index of the key that each query is to find, [Q]."""
    query_documents: Tensor
    """Number of the document of each query, [Q]."""
    key_documents: Tensor
    """Number of the document of each key, [K]; -1 for keys that are remembered from earlier batches."""


def own_matches(documents: Tensor) -> Matches:
    """Matches of sentences that are queries and keys at once: the positive of each is the sentence itself.

    Args:
        documents: number of the document of each sentence, [M].
    """
    return Matches(torch.arange(len(documents), device=documents.device), documents, documents)


def contrastive_loss(
    queries: Tensor,
    keys: Tensor,
    matches: Matches,
    *,
    temperature: float,
    mu: float,
    negatives: str = "all",
    bias_over: str = "query",
    bias_gradient: str = "cut",
) -> ContrastiveLoss:
    """Mean cross entropy, in nats, of picking the positive of each query out of all keys.

    Every contrastive objective of pre-training calls it: masked sentences with the bias `mu`, the baselines CROP, ICT
    and CCP without.

    Keys of the query's own document share its topic and outscore those of other documents for that alone. The bias
    `alpha` of a query is their mean lead in logits, without gradient; `mu` times the bias is taken off their logits,
    but never off the positive's.

    Args:
        queries: vectors that look for their positives, such as the guesses of the document encoder, [Q, H]; they are
            normalised here.
        keys: vectors that are chosen from, such as those of the sentences themselves, [K, H]; they are normalised here.
        matches: the positive of each query, and the documents of queries and keys.
        temperature: number that divides every cosine before the bias is measured, above 0; the paper takes 0.1.
        mu: share of the bias that is taken off, from 0 (plain InfoNCE) to 1 (the mean logit of the same document
            becomes that of other documents).
        negatives: `all` keys, or only those of other documents (`cross-document`).
        bias_over: queries whose mean bias is taken: each `query` alone, all of a `document`, or all of the `batch`.
        bias_gradient: `cut`, or `kept` to train through the bias as well.

    Raises:
        ValueError: a query without a key of another document, or, with all negatives, without one of its own.

    Source: arXiv 2302.01626, equations 1 to 3; order of operations as in the released code.
    """
    cosines = F.normalize(queries.float(), dim=1, eps=1e-4) @ F.normalize(keys.float(), dim=1, eps=1e-4).T
    rows = torch.arange(len(queries), device=queries.device)
    same = matches.query_documents[:, None] == matches.key_documents[None, :]
    siblings = same.clone()
    siblings[rows, matches.positives] = False
    if same.all(1).any() or (negatives == "all" and not siblings.any(1).all()):
        raise ValueError("a contrastive batch needs two documents, and two sentences of each")
    logits = cosines / temperature
    lead = _mean_over(_row_means(logits, siblings) - _row_means(logits, ~same), matches.query_documents, bias_over)
    if bias_gradient == "cut":
        lead = lead.detach()
    if negatives == "cross-document":
        logits = logits.masked_fill(siblings, float("-inf"))
    else:
        logits = logits - mu * lead[:, None] * siblings
    with torch.no_grad():
        numbers = (
            (logits.argmax(1) == matches.positives).float().mean(),
            cosines[rows, matches.positives].mean(),
            _row_means(cosines, siblings).mean(),
            _row_means(cosines, ~same).mean(),
        )
    lead = lead.detach()
    return ContrastiveLoss(F.cross_entropy(logits, matches.positives), *numbers, lead.mean(), lead.min(), lead.max())


def _mean_over(leads: Tensor, documents: Tensor, bias_over: str) -> Tensor:
    """The lead of each query, or the mean of its document or of the batch in its place, [Q]."""
    if bias_over == "query":
        return leads
    if bias_over == "batch":
        return leads.mean().expand_as(leads)
    alike = (documents[:, None] == documents[None, :]).to(leads.dtype)
    return alike @ leads / alike.sum(1)


def _row_means(values: Tensor, where: Tensor) -> Tensor:
    """Mean over the marked columns of each row, [Q]; 0 in a row without a marked column."""
    return (values * where).sum(1) / where.sum(1).clamp(min=1)


def token_loss(
    head: Callable[[Tensor], Tensor],
    states: Tensor,
    targets: Tensor,
    weights: Tensor | None = None,
    rows: int = HEAD_ROWS,
) -> Tensor:
    """Mean cross entropy in nats of the hidden tokens, in fp32.

    The logits of a large vocabulary are the largest tensor of an update. At most `rows` rows of them are held at once;
    where there are more, they are computed a second time for the gradient.

    Args:
        head: function from states to logits, [P, H] to [P, V].
        states: token states at the hidden positions, [P, H].
        targets: ids of the tokens that were hidden, [P].
        weights: weight of each token in the mean, [P]; equal weights where None.
        rows: largest number of positions whose logits are held at once.
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


def linear_token_loss(
    states: Tensor, pieces: Tensor, bias: Tensor | None, targets: Tensor, weights: Tensor | None = None
) -> Tensor:
    """The same as `token_loss` for a head that ends in a product with the vectors of all pieces.

    The gradient is computed beside the loss, so that no logit is kept or computed twice: memory beside the gradients
    is one block of `BLOCK` logits, whatever P is. Products run in the precision of autocast where it is on, all sums
    in fp32. Its gradient can be taken once.

    Args:
        states: states before the last product of the head, [P, H].
        pieces: vectors of the pieces, [V, H].
        bias: bias of each piece, [V]; None for none.
        targets: ids of the tokens that were hidden, [P].
        weights: weight of each token in the mean, [P]; equal weights where None.
    """
    if weights is None:
        weights = torch.full((len(states),), 1 / len(states), device=states.device)
    kind = states.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else states.dtype
    return cast(Tensor, _LinearTokenLoss.apply(states, pieces, bias, targets, weights, dtype, torch.is_grad_enabled()))


class _LinearTokenLoss(torch.autograd.Function):
    """Weighted sum of the cross entropies of `states @ pieces.T + bias`, with its gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        pieces: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        weights: Tensor,
        dtype: torch.dtype,
        with_gradient: bool,
    ) -> Tensor:
        """The loss; for the gradient, where it is wanted, the same blocks of logits serve."""
        with torch.autocast(states.device.type, enabled=False):
            low, table = states.to(dtype), pieces.to(dtype)
            loss = torch.zeros((), device=states.device)
            gradients = [
                torch.zeros_like(part, dtype=torch.float32) if part is not None and needs_gradient else None
                for part, needs_gradient in zip((pieces, bias), ctx.needs_input_grad[1:3], strict=True)
            ]
            of_states = torch.empty_like(low)
            rows = max(BLOCK // len(pieces), 1)
            for first in range(0, len(states), rows):
                part = slice(first, first + rows)
                logits = (low[part] @ table.T).float()
                if bias is not None:
                    logits += bias
                loss += _to_gradient(logits, targets[part], weights[part])
                if with_gradient:
                    _add_gradients(logits, low[part], table, of_states[part], gradients)
            ctx.gradients = [of_states, *gradients]
            ctx.dtypes = [None if part is None else part.dtype for part in (states, pieces, bias)]
        return loss

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients that stand ready, times that of the loss; once, because they are scaled in place."""
        ready = zip(ctx.gradients, ctx.dtypes, strict=True)
        del ctx.gradients
        gradients = [None if part is None else part.mul_(outer[0]).to(dtype) for part, dtype in ready]
        return (*gradients, None, None, None, None)


def _to_gradient(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """The weighted sum of the cross entropies of a block, whose logits become their gradient."""
    places = torch.arange(len(logits), device=logits.device)
    logits -= logits.amax(1, keepdim=True)
    target_logits = logits[places, targets]
    sums = logits.exp_().sum(1)
    logits *= (weights / sums)[:, None]
    logits[places, targets] -= weights
    return (sums.log() - target_logits) @ weights


def _add_gradients(
    logits: Tensor, states: Tensor, pieces: Tensor, of_states: Tensor, gradients: Sequence[Tensor | None]
) -> None:
    low = logits.to(states.dtype)
    torch.mm(low, pieces, out=of_states)
    of_pieces, of_bias = gradients
    if of_pieces is not None:
        of_pieces.addmm_(low.T, states) if low.dtype == of_pieces.dtype else of_pieces.add_(low.T @ states)
    if of_bias is not None:
        of_bias += logits.sum(0)


def koleo_loss(vectors: Tensor, owners: Tensor) -> Tensor:
    """Minus the mean logarithm of the distance to the nearest other vector of the batch, all of length 1; in fp32.

    The loss is smallest where the vectors spread evenly over the sphere. Fewer than about 32 vectors say little.

    Args:
        vectors: sentence vectors, [M, H]; they are normalised here.
        owners: number of the sentence of each vector, [M]. Vectors of one sentence are not each other's neighbours.

    Returns:
        A scalar, in nats; 0 if all vectors belong to one sentence.

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
    candidates: Tensor | None = None,
) -> Tensor:
    """Mean cross entropy in nats of picking each query's passage out of the passages of the batch, in fp32.

    Args:
        queries: vectors of the queries, [B, H].
        passages: vectors of the passages, [P, H]: first the B positives in the order of the queries, then the hard
            negatives.
        scale: number that multiplies the inner products, the inverse of a temperature.
        candidates: True where a passage is a candidate of a query, [B, P]; its positive must be one. None makes
            all passages candidates.
    """
    logits = scale * (queries.float() @ passages.float().T)
    if candidates is not None:
        logits = logits.masked_fill(~candidates, float("-inf"))
    return F.cross_entropy(logits, torch.arange(len(queries), device=queries.device))


def matryoshka_loss(
    queries: Tensor,
    passages: Tensor,
    widths: Sequence[int],
    *,
    normalise: bool,
    scale: Tensor | float,
    candidates: Tensor | None = None,
) -> Tensor:
    """Mean of the in-batch loss over vectors that are cut to their leading dimensions.

    Args:
        queries: vectors of the queries, [B, H].
        passages: vectors of the passages, [P, H], ordered as for `in_batch_loss`.
        widths: numbers of leading dimensions to which the vectors are cut, each from 1 to H.
        normalise: True gives the cut vectors the length 1, as cosine similarity needs.
        scale: number that multiplies the inner products, the inverse of a temperature.
        candidates: candidates, as `in_batch_loss` takes them.

    Source: arXiv 2205.13147, equation 1, with equal weights.
    """
    losses = [
        in_batch_loss(
            *(_cut(side, width, normalise) for side in (queries, passages)), scale=scale, candidates=candidates
        )
        for width in widths
    ]
    return torch.stack(losses).mean()


def _cut(vectors: Tensor, width: int, normalise: bool) -> Tensor:
    if width == vectors.shape[1]:
        return vectors
    return F.normalize(vectors[:, :width].float(), dim=1) if normalise else vectors[:, :width]
