"""Losses: plain functions of tensors; no module, no state.

Shapes: M sentence vectors of one batch, H width, P scored positions, V vocabulary.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Contrast(NamedTuple):
    """The contrastive loss and what to watch of it; scalars, without gradient but for `loss`."""

    loss: Tensor
    accuracy: Tensor
    """Share of the rows whose own sentence scores highest, after the bias."""
    positive: Tensor
    """Mean cosine with the own sentence."""
    same_document: Tensor
    """Mean cosine with the other sentences of the document."""
    cross_document: Tensor
    """Mean cosine with the sentences of other documents."""
    alpha: Tensor
    """Mean bias, in logits."""


def masked_sentence_loss(
    queries: Tensor, keys: Tensor, documents: Tensor, *, temperature: float, mu: float, negatives: str = "all"
) -> Contrast:
    """Mean cross entropy, in nats, of picking each hidden sentence out of all sentences of the batch.

    Sentences of the same document share its topic and outscore strangers for that alone. `alpha`, per query and
    without gradient, is their mean lead in logits; `mu` times it is taken off their logits, never off the positive.

    Args:
        queries: what the document encoder expects at each place, [M, H]; normalised here.
        keys: the sentences themselves, [M, H]; normalised here.
        documents: document of each sentence, [M]; at least two documents of at least two sentences.
        temperature: divides every cosine before the bias is measured.
        mu: 0 for plain InfoNCE; 1 makes the mean same-document logit equal the mean cross-document one.
        negatives: `cross-document` leaves the other sentences of the document out of the softmax.

    Raises:
        ValueError: a document alone in the batch, or a sentence alone in its document.

    Source: arXiv 2302.01626, equations 1 to 3; order of operations as in the released code.
    """
    queries = F.normalize(queries.float(), dim=1, eps=1e-4)
    keys = F.normalize(keys.float(), dim=1, eps=1e-4)
    cosines = queries @ keys.T
    same = documents[:, None] == documents[None, :]
    own = torch.eye(len(documents), dtype=torch.bool, device=documents.device)
    siblings = same & ~own
    if not siblings.any(1).all() or same.all():
        raise ValueError("a contrastive batch needs two documents, and two sentences of each")
    logits = cosines / temperature
    lead = (_row_means(logits, siblings) - _row_means(logits, ~same)).detach()
    if negatives == "cross-document":
        logits = logits.masked_fill(siblings, float("-inf"))
    else:
        logits = logits - mu * lead[:, None] * siblings
    targets = torch.arange(len(documents), device=documents.device)
    with torch.no_grad():
        hits = (logits.argmax(1) == targets).float().mean()
        watched = (cosines.diagonal().mean(), cosines[siblings].mean(), cosines[~same].mean())
    return Contrast(F.cross_entropy(logits, targets), hits, *watched, lead.mean())


def _row_means(values: Tensor, where: Tensor) -> Tensor:
    return (values * where).sum(1) / where.sum(1)


def token_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross entropy in nats of the hidden tokens, in fp32.

    Args:
        logits: [P, V].
        targets: [P].
    """
    return F.cross_entropy(logits.float(), targets)


def in_batch_loss(queries: Tensor, passages: Tensor, *, scale: Tensor | float) -> Tensor:
    """Mean cross entropy in nats of picking each query's passage out of all passages of the batch, in fp32.

    Args:
        queries: [B, H].
        passages: [B * (1 + N), H]: first the B positives in the order of the queries, then hard negatives.
        scale: multiplies the inner products.
    """
    logits = scale * (queries.float() @ passages.float().T)
    return F.cross_entropy(logits, torch.arange(len(queries), device=queries.device))
