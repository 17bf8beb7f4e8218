"""The race of pre-training steps: all ways compute one loss, with either architecture."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from msm.bench import pretrain
from msm.bench.encoders import layer_flop
from msm.encoders.heads import body

SHAPE = pretrain.Shape(2, 48, 3, 300, 2, 4)
SHAPES = [SHAPE, SHAPE._replace(architecture="ModernBERT")]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.architecture)
@pytest.mark.parametrize("losses", [pretrain.padded_losses, pretrain.masked_only_losses])
def test_all_ways_compute_the_same_loss(shape: pretrain.Shape, losses: pretrain.Losses) -> None:
    torch.manual_seed(0)
    contender = pretrain.new_contender(shape, torch.device("cpu"))
    batch = pretrain.new_batch(shape, "fp32")
    pretrain.check_equal(contender, batch, losses)
    with pytest.raises(RuntimeError, match="do not compute the same loss"):
        pretrain.check_equal(contender, batch, lambda start, texts: losses(start, texts) + 1)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.architecture)
def test_operations_of_the_layers_are_those_that_torch_counts(shape: pretrain.Shape) -> None:
    model = body(pretrain.new_contender(shape, torch.device("cpu")).masked_model)
    # torch does not count the operations of its fused attention on a CPU.
    model.set_attn_implementation("eager")
    tokens = torch.randint(4, 300, (3, 40))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(input_ids=tokens)
    assert layer_flop(model, [40] * 3) == pytest.approx(counter.get_total_flops(), rel=0.05)
