"""Deep Image Prior: Ulyanov, Vedaldi & Lempitsky, CVPR 2018, with the settings of their denoising notebook."""

from collections.abc import Iterable, Mapping
from typing import Any

import lightning
import torch
from lightning import LightningModule, Trainer
from torch import Generator, Tensor
from torch.optim import Adam, Optimizer

from torchdenoise.denoisers.networks import SkipNet
from torchdenoise.denoisers.networks.skip_net import CODE_CHANNELS
from torchdenoise.denoisers.parts.accumulating import RunningMean
from torchdenoise.denoisers.parts.losses import Batch, Denoise, DenoisingLoss, Terms, mse
from torchdenoise.denoisers.parts.schedules import constant_rate
from torchdenoise.denoisers.single_stage import MethodDefaults, SingleStage

SOURCE = "Ulyanov, Vedaldi & Lempitsky, Deep Image Prior, CVPR 2018"


class DeepImagePriorLoss(DenoisingLoss, source=SOURCE):
    """Deep Image Prior's loss: the picture that the network makes of its jittered code, against the noisy one.

    With the code ``z`` and fresh Gaussian noise ``e`` at each step: ``loss = mean((f(z + jitter e) - y)^2)``.

    Args:
        jitter: standard deviation of what is added to the code; 1/30 in the notebook, 1/20 advised for strong noise.

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

    def draw(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Return ``jitter (B, 32, H, W)``."""
        noisy = batch["noisy"]
        shape = (len(noisy), CODE_CHANNELS, *noisy.shape[-2:])
        return {"jitter": self.jitter * torch.randn(shape, generator=generator, device=noisy.device)}

    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:  # noqa: ARG002
        """Return the only term."""
        noisy = batch["noisy"]
        return {"fit": mse(denoise(noisy, jitter=draws["jitter"]), noisy)}


class Backtracking(lightning.Callback):
    """Undoes a step that spoils the fit: the weights of the step before come back, and this step is left out.

    The notebook does so where the PSNR to the noisy picture falls by more than 5 dB from one step to the next, but
    still applies the gradient of the spoilt weights.

    Args:
        drop: in dB.
    """

    def __init__(self, drop: float = 5.0) -> None:
        self.factor = 10 ** (drop / 10)
        self.weights: list[Tensor] = []
        self.loss = float("inf")
        self._now = float("inf")

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:  # noqa: ARG002
        """Note the loss of the present weights."""
        self._now = loss.item()

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:  # noqa: ARG002
        """Keep the present weights, or go back to those kept and make the optimizer pass over this step."""
        parameters = list(pl_module.parameters())
        if self._now <= self.factor * self.loss:
            self.weights = [parameter.detach().clone() for parameter in parameters]
            self.loss = self._now
            return
        with torch.no_grad():
            for parameter, kept in zip(parameters, self.weights, strict=True):
                parameter.copy_(kept)
        optimizer.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        """Return the weights kept and their loss."""
        return {"weights": self.weights, "loss": self.loss}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the weights and the loss of a checkpoint."""
        self.weights, self.loss = state_dict["weights"], state_dict["loss"]


def dip_adam(parameters: Iterable[Any]) -> Optimizer:
    """Return Deep Image Prior's Adam: rate 0.01."""
    return Adam(parameters, lr=0.01)


class DeepImagePrior(SingleStage, source=SOURCE):
    """Deep Image Prior: a network learns to make the noisy picture out of nothing, and is stopped before the noise.

    Assumes only that the noise is harder to make than the picture; the number of steps decides how much of it is in the
    result, which is the mean of the outputs (``RunningMean``). The network holds this picture and no other, hence
    neither crops, tiles nor other pictures.

    Example:
        >>> sum(p.numel() for p in DeepImagePrior().parameters())
        2217831
    """

    defaults = MethodDefaults(SkipNet, DeepImagePriorLoss, dip_adam, constant_rate, RunningMean)
    croppable = tileable = stackable = False

    def configure_callbacks(self) -> list[lightning.Callback]:
        """Return what undoes spoilt steps."""
        return [Backtracking()]
