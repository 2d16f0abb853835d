"""NLR, cross-scale non-local pixel refilling: Guo, Zhang, Ma & Ji, NeurIPS 2025, with constants of their code."""

import functools
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor
from torch.nn import functional as F
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler
from typing_extensions import override

from torchdenoise.denoisers.networks import BlindSpotNet
from torchdenoise.denoisers.networks.calling import reflect
from torchdenoise.denoisers.parts.losses import Batch, Denoise, DenoisingLoss, Terms
from torchdenoise.denoisers.parts.masking import check_chance, hidden_mean, random_mask
from torchdenoise.denoisers.parts.readouts import Readout
from torchdenoise.denoisers.single_stage import MethodDefaults, SingleStage
from torchdenoise.errors import UserError
from torchdenoise.noise.assumptions import Assumption

SOURCE = "Guo et al., Zero-Shot Blind-Spot Image Denoising via Cross-Scale Non-Local Pixel Refilling, NeurIPS 2025"
SIDE = 8
"""Of the patches that are matched, in pixels."""
STEP = 2
"""Between them, in pixels: each pixel lies in 16 patches."""
SCALE = 2
"""How much smaller the image is in which matches are searched."""
DISTANCES = 2**24
"""Computed together; limits memory."""


def refill_image(noisy: Tensor) -> Tensor:
    """Return the image that hidden values are refilled from, of the size of ``(B, C, H, W)``.

    Each 8x8 patch of the image, in steps of two pixels, is replaced by the nearest patch of the 2x2 means of the image,
    by squared differences over all channels; where patches overlap, they are averaged. Sides that the patches do not
    fill are padded by reflection.

    Example:
        >>> flat = torch.full((1, 1, 9, 17), 0.5)
        >>> torch.equal(refill_image(flat), flat)
        True
    """
    height, width = noisy.shape[-2:]
    below, right = (max(SIDE * SCALE, size + size % SCALE) - size for size in (height, width))
    padded = reflect(noisy, below, right)
    patches, candidates = (F.unfold(image, SIDE, stride=STEP) for image in (padded, F.avg_pool2d(padded, SCALE)))
    found = torch.stack([_nearest(*pair) for pair in zip(patches, candidates, strict=True)])
    size = padded.shape[-2:]
    covered = F.fold(torch.ones_like(found), size, SIDE, stride=STEP)
    return (F.fold(found, size, SIDE, stride=STEP) / covered)[..., :height, :width]


