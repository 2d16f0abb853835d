"""Fits to several images. That stacked fits equal single ones is in ``tests/denoisers/test_stack.py``."""

import pytest
import torch

from torchdenoise.denoisers.steps import directly
from torchdenoise.errors import PictureError, UserError
from torchdenoise.fitting import Fitted, Options, fit_images, recipe_stacking_obstacle, unwrap
from torchdenoise.fitting.together import batch_size, fit_each
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


@pytest.fixture
def little_memory(monkeypatch):
    """Let a stack of more than two pictures fail as on a GPU."""

    def limited(step, batch, draws, progress):
        if len(batch["noisy"]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return directly(step, batch, draws, progress)

    monkeypatch.setattr("torchdenoise.denoisers.stack.directly", limited)


def test_pictures_that_do_not_go_into_the_memory_together_are_halved(little_memory):
    images = [torch.rand(1, 1, 12, 12, generator=torch.Generator().manual_seed(seed)) for seed in range(5)]
    messages = []
    options = Options(max_steps=3, device="cpu", on_message=messages.append)
    results = fit_images(images, load_recipe("zsn2n"), options)
    for image, result in zip(images, results, strict=True):
        torch.testing.assert_close(unwrap(result), unwrap(fit_images([image], load_recipe("zsn2n"), options)[0]))
    assert messages == [
        "5 pictures do not go into the memory together: they are fitted in two halves",
        "3 pictures do not go into the memory together: they are fitted in two halves",
    ]


def test_a_picture_that_does_not_go_into_the_memory_alone_is_an_error(monkeypatch):
    def full(step, batch, draws, progress):
        raise torch.OutOfMemoryError("CUDA out of memory")

    for module in ("stack", "base"):
        monkeypatch.setattr(f"torchdenoise.denoisers.{module}.directly", full)
    options = Options(max_steps=3, device="cpu")
    for result in fit_images([torch.rand(1, 1, 12, 12)] * 2, load_recipe("zsn2n"), options):
        with pytest.raises(PictureError, match=r"^not enough memory: fit fewer pictures together"):
            unwrap(result)


@pytest.mark.parametrize(("batch", "device", "expected"), [("auto", "cpu", 1), (3, "cpu", 3), ("auto", "cuda:1", 32)])
def test_a_gpu_gets_many_pictures_by_default(batch, device, expected):
    assert batch_size(batch, device) == expected


@pytest.mark.parametrize("batch", [0, "many"])
def test_other_numbers_are_refused(batch):
    with pytest.raises(UserError, match=f"^batch={batch}: must be at least 1, or 'auto'$"):
        batch_size(batch, "cpu")
