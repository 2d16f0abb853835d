"""Noise2Noise and Noise2Clean: Lehtinen et al., ICML 2018. They share a loss: the data decide the target."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor
from torch.optim import Adam, Optimizer
from typing_extensions import override

from torchdenoise.denoisers.networks import N2NUNet
from torchdenoise.denoisers.parts.losses import Batch, Denoise, DenoisingLoss, Terms, mse
from torchdenoise.denoisers.parts.schedules import RampDown
from torchdenoise.denoisers.single_stage import MethodDefaults, SingleStage

SOURCE = "Lehtinen et al., Noise2Noise, ICML 2018"
SMALLEST_ERROR = 1e-7
"""Mean squared difference, 70 dB, below which images count no more."""


class TargetLoss(DenoisingLoss, source=SOURCE):
    """The mean squared difference to a target: the clean image, or a second noisy copy of zero-mean noise.

    For a noisy target it is the loss for the clean one plus the variance of the noise, a constant.

    Example:
        >>> batch = {"noisy": torch.ones(1, 1, 2, 2), "target": torch.zeros(1, 1, 2, 2)}
        >>> TargetLoss()(lambda image: image, batch, {}, 0.0)
        {'target': tensor(1.)}
    """

    requires = ("target",)

    @override
    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:
        """Return the only term."""
        return {"target": mse(denoise(batch["noisy"]), batch["target"])}


class PSNRLoss(DenoisingLoss, source="Chen et al., HINet, CVPRW 2021"):
    """Minus the PSNR to a target, the mean over the images: for training at many noise levels, which count the same.

    The mean squared difference would be that of the noisiest images. Only for clean targets: a noisy one hides how
    near the clean image is.

    Example:
        >>> batch = {"noisy": torch.ones(1, 1, 2, 2), "target": torch.full((1, 1, 2, 2), 0.9)}
        >>> PSNRLoss()(lambda image: image, batch, {}, 0.0)["psnr"].round()
        tensor(-20.)
    """

    requires = ("target",)

    @override
    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:
        """Return the only term."""
        squares = (denoise(batch["noisy"]) - batch["target"]).square().mean((1, 2, 3))
        return {"psnr": 10 * (squares + SMALLEST_ERROR).log10().mean()}


def n2n_adam(parameters: Iterable[Any]) -> Optimizer:
    """Return Noise2Noise's Adam: learning rate 3e-4, betas 0.9 and 0.99."""
    return Adam(parameters, lr=3e-4, betas=(0.9, 0.99))


class Noise2Noise(SingleStage, source=SOURCE):
    """Noise2Noise: a network trained to map one noisy copy of an image to another (data with ``target: noisy``).

    Assumes that the noise of the two copies is independent and has zero mean; clipping the target violates that.

    Example:
        >>> sum(p.numel() for p in Noise2Noise().parameters())
        991203
    """

    defaults = MethodDefaults(network=N2NUNet, loss=TargetLoss, optimizer=n2n_adam, scheduler=RampDown)


class Noise2Clean(Noise2Noise, source=SOURCE):
    """Noise2Clean: supervised training with clean images (data with ``target: clean``).

    It has the same parts as ``Noise2Noise``.

    Example:
        >>> sum(p.numel() for p in Noise2Clean().parameters())
        991203
    """
