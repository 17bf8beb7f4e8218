"""What `msm bench growth` and the profile of a step are made of."""

import re
from xml.etree import ElementTree

import pytest
import torch

from msm.bench.growth import _cost, exponents, read_sizes
from msm.bench.growth_picture import picture
from msm.bench.step_profile import shares
from msm.errors import BadInput


def test_sizes_are_read_and_others_refused() -> None:
    assert read_sizes(["search=200,100", "units=3"]) == {"search": (100, 200), "units": (3,)}
    for wrong in ("speed=1", "search", "search=a", "search=0", "search=1,,2"):
        with pytest.raises(BadInput, match="KIND=N,N"):
            read_sizes([wrong])


def test_exponents_tell_linear_from_quadratic_and_bounded() -> None:
    rows = [{"size": size, "seconds": 2.0 * size, "mib": 40.0} for size in (10, 50, 1000)]
    assert exponents(rows) == {"seconds": 1.0, "mib": 0.0}
    rows = [{"size": size, "seconds": 0.1 * size**2, "mib": size**0.5} for size in (10, 1000)]
    assert exponents(rows) == {"seconds": 2.0, "mib": 0.5}


def test_the_picture_has_a_panel_a_kind_and_a_point_a_size() -> None:
    rows = [
        {"kind": kind, "size": size, "seconds": size / 100, "mib": 0.0}
        for kind in ("score", "units")
        for size in (10, 100, 700)
    ]
    image = ElementTree.fromstring(picture(rows))
    assert len(image.findall("{*}g")) == 2
    circles = [(float(at.get("cx", "")), float(at.get("cy", ""))) for at in image.iter() if at.tag.endswith("circle")]
    assert len(circles) == 2 * 2 * 3
    assert all(0 <= x <= 230 and 0 <= y <= 190 for x, y in circles)
    assert not re.search("nan|inf", picture(rows))


@pytest.mark.parametrize(("kind", "size"), [("search", 30), ("score", 3), ("units", 1), ("report", 3)])
def test_a_size_is_measured(kind: str, size: int) -> None:
    cost = _cost(kind, size)
    assert cost["seconds"] >= 0
    assert cost["mib"] >= 0


def test_a_profile_finds_the_products() -> None:
    matrix = torch.randn(300, 300)
    profile = shares(lambda: matrix @ matrix @ matrix)
    assert profile["products"] > 0.5
    assert sum(profile.values()) == pytest.approx(1, abs=0.01)
