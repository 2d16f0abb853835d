"""Readouts: how the clean image is read from a trained network."""

from abc import ABC, abstractmethod

import torch
from torch import Generator, Tensor, nn

from torchdenoise.denoisers.parts.losses import Denoise
from torchdenoise.registry import Registered


class Readout(Registered, nn.Module, ABC, kind="readouts"):
    """Turns a denoising callable and noisy images into clean images; subclass it for your own.

    One that accumulates outputs during the fit overrides ``observe`` and ``begin``, and keeps them in buffers, or in
    ``get_extra_state`` and ``set_extra_state``, so that checkpoints hold them.

    Example:
        >>> class Twice(Readout):
        ...     def forward(self, denoise, noisy, generator):
        ...         return denoise(denoise(noisy))
        >>> Twice()(lambda image: image / 2, torch.ones(1, 1, 1, 1), torch.Generator()).item()
        0.25
    """

    finished: bool = False
    """Set it in ``observe`` to end the fit before its number of steps."""

    @property
    def needs_outputs(self) -> bool:
        """Whether it accumulates outputs during the fit."""
        return type(self).observe is not Readout.observe

    def begin(self) -> None:
        """Forget what an earlier fit has left, if anything."""

    def observe(self, denoise: Denoise, noisy: Tensor, output: Tensor) -> None:
        """See the last output of the network in a training step of the last stage, without gradient."""

    @abstractmethod
    def forward(self, denoise: Denoise, noisy: Tensor, generator: Generator) -> Tensor:
        """Return the clean images, not yet clamped; all randomness comes from ``generator``."""


class OnePass(Readout, source="the plain way"):
    """One pass through the network."""

    def forward(self, denoise: Denoise, noisy: Tensor, generator: Generator) -> Tensor:  # noqa: ARG002
        """Return ``denoise(noisy)``."""
        return denoise(noisy)


class EightTurns(Readout, source="Timofte et al., Seven ways to improve example-based single image SR, CVPR 2016"):
    """The mean over the eight flips and quarter turns of the image: eight passes.

    Example:
        >>> EightTurns()(lambda image: image, torch.eye(2).view(1, 1, 2, 2), torch.Generator())[0, 0]
        tensor([[1., 0.],
                [0., 1.]])
    """

    def forward(self, denoise: Denoise, noisy: Tensor, generator: Generator) -> Tensor:  # noqa: ARG002
        """Return the mean of the eight results, each turned back."""
        total = torch.zeros_like(noisy)
        for turns in range(4):
            turned = noisy.rot90(turns, (-2, -1))
            total += denoise(turned).rot90(-turns, (-2, -1))
            total += denoise(turned.flip(-1)).flip(-1).rot90(-turns, (-2, -1))
        return total / 8


class WrappedReadout(Readout):
    """A readout that goes on from another one's result; a subclass says how.

    Args:
        inner: reads the first result; ``EightTurns()`` unless given.

    Example:
        >>> class Halved(WrappedReadout):
        ...     def forward(self, denoise, noisy, generator):
        ...         return self.inner(denoise, noisy, generator) / 2
        >>> Halved(OnePass())(lambda image: image, torch.ones(1, 1, 1, 1), torch.Generator()).item()
        0.5
    """

    def __init__(self, inner: Readout | None = None) -> None:
        super().__init__()
        self.inner = inner or EightTurns()

    @property
    def needs_outputs(self) -> bool:
        """Whether the inner readout accumulates outputs."""
        return self.inner.needs_outputs

    def begin(self) -> None:
        """Let the inner readout forget an earlier fit."""
        self.inner.begin()
        self.finished = self.inner.finished

    def observe(self, denoise: Denoise, noisy: Tensor, output: Tensor) -> None:
        """Hand on what the inner readout may gather, and whether it has seen enough."""
        self.inner.observe(denoise, noisy, output)
        self.finished = self.inner.finished
