"""Readouts that accumulate network outputs while a single image is fitted; checkpoints hold their state."""

from abc import abstractmethod
from collections import deque
from collections.abc import Iterable
from math import inf
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor
from typing_extensions import override

from torchdenoise.denoisers.parts.losses import Denoise
from torchdenoise.denoisers.parts.readouts import Readout
from torchdenoise.errors import UserError


class AccumulatingReadout(Readout):
    """Base class: remembers which image was fitted, and refuses to return its result for another one."""

    def __init__(self) -> None:
        super().__init__()
        self.noisy: Tensor | None = None

    @override
    def begin(self) -> None:
        """Reset everything, including the remembered image."""
        self.noisy = None
        self.reset()

    @override
    def observe(self, denoise: Denoise, noisy: Tensor, output: Tensor) -> None:
        """Accumulate a step's output; start from scratch if the image has changed."""
        if self.noisy is not noisy and (self.noisy is None or not torch.equal(self.noisy.to(noisy), noisy)):
            self.reset()
        self.noisy = noisy  # replaces a checkpoint's copy, which may be on another device
        self.gather(denoise, output)

    @override
    def forward(self, denoise: Denoise, noisy: Tensor, generator: Generator) -> Tensor:
        """Return the accumulated result, or a single pass if nothing has been accumulated.

        Raises:
            UserError: the image is not the one that was fitted.
        """
        if self.noisy is None:
            return denoise(noisy)
        if not torch.equal(self.noisy.to(noisy), noisy):
            raise UserError(
                f"{type(self).__name__} holds the result for the fitted picture, and this is another one: "
                "fit it with `torchdenoise denoise --recipe`"
            )
        return self.result().to(noisy)

    @abstractmethod
    def reset(self) -> None:
        """Discard all accumulated outputs."""

    @abstractmethod
    def gather(self, denoise: Denoise, output: Tensor) -> None:
        """Accumulate a step's output; the step's image is ``self.noisy``."""

    @abstractmethod
    def result(self) -> Tensor:
        """Return the denoised image ``(B, C, H, W)``."""


