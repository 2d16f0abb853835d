"""The shipped network applied as it is: alone, with similar patches, from coarse to fine."""

import pytest
import torch

from tests.noise.correlated import smoothed
from torchdenoise import DataError, UserError, denoise, metrics
from torchdenoise.denoisers import (
    EightTurns,
    NonLocalRidge,
    OnePass,
    Pretrained,
    PretrainedUNet,
    ResidualUNet,
    SmallCNN,
)
from torchdenoise.noise import repeatable
from torchdenoise.protocols import DataDescription


@pytest.fixture(scope="module")
def ramp():
    return torch.linspace(0.2, 0.8, 64).expand(1, 3, 64, 64)


def gain(recipe, clean, spec, **options):
    noisy = repeatable(spec, clean)
    result = denoise(noisy, recipe, data_range=1.0, **options)
    return metrics.psnr(result, clean).item() - metrics.psnr(noisy.clamp(0, 1), clean).item()


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("spec", ["gaussian:25", "poisson:25"])
@pytest.mark.parametrize("recipe", ["pretrained", "pretrained-fast"])
def test_noise_is_removed_without_a_fit(ramp, recipe, spec, channels):
    assert gain(recipe, ramp[:, :1].expand(1, channels, 64, 64), spec) > 10


def test_similar_patches_improve_the_network_alone(ramp):
    stripes = 0.5 + 0.3 * torch.sin(1.5 * torch.arange(96.0)).expand(1, 3, 96, 96)
    assert gain("pretrained-fast", stripes, "gaussian:25:clip") > gain("pretrained", stripes, "gaussian:25:clip")


def test_one_scale_is_one_pass_of_the_network(ramp):
    noisy = repeatable("gaussian:25", ramp)
    model = Pretrained(ResidualUNet(3, widths=(4, 4, 4), blocks=1)).eval()
    assert torch.equal(model.restore(noisy), model.network(noisy).clamp(0, 1))


def test_correlated_noise_is_removed_from_coarse_to_fine():
    noisy = 0.5 + 0.1 * smoothed(112, 128, 3)
    model = Pretrained()
    context = model.context(noisy)
    assert model.networks_for(context) == [model.network] * 2
    assert (model.restore(noisy) - 0.5).std() < 0.5 * (noisy - 0.5).std()
    assert model.noise_line().endswith("multi-scale")
    assert len(Pretrained(scales=1).networks_for(context)) == 1


def test_several_images_at_once_have_one_scale_each():
    noisy = 0.5 + 0.1 * smoothed(112, 128, 3)
    both = torch.cat([noisy, noisy.flip(-1)])
    model = Pretrained()
    assert len(model.networks_for(model.context(both))) == 1
    assert model.restore(both).shape == both.shape


def test_without_a_usable_measurement_the_network_alone_gives_the_result():
    clipped = repeatable("gaussian:25:clip", torch.full((1, 1, 96, 96), -0.1))
    model = Pretrained(PretrainedUNet(1), NonLocalRidge())
    model.restore(clipped)
    assert model.context(clipped).profiles[0].unusable
    assert isinstance(model.active_readout(), OnePass)
    model = Pretrained(PretrainedUNet(1), EightTurns())
    model.restore(clipped)
    assert isinstance(model.active_readout(), EightTurns)  # it makes no use of the noise


def test_there_is_nothing_to_fit():
    model = Pretrained()
    model.match_data(DataDescription(3, 64, 64))
    assert not any(parameter.requires_grad for parameter in model.parameters())
    with pytest.raises(DataError, match="Pretrained has nothing to fit"):
        model.match_data(DataDescription(3, 64, 64, keys=frozenset({"noisy"})))


def test_your_own_network_takes_its_place(ramp, tmp_path):
    own = SmallCNN(3, width=4)
    noisy = repeatable("gaussian:25", ramp)
    result = denoise(noisy, "pretrained", data_range=1.0, network=own)
    torch.testing.assert_close(result, own(noisy).clamp(0, 1), atol=0.01, rtol=0)


def test_less_than_one_scale_is_refused():
    with pytest.raises(UserError, match="scales 0 must be at least 1"):
        Pretrained(scales=0)
