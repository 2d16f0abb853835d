"""Hidden values: the masks, the loss there, the mean of masked passes, the masking ratio."""

import math

import numpy as np
import pytest
import torch

from torchdenoise import UserError
from torchdenoise.denoisers import MaskedLoss, MaskedMean, MaskingRatio
from torchdenoise.denoisers.parts.masking import random_mask


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def image(batch=2, channels=3, height=6, width=8):
    return torch.rand(batch, channels, height, width, generator=generator(1))


def lopsided(picture):
    return 0.2 + 0.5 * picture.roll(1, -1) + 0.3 * picture.roll(1, 1)


@pytest.mark.parametrize("hidden", [0.1, 0.5, 0.8])
def test_each_value_is_hidden_independently_with_that_probability(hidden):
    mask = random_mask(torch.zeros(1, 3, 200, 200), hidden, generator())
    deviation = (hidden * (1 - hidden) / 40_000) ** 0.5
    for plane in mask[0]:
        assert abs((plane == 0).float().mean() - hidden) < 5 * deviation
    both = ((mask[0, 0] == 0) & (mask[0, 1] == 0)).float().mean()
    assert abs(both - hidden**2) < 0.01
    assert set(mask.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize(("squared", "power"), [(True, 2), (False, 1)])
@pytest.mark.parametrize("with_target", [True, False])
def test_the_loss_against_its_formula(squared, power, with_target):
    loss, noisy = MaskedLoss(0.3, squared), image()
    batch = {"noisy": noisy, **({"target": noisy.flip(-1)} if with_target else {})}
    draws = loss.draw(batch, generator(2))
    terms = loss(lopsided, batch, draws, 0.0)
    seen, target, errors = noisy.numpy().copy(), batch.get("target", noisy).numpy(), []
    hidden = [place for place in np.ndindex(noisy.shape) if draws["mask"][place] == 0]
    for place in hidden:
        seen[place] = 0
    answer = lopsided(torch.from_numpy(seen)).numpy()
    for place in hidden:
        errors.append(abs(answer[place] - target[place]) ** power)
    assert list(terms) == ["hidden"]
    assert terms["hidden"].item() == pytest.approx(np.mean(errors), rel=1e-5)


def test_stacked_images_have_the_losses_of_single_ones():
    loss, pictures = MaskedLoss(0.4), image(3)[:, None]
    masks = torch.stack([loss.draw({"noisy": noisy}, generator(seed))["mask"] for seed, noisy in enumerate(pictures)])

    def cost(noisy, mask):
        return loss(lopsided, {"noisy": noisy}, {"mask": mask}, 0.0)["hidden"]

    alone = [cost(noisy, mask) for noisy, mask in zip(pictures, masks, strict=True)]
    torch.testing.assert_close(torch.func.vmap(cost)(pictures, masks), torch.stack(alone))


def test_nothing_hidden_does_not_divide_by_zero():
    noisy = image(1, 1, 1, 1)
    terms = MaskedLoss()(lambda seen: seen + 1, {"noisy": noisy}, {"mask": torch.ones_like(noisy)}, 0.0)
    assert terms["hidden"] == 0


def test_the_mean_of_masked_passes():
    noisy, source, expected = image(), generator(5), 0.0
    result = MaskedMean(passes=4, hidden=0.3)(lambda seen: lopsided(seen).square(), noisy, generator(5))
    for _ in range(4):
        kept = (torch.rand(noisy.shape, generator=source) >= 0.3).float()
        expected += lopsided(noisy * kept).square() / 4
    torch.testing.assert_close(result, expected)


def test_its_draws_come_from_its_generator_only():
    noisy = image()
    readout = MaskedMean(3)
    before = torch.get_rng_state()
    first, second, other = (readout(lopsided, noisy, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("hidden", [0.0, 1.0])
def test_bad_probabilities(hidden):
    with pytest.raises(UserError, match="MaskedLoss: hidden"):
        MaskedLoss(hidden)
    with pytest.raises(UserError, match="MaskedMean: hidden"):
        MaskedMean(hidden=hidden)


def test_no_pass():
    with pytest.raises(UserError, match="MaskedMean: passes 0"):
        MaskedMean(0)


@pytest.mark.parametrize(
    ("difference", "share"), [(0, 0.2), (1.4, 0.2), (1.6, 0.5), (2.4, 0.5), (2.6, 0.8), (9, 0.8), (math.nan, 0.5)]
)
def test_the_ratio_by_the_paper_s_limits(difference, share):
    assert MaskingRatio()(difference) == share


def test_limits_in_the_wrong_order():
    with pytest.raises(UserError, match=r"independent 3\.0 must not be above correlated 2\.5"):
        MaskingRatio(independent=3.0)
