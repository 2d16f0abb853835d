"""Pixel2Pixel: Ma, Jiang, Zhou, Liang, Liu & Ma, IEEE TPAMI 2025; built from its description."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler, MultiStepLR
from typing_extensions import override

from torchdenoise.denoisers.networks import SigmoidCNN
from torchdenoise.denoisers.networks.calling import reflect
from torchdenoise.denoisers.parts.losses import Batch, Denoise, DenoisingLoss, Terms
from torchdenoise.denoisers.parts.patch_matching import absolute_distances, similar_patches
from torchdenoise.denoisers.single_stage import MethodDefaults, SingleStage
from torchdenoise.errors import UserError
from torchdenoise.noise.assumptions import Assumption

SOURCE = "Ma et al., Pixel2Pixel, IEEE TPAMI 2025"


class PixelBankLoss(DenoisingLoss, source=SOURCE):
    """Pixel2Pixel's loss: of the most similar pixels to each pixel, one predicts another.

    The pixel bank holds, for each pixel, the pixel itself and those in ``window`` whose surroundings are most similar:
    with the least mean absolute difference of the patches around them, over all channels. At each step an image is
    drawn from it, pixel by pixel, and a second one of other pixels: ``loss = mean |f(first) - second|``.

    Args:
        depth: pixels in the bank; more of them average more, and blur more. The published code takes 2, 4 or 8, by the
            true level of the noise.
        window: side of the search window in pixels; odd. The published one has 40 pixels, and no centre.
        side: of a patch in pixels; odd.

    Raises:
        UserError: ``depth`` below 2, or ``window`` or ``side`` not odd.

    Example:
        >>> loss, noisy = PixelBankLoss(depth=2), torch.rand(1, 3, 8, 8)
        >>> batch = {"noisy": noisy, **loss.measure(noisy)}
        >>> list(loss(lambda image: image, batch, loss.draw(batch, torch.Generator()), 0.0))
        ['residual']
    """

    def __init__(self, depth: int = 4, window: int = 41, side: int = 7) -> None:
        if depth < 2 or window < 3 or not (window % 2 and side % 2):
            raise UserError(f"PixelBankLoss: depth {depth} must be at least 2, window {window} and side {side} odd")
        self.depth = depth
        self.window = window
        self.side = side

    @override
    def measure(self, noisy: Tensor) -> dict[str, Tensor]:
        """Return the bank as images ``(B, C, H, W)``: ``similar_0`` is the noisy image itself."""
        banks = torch.stack([pixel_bank(image, self.depth, self.window, self.side) for image in noisy], 1)
        return {f"similar_{number}": bank for number, bank in enumerate(banks)}

    @override
    def draw(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Return the numbers of two different entries for each pixel, ``first`` and ``second (B, 1, H, W)``."""
        noisy, depth = batch["noisy"], len(_entries(batch))
        size, device = (len(noisy), 1, *noisy.shape[-2:]), noisy.device
        first = torch.randint(depth, size, generator=generator, device=device)
        further = torch.randint(1, depth, size, generator=generator, device=device)
        return {"first": first, "second": (first + further) % depth}

    @override
    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:
        """Return the only term."""
        bank = torch.stack(_entries(batch), -4)
        first, second = (
            torch.take_along_dim(bank, draws[name].unsqueeze(-4), -4).squeeze(-4) for name in ("first", "second")
        )
        return {"residual": (denoise(first) - second).abs().mean()}


def pixel_bank(image: Tensor, depth: int, window: int, side: int) -> Tensor:
    """Return the most similar pixels to each pixel of ``(C, H, W)``, itself first, as ``(depth, C, H, W)``.

    Borders are reflected. An image of fewer pixels than ``depth`` has a smaller bank.

    Example:
        >>> row = torch.tensor([[[0.0, 5.0, 1.0, 8.0]]])
        >>> pixel_bank(row, depth=2, window=7, side=1)[1]
        tensor([[[1., 8., 0., 5.]]])
    """
    width = image.shape[-1]
    border = side // 2
    padded = reflect(reflect(image[None], border, border).flip(-2, -1), border, border).flip(-2, -1)[0]
    groups = similar_patches([padded], depth, window=window, side=side, stride=1, distances=absolute_distances)
    corners = torch.cat(list(groups))  # of a patch in the padded image: the place of its centre in the image
    places = corners // padded.shape[-1] * width + corners % padded.shape[-1]
    return image.flatten(1)[:, places.T].transpose(0, 1).reshape(-1, *image.shape)


def _entries(batch: Batch) -> list[Tensor]:
    found: list[Tensor] = []
    while (name := f"similar_{len(found)}") in batch:
        found.append(batch[name])
    return found


def p2p_adamw(parameters: Iterable[Any]) -> Optimizer:
    """Return Pixel2Pixel's AdamW: learning rate 1e-3."""
    return AdamW(parameters, lr=1e-3)


def halved_thrice(optimizer: Optimizer) -> LRScheduler:
    """Return the schedule that halves the learning rate after 1500, 2000 and 2500 steps."""
    return MultiStepLR(optimizer, [1500, 2000, 2500], 0.5)


class Pixel2Pixel(SingleStage, source=SOURCE):
    """Pixel2Pixel: a small network fitted to images drawn from similar pixels of one noisy image.

    Assumes noise of zero mean that is independent from pixel to pixel.

    Example:
        >>> sum(p.numel() for p in Pixel2Pixel().parameters())
        149699
    """

    assumes = (Assumption.INDEPENDENT,)
    defaults = MethodDefaults(network=SigmoidCNN, loss=PixelBankLoss, optimizer=p2p_adamw, scheduler=halved_thrice)
    croppable = False
