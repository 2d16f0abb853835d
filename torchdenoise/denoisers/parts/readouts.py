"""Readouts: how the denoised image is computed from a trained network."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

import torch
from torch import Generator, Tensor, nn
from typing_extensions import override

from torchdenoise.denoisers.parts.losses import Denoise
from torchdenoise.denoisers.parts.noise_aware import NoisePart
from torchdenoise.noise import NoiseProfile, Profiles
from torchdenoise.registry import Registered


class Readout(Registered, NoisePart, nn.Module, ABC, kind="readouts"):
    """Turns a denoising callable and noisy images into denoised images; subclass it to write your own.

    A readout that accumulates outputs during the fit overrides ``observe`` and ``begin``, and keeps its state in
    buffers, or in ``get_extra_state`` and ``set_extra_state``: checkpoints hold it, and a resumed fit continues. One
    that needs to know about the images' noise is ``NoiseAware`` too, and finds it in ``noise_of(noisy)``.

    Keep constructor arguments that are objects as attributes of the same name: checkpoints describe them from there.

    Example:
        >>> class Twice(Readout):
        ...     def forward(self, denoise, noisy, generator):
        ...         return denoise(denoise(noisy))
        >>> Twice()(lambda image: image / 2, torch.ones(1, 1, 1, 1), torch.Generator()).item()
        0.25
    """

    finished: bool = False
    """Set to True in ``observe`` to end the fit after the current step; reset it in ``begin``."""

    @property
    def needs_outputs(self) -> bool:
        """Whether it accumulates outputs during the fit, which prevents stacking."""
        return type(self).observe is not Readout.observe

    @property
    def uses_neighbours(self) -> bool:
        """Whether neighbouring frames improve its result; one that holds another readout asks it too."""
        return False

    def with_neighbours(self, images: Sequence[Tensor], profiles: Sequence[NoiseProfile]) -> Self:  # noqa: ARG002
        """Return this readout, or a copy that knows the neighbouring frames of the image that it is used for next.

        Args:
            images: noisy frames of the image's size, ``(1, C, H, W)`` each.
            profiles: of their noise.
        """
        return self

    @property
    def first(self) -> "Readout":
        """The readout that computes the first result: this one, unless it refines another one's."""
        return self

    def after(self, result: Tensor) -> "Readout":
        """Return a readout that goes on from a first result ``(B, C, H, W)``, which is known already."""
        return _Known(result)

    def begin(self) -> None:
        """Reset all accumulated state; called when a fit is set up, before the state of a checkpoint is loaded."""

    def observe(self, denoise: Denoise, noisy: Tensor, output: Tensor) -> None:
        """Process one training step of the last stage; called before its update, without gradients.

        It may call ``denoise``, keep tensors and set ``finished``. It must not change its arguments or the network, nor
        draw from the global random state.

        Args:
            denoise: the network in training mode.
            noisy: the step's noisy images ``(B, C, H, W)``.
            output: the network's last output in this step, detached; its size depends on the loss.
        """

    @override
    @abstractmethod
    def forward(self, denoise: Denoise, noisy: Tensor, generator: Generator) -> Tensor:
        """Return the denoised images ``(B, C, H, W)``, not clamped; all randomness comes from ``generator``."""


class OnePass(Readout, source="plain inference"):
    """One pass through the network."""

    @override
    def forward(self, denoise: Denoise, noisy: Tensor, generator: Generator) -> Tensor:
        """Return ``denoise(noisy)``."""
        return denoise(noisy)


class EightTurns(Readout, source="Timofte et al., Seven ways to improve example-based single image SR, CVPR 2016"):
    """The mean over the eight flips and quarter turns of the image (self-ensemble): eight passes.

    Example:
        >>> EightTurns()(lambda image: image, torch.eye(2).view(1, 1, 2, 2), torch.Generator())[0, 0]
        tensor([[1., 0.],
                [0., 1.]])
    """

    @override
    def forward(self, denoise: Denoise, noisy: Tensor, generator: Generator) -> Tensor:
        """Return the mean of the eight results, each transformed back."""
        total = torch.zeros_like(noisy)
        for turns in range(4):
            turned = noisy.rot90(turns, (-2, -1))
            total += denoise(turned).rot90(-turns, (-2, -1))
            total += denoise(turned.flip(-1)).flip(-1).rot90(-turns, (-2, -1))
        return total / 8


class WrappedReadout(Readout):
    """A readout that refines the result of another one; a subclass implements ``forward``.

    Args:
        inner: computes the first result; ``EightTurns()`` by default.

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
    @override
    def needs_outputs(self) -> bool:
        """Whether the inner readout accumulates outputs."""
        return self.inner.needs_outputs

    @property
    @override
    def uses_noise(self) -> bool:
        """Whether this or the inner readout makes use of noise profiles."""
        return super().uses_noise or self.inner.uses_noise

    @override
    def with_noise(self, profiles: Profiles) -> Self:
        """Return a copy whose inner readout knows the noise, if it makes use of it."""
        return self._around(super().with_noise(profiles), self.inner.with_noise(profiles))

    @property
    @override
    def uses_neighbours(self) -> bool:
        """Whether the inner readout makes use of neighbouring frames."""
        return self.inner.uses_neighbours

    @override
    def with_neighbours(self, images: Sequence[Tensor], profiles: Sequence[NoiseProfile]) -> Self:
        """Return a copy whose inner readout knows the neighbouring frames, if it makes use of them."""
        return self._around(self, self.inner.with_neighbours(images, profiles))

    @property
    @override
    def first(self) -> Readout:
        """The inner readout's."""
        return self.inner.first

    @override
    def after(self, result: Tensor) -> Self:
        """Return a copy that goes on from a first result."""
        return self._around(self, self.inner.after(result))

    def _around(self, aware: Self, inner: Readout) -> Self:
        """Return ``aware``, this readout or a copy of it, with another inner readout."""
        if inner is self.inner:
            return aware
        aware = copy.copy(self) if aware is self else aware
        aware._modules = {**self._modules, "inner": inner}
        return aware

    @override
    def begin(self) -> None:
        """Reset the inner readout."""
        self.inner.begin()
        self.finished = self.inner.finished

    @override
    def observe(self, denoise: Denoise, noisy: Tensor, output: Tensor) -> None:
        """Pass the step to the inner readout, and end the fit when it does."""
        self.inner.observe(denoise, noisy, output)
        self.finished = self.inner.finished


class _Known(Readout):
    """A result that is known already."""

    def __init__(self, result: Tensor) -> None:
        super().__init__()
        self.result = result

    @override
    def forward(self, denoise: Denoise, noisy: Tensor, generator: Generator) -> Tensor:
        """Return it."""
        return self.result
