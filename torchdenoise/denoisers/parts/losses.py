"""The base class of every loss, and a term that several methods share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Generator, Tensor

from torchdenoise.denoisers.parts.noise_aware import NoisePart
from torchdenoise.registry import Registered

Batch = Mapping[str, Tensor]
"""``noisy`` always; ``target``, ``guide`` and ``level`` where the data or an earlier stage provide them."""

Terms = dict[str, Tensor]
"""The weighted terms of a loss by name, at least one, each a scalar tensor; the step minimises their sum."""


class Denoise(Protocol):
    """The network as a loss sees it: image to image; some take tensors of the image's size by keyword (``mask=``)."""

    def __call__(self, image: Tensor, /, **extra: Tensor) -> Tensor:
        """Return the denoised image."""


class DenoisingLoss(Registered, NoisePart, ABC, kind="losses"):
    """A pure function of a denoising callable, a batch and random draws; subclass it to write your own.

    It knows nothing of networks, trainers or data. Masks weight and never index, and nothing calls ``.item()``, so that
    one loss trains a single network or many stacked ones under ``torch.func.vmap``. It runs in float32.

    Keep constructor arguments that are objects as attributes of the same name: checkpoints describe them from there.

    Example:
        >>> class Blur(DenoisingLoss):
        ...     def __init__(self, weight: float = 1.0) -> None:
        ...         self.weight = weight
        ...     def forward(self, denoise, batch, draws, progress):
        ...         return {"fit": self.weight * (denoise(batch["noisy"]) - batch["noisy"]).square().mean()}
        >>> Blur()(lambda image: 0 * image, {"noisy": torch.ones(1, 1, 2, 2)}, {}, 0.0)
        {'fit': tensor(1.)}
    """

    requires: tuple[str, ...] = ()
    """Keys that the batch must hold beyond ``noisy``."""

    def measure(self, noisy: Tensor) -> dict[str, Tensor]:  # noqa: ARG002
        """Return what the loss needs to know of whole images, as additional batch entries.

        A loss that needs to know about their noise is ``NoiseAware`` too, and finds it in ``noise_of(noisy)``.
        The result is cached for each image and measured again when a fit is resumed, so it must not be random.
        """
        return {}

    def draw(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:  # noqa: ARG002
        """Return everything random in one step, drawn from ``generator`` on its device."""
        return {}

    def without_sampling(self, batch: Batch, draws: Mapping[str, Tensor]) -> "tuple[DenoisingLoss, dict[str, Tensor]]":  # noqa: ARG002
        """Return an equivalent loss and batch after everything that needs no network is done, such as cropping."""
        return self, dict(batch)

    @abstractmethod
    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:
        """Return the weighted terms, at least one; they may differ from step to step.

        It may call ``denoise`` any number of times. All randomness comes from ``draws``, and neither ``batch`` nor
        ``draws`` is changed.

        Args:
            denoise: the network.
            batch: images ``(B, C, H, W)`` by key, ``noisy`` and those that the loss ``requires``.
            draws: the result of ``draw``.
            progress: from 0 to 1 over the stage.
        """

    def __call__(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:
        """Return ``forward(...)``."""
        return self.forward(denoise, batch, draws, progress)


def mse(first: Tensor, second: Tensor) -> Tensor:
    """Return the mean squared difference over all elements.

    Example:
        >>> mse(torch.zeros(2), torch.full((2,), 3.0)).item()
        9.0
    """
    return torch.nn.functional.mse_loss(first, second)
