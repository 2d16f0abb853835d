"""Denoising a stack frame by frame: one scaling and one noise profile for all, a frame in memory at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchdenoise.data import Frames, Picture, Planes, Scaling
from torchdenoise.data.alignment import shifted_channels
from torchdenoise.errors import UserError
from torchdenoise.fitting.options import Options
from torchdenoise.fitting.single import Fitted
from torchdenoise.fitting.together import Result
from torchdenoise.noise import FramesNoise

SAMPLED = 9
"""Frames in which the noise is measured."""
SAMPLED_VALUES = 1 << 25
"""Of these frames together, at most; it limits memory. One frame is measured whatever its size."""
FITTED = 32
"""Frames to which a shared network is fitted, at most."""
FITTED_VALUES = 1 << 24
"""Of these frames together, at most; it limits memory. A fit keeps several tensors of this size."""
ADVICE = "give axes such as TYX (--axes TYX), or channels='apart' (--channels apart)"
NO_MASK = "a mask is for one picture, and this is a stack: leave the mask (--mask) and the axes (--axes) out"

NEEDS_STACK = "is for stacks: give axes such as TYX (--axes TYX), or leave it out"


class Restore(Protocol):
    """Denoises images."""

    def __call__(self, images: Sequence[Tensor], neighbours: Sequence[Sequence[Tensor]] = (), /) -> list[Result]:
        """Return the result or error for each noisy image ``(1, C, H, W)`` in 0..1.

        Args:
            images: of one or of different sizes.
            neighbours: for each image, the frames before and after it; none by default.
        """


MakeRestore = Callable[["FrameGroup"], Restore]
"""Returns the function that denoises the frames of a group."""


@dataclass(frozen=True)
class FrameDone:
    """A frame of a stack that is denoised."""

    number: int
    """Of finished frames."""
    frames: int
    """Of all frames."""
    fitted: Fitted
    coarse: bool
    """Whether whole numbers are too coarse for the result."""


class FrameGroup:
    """Frames of one scaling and one noise.

    Args:
        frames: not read yet.
        data_range: as in ``Scaling.of``.
        dtype: of the results, ``"same"`` or ``"float32"``.

    Raises:
        PictureError: as ``Scaling.of``.
    """

    def __init__(self, frames: Frames, data_range: float | tuple[float, float] | None, dtype: Any) -> None:
        self.frames = frames
        scaling = Scaling.of_parts(frames.colours(), frames.values, frames.planes.dtype, data_range)
        self.scaling = scaling.stored_as(dtype)
        self.noise = FramesNoise(self.sample) if len(frames) > 1 else None

    def picture(self, number: int) -> tuple[NDArray[Any], Picture]:
        """Return a frame as it is stored, and for a denoiser."""
        frame = self.frames[number]
        return frame, Picture.of_frame(frame, self.scaling, self.frames.alpha)

    def options(self, options: Options, shared: bool) -> Options:
        """Return the options of a fit to these frames: with their noise, and for a shared fit with some of them."""
        return replace(options, noise=options.noise or self.noise, shared=self.to_fit if shared else None)

    def sample(self) -> list[Tensor]:
        """Return the frames in which the noise is measured, spread over the stack, as images ``(1, C, H, W)``."""
        return self._spread(SAMPLED, SAMPLED_VALUES)

    def to_fit(self) -> list[Tensor]:
        """Return the frames to which a shared network is fitted."""
        return self._spread(FITTED, FITTED_VALUES)

    def _spread(self, most: int, most_values: int) -> list[Tensor]:
        size = self.frames.values // len(self.frames)
        count = max(1, min(len(self.frames), most, most_values // size))
        places = np.linspace(0, len(self.frames) - 1, count).round().astype(int) if count > 1 else [0]
        return [self.picture(int(number))[1].image for number in places]

    def shifted(self) -> str:
        """Return a sentence if the channels of the frame in the middle are alike but shifted, else nothing."""
        if len(self.frames.groups[0]) == 1:
            return ""
        found = shifted_channels(self.frames[len(self.frames) // 2])
        return f"{found}; {ADVICE}" if found else ""


def frame_groups(
    planes: Planes, together: bool = True, data_range: float | tuple[float, float] | None = None, dtype: Any = "same"
) -> list[FrameGroup]:
    """Return all frames as one group, or each channel's as a group of its own.

    Raises:
        PictureError: as ``Scaling.of``, in any frame; known before any work.
    """
    found = [Frames.together(planes)] if together else Frames.apart(planes)
    return [FrameGroup(frames, data_range, dtype) for frames in found]


def denoise_frames(
    groups: Sequence[FrameGroup],
    make_restore: MakeRestore,
    batch: int = 1,
    on_frame: Callable[[FrameDone], None] | None = None,
    neighbours: int = 0,
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield denoised planes with their numbers; each frame is denoised when its first plane is asked for.

    Args:
        groups: of the frames.
        make_restore: called once for each group.
        batch: frames that are denoised together.
        on_frame: called after each frame.
        neighbours: how many frames before and after a frame the function that denoises it is given.

    Raises:
        UserError: a frame cannot be denoised; the message names it.
    """
    restores = [make_restore(group) for group in groups]
    recent = [_RecentFrames(group, batch, neighbours) for group in groups]
    total = sum(len(group.frames) for group in groups)
    done = 0
    for number, places in _batches(groups, batch):
        group = groups[number]
        found = [recent[number].at(place) for place in places]
        beside = [recent[number].beside(place) for place in places]
        results = restores[number]([picture.image for _, picture in found], beside)
        for place, (frame, picture), result in zip(places, found, results, strict=True):
            done += 1
            if isinstance(result, UserError):
                raise type(result)(f"frame {place + 1} of {len(group.frames)}: {result}") from result
            if on_frame is not None:
                coarse = picture.scaling.rounds_away(result.image, picture.image)
                on_frame(FrameDone(done, total, result, coarse))
            yield from group.frames.split(place, _restored(frame, picture, result.image))


