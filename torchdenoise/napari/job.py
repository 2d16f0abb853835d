"""The work on one layer, in a thread of its own; the viewer looks at how far it is."""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from typing_extensions import override

from torchdenoise.data import Picture, Planes
from torchdenoise.denoisers import Denoiser
from torchdenoise.errors import AssumptionWarning, Stopped, UserError
from torchdenoise.fitting import DEFAULT_RECIPE, Options, Restore, restorer
from torchdenoise.fitting.denoising import FEW_PHOTONS
from torchdenoise.fitting.frames import (
    FrameDone,
    FrameGroup,
    check_frames_memory,
    denoise_frames,
    frame_groups,
)
from torchdenoise.isolation import default_torch_modes, memory_errors

INTERVAL = 0.3
"""Seconds between two previews, at least."""
MAX_SHARE = 0.2
"""Of the time, for previews."""
CANCELLED = "cancelled"


@dataclass(frozen=True)
class Settings:
    """What a user chooses; see ``denoise``."""

    recipe: str = DEFAULT_RECIPE
    strength: float = 1.0
    device: str = "auto"
    channels: str = "auto"
    """How the channels C of a frame are denoised."""
    shared: bool = False
    """Whether one network is fitted for all frames."""
    as_float: bool = False
    """Whether the result is float32."""


class Job:
    """Denoises planes, and shows in its attributes how far it is; ``run`` is for a thread of its own.

    Args:
        planes: of a stack or of one picture.
        settings: of the user.
        should_stop: asked after every step.

    Example:
        >>> from torchdenoise.data import ArrayPlanes, Axes
        >>> job = Job(ArrayPlanes(np.random.rand(8, 9), Axes("YX")), Settings("tv", device="cpu"))
        >>> job.run()
        >>> job.result.shape, job.error
        ((8, 9), '')
    """

    def __init__(self, planes: Planes, settings: Settings, should_stop: Callable[[], bool] = lambda: False) -> None:
        self.should_stop = should_stop
        self.result: NDArray[Any] | None = None
        """Of the shape of the whole; frames that are not done hold a preview, or 0."""
        self.changed = False
        """Whether the result has changed; set back by who has shown it."""
        self.fraction = 0.0
        """Of the work that is done."""
        self.line = "reading"
        """What is being done."""
        self.remarks: list[str] = []
        """What is to be known of the result: its noise, and warnings."""
        self.error = ""
        """Why there is no result."""
        self.over = False
        """Whether the work has ended, in whatever way."""
        self._planes = planes
        self._settings = settings
        self._done = 0  # frames
        self._order: Sequence[tuple[FrameGroup, int]] = ()  # of the frames: group, and place in it
        self._shown: tuple[int, Picture | None] = (-1, None)  # the frame of the last preview

    def run(self) -> None:
        """Do the work; an error of the user, or a stop, becomes a line."""
        self.error = "failed"  # unless it ends in another way
        try:
            with default_torch_modes(), memory_errors(), warnings.catch_warnings():
                warnings.simplefilter("ignore", AssumptionWarning)  # they are among the remarks
                self._denoise()
            self.error = ""
        except Stopped:
            self.error = CANCELLED
        except UserError as error:
            self.error = str(error)
        finally:
            self.over = True

    def _denoise(self) -> None:
        planes, settings = self._planes, self._settings
        check_frames_memory(planes, settings.channels != "apart")
        groups = frame_groups(planes, settings.channels, dtype="float32" if settings.as_float else "same")
        self.result = np.zeros(planes.shape, groups[0].scaling.dtype)
        self._remark(groups.remark)
        for group in groups:
            self._remark(f"warning: {shifted}" if (shifted := group.shifted()) else "")
        places = [
            (numbers, place, at) for at, group in enumerate(groups) for place, numbers in enumerate(group.frames.groups)
        ]
        self._order = [(groups[at], place) for _, place, at in sorted(places)]
        options = Options(
            device=settings.device,
            strength=settings.strength,
            progress=self._step,
            callbacks=[_NowAndThen(self._preview)],
            should_stop=self.should_stop,
        )

        def make_restore(group: FrameGroup) -> Restore:
            return restorer(settings.recipe, None, group.options(options, settings.shared))

        for number, plane in denoise_frames(groups, make_restore, on_frame=self._frame):
            self._put(number, plane)

    def _step(self, step: int, steps: int) -> None:
        self._advance(step / steps, f"step {step} of {steps}" if step < steps else "reading the result")

    def _frame(self, done: FrameDone) -> None:
        self._done = done.number
        self._advance(0.0, "")
        self._remark(done.noise)
        if done.fitted is not None:
            for warning in done.fitted.assumption_warnings:
                self._remark(f"warning: {warning}")
        if done.coarse:
            self._remark(f"warning: {FEW_PHOTONS}: tick float32")

    def _advance(self, part: float, line: str) -> None:
        """Note which part of the present frame is done."""
        frames = len(self._order)
        frame = f"frame {min(self._done + 1, frames)} of {frames}" if frames > 1 else ""
        self.fraction = (self._done + part) / frames
        self.line = ", ".join(filter(None, [frame, line]))

    def _remark(self, line: str) -> None:
        if line and line not in self.remarks:
            self.remarks.append(line)

    def _put(self, number: int, plane: NDArray[Any]) -> None:
        assert self.result is not None
        self._planes.axes.put(self.result, number, plane)
        self.changed = True

    def _preview(self, denoiser: Denoiser) -> None:
        """Store one pass over the present frame, as far as the network is fitted."""
        group, place = self._order[self._done]
        if self._shown[0] != self._done:
            self._shown = self._done, group.picture(place)[1]
        picture = self._shown[1]
        if picture is None or min(picture.image.shape[-2:]) < denoiser.smallest:
            return
        clean = denoiser.preview(picture.image.to(denoiser.device)).nan_to_num().clamp(0, 1).cpu()
        frame = picture.restore(torch.lerp(picture.image, clean, self._settings.strength))
        for number, plane in group.frames.split(place, frame):
            self._put(number, plane)


class _NowAndThen(lightning.Callback):
    """Calls a function with the denoiser of a fit, a few times a second at most."""

    def __init__(self, act: Callable[[Denoiser], None]) -> None:
        self._act = act
        self._next = 0.0

    @override
    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        self._next = time.monotonic() + INTERVAL  # the first steps show nothing

    @override
    def on_train_batch_end(self, trainer: lightning.Trainer, pl_module: Any, *_: Any) -> None:
        start = time.monotonic()
        if start >= self._next:
            self._act(pl_module)
            end = time.monotonic()
            self._next = end + max(INTERVAL, (end - start) / MAX_SHARE)
