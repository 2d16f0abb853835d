"""Results at coarser scales are read again only after something that they depend on has changed."""

import pytest
import torch

from tests.denoisers.parts.test_pyramid import PROFILE
from torchdenoise.denoisers import OnePass, SmallCNN
from torchdenoise.denoisers.parts.coarse_to_fine import CoarseToFine
from torchdenoise.denoisers.parts.pyramid import Pyramid


class Reader:
    """Reads by one pass, and notes the size of what it reads."""

    def __init__(self):
        self.sizes = []

    def __call__(self, network, image, profile):
        self.sizes.append(image.shape[-1])
        return network(image)


def networks():
    return [SmallCNN(1, width=4, depth=2).requires_grad_(False) for _ in range(3)]


def made():
    return CoarseToFine(Pyramid(torch.rand(1, 1, 32, 32), PROFILE, 3))


def test_each_scale_is_made_from_the_result_at_the_coarser_one():
    scales, read, three, readout = made(), Reader(), networks(), OnePass()
    image, _ = scales.level(2, three, readout, 0, read)
    assert read.sizes == [8, 16]
    expected = None
    for number in range(3):
        shown, _ = scales.pyramid.level(number, expected)
        expected = three[number](shown)
    assert torch.equal(image, shown)
    for number in (0, 1, 2):
        scales.level(number, three, readout, 0, read)
    assert read.sizes == [8, 16]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_after_a_change_of_weights_that_scale_and_the_finer_ones_are_read_again(number):
    scales, read, three, readout = made(), Reader(), networks(), OnePass()
    before, _ = scales.level(2, three, readout, 0, read)
    three[number].layers[-1].bias.data += 0.1  # no version counter sees this
    after, _ = scales.level(2, three, readout, 0, read)
    assert read.sizes[2:] == [8, 16][number:]
    assert torch.equal(before, after) == (number == 2)
    fresh, _ = CoarseToFine(scales.pyramid).level(2, three, readout, 0, read)
    assert torch.equal(after, fresh)


@pytest.mark.parametrize("change", ["readout", "seed"])
def test_another_readout_or_seed_reads_again(change):
    scales, read, three, readout = made(), Reader(), networks(), OnePass()
    scales.level(1, three, readout, 0, read)
    scales.level(1, three, OnePass() if change == "readout" else readout, int(change == "seed"), read)
    assert read.sizes == [8, 8]


def test_an_interrupted_reading_leaves_nothing_wrong():
    scales, read, three, readout = made(), Reader(), networks(), OnePass()

    def interrupted(network, image, profile):
        if image.shape[-1] == 16:
            raise KeyboardInterrupt
        return read(network, image, profile)

    with pytest.raises(KeyboardInterrupt):
        scales.level(2, three, readout, 0, interrupted)
    image, _ = scales.level(2, three, readout, 0, read)
    assert read.sizes == [8, 16]
    assert torch.equal(image, CoarseToFine(scales.pyramid).level(2, three, readout, 0, read)[0])
