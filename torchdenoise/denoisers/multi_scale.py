"""Methods that remove correlated noise from coarse to fine."""

import functools
from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from typing_extensions import override

from torchdenoise.denoisers.base import Denoiser
from torchdenoise.denoisers.context import PictureContext, plain_tensors
from torchdenoise.denoisers.networks import Network
from torchdenoise.denoisers.networks.calling import padded_call, tiled_call
from torchdenoise.denoisers.parts.coarse_to_fine import CoarseToFine
from torchdenoise.denoisers.parts.losses import Denoise
from torchdenoise.denoisers.parts.pyramid import Pyramid
from torchdenoise.denoisers.parts.readouts import Readout
from torchdenoise.denoisers.recorder import Recorder
from torchdenoise.noise import NoiseProfile, Profiles


class MultiScale(Denoiser):
    """A method that measures the noise, and removes correlated noise at several scales (``Pyramid``).

    A subclass says how many scales an image has, and which network denoises each.

    Example:
        >>> from torchdenoise.denoisers import Recorrupted
        >>> issubclass(Recorrupted, MultiScale)
        True
    """

    @abstractmethod
    def networks_for(self, context: PictureContext) -> Sequence[Network]:
        """Return the networks of all scales of an image, from the coarsest; a single one uses the image as it is.

        Several images at once have no scales.
        """

    @override
    def noise_line(self) -> str:
        """Return one line about the noise, and whether it was removed from coarse to fine."""
        line, last = super().noise_line(), self._contexts.last
        return f"{line}; multi-scale" if line and last is not None and self.has_scales(last) else line

    @override
    def restore(self, noisy: Tensor, neighbours: Tensor | None = None, **known: Tensor) -> Tensor:
        """Return clean images ``(B, C, H, W)`` in 0..1; what shows no noise, such as a frame, stays unchanged."""
        clean = super().restore(noisy, neighbours, **known)
        for number, profile in enumerate(self.context(noisy).profiles):
            clean[number] = profile.without_bias(clean[number : number + 1])[0].clamp(0, 1)
            if profile.informative is not None:
                seen = profile.informative[0].to(clean.device)
                clean[number] = torch.where(seen, clean[number], noisy[number].clamp(0, 1))
        return clean

    @override
    def read(
        self, denoise: Denoise, context: PictureContext, generator: Generator, beside: Sequence[PictureContext] = ()
    ) -> Tensor:
        """Return the clean images in the domain, from coarse to fine if the noise is correlated."""
        if not self.has_scales(context):
            return super().read(denoise, context, generator, beside)
        beside = [each for each in beside if self.has_scales(each)]
        if beside:
            return self._read_beside(context, beside)
        image, profile = self.level(context, len(self.networks_for(context)) - 1)
        return self.read_level(self.active_readout(), denoise, image, profile)

    @override
    def one_pass(self, context: PictureContext, index: int) -> Tensor:
        """Return one pass of a stage's network over the image at its scale, enlarged to the size of the image."""
        if not self.has_scales(context):
            return super().one_pass(context, index)
        image, _ = self.level(context, index)
        denoised = padded_call(self.networks_for(context)[index], image, {}).float()
        return self.pyramid(context).enlarged(denoised, index)

    def has_scales(self, context: PictureContext) -> bool:
        """Return whether an image is denoised at several scales."""
        return len(self.networks_for(context)) > 1

    def level(self, context: PictureContext, index: int) -> tuple[Tensor, NoiseProfile]:
        """Return the image at a scale, after the coarser ones were denoised, and its noise."""
        with plain_tensors(), torch.autocast(context.transformed.device.type, enabled=False):
            networks, readout = self.networks_for(context), self.active_readout()
            return self._scales(context).level(index, networks, readout, self.seed, self._read_scale)

    def _scales(self, context: PictureContext) -> CoarseToFine:
        number = len(self.networks_for(context))
        key = f"{number} scales"
        if key not in context.kept:
            pyramid = Pyramid(context.transformed, context.transformed_profiles[0], number)
            context.kept[key] = CoarseToFine(pyramid)
        scales: CoarseToFine = context.kept[key]
        return scales

    def pyramid(self, context: PictureContext) -> Pyramid:
        """Return the image at all scales."""
        return self._scales(context).pyramid

    def _read_beside(self, context: PictureContext, beside: Sequence[PictureContext]) -> Tensor:
        """Return the clean image in the domain; at each scale neighbouring frames are those of that scale."""
        pyramid = self.pyramid(context)
        result = None
        for number, network in enumerate(self.networks_for(context)):
            image, profile = pyramid.level(number, result)
            neighbours = [self.level(each, number) for each in beside]
            result = self._read_scale(network, image, profile, neighbours)
        assert result is not None
        return result

    def _read_scale(
        self,
        network: Network,
        image: Tensor,
        profile: NoiseProfile,
        neighbours: Sequence[tuple[Tensor, NoiseProfile]] = (),
    ) -> Tensor:
        denoise = Recorder(functools.partial(_tiled, network.eval()), image.device.type)
        return self.read_level(self.active_readout(), denoise, image, profile, neighbours)

    def read_level(
        self,
        readout: Readout,
        denoise: Denoise,
        image: Tensor,
        profile: NoiseProfile,
        neighbours: Sequence[tuple[Tensor, NoiseProfile]] = (),
    ) -> Tensor:
        """Return the result at a scale, with the mean of the image: that of the noise is 0."""
        readout = readout.with_noise(Profiles(1, lambda _: profile))
        if neighbours:
            images, profiles = zip(*neighbours, strict=True)
            readout = readout.with_neighbours(images, profiles)
        result: Tensor = readout(denoise, image, Generator(image.device).manual_seed(self.seed))
        return result + (image - result).mean((-2, -1), keepdim=True)


def _tiled(network: Network, image: Tensor, /, **extra: Tensor) -> Tensor:
    return tiled_call(network, image, extra)
