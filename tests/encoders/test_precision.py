"""What `auto` becomes, by what the hardware says of itself."""

import pytest
import torch

from msm.encoders import precision
from msm.encoders.precision import resolve_precision
from msm.errors import BadInput

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("flags", "expected"), [({"avx2", "avx512f"}, "fp32"), ({"avx512_bf16"}, "bf16"), ({"amx_bf16", "sse"}, "bf16")]
)
def test_auto_is_bf16_where_the_processor_has_units_for_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], flags: set[str], expected: str
) -> None:
    monkeypatch.setattr(precision, "cpu_flags", lambda: frozenset(flags))
    assert resolve_precision("auto", CPU) == expected
    assert resolve_precision("fp32", CPU) == "fp32"
    assert not capsys.readouterr().err
    assert resolve_precision("bf16", CPU) == "bf16"
    assert ("slower than fp32" in capsys.readouterr().err) == (expected == "fp32")


def test_another_word_is_refused() -> None:
    with pytest.raises(BadInput, match="precision must be one of auto, fp32, bf16, got 'half'"):
        resolve_precision("half", CPU)
