"""The mistakes of a user's loss, in a fit alone and in stacked ones."""

import pytest
import torch

from tests.denoisers.small_fits import fit, picture, small
from torchdenoise import DenoisingLoss, UserError
from torchdenoise.denoisers import OnCrops, RandomMaskDownsampler, RunningMean
from torchdenoise.fitting import Options, fit_images, unwrap
from torchdenoise.user_code import describe_error


class Wrong(DenoisingLoss):
    """Makes one mistake."""

    def __init__(self, mistake="detached"):
        self.mistake = mistake
        self.downsampler = RandomMaskDownsampler()

    def forward(self, denoise, batch, draws, progress):
        value = denoise(batch["noisy"]).square().mean()
        if self.mistake == "no draw":
            first, _ = self.downsampler.pair(batch["noisy"], dict(draws))
            return {"pair": (denoise(first) - first).square().mean()}
        if self.mistake == "own key":
            return {"flip": value * draws["flip"]}
        mistakes = {
            "detached": {"fit": value.detach()},
            "constant": {"fit": torch.ones(())},
            "empty": {},
            "logarithm": {"fit": value, "log": (value * 0).log() * value},
            "late": {"fit": value * (torch.nan if progress > 0 else 1.0)},
        }
        return mistakes[self.mistake]


NOTHING_LEARNT = "Wrong does not depend on the network's weights, so that nothing is learnt: compute it"
EMPTY = "Wrong.forward returned an empty dict: return at least one term"
OVERRIDE = "Wrong: KeyError: 'mask'; neither the batch nor draw gave it: for a random choice override draw, e.g. return"
MISTAKES = [
    ("detached", NOTHING_LEARNT),
    ("constant", NOTHING_LEARNT),
    ("empty", EMPTY),
    ("no draw", OVERRIDE),
]


@pytest.mark.parametrize(("mistake", "message"), MISTAKES)
def test_a_mistake_of_a_loss_is_named(mistake, message):
    for loss in (Wrong(mistake), OnCrops(Wrong(mistake), 4)):
        with pytest.raises(UserError) as caught:
            fit(small(loss=loss))
        assert str(caught.value).startswith(message)


@pytest.mark.parametrize(("mistake", "message"), MISTAKES)
def test_stacked_fits_name_it_too(mistake, message):
    recipe = {"model": {"class_path": "ZSN2N"}, "data": {"class_path": "SingleImage"}}
    options = Options(max_steps=2, device="cpu", parts={"loss": Wrong(mistake)})
    for result in fit_images([picture(), picture(seed=1)], recipe, options):
        with pytest.raises(UserError) as caught:
            unwrap(result)
        assert str(caught.value).startswith(message)


def test_a_missing_draw_in_the_users_own_line_says_what_to_override():
    with pytest.raises(KeyError) as caught:
        fit(small(loss=Wrong("own key")))
    line = describe_error(caught.value)
    assert "in Wrong.forward: KeyError: 'flip'; neither the batch nor draw gave it: " in line
    assert "override draw, e.g. return self.downsampler.draw(batch['noisy'], generator)" in line


def test_before_any_update_the_learning_rate_is_not_blamed():
    with pytest.raises(UserError) as caught:
        fit(small(loss=Wrong("logarithm")))
    assert str(caught.value) == (
        "the loss is NaN or infinite at step 0 (term log), before any update: check its formula (logarithm, square "
        "root, division) and the data"
    )
    with pytest.raises(UserError, match=r"became NaN or infinite at step 1 \(term fit, learning rate 0.001\): lower"):
        fit(small(loss=Wrong("late")))


def test_a_readout_that_may_end_the_fit_never_takes_nan(monkeypatch):
    monkeypatch.setattr("torchdenoise.denoisers.base.finiteness_due", lambda *_: False)  # as at most steps on a GPU
    fit(small(loss=Wrong("late")))
    with pytest.raises(UserError, match="became NaN or infinite at step 1"):
        fit(small(loss=Wrong("late"), readout=RunningMean()))
