"""Fits to several images. That stacked fits equal single ones is in ``tests/denoisers/test_stack.py``."""

import pytest
import torch

from torchdenoise.errors import PictureError, UserError
from torchdenoise.fitting import Fitted, Options, fit_images, recipe_stacking_obstacle, unwrap
from torchdenoise.fitting.together import fit_each
from torchdenoise.recipes import load_recipe


def test_one_after_the_other_an_error_replaces_one_result():
    def fit(image, neighbours):
        if image.isnan().any():
            raise PictureError("NaN")
        return Fitted(image + 1)

    first, second, third = fit_each([torch.zeros(1), torch.full((1,), torch.nan), torch.ones(1)], fit)
    assert (unwrap(first).item(), unwrap(third).item()) == (1, 2)
    with pytest.raises(PictureError, match="NaN"):
        unwrap(second)


def test_what_the_user_cannot_fix_is_raised():
    def fit(image, neighbours):
        raise KeyError

    with pytest.raises(KeyError):
        fit_each([torch.zeros(1)], fit)


def test_results_keep_the_order_of_mixed_images_and_errors():
    sizes = [(3, 12, 13), (1, 12, 13), (3, 1, 1), (1, 14, 12)]
    images = [torch.rand(1, *size, generator=torch.Generator().manual_seed(0)) for size in sizes]
    results = fit_images(images, load_recipe("zsn2n"), Options(max_steps=1, device="cpu"))
    assert isinstance(results[2], UserError)
    for number in (0, 1, 3):
        assert unwrap(results[number]).shape == images[number].shape


def test_a_method_that_cannot_be_stacked_says_so_once():
    messages = []
    images = [torch.rand(1, 1, 12, 12)] * 2
    results = fit_images(images, load_recipe("tv"), Options(device="cpu", on_message=messages.append))
    assert messages == ["TotalVariation fits nothing: the pictures are fitted one after the other"]
    assert torch.equal(unwrap(results[0]), unwrap(results[1]))
    assert recipe_stacking_obstacle(load_recipe("zsn2n"), Options()) == ""
