"""The document encoder against the plain padded batch, and what the paper demands of it."""

import pytest
import torch

from msm.pretraining.document_encoder import DocumentEncoder


def padded_reference(model: DocumentEncoder, sentences: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """One sequence for each hidden sentence, every layer in full, the diagonal at the end."""
    documents, positions, _ = sentences.shape
    outputs = torch.zeros_like(sentences)
    for document in range(documents):
        for hidden in range(positions):
            row = sentences[document].clone()
            row[hidden] = model.mask
            states = model.norm(row + model.positions.weight[:positions])[None]
            for layer in model.layers:
                states = layer(states, states, real[document][None])
            outputs[document, hidden] = states[0, hidden]
    return outputs


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_shared_work_equals_the_padded_batch(layers: int) -> None:
    torch.manual_seed(0)
    model = DocumentEncoder(32, 4, 64, layers, positions=9, dropout=0.1).eval()
    sentences = torch.randn(3, 7, 32, requires_grad=True)
    real = torch.arange(7) < torch.tensor([7, 4, 2])[:, None]
    weights = torch.randn(3, 7, 32) * real[..., None]
    ours = model(sentences, real)
    theirs = padded_reference(model, sentences, real)
    torch.testing.assert_close(ours[real], theirs[real], atol=1e-5, rtol=1e-5)
    ours_gradient = torch.autograd.grad((ours * weights).sum(), [sentences, *model.parameters()])
    theirs_gradient = torch.autograd.grad((theirs * weights).sum(), [sentences, *model.parameters()])
    for one, other in zip(ours_gradient, theirs_gradient, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_a_hidden_sentence_is_not_seen_but_its_place_is() -> None:
    torch.manual_seed(0)
    model = DocumentEncoder(16, 2, 32, 2, positions=5, dropout=0.0).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(6)
    sentences, real = torch.randn(1, 5, 16), torch.ones(1, 5, dtype=torch.bool)
    other = sentences.clone()
    other[0, 2] = torch.randn(16)
    before, after = model(sentences, real), model(other, real)
    torch.testing.assert_close(before[0, 2], after[0, 2])
    assert (before[0, 1] - after[0, 1]).abs().max() > 1e-3
    other_order = model(sentences[:, [0, 1, 2, 4, 3]], real)
    assert (before[0, 2] - other_order[0, 2]).abs().max() > 1e-3


def test_a_document_does_not_depend_on_the_others() -> None:
    torch.manual_seed(0)
    model = DocumentEncoder(16, 2, 32, 2, positions=5, dropout=0.0).eval()
    sentences, real = torch.randn(4, 5, 16), torch.ones(4, 5, dtype=torch.bool)
    torch.testing.assert_close(model(sentences, real)[1], model(sentences[1:2], real[1:2])[0])
