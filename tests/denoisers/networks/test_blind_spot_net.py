"""The blind-spot network: what its output depends on."""

import pytest
import torch

from torchdenoise import UserError
from torchdenoise.denoisers import BlindSpotNet


@pytest.mark.parametrize("depth", [1, 4])
def test_an_output_pixel_depends_on_all_near_pixels_but_its_own(depth):
    torch.manual_seed(0)
    network = BlindSpotNet(2, width=32, depth=depth).double()
    side = 2 * network.reach + 5
    picture = torch.rand(1, 2, side, side, dtype=torch.float64, requires_grad=True)
    middle = side // 2
    network(picture)[..., middle, middle].sum().backward()
    seen = picture.grad[0].abs().sum(0) > 0
    rows, columns = seen.nonzero().T
    reach = max((rows - middle).abs().max(), (columns - middle).abs().max())
    assert not seen[middle, middle]
    assert reach == network.reach
    assert seen[middle - 1 : middle + 2, middle - 1 : middle + 2].sum() == 8


def test_its_size():
    """The paper says 0.5 million."""
    assert sum(p.numel() for p in BlindSpotNet().parameters()) == 504_803
    assert BlindSpotNet(1)(torch.rand(2, 1, 5, 4)).shape == (2, 1, 5, 4)


def test_the_kernel_s_centre_is_not_stored():
    assert not any("mask" in name for name in BlindSpotNet(width=2).state_dict())


@pytest.mark.parametrize(("width", "depth"), [(0, 4), (3, 4), (4, 0)])
def test_impossible_shapes_are_refused(width, depth):
    with pytest.raises(UserError, match=f"width {width} must be even"):
        BlindSpotNet(width=width, depth=depth)
