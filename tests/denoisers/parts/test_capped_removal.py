"""The removed residual is capped by that of flat regions."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from torchdenoise import UserError, metrics
from torchdenoise.denoisers import CappedRemoval, EightTurns, LastMean, OnePass
from torchdenoise.noise import repeatable


def read(readout, noisy, result):
    return readout(lambda _: result, noisy, torch.Generator())


def test_texture_that_was_taken_for_noise_comes_back():
    """Half of the picture is flat, half is striped; a method flattens all of it."""
    stripes = torch.full((1, 3, 64, 128), 0.5)
    stripes[..., 64:] += 0.3 * torch.sin(torch.arange(64.0))
    noisy = repeatable("gaussian:5", stripes)
    flattened = torch.full_like(stripes, 0.5)
    limited = read(CappedRemoval(OnePass()), noisy, flattened)
    assert metrics.psnr(limited, stripes).item() > metrics.psnr(flattened, stripes).item() + 10
    left, right = (noisy - limited)[..., :50].std(), (noisy - limited)[..., 78:].std()
    assert left.item() == pytest.approx(5 / 255, rel=0.1)
    assert right.item() == pytest.approx(1.5 * 5 / 255, rel=0.3)


def test_noise_that_grows_with_light_is_measured_where_it_is_as_bright():
    ramp = torch.linspace(0.05, 1, 200).expand(1, 3, 100, 200)
    noisy = repeatable("poisson:25", ramp)
    limited = read(CappedRemoval(OnePass()), noisy, ramp)
    assert (limited - ramp).square().mean() < 0.02 * (noisy - ramp).square().mean()


@pytest.mark.parametrize("shade", [0.0, 0.4, 1.0])
def test_regions_without_noise_cap_nothing(shade):
    """A burnt-out sky, a black or a grey frame as bright as a quarter of the picture."""
    clean = torch.full((1, 3, 64, 128), min(max(shade, 0.2), 0.8))
    noisy = repeatable("gaussian:15", clean)
    noisy[..., :40], clean[..., :40] = shade, shade
    limited = read(CappedRemoval(OnePass()), noisy, clean)
    assert (limited - clean)[..., 50:].std() < 0.2 * (noisy - clean)[..., 50:].std()


def test_images_of_a_batch_are_capped_separately():
    noisy, result = torch.rand(2, 1, 20, 20), torch.rand(2, 1, 20, 20)
    both = read(CappedRemoval(OnePass()), noisy, result)
    assert torch.equal(both[1:], read(CappedRemoval(OnePass()), noisy[1:], result[1:]))


@given(st.integers(1, 30), st.integers(1, 30), st.sampled_from([1, 3]), st.booleans())
def test_the_result_lies_between_the_noisy_picture_and_the_inner_result(height, width, channels, flat):
    noisy, result = torch.rand(2, 1, channels, height, width)
    result = torch.full_like(result, 0.5) if flat else result
    limited = read(CappedRemoval(OnePass()), noisy, result)
    between = torch.minimum(noisy, result) - 1e-6 <= limited, limited <= torch.maximum(noisy, result) + 1e-6
    assert torch.stack(between).all()


def test_eight_turns_by_default_and_the_inner_readout_s_outputs():
    assert isinstance(CappedRemoval().inner, EightTurns)
    assert CappedRemoval(LastMean()).needs_outputs
    assert not CappedRemoval().needs_outputs


def test_the_inner_readout_ends_the_fit():
    readout, noisy = CappedRemoval(LastMean(count=2, patience=1)), torch.zeros(1, 1, 4, 4)
    for value in (4.0, 5.0, 6.0):
        assert not readout.finished
        readout.observe(lambda image, value=value: image + value, noisy, noisy)
    assert readout.finished


@pytest.mark.parametrize("how", [{"factor": 0}, {"side": 4}, {"side": -1}])
def test_bad_arguments_are_named(how):
    with pytest.raises(UserError, match=r"factor .* must be above 0 and side .* odd"):
        CappedRemoval(**how)