class _RecentFrames:
    """The frames of a group that were read last: neighbours are read once.

    Args:
        group: of the frames.
        batch: frames that are denoised together.
        reach: neighbours before and after a frame.
    """

    def __init__(self, group: FrameGroup, batch: int, reach: int) -> None:
        self._group = group
        self._reach = reach
        axes = len(group.frames.planes.axes.outer)
        self._most = batch + 2 * reach * axes
        self._read: dict[int, tuple[NDArray[Any], Picture]] = {}

    def at(self, place: int) -> tuple[NDArray[Any], Picture]:
        """Return a frame as it is stored, and for a denoiser."""
        if place not in self._read:
            if len(self._read) >= self._most:
                del self._read[next(iter(self._read))]
            self._read[place] = self._group.picture(place)
        return self._read[place]

    def beside(self, place: int) -> list[Tensor]:
        """Return the images of the neighbours of a frame."""
        return [self.at(number)[1].image for number in self._group.frames.beside(place, self._reach)]


def _batches(groups: Sequence[FrameGroup], size: int) -> Iterator[tuple[int, list[int]]]:
    """Yield the number of a group and the places of frames in it; single frames come in the order of their planes."""
    if size == 1:
        all_frames = [(each, at, number) for number, group in enumerate(groups) for at, each in _numbered(group)]
        for _, place, number in sorted(all_frames):
            yield number, [place]
        return
    for number, group in enumerate(groups):
        for first in range(0, len(group.frames), size):
            yield number, list(range(first, min(first + size, len(group.frames))))


def _numbered(group: FrameGroup) -> Iterator[tuple[int, tuple[int, ...]]]:
    return enumerate(group.frames.groups)


def _restored(frame: NDArray[Any], picture: Picture, clean: Tensor) -> NDArray[Any]:
    """Return a denoised frame as it is stored; values that did not change stay exactly as they are."""
    if torch.equal(clean, picture.image):
        return frame.astype(picture.scaling.dtype)
    return picture.restore(clean)
