"""A fit of a denoiser, its randomness and its errors."""

import pytest
import torch

from tests.denoisers.small_fits import Plain, TwoStages, fit, picture, small
from torchdenoise.denoisers import ZSN2N, DenoisingLoss, SmallCNN
from torchdenoise.errors import UserError


class Breaking(DenoisingLoss):
    def __init__(self, value="nan", at=0.5):
        self.value, self.at = float(value), at

    def forward(self, denoise, batch, draws, progress):
        denoised = denoise(batch["noisy"]).square().mean()
        return {"sound": denoised, "broken": denoised * (self.value if progress >= self.at else 1.0)}


# -- a fit -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_broken_loss_stops_the_fit_and_says_where(value):
    with pytest.raises(UserError, match=r"at step 2 \(term broken, learning rate 0.001\): lower the rate"):
        fit(small(loss=Breaking(value)), steps=4)


def test_a_loss_that_breaks_in_a_later_stage_names_the_rate_of_that_stage():
    model = TwoStages(second=SmallCNN(width=2), loss=Breaking(at=0.0))
    with pytest.raises(UserError, match=r"at step 3 \(term broken, learning rate 0.001\)"):
        fit(model, steps=6)


def test_without_a_number_of_steps_the_remedy_is_named():
    with pytest.raises(UserError, match="the number of steps is not known: give the Trainer max_steps"):
        fit(small(), steps=-1, max_epochs=1)


@pytest.mark.parametrize("part", ["optimizer", "scheduler"])
def test_the_name_of_a_function_is_refused(part):
    with pytest.raises(UserError, match=f"{part}: my.function is not callable: annotate what the function takes"):
        ZSN2N(**{part: "my.function"})


@pytest.mark.parametrize("again", [lambda model: model, lambda model: model.eval()])
def test_networks_learn_in_training_mode_also_after_an_earlier_fit(again):
    model, modes = TwoStages(second=SmallCNN(width=2)), []
    fit(model)
    for network in (model.first, model.second):
        network.register_forward_hook(
            lambda module, args, output: modes.append((module is model.first, module.training))
        )
    fit(again(model))
    assert modes == [(True, True), (True, False), (False, True)]  # learns, makes the guide, learns


def test_a_second_fit_uses_the_guide_of_its_own_first_stage():
    model = TwoStages(second=SmallCNN(width=2))
    for _ in range(2):
        model.loss.seen.clear()
        fit(model, steps=4)
        with torch.no_grad():
            assert torch.equal(model.loss.seen[-1]["guide"], model.first(picture()))


# -- randomness ------------------------------------------------------------------------------------------------------


def draws(seed, width=2, channels=3, steps=4, **options):
    torch.manual_seed(seed)
    model = ZSN2N(SmallCNN(width=width), Plain())
    fit(model, picture(channels, seed=width), steps, **options)
    return [seen["number"].item() for seen in model.loss.seen]


def test_draws_depend_on_the_seed_and_the_step_alone():
    numbers = draws(seed=1)
    assert numbers == draws(seed=1, width=3, channels=1)
    assert numbers == draws(seed=1, steps=6)[:4]
    assert len({*numbers, *draws(seed=2)}) == 8


def test_batches_whose_gradients_are_accumulated_have_their_own_draws():
    numbers = draws(seed=1, accumulate_grad_batches=2)
    assert len(set(numbers)) == len(numbers) == 8
    assert numbers[::2] == draws(seed=1)
