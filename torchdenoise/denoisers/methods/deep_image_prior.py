"""Deep Image Prior: Ulyanov, Vedaldi & Lempitsky, CVPR 2018, with the settings of their denoising notebook."""

from collections.abc import Iterable, Mapping
from typing import Any

import lightning
import torch
from lightning import LightningModule, Trainer
from torch import Generator, Tensor
from torch.optim import Adam, Optimizer
from typing_extensions import override

from torchdenoise.denoisers.networks import SkipNet
from torchdenoise.denoisers.networks.skip_net import CODE_CHANNELS
from torchdenoise.denoisers.parts.accumulating import RunningMean
from torchdenoise.denoisers.parts.losses import Batch, Denoise, DenoisingLoss, Terms, mse
from torchdenoise.denoisers.parts.schedules import constant_rate
from torchdenoise.denoisers.single_stage import MethodDefaults, SingleStage

SOURCE = "Ulyanov, Vedaldi & Lempitsky, Deep Image Prior, CVPR 2018"


class DeepImagePriorLoss(DenoisingLoss, source=SOURCE):
    """Deep Image Prior's loss: the network's output for its jittered input code, against the noisy image.

    With the code ``z`` and fresh Gaussian noise ``e`` at each step: ``loss = mean((f(z + jitter e) - y)^2)``.

    Args:
        jitter: standard deviation of the noise on the code; 1/30 in the notebook, 1/20 advised for strong noise.

    Example:
        >>> batch = {"noisy": torch.ones(1, 1, 4, 4)}
        >>> loss = DeepImagePriorLoss()
        >>> draws = loss.draw(batch, torch.Generator())
        >>> draws["jitter"].shape
        torch.Size([1, 32, 4, 4])
        >>> loss(lambda image, jitter: 0 * image, batch, draws, 0.0)
        {'fit': tensor(1.)}
    """

    def __init__(self, jitter: float = 1 / 30) -> None:
        self.jitter = jitter

    @override
    def draw(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Return ``jitter (B, 32, H, W)``."""
        noisy = batch["noisy"]
        shape = (len(noisy), CODE_CHANNELS, *noisy.shape[-2:])
        return {"jitter": self.jitter * torch.randn(shape, generator=generator, device=noisy.device)}

    @override
    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:
        """Return the only term."""
        noisy = batch["noisy"]
        return {"fit": mse(denoise(noisy, jitter=draws["jitter"]), noisy)}


class Backtracking(lightning.Callback):
    """Undoes a step that makes the fit much worse: restores the previous weights and skips the next update.

    The notebook does so if the PSNR to the noisy image drops by more than 5 dB from one step to the next, but still
    applies the gradient of the worse weights.

    Args:
        drop: in dB.
    """

    def __init__(self, drop: float = 5.0) -> None:
        self.factor = 10 ** (drop / 10)
        self.weights: list[Tensor] = []
        self.loss = float("inf")
        self._now = float("inf")

    @override
    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        """Note the loss of the current weights."""
        self._now = loss.item()

    @override
    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Save the current weights, or restore the saved ones and skip this update."""
        parameters = list(pl_module.parameters())
        if self._now <= self.factor * self.loss:
            self.weights = [parameter.detach().clone() for parameter in parameters]
            self.loss = self._now
            return
        with torch.no_grad():
            for parameter, saved in zip(parameters, self.weights, strict=True):
                parameter.copy_(saved)
        optimizer.zero_grad()

    @override
    def state_dict(self) -> dict[str, Any]:
        """Return the saved weights and their loss."""
        return {"weights": self.weights, "loss": self.loss}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the weights and the loss of a checkpoint."""
        self.weights, self.loss = state_dict["weights"], state_dict["loss"]


def dip_adam(parameters: Iterable[Any]) -> Optimizer:
    """Return Deep Image Prior's Adam: learning rate 0.01."""
    return Adam(parameters, lr=0.01)


class DeepImagePrior(SingleStage, source=SOURCE):
    """Deep Image Prior: a network learns to generate the noisy image from a fixed code, and stops before the noise.

    Assumes only that noise is harder for the network to reproduce than the image; the number of steps decides how much
    of it is in the result, the mean of the outputs (``RunningMean``). The network fits this one image, so it takes
    neither crops, tiles nor other images.

    Example:
        >>> sum(p.numel() for p in DeepImagePrior().parameters())
        2217831
    """

    defaults = MethodDefaults(
        network=SkipNet,
        loss=DeepImagePriorLoss,
        optimizer=dip_adam,
        scheduler=constant_rate,
        readout=RunningMean,
    )
    croppable = tileable = stackable = False

    @override
    def configure_callbacks(self) -> list[lightning.Callback]:
        """Return the callback that undoes bad steps."""
        return [Backtracking()]
