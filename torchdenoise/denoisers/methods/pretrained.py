"""A trained network applied to pictures as it is, with what is measured of their noise."""

from collections.abc import Sequence

from torch import Generator, Tensor
from typing_extensions import override

from torchdenoise.denoisers.context import PictureContext
from torchdenoise.denoisers.multi_scale import MultiScale
from torchdenoise.denoisers.networks import Network, PretrainedUNet
from torchdenoise.denoisers.parts.domains import Domain, Stabilized
from torchdenoise.denoisers.parts.losses import Denoise
from torchdenoise.denoisers.parts.pyramid import number_of_scales, with_low_frequencies
from torchdenoise.denoisers.parts.readouts import OnePass, Readout
from torchdenoise.denoisers.stages import Stage
from torchdenoise.errors import UserError
from torchdenoise.protocols import DataDescription


class Pretrained(MultiScale, source="this project: docs/results/pretrained.md"):
    """A trained network that is applied as it is: nothing is fitted to the picture.

    The measured noise serves to remove outliers and the offsets of rows and columns, to remove correlated noise from
    coarse to fine, and for the readout. Where it cannot be measured, the network alone gives the result.

    Args:
        network: blind, with its weights; ``PretrainedUNet()`` by default.
        readout: one pass by default.
        domain: ``Stabilized(few_photons=True)`` by default.
        scales: for correlated noise, at most.

    Raises:
        UserError: ``scales`` below 1.

    Example:
        >>> noisy = 0.5 + 0.1 * torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> (Pretrained().restore(noisy) - 0.5).std() < 0.03
        tensor(True)
    """

    def __init__(
        self,
        network: Network | None = None,
        readout: Readout | None = None,
        domain: Domain | None = None,
        scales: int = 3,
    ) -> None:
        super().__init__(readout=readout, domain=domain or Stabilized(few_photons=True))
        if scales < 1:
            raise UserError(f"Pretrained: scales {scales} must be at least 1")
        self.network = network or PretrainedUNet()
        self.scales = scales

    @override
    def stages(self) -> list[Stage]:
        """Return no stage."""
        return []

    @property
    @override
    def result_network(self) -> Network:
        """The network."""
        return self.network

    @property
    @override
    def uses_noise(self) -> bool:
        """True: it decides the scales."""
        return True

    @override
    def match_data(self, description: DataDescription) -> None:
        """Adapt to the number of channels; the weights stay as they are."""
        super().match_data(description)
        self.network.requires_grad_(requires_grad=False)

    @override
    def networks_for(self, context: PictureContext) -> list[Network]:
        """Return the network once for each scale, several if the noise is correlated."""
        most = self.scales if len(context.noisy) == 1 and context.profiles[0].coarse_to_fine else 1
        height, width = context.noisy.shape[-2:]
        return [self.network] * number_of_scales(height, width, most)

    @override
    def read(
        self, denoise: Denoise, context: PictureContext, generator: Generator, beside: Sequence[PictureContext] = ()
    ) -> Tensor:
        """Return the clean images in the domain, from coarse to fine if the noise is correlated.

        At each scale the network sees the image with all of its noise, because it was trained on no other; then the low
        frequencies of its result are replaced by the coarser result. Neighbouring frames are used as by other methods.
        """
        if beside or not self.has_scales(context):
            return super().read(denoise, context, generator, beside)
        pyramid, readout, result = self.pyramid(context), self.active_readout(), None
        for number in range(len(self.networks_for(context))):
            image, profile = pyramid.level(number, result)
            first: Tensor = readout.first(denoise, pyramid.image(number), generator)
            first = first if result is None else with_low_frequencies(first, result)
            result = self.read_level(readout.after(first), denoise, image, profile)
        assert result is not None
        return result

    @override
    def active_readout(self) -> Readout:
        """Return the readout, or one pass where it cannot rely on the measured noise."""
        last = self._contexts.last
        known = last is None or not any(profile.unusable for profile in last.profiles)
        return self.readout if known or not self.readout.uses_noise else OnePass()
