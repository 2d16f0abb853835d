"""Denoising a stack frame by frame: one scaling and one noise profile for all, a frame in memory at a time."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override

from torchdenoise.data import Axes, Frames, Picture, Planes, Scaling
from torchdenoise.data.alignment import shifted_channels
from torchdenoise.data.holes import NOTHING_LEFT, Holes, missing_pixels
from torchdenoise.data.memory import check_fit_memory
from torchdenoise.data.stack_masks import StackMasks
from torchdenoise.errors import PictureError, UserError
from torchdenoise.fitting.options import Options
from torchdenoise.fitting.single import Fitted
from torchdenoise.fitting.together import Result
from torchdenoise.noise import FramesNoise, NoiseProfile, NoiseSource
from torchdenoise.noise.channels import level_mismatch

SAMPLED = 9
"""Frames in which the noise is measured."""
SAMPLED_VALUES = 1 << 25
"""Of these frames together, at most; it limits memory. One frame is measured whatever its size."""
FITTED = 32
"""Frames to which a shared network is fitted, at most."""
FITTED_VALUES = 1 << 24
"""Of these frames together, at most; it limits memory. A fit keeps several tensors of this size."""
MAX_MISMATCH = 1.25
"""Of noise levels, up to which channels are denoised together; photographs and equally bright dyes give up to 1.16."""
DENOISED_APART = "the noise of the channels differs: each is denoised alone (--channels together: as one image)"
OWN_NOISE = "each channel is denoised alone, with the noise that is given for it"
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
    fitted: Fitted | None
    """None if no pixel of the frame has a value."""
    coarse: bool
    """Whether whole numbers are too coarse for the result."""
    noise: str = ""
    """A line about the noise of the frame's group, with the first frame for which there is one; else nothing."""


