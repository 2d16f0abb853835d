"""Recorruption: its algebra, its level, and the fallback where its assumptions are violated."""

import warnings

import lightning
import pytest
import torch

from torchdenoise import UserError, denoise, metrics
from torchdenoise.data import SingleImage
from torchdenoise.denoisers import CappedRemoval, Recorrupted, RecorruptedLoss, SmallCNN, ZSN2MLoss
from torchdenoise.errors import AssumptionWarning
from torchdenoise.fitting.trainers import HYGIENE
from torchdenoise.noise import repeatable


@pytest.fixture(scope="module")
def ramp():
    return torch.linspace(0.2, 0.8, 64).expand(1, 3, 64, 64)


def test_input_and_target_are_those_of_the_paper():
    noisy, seen = torch.rand(2, 3, 8, 8), []
    loss = RecorruptedLoss(amount=0.5, level=51)
    batch = {"noisy": noisy, **loss.measure(noisy)}
    draws = loss.draw(batch, torch.Generator().manual_seed(0))
    terms = loss(lambda image: seen.append(image) or 0 * image, batch, draws, 0.0)
    assert torch.allclose(seen[0], noisy + 0.5 * 0.2 * draws["z"])
    assert terms["recorrupted"].item() == pytest.approx((noisy - 0.2 * draws["z"] / 0.5).square().mean().item())


def test_the_two_noises_are_uncorrelated():
    generator = torch.Generator().manual_seed(0)
    noise = 0.2 * torch.randn(1, 1, 1000, 1000, generator=generator)
    loss, seen = RecorruptedLoss(level=51), []
    batch = {"noisy": noise, **loss.measure(noise)}
    draws = loss.draw(batch, generator)
    loss(lambda image: seen.append(image) or image, batch, draws, 0.0)
    target = noise - 0.2 * draws["z"] / 0.7
    correlation = (seen[0] * target).mean() / (seen[0].std() * target.std())
    assert abs(correlation.item()) < 0.005


def test_the_level_is_measured_in_the_whole_picture(ramp):
    noisy = torch.cat([repeatable("gaussian:10", ramp), repeatable("gaussian:40", ramp)])
    deviation = RecorruptedLoss().measure(noisy)["deviation"]
    assert deviation.shape == (2, 1, 1, 1)
    assert (255 * deviation).flatten().tolist() == pytest.approx([10, 40], rel=0.1)


@pytest.mark.parametrize("wrong", [{"amount": 0.0}, {"level": -1.0}])
def test_what_is_not_above_zero_is_refused(wrong):
    with pytest.raises(UserError, match=f"RecorruptedLoss: {next(iter(wrong))} .* must be above 0"):
        RecorruptedLoss(**wrong)


@pytest.mark.parametrize("spec", ["gaussian:25", "gaussian:25:clip", "poisson:25"])
def test_every_kind_of_noise_is_removed(ramp, spec):
    noisy = repeatable(spec, ramp)
    clean = denoise(noisy, "fast", max_steps=60, data_range=1.0)
    assert metrics.psnr(clean, ramp).item() > metrics.psnr(noisy.clamp(0, 1), ramp).item() + 10


def test_any_method_can_use_the_loss(ramp):
    noisy = repeatable("gaussian:25", ramp)
    clean = denoise(noisy, "zsn2n", max_steps=40, data_range=1.0, loss=RecorruptedLoss())
    assert metrics.psnr(clean, ramp).item() > metrics.psnr(noisy.clamp(0, 1), ramp).item() + 1


def smeared(height, width):
    noise = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    across = noise[..., 1:] + noise[..., :-1]
    return 0.5 + 0.1 * (across[..., 1:, :] + across[..., :-1, :]) / 2


def test_correlated_noise_is_removed_from_coarse_to_fine():
    noisy = smeared(192, 192)
    with warnings.catch_warnings():
        warnings.simplefilter("error", AssumptionWarning)
        clean = denoise(noisy, "fast", max_steps=60, data_range=1.0)
    assert (clean - 0.5).std() < 0.4 * (noisy - 0.5).std()


def test_every_scale_has_its_own_network():
    model, data = Recorrupted(SmallCNN(3, width=4)), SingleImage()
    data.use(smeared(192, 192))
    lightning.Trainer(max_steps=6, **HYGIENE).fit(model, datamodule=data)
    assert model.plan.bounds == (0, 2, 4, 6)
    copy = Recorrupted(SmallCNN(3, width=4))
    copy.load_state_dict(model.state_dict())
    assert torch.equal(copy.restore(smeared(192, 192)), model.restore(smeared(192, 192)))
    assert len(copy.stages()) == 3


def test_too_much_clipping_gets_a_warning_and_another_loss():
    noisy = repeatable("gaussian:50:clip", torch.zeros(1, 3, 96, 96))
    message = r"cut off at black or white, so recorruption does not apply; falling back to"
    with pytest.warns(AssumptionWarning, match=message):
        denoise(noisy, "fast", max_steps=2, data_range=1.0)


@pytest.mark.parametrize(
    "noisy",
    [
        repeatable("poisson:4", torch.full((1, 3, 96, 96), 0.15)),  # half of the pixels caught no photon
        repeatable("gaussian:25", 0.5 * torch.eye(96).expand(1, 3, 96, 96)),  # half of them lie below black
    ],
)
def test_black_is_judged_in_the_picture_as_it_came(noisy):
    with warnings.catch_warnings():
        warnings.simplefilter("error", AssumptionWarning)
        denoise(noisy, "fast", max_steps=2, data_range=1.0)


def test_a_second_picture_is_judged_again():
    white = 0.5 + 0.1 * torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    clipped = repeatable("gaussian:50:clip", torch.zeros(1, 3, 96, 96))
    model = Recorrupted()
    for noisy, assumption_warnings in ((clipped, 1), (white, 0), (clipped, 1)):
        data = SingleImage()
        data.use(noisy)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AssumptionWarning)
            lightning.Trainer(max_steps=1, **HYGIENE).fit(model, datamodule=data)
        assert len(model.assumption_warnings) == assumption_warnings
        assert model.trusted == (not assumption_warnings)


def test_a_checkpoint_holds_the_fallback():
    model = Recorrupted(SmallCNN(1, width=4), fallback=ZSN2MLoss())
    assert isinstance(model.stages()[0].loss.loss, RecorruptedLoss)
    assert not isinstance(model.active_readout(), CappedRemoval)
    model.load_state_dict(model.state_dict() | {"trusted": torch.tensor(False)})
    assert isinstance(model.stages()[0].loss, ZSN2MLoss)
    assert isinstance(model.active_readout(), CappedRemoval)
