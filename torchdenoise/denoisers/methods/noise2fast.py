"""Noise2Fast: Lequyer et al., Nature Machine Intelligence 2022, with the settings of their code."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F
from typing_extensions import override

from torchdenoise.denoisers.networks import Noise2FastNet
from torchdenoise.denoisers.networks._blocks import range_of
from torchdenoise.denoisers.parts.accumulating import LastMean
from torchdenoise.denoisers.parts.downsamplers import Downsampler, Draws
from torchdenoise.denoisers.parts.losses import Batch, Denoise, DenoisingLoss, Terms
from torchdenoise.denoisers.parts.schedules import adam, constant_rate
from torchdenoise.denoisers.single_stage import MethodDefaults, SingleStage
from torchdenoise.denoisers.stages import restart_optimizer
from torchdenoise.noise import seeded
from torchdenoise.noise.assumptions import Assumption

SOURCE = "Lequyer et al., Noise2Fast, Nature Machine Intelligence 2022"
RESTART_RATE = 5e-6
"""Learning rate of the second attempt."""
MIN_PROBABILITY = 1e-6
"""Probabilities keep this distance from 0 and 1, which float32 still resolves after scaling back and forth."""


class ChequerboardDownsampler(Downsampler, source=SOURCE):
    """Noise2Fast's downsampling: the black and the white fields of a chequerboard, each squeezed along one axis.

    Of each two pixels one above the other, the first half takes the lower one in even columns and the upper one in odd
    columns; the second half takes the other one: ``(B, C, H/2, W)`` each. The same horizontally gives
    ``(B, C, H, W/2)``, and both with exchanged halves: four pairs, of which each draw picks one. An odd last line is
    left out.

    Example:
        >>> down = ChequerboardDownsampler()
        >>> image = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
        >>> draws = down.choice(0, image)
        >>> [half.tolist() for half in down.pair(image, draws)]
        [[[[[3.0, 2.0]]]], [[[[1.0, 4.0]]]]]
    """

    @override
    def draw(self, noisy: Tensor, generator: Generator | None = None) -> Draws:
        """Return the pixel indices of one of the four pairs, picked at random."""
        return self.choice(int(torch.randint(4, (), generator=generator, device=noisy.device)), noisy)

    def choice(self, pick: int, noisy: Tensor) -> Draws:
        """Return the indices in the flattened image of ``first`` and ``second``, the halves of pair 0 to 3."""
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

    @override
    def pair(self, image: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Return the two halves."""
        pixels = image.flatten(-2)
        return pixels[..., draws["first"]], pixels[..., draws["second"]]


class Noise2FastLoss(DenoisingLoss, source=SOURCE):
    """Noise2Fast's loss for grey images: the cross-entropy of one half of the board, predicted from the other.

    With halves ``y1, y2`` of the noisy image ``y``, both scaled so that each channel of ``y`` fills 0..1::

        loss = -mean(y2 log f(y1) + (1 - y2) log(1 - f(y1)))

    The published loss for colour is the squared difference instead: ``ZSN2NLoss`` with this downsampler, one direction
    and no consistency term, on unscaled values.

    Args:
        downsampler: ``ChequerboardDownsampler()`` by default.

    Example:
        >>> batch = {"noisy": torch.rand(1, 1, 8, 8)}
        >>> loss = Noise2FastLoss()
        >>> list(loss(lambda image: image, batch, loss.draw(batch, torch.Generator()), 0.0))
        ['entropy']
    """

    def __init__(self, downsampler: Downsampler | None = None) -> None:
        self.downsampler = downsampler or ChequerboardDownsampler()

    @override
    def draw(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Return the downsampler's draws."""
        return self.downsampler.draw(batch["noisy"], generator)

    @override
    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:
        """Return the only term."""
        noisy = batch["noisy"]
        low, span = range_of(noisy)
        first, second = self.downsampler.pair(noisy, dict(draws))
        predicted = ((denoise(first) - low) / span).clamp(MIN_PROBABILITY, 1 - MIN_PROBABILITY)
        return {"entropy": F.binary_cross_entropy(predicted, (second - low) / span)}


class Noise2Fast(SingleStage, source=SOURCE):
    """Noise2Fast: one half of a chequerboard predicts the other; the fit stops early when it stops improving.

    Assumes noise of zero mean that is independent from pixel to pixel. Channels are fitted and stopped separately, but
    with the same draws; the published code fits one channel after the other. Channels whose result is constant, though
    the image is not, restart once with learning rate 5e-6, as long as the schedule leaves it unchanged; a schedule that
    sets it continues from its own.

    Example:
        >>> sum(p.numel() for p in Noise2Fast(Noise2FastNet(1)).parameters())
        259201
    """

    assumes = (Assumption.INDEPENDENT,)
    defaults = MethodDefaults(
        network=Noise2FastNet, loss=Noise2FastLoss, optimizer=adam, scheduler=constant_rate, readout=LastMean
    )
    croppable = tileable = stackable = False
    smallest = 3  # so that there are inner pixels

    @override
    def enter_stage(self, index: int, noisy: Tensor, transformed: Tensor) -> None:
        """Scale the network to the image."""
        if isinstance(self.network, Noise2FastNet):
            self.network.scale_to(transformed)

    @override
    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Restart once if the fit has ended with constant channels."""
        super().on_train_batch_end(outputs, batch, batch_idx)
        readout = self.readout
        if isinstance(readout, LastMean) and readout.finished and not readout.resumed:
            failed = looks_constant(self.restore(batch["noisy"]), batch["noisy"])
            if failed:
                readout.resume(failed)
                self.restart(batch["noisy"])

    def restart(self, noisy: Tensor, learning_rate: float = RESTART_RATE) -> None:
        """Continue the fit to images ``(B, C, H, W)`` from new weights, with a cleared optimizer."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seeded(self.seed, self.global_step).initial_seed())
            self.network.load_state_dict(self.network.rebuilt().state_dict())
        self.enter_stage(0, noisy, self.context(noisy).transformed)
        restart_optimizer(self.trainer.optimizers[0], learning_rate)
        self.trainer.should_stop = False


def looks_constant(image: Tensor, noisy: Tensor) -> list[int]:
    """Return the channels with at most 25 inner pixels above their mean by one of 255 levels or more.

    In an image of fewer than 100 inner pixels, at most a quarter of them. The levels divide the noisy image's range in
    the channel; a channel that is constant in the noisy image is never among them.

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
