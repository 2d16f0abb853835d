"""Everything that is computed once for the noisy images of a step, and cached while they stay the same."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from torchdenoise.denoisers.networks.calling import tiled_call
from torchdenoise.denoisers.parts.domains import Domain
from torchdenoise.denoisers.stages import Stage
from torchdenoise.noise import Profiles


class PictureContext:
    """Noisy images, the domain's transforms for them, and what a stage's loss needs to know about them.

    Args:
        noisy: images ``(B, C, H, W)`` in 0..1.
        domain: the values in which the networks see them.
        profiles: of the images' noise; measured when they are needed by default.

    Example:
        >>> from torchdenoise.denoisers import IdentityDomain
        >>> context = PictureContext(torch.rand(1, 1, 4, 4), IdentityDomain())
        >>> context.inverse(context.transformed) is context.noisy
        True
    """

    def __init__(self, noisy: Tensor, domain: Domain, profiles: Profiles | None = None) -> None:
        self.noisy = noisy
        self.domain = domain
        self.profiles = Profiles.measured(noisy) if profiles is None else profiles
        self.transformed_profiles = domain.transformed_noise(self.profiles)
        self.extra: dict[str, Any] = {}
        """What a method computes once for these images, until the stage's loss or network changes."""
        self.kept: dict[str, Any] = {}
        """What a prediction after a fit uses too; the method checks whether it is still right."""
        # In float32, so that fits and predictions share it whatever their precision.
        with plain_tensors(), torch.autocast(noisy.device.type, enabled=False):
            self.forward, self.inverse = domain.with_noise(self.profiles).transforms(noisy)
            self.transformed = self.forward(noisy)
        self._stage: tuple[int, dict[str, Tensor]] | None = None
        """The number of the last stage asked for, and what its loss needs to know."""

    def usable(self, domain: Domain, device: torch.device) -> bool:
        """Return whether it can be used for the same images, in this domain and on this device."""
        if self.transformed.is_inference() and not torch.is_inference_mode_enabled():
            return False  # autograd refuses it
        return self.domain is domain and self.noisy.device == device

    def shows(self, noisy: Tensor) -> bool:
        """Return whether it was made for these images, perhaps on another device."""
        return self.noisy is noisy or torch.equal(self.noisy, noisy.to(self.noisy.device))

    def stage_inputs(self, index: int, stages: Callable[[], Sequence[Stage]]) -> dict[str, Tensor]:
        """Return what the loss of a stage measures in the images, and ``guide``, the previous stage's result."""
        if self._stage is None or self._stage[0] != index:
            self._stage = None  # frees its memory first
            with plain_tensors():
                self._stage = index, self._computed(index, stages())
        return self._stage[1]

    def clear_stage(self) -> None:
        """Discard what depends on a stage's loss or network."""
        self._stage = None
        self.extra.clear()

    def clear(self) -> None:
        """Discard everything that a method computed."""
        self.clear_stage()
        self.kept.clear()

    def _computed(self, index: int, stages: Sequence[Stage]) -> dict[str, Tensor]:
        loss = stages[index].loss.with_noise(self.transformed_profiles)
        inputs = dict(loss.measure(self.transformed))
        if index > 0:
            inputs["guide"] = tiled_call(stages[index - 1].network.eval(), self.transformed, {}).float()
        return inputs


class RecentContexts:
    """The contexts of the images that were used last; one by default, more for images that take turns."""

    def __init__(self) -> None:
        self._contexts: list[PictureContext] = []  # the one used last is the last
        self._most = 1

    @property
    def last(self) -> PictureContext | None:
        """The context that was used last."""
        return self._contexts[-1] if self._contexts else None

    def keep(self, most: int) -> None:
        """Keep the contexts of so many images from now on."""
        self._most = most
        del self._contexts[:-most]

    def of(self, noisy: Tensor, domain: Domain, given: Callable[[Tensor], Profiles | None]) -> PictureContext:
        """Return the context of images ``(B, C, H, W)``.

        Args:
            noisy: the images.
            domain: the values in which the networks see them.
            given: returns what is known of their noise, None if it is to be measured.
        """
        found = next((each for each in self._contexts if each.shows(noisy)), None)  # images that take turns: the first
        if found is not None:
            self._contexts.remove(found)
        if found is None or not found.usable(domain, noisy.device):
            profiles = given(noisy) if found is None else found.profiles
            del found  # frees its memory first
            del self._contexts[: max(0, len(self._contexts) + 1 - self._most)]
            found = PictureContext(noisy, domain, profiles)
        self._contexts.append(found)
        return found

    def clear_stage(self) -> None:
        """Discard what depends on a stage's loss or network."""
        for each in self._contexts:
            each.clear_stage()

    def clear(self) -> None:
        """Discard everything that a method computed."""
        for each in self._contexts:
            each.clear()


@contextlib.contextmanager
def plain_tensors() -> Iterator[None]:
    """Compute without gradient, also during predictions, what a fit can use: autograd refuses inference tensors."""
    with torch.inference_mode(mode=False), torch.no_grad():  # in this order: the first one enables gradients
        yield