def _nearest(patches: Tensor, candidates: Tensor) -> Tensor:
    """Return the nearest candidate to each patch; patches and candidates are columns."""
    squares = candidates.square().sum(0)
    parts = torch.split(patches, max(1, DISTANCES // candidates.shape[1]), 1)
    nearest = torch.cat([(squares - 2 * part.T @ candidates).argmin(1) for part in parts])
    return candidates[:, nearest]


def by_sub_images(denoise: Denoise, image: Tensor, spacing: int) -> Tensor:
    """Return the denoised image, whose pixels pass through the network in ``spacing**2`` sub-images.

    Neighbours in a sub-image are ``spacing`` pixels apart, so that they share less noise.

    Example:
        >>> image = torch.rand(1, 3, 5, 6)
        >>> torch.equal(by_sub_images(lambda part: part, image, 2), image)
        True
    """
    if spacing == 1:
        return denoise(image)
    batch, channels, height, width = image.shape
    unshuffled = F.pixel_unshuffle(reflect(image, -height % spacing, -width % spacing), spacing)
    number, size = spacing**2, unshuffled.shape[-2:]
    parts = unshuffled.view(batch, channels, number, *size).transpose(1, 2)
    denoised = denoise(parts.flatten(0, 1)).view(batch, number, channels, *size)
    return F.pixel_shuffle(denoised.transpose(1, 2).flatten(1, 2), spacing)[..., :height, :width]


class RefillLoss(DenoisingLoss, source=SOURCE):
    """NLR's loss: hidden values are refilled from similar places at half the size, and the network predicts them.

    With a mask ``m``, 0 at the hidden values, the image ``r`` that they are refilled from (``refill_image``), and ``F``
    the network applied to sub-images::

        z           = m y + (1 - m) r
        hidden      = sum((1 - m) |F(z) - y|) / sum(1 - m)
        consistency = sum((1 - m) |F(z) - f(z)|) / sum(1 - m)

    Args:
        hidden: probability of hiding a value, independently for each pixel and channel; between 0 and 1.
        spacing: of the pixels of a sub-image; 1 is the image itself, for noise that is independent from pixel to pixel.
        consistency_weight: lambda; the term is left out where F is f.

    Raises:
        UserError: ``hidden`` not between 0 and 1, or ``spacing`` below 1.

    Example:
        >>> loss, noisy = RefillLoss(spacing=2, consistency_weight=0.2), torch.rand(1, 3, 16, 16)
        >>> batch = {"noisy": noisy, **loss.measure(noisy)}
        >>> list(loss(lambda image: image, batch, loss.draw(batch, torch.Generator()), 0.0))
        ['hidden', 'consistency']
    """

    def __init__(self, hidden: float = 0.1, spacing: int = 1, consistency_weight: float = 0.2) -> None:
        check_chance(self, hidden)
        check_spacing(self, spacing)
        self.hidden = hidden
        self.spacing = spacing
        self.consistency_weight = consistency_weight

    @override
    def measure(self, noisy: Tensor) -> dict[str, Tensor]:
        """Return ``refill (B, C, H, W)``."""
        return {"refill": refill_image(noisy)}

    @override
    def draw(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Return ``mask (B, C, H, W)``."""
        return {"mask": random_mask(batch["noisy"], self.hidden, generator)}

    @override
    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:
        """Return the weighted terms."""
        noisy, mask = batch["noisy"], draws["mask"]
        refilled = torch.where(mask == 0, batch["refill"], noisy)
        predicted = by_sub_images(denoise, refilled, self.spacing)
        terms = {"hidden": hidden_mean((predicted - noisy).abs(), mask)}
        if self.spacing > 1 and self.consistency_weight:
            apart = hidden_mean((predicted - denoise(refilled)).abs(), mask)
            terms["consistency"] = self.consistency_weight * apart
        return terms


class RefillMean(Readout, source=SOURCE):
    """The mean of passes with refilled values, each with a new random mask, as in training.

    Args:
        passes: number of passes.
        hidden: probability of hiding a value, between 0 and 1.
        spacing: of the pixels of a sub-image.

    Raises:
        UserError: ``passes`` or ``spacing`` below 1, or ``hidden`` not between 0 and 1.

    Example:
        >>> flat = torch.full((1, 1, 16, 16), 0.5)
        >>> torch.allclose(RefillMean()(lambda image: image, flat, torch.Generator()), flat)
        True
    """

    def __init__(self, passes: int = 10, hidden: float = 0.1, spacing: int = 1) -> None:
        super().__init__()
        check_chance(self, hidden)
        check_spacing(self, spacing)
        if passes < 1:
            raise UserError(f"RefillMean: passes {passes} must be at least 1")
        self.passes = passes
        self.hidden = hidden
        self.spacing = spacing

    @override
    def forward(self, denoise: Denoise, noisy: Tensor, generator: Generator) -> Tensor:
        """Return the mean of the passes."""
        refill, total = refill_image(noisy), torch.zeros_like(noisy)
        for _ in range(self.passes):
            refilled = torch.where(random_mask(noisy, self.hidden, generator) == 0, refill, noisy)
            total += by_sub_images(denoise, refilled, self.spacing)
        return total / self.passes


def check_spacing(owner: object, spacing: int) -> None:
    """Raise ``UserError`` unless ``spacing`` is at least 1."""
    if spacing < 1:
        raise UserError(f"{type(owner).__name__}: spacing {spacing} must be at least 1")


def nlr_adam(parameters: Iterable[Any]) -> Optimizer:
    """Return NLR's Adam: learning rate 1e-4."""
    return Adam(parameters, lr=1e-4)


def cosine_2000(optimizer: Optimizer) -> LRScheduler:
    """Return the schedule that takes the learning rate to zero along a cosine in 2000 steps."""
    return CosineAnnealingLR(optimizer, 2000)


class NLR(SingleStage, source=SOURCE):
    """NLR: a blind-spot network whose hidden values are refilled from similar places of the same image.

    Assumes noise of zero median that is independent from pixel to pixel.

    Example:
        >>> sum(p.numel() for p in NLR().parameters())
        504803
    """

    assumes: ClassVar[tuple[Assumption, ...]] = (Assumption.INDEPENDENT,)
    defaults = MethodDefaults(
        network=BlindSpotNet, loss=RefillLoss, optimizer=nlr_adam, scheduler=cosine_2000, readout=RefillMean
    )
    croppable = False


class NLRReal(NLR, source=SOURCE):
    """NLR for photographs: its network sees sub-images of every second pixel, which share less noise.

    Example:
        >>> NLRReal().loss.spacing
        2
    """

    assumes = ()
    defaults = MethodDefaults(
        network=BlindSpotNet,
        loss=functools.partial(RefillLoss, hidden=0.7, spacing=2),
        optimizer=nlr_adam,
        scheduler=cosine_2000,
        readout=functools.partial(RefillMean, hidden=0.7, spacing=2),
    )
