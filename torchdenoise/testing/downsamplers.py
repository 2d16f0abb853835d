"""The contract of downsamplers."""

import functools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from torchdenoise.denoisers import Downsampler
from torchdenoise.isolation import restored_random_state
from torchdenoise.testing._shared import (
    CHANNELS,
    SIZES,
    all_equal,
    check_draw,
    check_recipe,
    copied,
    disturb_random_state,
    keeping,
    new_generator,
    noisy_image,
    require,
)


def check_downsampler(
    downsampler: Downsampler,
    *,
    half: Callable[[int, int], tuple[int, int]] | None = lambda height, width: (-(-height // 2), -(-width // 2)),
    sizes: Sequence[tuple[int, int]] = SIZES,
    channels: Sequence[int] = CHANNELS,
    device: str = "cpu",
) -> None:
    """Check that a downsampler keeps the contract of ``Downsampler``.

    Args:
        downsampler: the downsampler.
        half: given height and width of an image, returns those of the halves; None if they depend on the draw.
        sizes: (height, width) of the test images.
        channels: numbers of channels of the test images.
        device: where to run.

    Raises:
        AssertionError: the part of the contract that the downsampler breaks.

    Example:
        >>> check_downsampler(DiagonalDownsampler())
    """
    check_recipe(downsampler)
    with restored_random_state():
        for height, width in sizes:
            for count in channels:
                where = f"images of {height}x{width} pixels and {count} channel(s)"
                noisy = noisy_image((2, count, height, width), 0, device)
                draws = check_draw(downsampler, functools.partial(downsampler.draw, noisy), device, where)
                _check_halves(downsampler, noisy, draws, half, where)
        noise = torch.randn(1, 3, 64, 64, generator=new_generator(0, "cpu")).to(device)
        first, second = downsampler.pair(noise, downsampler.draw(noise, new_generator(0, device)))
        correlation = torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1].item()
        require(abs(correlation) < 0.1, downsampler, f"the halves' noise must be independent, not {correlation:.2f}")


def _check_halves(
    downsampler: Downsampler,
    noisy: Tensor,
    draws: dict[str, Tensor],
    half: Callable[[int, int], tuple[int, int]] | None,
    where: str,
) -> None:
    before = copied({"noisy": noisy, **draws})
    image = noisy.clone().requires_grad_()
    with keeping(downsampler, f"pair must work for {where}"):
        first, second = downsampler.pair(image, draws)
    require(first.shape == second.shape, downsampler, f"both halves must have one shape for {where}")
    expected = first.shape[-2:] if half is None else half(*noisy.shape[-2:])
    shape = (*noisy.shape[:2], *expected)
    require(first.shape == shape, downsampler, f"the halves of {where} must be {shape}, not {tuple(first.shape)}")
    require(first[0].numel() < noisy[0].numel(), downsampler, "the halves must have fewer pixels than the image")
    disturb_random_state()
    again = downsampler.pair(noisy, draws)
    same = torch.equal(first, again[0]) and torch.equal(second, again[1])
    require(same, downsampler, "pair must be pure: the same draw must give the same halves")
    require(all_equal(before, {"noisy": noisy, **draws}), downsampler, "pair must not change the image or the draw")
    require(first.requires_grad and second.requires_grad, downsampler, "gradients must pass through both halves")
    flat = torch.stack(downsampler.pair(torch.full_like(noisy, 0.3), draws))
    constant = torch.allclose(flat, torch.full_like(flat, 0.3))
    require(constant, downsampler, "both halves must show the scene of the image: a constant one must stay constant")
