"""Noise2Fast: Lequyer et al., Nature Machine Intelligence 2022, with the settings of their code."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from torchdenoise.denoisers.networks import Noise2FastNet
from torchdenoise.denoisers.networks._blocks import range_of
from torchdenoise.denoisers.parts.accumulating import LastMean
from torchdenoise.denoisers.parts.downsamplers import Downsampler, Draws
from torchdenoise.denoisers.parts.losses import Batch, Denoise, DenoisingLoss, Terms
from torchdenoise.denoisers.parts.schedules import adam, constant_rate
from torchdenoise.denoisers.single_stage import MethodDefaults, SingleStage
from torchdenoise.noise import seeded

SOURCE = "Lequyer et al., Noise2Fast, Nature Machine Intelligence 2022"
SLOW = 5e-6
"""The rate of the second attempt."""
EDGE = 1e-6
"""A probability is taken no nearer to 0 and 1 than float32 still tells it from them after scaling back and forth."""


class ChequerboardDownsampler(Downsampler, source=SOURCE):
    """Noise2Fast's squeeze: the black fields of the board and the white ones, each pushed together along one axis.

    Of each two pixels one above the other, the first half takes the lower one in even columns and the upper one in odd
    columns, the second half the other: ``(B, C, H/2, W)`` each. Or likewise from left to right, ``(B, C, H, W/2)``. Or
    the halves are exchanged: four pairs, of which each draw picks one. An odd last line is left out.

    Example:
        >>> down = ChequerboardDownsampler()
        >>> image = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
        >>> draws = down.choice(0, image)
        >>> [half.tolist() for half in down.pair(image, draws)]
        [[[[[3.0, 2.0]]]], [[[[1.0, 4.0]]]]]
    """

    def draw(self, noisy: Tensor, generator: Generator | None = None) -> Draws:
        """Return the places of the pixels of one of the four pairs, picked at random."""
        return self.choice(int(torch.randint(4, (), generator=generator, device=noisy.device)), noisy)

    def choice(self, pick: int, noisy: Tensor) -> Draws:
        """Return the places in the flattened picture of the pixels of pair 0 to 3, ``first`` and ``second``."""
        sideways, exchanged = divmod(pick, 2)
        height, width = noisy.shape[-2:]
        places = torch.arange(height * width, device=noisy.device).view(height, width)
        places = places.T if sideways else places
        end = len(places) // 2 * 2
        upper, lower = places[0:end:2], places[1:end:2]
        even = torch.arange(places.shape[1], device=noisy.device) % 2 == 0
        halves = [torch.where(even, lower, upper), torch.where(even, upper, lower)]
        first, second = (half.T if sideways else half for half in (reversed(halves) if exchanged else halves))
        return {"first": first, "second": second}

    def pair(self, image: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Return the two halves."""
        pixels = image.flatten(-2)
        return pixels[..., draws["first"]], pixels[..., draws["second"]]


class Noise2FastLoss(DenoisingLoss, source=SOURCE):
    """Noise2Fast's loss for grey pictures: the cross-entropy of one half of the board, foretold from the other.

    With halves ``y1, y2`` of the noisy image ``y``, both scaled so that each channel of ``y`` fills 0..1::

        loss = -mean(y2 log f(y1) + (1 - y2) log(1 - f(y1)))

    The published loss for colour is the squared difference instead: ``ZSN2NLoss`` with this downsampler, one direction
    and no consistency. That one is not scaled.

    Args:
        downsampler: ``ChequerboardDownsampler()`` unless given.

    Example:
        >>> batch = {"noisy": torch.rand(1, 1, 8, 8)}
        >>> loss = Noise2FastLoss()
        >>> list(loss(lambda image: image, batch, loss.draw(batch, torch.Generator()), 0.0))
        ['entropy']
    """

    def __init__(self, downsampler: Downsampler | None = None) -> None:
        self.downsampler = downsampler or ChequerboardDownsampler()

    def draw(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Return the downsampler's choice."""
        return self.downsampler.draw(batch["noisy"], generator)

    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:  # noqa: ARG002
        """Return the only term."""
        noisy = batch["noisy"]
        low, span = range_of(noisy)
        first, second = self.downsampler.pair(noisy, dict(draws))
        foretold = ((denoise(first) - low) / span).clamp(EDGE, 1 - EDGE)
        return {"entropy": F.binary_cross_entropy(foretold, (second - low) / span)}


class Noise2Fast(SingleStage, source=SOURCE):
    """Noise2Fast: one half of a chequerboard foretells the other; the fit ends when it comes no nearer to the picture.

    Assumes noise of zero mean that is independent from pixel to pixel. Each channel is fitted by itself and ends by
    itself, but all draw the same halves, where the published code takes one channel after the other. Channels that end
    with one value, of a picture that has more, begin again, once, with the rate 5e-6, as long as the schedule leaves
    it at that; one that changes the rate goes on from its own.

    Example:
        >>> sum(p.numel() for p in Noise2Fast(Noise2FastNet(1)).parameters())
        259201
    """

    defaults = MethodDefaults(Noise2FastNet, Noise2FastLoss, adam, constant_rate, LastMean)
    croppable = tileable = stackable = False
    smallest = 3  # so that there are inner pixels

    def enter_stage(self, index: int, noisy: Tensor, inside: Tensor) -> None:  # noqa: ARG002
        """Scale the network to the picture."""
        if isinstance(self.network, Noise2FastNet):
            self.network.scale_to(inside)

    def on_train_batch_end(self, outputs: Any, batch: Mapping[str, Tensor], batch_idx: int) -> None:  # noqa: ARG002
        """Begin again where the fit has ended with nothing."""
        readout = self.readout
        if not (isinstance(readout, LastMean) and readout.finished and not readout.resumed):
            return
        failed = looks_constant(self.restore(batch["noisy"]), batch["noisy"])
        if failed:
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(seeded(self._seed, self.global_step).initial_seed())
                self.network.load_state_dict(self.network.rebuilt().state_dict())
            self.enter_stage(0, batch["noisy"], self.domain.transforms(batch["noisy"])[0](batch["noisy"]))
            readout.resume(failed)
            (optimizer,) = self.trainer.optimizers
            optimizer.state.clear()
            for group in optimizer.param_groups:
                group["lr"] = SLOW
            self.trainer.should_stop = False


def looks_constant(image: Tensor, noisy: Tensor) -> list[int]:
    """Return the channels of which at most 25 inner pixels lie above their mean by one of 255 levels or more.

    In a picture of fewer than 100 inner pixels, at most a quarter of them. The levels are those of the noisy picture's
    range in the channel; one without any range has no other result.

    Example:
        >>> noisy = torch.rand(1, 2, 20, 20)
        >>> looks_constant(torch.cat([noisy[:, :1], torch.full((1, 1, 20, 20), 0.3)], 1), noisy)
        [1]
    """
    low, span = range_of(noisy)
    inner = 255 * ((image - low) / span)[..., 1:-1, 1:-1]
    above = (inner - inner.mean((-2, -1), keepdim=True)).round() > 0
    few = min(25, inner[0, 0].numel() // 4)
    empty = noisy.amax((0, -2, -1)) == noisy.amin((0, -2, -1))
    constant = (above.sum((-2, -1)) <= few).any(0) & ~empty
    return [int(channel) for channel in constant.nonzero()]
