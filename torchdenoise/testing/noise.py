"""The contract of noise models."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from torchdenoise.isolation import restored_random_state
from torchdenoise.noise import NoiseModel, from_spec
from torchdenoise.testing._shared import (
    CHANNELS,
    SIZES,
    check_draw,
    check_recipe,
    clean_image,
    keeping,
    new_generator,
    require,
)


def check_noise_model(
    model: NoiseModel,
    *,
    unbiased: bool = True,
    sizes: Sequence[tuple[int, int]] = SIZES,
    channels: Sequence[int] = CHANNELS,
    device: str = "cpu",
) -> None:
    """Check that a noise model keeps the contract of ``NoiseModel``.

    Args:
        model: the noise model.
        unbiased: whether the mean of the noisy image must be the clean one.
        sizes: (height, width) of the test images.
        channels: numbers of channels of the test images.
        device: where to run.

    Raises:
        AssertionError: the part of the contract that the model breaks.

    Example:
        >>> check_noise_model(GaussianNoise(25))
    """
    check_recipe(model)
    with keeping(model, f"its spec {model.spec!r} must be readable"):
        same = from_spec(model.spec) == model
    require(same, model, f"its spec {model.spec!r} must give an equal model: write every argument into it")
    with restored_random_state():
        for height, width in sizes:
            for count in channels:
                _check_forward(model, clean_image((2, count, height, width)).to(device), device)
        _check_moments(model, unbiased, device)


def _check_forward(model: NoiseModel, clean: Tensor, device: str) -> None:
    def draw(generator: Generator) -> dict[str, Tensor]:
        return {"noisy": model(clean, generator)}

    before = clean.clone()
    where = f"images of {clean.shape[2]}x{clean.shape[3]} pixels and {clean.shape[1]} channel(s)"
    noisy = check_draw(model, draw, device, where, "forward")["noisy"]
    alike = (noisy.shape, noisy.dtype) == (clean.shape, clean.dtype)
    require(alike, model, "forward must return images of the shape and dtype of the clean ones")
    require(torch.equal(clean, before), model, "forward must not change the clean images")


def _check_moments(model: NoiseModel, unbiased: bool, device: str) -> None:
    for gray in (0.25, 0.5, 0.75):
        clean = torch.full((4, 1, 128, 128), gray, device=device)
        noise = (model(clean, new_generator(0, device)) - clean).double()
        error = 5 * noise.std().item() / noise.numel() ** 0.5 + 1e-6
        mean = noise.mean().item()
        fair = not unbiased or abs(mean) < error
        require(fair, model, f"its noise must have mean 0, and has {mean:.4f} at {gray}; pass unbiased=False if meant")
        if model.level is not None:
            deviation = 255 * noise.std().item()
            fits = abs(deviation - model.level) <= 0.05 * model.level
            require(fits, model, f"its level must be its standard deviation of {deviation:.1f}, not {model.level:g}")
