"""Readouts that gather the outputs of a fit to one picture; what they hold goes into checkpoints."""

from abc import abstractmethod
from collections import deque
from collections.abc import Iterable
from math import inf
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor

from torchdenoise.denoisers.parts.losses import Denoise
from torchdenoise.denoisers.parts.readouts import Readout
from torchdenoise.errors import UserError


class AccumulatingReadout(Readout):
    """What these readouts share: they know which picture it was, and give no other picture the result of that one."""

    def __init__(self) -> None:
        super().__init__()
        self.noisy: Tensor | None = None

    def begin(self) -> None:
        """Forget the picture, and what was gathered."""
        self.noisy = None
        self.forget()

    def observe(self, denoise: Denoise, noisy: Tensor, output: Tensor) -> None:
        """Gather a step's output; with another picture, begin anew."""
        if self.noisy is None or not torch.equal(self.noisy.to(noisy), noisy):
            self.forget()
        self.noisy = noisy  # also of a checkpoint's picture, which need not be on this device
        self.gather(denoise, output)

    def forward(self, denoise: Denoise, noisy: Tensor, generator: Generator) -> Tensor:  # noqa: ARG002
        """Return what was gathered, or one pass where nothing was.

        Raises:
            UserError: the picture is not the one that was fitted.
        """
        if self.noisy is None:
            return denoise(noisy)
        if not torch.equal(self.noisy.to(noisy), noisy):
            raise UserError(
                f"{type(self).__name__} holds the result of the one picture that was fitted, and this is another one: "
                "fit it anew, with `torchdenoise denoise --recipe`"
            )
        return self.result().to(noisy)

    @abstractmethod
    def forget(self) -> None:
        """Forget what was gathered."""

    @abstractmethod
    def gather(self, denoise: Denoise, output: Tensor) -> None:
        """Take in a step's output."""

    @abstractmethod
    def result(self) -> Tensor:
        """Return the clean image."""


class RunningMean(AccumulatingReadout, source="Ulyanov, Vedaldi & Lempitsky, Deep Image Prior, CVPR 2018"):
    """The exponential mean of the outputs: ``keep`` of the mean so far and the rest of the newest one, at each step.

    For losses that have the network make the whole picture, as it lies: not halves of it, nor one that is flipped.

    Args:
        keep: from 0 (the last output) to nearly 1.

    Raises:
        UserError: ``keep`` below 0, or 1 and above; in a fit, outputs of another size than the picture.

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

    def forget(self) -> None:
        """Forget the mean."""
        self.mean = None

    def gather(self, denoise: Denoise, output: Tensor) -> None:  # noqa: ARG002
        """Let the output into the mean; the first one is the mean."""
        assert self.noisy is not None
        if output.shape != self.noisy.shape:
            raise UserError("RunningMean: this method's steps do not make the whole picture: choose another readout")
        self.mean = output if self.mean is None else self.keep * self.mean.to(output) + (1 - self.keep) * output

    def result(self) -> Tensor:
        """Return the mean."""
        assert self.mean is not None
        return self.mean

    def get_extra_state(self) -> dict[str, Any]:
        """Return the picture and the mean."""
        return {"noisy": self.noisy, "mean": self.mean}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take the picture and the mean of a checkpoint."""
        self.noisy, self.mean = state["noisy"], state["mean"]


class LastMean(AccumulatingReadout, source="Lequyer et al., Noise2Fast, Nature Machine Intelligence 2022, their code"):
    """The mean of the last passes over the picture, and the end of the fit when they come no nearer to it.

    Before each update the picture goes through the network once more. A channel ends after more than ``patience`` steps
    in a row whose mean squared difference to the noisy one is no new minimum; its mean stays as it is then. The fit
    ends with the last channel. All ``count`` pictures are in memory.

    Args:
        count: of passes in the mean.
        patience: steps without a new minimum that are borne.

    Raises:
        UserError: a count below 1 or a patience below 0.

    Example:
        >>> readout, noisy = LastMean(count=2, patience=1), torch.zeros(1, 1, 1, 1)
        >>> for value in (4.0, 5.0, 6.0):
        ...     readout.observe(lambda image: image + value, noisy, noisy)
        >>> readout.finished, readout(lambda image: image, noisy, torch.Generator()).item()
        (True, 5.5)
    """

    kept: ClassVar[tuple[str, ...]] = ("noisy", "ended", "least", "since", "resumed", "finished")
    """What checkpoints hold, beside the passes."""

    def __init__(self, count: int = 105, patience: int = 100) -> None:
        super().__init__()
        if count < 1 or patience < 0:
            raise UserError(f"LastMean: count {count} must be at least 1 and patience {patience} at least 0")
        self.count = count
        self.patience = patience
        self.forget()

    def forget(self) -> None:
        """Forget the passes and the minima."""
        self.passes: deque[Tensor] = deque(maxlen=self.count)
        self.ended: dict[int, Tensor] = {}
        """The mean of each channel that has ended."""
        self.least: dict[int, float] = {}
        self.since: dict[int, int] = {}
        self.resumed = False
        self.finished = False

    def resume(self, channels: Iterable[int]) -> None:
        """Gather anew for some channels, which have ended with nothing; the others keep their means."""
        self.resumed = True
        self.passes.clear()
        for channel in channels:
            for known in (self.ended, self.least, self.since):
                known.pop(channel, None)
        self.finished = False

    def gather(self, denoise: Denoise, output: Tensor) -> None:  # noqa: ARG002
        """Pass the picture through the network, and see which channels still get nearer to it."""
        assert self.noisy is not None
        denoised = denoise(self.noisy)
        self.passes.append(denoised)
        distances = (denoised - self.noisy).square().mean((0, -2, -1)).tolist()
        for channel, distance in enumerate(distances):
            if channel in self.ended:
                continue
            nearer = distance < self.least.get(channel, inf)
            self.since[channel] = 0 if nearer else self.since[channel] + 1
            self.least[channel] = distance if nearer else self.least[channel]
            if self.since[channel] > self.patience:
                self.ended[channel] = self._mean(channel)
        self.finished = len(self.ended) == len(distances)

    def result(self) -> Tensor:
        """Return the mean of the passes."""
        assert self.noisy is not None
        channels = range(self.noisy.shape[1])
        means = [self.ended[each] if each in self.ended else self._mean(each) for each in channels]
        return torch.stack([mean.to(self.noisy) for mean in means], 1)

    def _mean(self, channel: int) -> Tensor:
        assert self.noisy is not None
        return torch.stack([each[:, channel].to(self.noisy) for each in self.passes]).mean(0)

    def get_extra_state(self) -> dict[str, Any]:
        """Return the picture, the passes, and how long there was no new minimum."""
        return {**{name: getattr(self, name) for name in self.kept}, "passes": list(self.passes)}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take the picture, the passes and the minima of a checkpoint."""
        self.forget()
        for name in self.kept:
            setattr(self, name, state[name])
        self.passes.extend(state["passes"])