class RunningMean(AccumulatingReadout, source="Ulyanov, Vedaldi & Lempitsky, Deep Image Prior, CVPR 2018"):
    """An exponential moving average of the outputs: ``mean = keep * mean + (1 - keep) * output`` at each step.

    Needs a loss that passes the whole, unflipped image through the network; outputs of another size are refused.

    Args:
        keep: weight of the previous mean, in [0, 1); 0 keeps the last output only.

    Raises:
        UserError: ``keep`` outside [0, 1); in a fit, an output of another size than the image.

    Example:
        >>> readout, noisy = RunningMean(0.75), torch.zeros(1, 1, 1, 1)
        >>> for value in (4.0, 8.0):
        ...     readout.observe(lambda image: image, noisy, torch.full_like(noisy, value))
        >>> readout(lambda image: image, noisy, torch.Generator()).item()
        5.0
    """

    def __init__(self, keep: float = 0.99) -> None:
        super().__init__()
        if not 0 <= keep < 1:
            raise UserError(f"RunningMean: keep {keep} must be at least 0 and below 1")
        self.keep = keep
        self.mean: Tensor | None = None

    @override
    def reset(self) -> None:
        """Discard the mean."""
        self.mean = None

    @override
    def gather(self, denoise: Denoise, output: Tensor) -> None:
        """Update the mean; the first output becomes the mean."""
        assert self.noisy is not None
        if output.shape != self.noisy.shape:
            raise UserError("RunningMean: this method's steps do not output the whole picture: choose another readout")
        self.mean = output if self.mean is None else self.keep * self.mean.to(output) + (1 - self.keep) * output

    @override
    def result(self) -> Tensor:
        """Return the mean."""
        assert self.mean is not None
        return self.mean

    @override
    def get_extra_state(self) -> dict[str, Any]:
        """Return the image and the mean."""
        return {"noisy": self.noisy, "mean": self.mean}

    @override
    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore the image and the mean."""
        self.noisy, self.mean = state["noisy"], state["mean"]


class LastMean(AccumulatingReadout, source="Lequyer et al., Noise2Fast, Nature Machine Intelligence 2022, their code"):
    """The mean of the last passes over the whole image, with early stopping when they stop approaching it.

    At each step the image passes through the network once more, before the update. A channel stops after more than
    ``patience`` consecutive steps in which the mean squared difference from the noisy channel reached no new minimum;
    its mean is then fixed. The fit ends when all channels have stopped. All ``count`` passes are held in memory.

    Args:
        count: number of passes in the mean.
        patience: steps without a new minimum to tolerate.

    Raises:
        UserError: ``count`` below 1 or ``patience`` below 0.

    Example:
        >>> readout, noisy = LastMean(count=2, patience=1), torch.zeros(1, 1, 1, 1)
        >>> for value in (4.0, 5.0, 6.0):
        ...     readout.observe(lambda image: image + value, noisy, noisy)
        >>> readout.finished, readout(lambda image: image, noisy, torch.Generator()).item()
        (True, 5.5)
    """

    kept: ClassVar[tuple[str, ...]] = ("noisy", "ended", "least", "since", "resumed", "finished")
    """Attributes that checkpoints hold besides the passes."""

    def __init__(self, count: int = 105, patience: int = 100) -> None:
        super().__init__()
        if count < 1 or patience < 0:
            raise UserError(f"LastMean: count {count} must be at least 1 and patience {patience} at least 0")
        self.count = count
        self.patience = patience
        self.reset()

    @override
    def reset(self) -> None:
        """Discard the passes and the minima."""
        self.passes: deque[Tensor] = deque(maxlen=self.count)
        self.ended: dict[int, Tensor] = {}
        """The final mean of each stopped channel."""
        self.least: dict[int, float] = {}
        """The minimum of each channel's distance from the noisy image."""
        self.since: dict[int, int] = {}
        """Steps since that minimum."""
        self.resumed = False
        self.finished = False

    def resume(self, channels: Iterable[int]) -> None:
        """Restart accumulation for ``channels``, whose fit has failed; the others keep their means."""
        self.resumed = True
        self.passes.clear()
        for channel in channels:
            for values in (self.ended, self.least, self.since):
                values.pop(channel, None)
        self.finished = False

    @override
    def gather(self, denoise: Denoise, output: Tensor) -> None:
        """Pass the image through the network, and apply the stopping rule to each channel."""
        assert self.noisy is not None
        denoised = denoise(self.noisy)
        self.passes.append(denoised)
        distances = (denoised - self.noisy).square().mean((0, -2, -1)).tolist()
        for channel, distance in enumerate(distances):
            if channel in self.ended:
                continue
            improved = distance < self.least.get(channel, inf)
            self.since[channel] = 0 if improved else self.since[channel] + 1
            self.least[channel] = distance if improved else self.least[channel]
            if self.since[channel] > self.patience:
                self.ended[channel] = self._mean(channel)
        self.finished = len(self.ended) == len(distances)

    @override
    def result(self) -> Tensor:
        """Return the mean of the passes, that of a stopped channel from when it stopped."""
        assert self.noisy is not None
        channels = range(self.noisy.shape[1])
        means = [self.ended[each] if each in self.ended else self._mean(each) for each in channels]
        return torch.stack([mean.to(self.noisy) for mean in means], 1)

    def _mean(self, channel: int) -> Tensor:
        assert self.noisy is not None
        return torch.stack([each[:, channel].to(self.noisy) for each in self.passes]).mean(0)

    @override
    def get_extra_state(self) -> dict[str, Any]:
        """Return the image, the passes and the state of the stopping rule."""
        return {**{name: getattr(self, name) for name in self.kept}, "passes": list(self.passes)}

    @override
    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore the image, the passes and the state of the stopping rule."""
        self.reset()
        for name in self.kept:
            setattr(self, name, state[name])
        self.passes.extend(state["passes"])