class FrameGroup:
    """Frames of one scaling and one noise.

    Args:
        frames: not read yet.
        data_range: as in ``Scaling.of``.
        dtype: of the results, ``"same"`` or ``"float32"``.
        masks: of the frames.
        name: of the channel, where the frames are those of one of several; else nothing.
        given: what the noise of this channel is, where each has its own.

    Raises:
        PictureError: as ``Scaling.of``.
    """

    def __init__(
        self,
        frames: Frames,
        data_range: float | tuple[float, float] | None,
        dtype: Any,
        masks: StackMasks | None = None,
        name: str = "",
        given: NoiseProfile | None = None,
    ) -> None:
        self.frames = frames
        self._given = given
        self.name = name
        self._masks = masks
        scaling = Scaling.of_parts(self._values(), frames.values, frames.planes.dtype, data_range)
        self.values, self.scaling = scaling.values, scaling.stored_as(dtype)
        several = len(frames) > 1 or len(frames.groups[0]) > 1  # frames or channels
        self.noise = FramesNoise(self.sample) if several else None

    def picture(self, number: int) -> tuple[NDArray[Any], Picture | None]:
        """Return a frame as it is stored, and for a denoiser; None for one without any values."""
        frame = self.frames[number]
        holes = self._holes(number, frame)
        if holes.all():
            return frame, None
        return frame, Picture.of_frame(frame, self.scaling, self.frames.alpha, holes if holes.any() else None)

    def _holes(self, number: int, frame: NDArray[Any]) -> Holes:
        """Return where a frame has no value."""
        colours, alpha = frame[..., None] if frame.ndim == 2 else frame, None
        mask = None if self._masks is None else self._masks.of_frame(number, self.frames.groups[number])
        if self.frames.alpha:
            colours, alpha = colours[..., :-1], colours[..., -1]
        return missing_pixels(colours, alpha, self.frames.planes.nodata, mask)

    def _values(self) -> Iterator[NDArray[Any]]:
        """Yield the values of each frame that has any, without its holes."""
        some = False
        for number in range(len(self.frames)):
            frame = self.frames[number]
            holes = self._holes(number, frame)
            colours = frame[..., :-1] if self.frames.alpha else frame
            if not holes.all():
                some = True
                yield colours[~holes] if holes.any() else colours
        if not some:
            raise PictureError(NOTHING_LEFT)

    def options(self, options: Options, shared: bool) -> Options:
        """Return the options of a fit to these frames: with their noise, and for a shared fit with some of them.

        Raises:
            UserError: the given noise is that of pictures with another black or white.
        """
        if self._given is not None:
            options = replace(options, noise=self._given, channel_noise=())
        options.check_values(self.values)
        return replace(options, noise=options.noise or self.noise, shared=self.to_fit if shared else None)

    def sample(self) -> list[Tensor]:
        """Return the frames in which the noise is measured, as images ``(1, C, H, W)``."""
        return self._spread(SAMPLED, SAMPLED_VALUES)

    def to_fit(self) -> list[Tensor]:
        """Return the frames to which a shared network is fitted."""
        return self._spread(FITTED, FITTED_VALUES)

    def _spread(self, most: int, most_values: int) -> list[Tensor]:
        """Return frames spread over the stack that have values, as images ``(1, C, H, W)``."""
        size = self.frames.values // len(self.frames)
        count = max(1, min(len(self.frames), most, most_values // size))
        places = np.linspace(0, len(self.frames) - 1, count).round().astype(int) if count > 1 else [0]
        others = set(range(len(self.frames))).difference(map(int, places))
        found = (self.picture(int(number))[1] for number in [*places, *sorted(others)])
        seen = (picture.image for picture in found if picture is not None)
        return list(itertools.islice(seen, count))

    def channels_differ(self) -> bool:
        """Return whether the channels of a frame have noise that no one level function describes."""
        if len(self.frames.groups[0]) == 1 or self.noise is None:
            return False
        return level_mismatch(torch.cat(self.sample(), -2), self.noise.profile) > MAX_MISMATCH

    def noise_line(self, found: str) -> str:
        """Return a line about the noise with the channel's name and what its 255 stands for; nothing for no line."""
        return ": ".join(filter(None, [self.name, self.values.beside(found)])) if found else ""

    def shifted(self) -> str:
        """Return a sentence if the channels of the frame in the middle are alike but shifted, else nothing."""
        if len(self.frames.groups[0]) == 1:
            return ""
        _, picture = self.picture(len(self.frames) // 2)
        found = "" if picture is None else shifted_channels(picture.image[0].permute(1, 2, 0).numpy())
        return f"{found}; {advice(self.frames.planes.axes, self.frames.planes.own_axes)}" if found else ""


def advice(axes: Axes, own: str = "") -> str:
    """Return what to do where channels may be frames: give the file's own axes, if it has others, else frames for them.

    Example:
        >>> advice(Axes("CTYX"), "TCYX").partition(",")[0], advice(Axes("CTYX")).partition(",")[0]
        ("give axes='TCYX' (--axes TCYX)", "give axes='ZTYX' (--axes ZTYX)")
    """
    better = own if own and own != axes.letters else axes.without_channels().letters
    return f"give axes='{better}' (--axes {better}), or channels='apart' (--channels apart)"


@dataclass(frozen=True)
class FrameGroups(Sequence[FrameGroup]):
    """All frames of a stack as one group, or each channel's as a group of its own.

    Args:
        planes: of the stack.
        groups: of its frames.
        remark: why the channels are apart, if their noise decided that.
    """

    planes: Planes
    groups: Sequence[FrameGroup]
    remark: str = ""

    def describe(self) -> str:
        """Return axes, shape and number of frames in one line."""
        frames = sum(len(group.frames) for group in self)
        shape = "x".join(map(str, self.planes.shape))
        return f"{self.planes.axes.letters}, {shape}, {frames} frame{'s' * (frames > 1)}"

    @override
    def __len__(self) -> int:
        return len(self.groups)

    @overload
    def __getitem__(self, number: int) -> FrameGroup: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[FrameGroup]: ...
    @override
    def __getitem__(self, number: int | slice) -> FrameGroup | Sequence[FrameGroup]:
        """Return a group, or several."""
        return self.groups[number]


def frame_groups(
    planes: Planes,
    channels: str = "together",
    data_range: float | tuple[float, float] | None = None,
    dtype: Any = "same",
    masks: StackMasks | None = None,
    noise: NoiseProfile | NoiseSource | Sequence[NoiseProfile] | None = None,
) -> FrameGroups:
    """Return all frames as one group, or each channel's as a group of its own; pixels of ``masks`` are hidden.

    Args:
        planes: of the stack.
        channels: ``together``, ``apart``, or ``auto``: apart where their noise is measured and differs.
        data_range: as in ``Scaling.of``.
        dtype: of the results.
        masks: of the frames.
        noise: that is given and believed, so that ``auto`` measures none; if it is one of each channel, they are apart.

    Raises:
        PictureError: as ``Scaling.of``, in any frame; known before any work.
        UserError: the noise of another number of channels, or of each for channels together.
    """
    own = list(noise) if isinstance(noise, Sequence) else []
    if own and channels == "together":
        raise UserError(f"{len(own)} noise profiles, one for each channel: leave channels='together' (--channels) out")
    if channels != "apart" and not own:
        group = FrameGroup(Frames.together(planes), data_range, dtype, masks)
        if channels == "together" or noise is not None or not group.channels_differ():
            return FrameGroups(planes, [group])
    parts = Frames.apart(planes)
    if own and len(own) != len(parts):
        raise UserError(f"{len(own)} noise profiles for {len(parts)} channel(s): give one for each, or one for all")
    names = [f"channel {number}" for number in range(1, len(parts) + 1)] if len(parts) > 1 else [""]
    given = own or itertools.repeat(None, len(parts))
    groups = [
        FrameGroup(frames, data_range, dtype, masks, name, profile)
        for frames, name, profile in zip(parts, names, given, strict=True)
    ]
    return FrameGroups(planes, groups, OWN_NOISE if own else DENOISED_APART if channels == "auto" else "")


def check_frames_memory(planes: Planes, together: bool = True, at_once: int = 1) -> None:
    """Raise PictureError if memory is too small to denoise a frame, or so many at once; nothing is read for that."""
    height, width, *samples = planes.axes.plane_shape(planes.shape)
    channels = len(planes.axes.frames(planes.shape, together)[0])
    check_fit_memory(width, height, channels * math.prod(samples), at_once)


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
    said: set[int] = set()
    done = 0
    for number, places in _batches(groups, batch):
        group = groups[number]
        for place, frame, fitted, coarse in _fitted(recent[number], places, restores[number]):
            done += 1
            noise = "" if fitted is None or number in said else group.noise_line(fitted.noise)
            said |= {number} if noise else set()
            if on_frame is not None:
                on_frame(FrameDone(done, total, fitted, coarse, noise))
            yield from group.frames.split(place, frame)


def _fitted(
    recent: "_RecentFrames", places: Sequence[int], restore: Restore
) -> Iterator[tuple[int, NDArray[Any], Fitted | None, bool]]:
    """Yield the place of each of some frames, the frame as it is stored when denoised, and what is said about it."""
    found = {place: recent.at(place) for place in places}
    seen = {place: picture for place, (_, picture) in found.items() if picture is not None}
    beside = [recent.beside(place) for place in seen]
    results = iter(restore([picture.image for picture in seen.values()], beside) if seen else [])
    for place, (frame, picture) in found.items():
        if picture is None:
            yield place, frame.astype(recent.group.scaling.dtype), None, False
            continue
        result = next(results)
        if isinstance(result, UserError):
            raise type(result)(f"frame {place + 1} of {len(recent.group.frames)}: {result}") from result
        coarse = picture.scaling.rounds_away(result.image, picture.image)
        yield place, _restored(frame, picture, result.image), result, coarse


class _RecentFrames:
    """The frames of a group that were read last: neighbours are read once.

    Args:
        group: of the frames.
        batch: frames that are denoised together.
        reach: neighbours before and after a frame.
    """

    def __init__(self, group: FrameGroup, batch: int, reach: int) -> None:
        self.group = group
        self._reach = reach
        axes = len(group.frames.planes.axes.outer)
        self._most = batch + 2 * reach * axes
        self._read: dict[int, tuple[NDArray[Any], Picture | None]] = {}

    def at(self, place: int) -> tuple[NDArray[Any], Picture | None]:
        """Return a frame as it is stored, and for a denoiser; None for one without any values."""
        if place not in self._read:
            if len(self._read) >= self._most:
                del self._read[next(iter(self._read))]
            self._read[place] = self.group.picture(place)
        return self._read[place]

    def beside(self, place: int) -> list[Tensor]:
        """Return the images of the neighbours of a frame that have values."""
        pictures = (self.at(number)[1] for number in self.group.frames.beside(place, self._reach))
        return [picture.image for picture in pictures if picture is not None]


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
