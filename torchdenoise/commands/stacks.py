"""Stacks of the command ``denoise``, written while they are denoised."""

import argparse
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchdenoise.errors import AssumptionWarning, UserError
from torchdenoise.paths import picture_suffix, read_errors, shown
from torchdenoise.scenes import Source

if TYPE_CHECKING:
    from torchdenoise.commands.picture_work import Listener
    from torchdenoise.data import Planes
    from torchdenoise.fitting import Options, Restore
    from torchdenoise.fitting.frames import FrameDone, FrameGroup, FrameGroups


def is_stack(source: Source, axes: str | None) -> bool:
    """Return whether a file is denoised frame by frame; one that cannot be read is left to the reader of pictures."""
    from torchdenoise.data import open_planes

    if axes is not None or source.scene is not None:
        return True
    try:
        planes = open_planes(source.path)
    except UserError:
        return True  # the same error again, in its place
    if planes is None:
        return False
    planes.close()
    return True


class _FrameFailed(Exception):  # noqa: N818
    """Carries the error of a frame past the code that writes the result, whose errors name another file."""

    def __init__(self, error: UserError) -> None:
        super().__init__(str(error))
        self.error = error


def denoise_stack(
    pair: tuple[Source, Path], options: argparse.Namespace, wanted: "Options", progress: "Listener"
) -> dict[tuple[Source, Path], UserError]:
    """Denoise a stack and write it frame by frame; return its error by the pair of names, if it fails."""
    from torchdenoise.data import open_planes

    try:
        planes = open_planes(pair[0].path, options.axes, pair[0].scene)
        assert planes is not None
        with planes:
            _denoise(pair, planes, options, wanted, progress)
    except _FrameFailed as failed:
        return {pair: failed.error}
    except UserError as error:
        return {pair: error}
    return {}


def _denoise(
    pair: tuple[Source, Path], planes: "Planes", options: argparse.Namespace, wanted: "Options", progress: "Listener"
) -> None:
    from torchdenoise.data import check_planes_output, write_planes
    from torchdenoise.data.formats import lost_of_planes
    from torchdenoise.data.memory import freed_afterwards
    from torchdenoise.data.stack_masks import read_masks
    from torchdenoise.fitting import restorer
    from torchdenoise.fitting.frames import check_frames_memory, denoise_frames, frame_groups
    from torchdenoise.fitting.trainers import on_cuda

    source, target = pair
    at_once = 1 if on_cuda(options.device) else options.batch  # in the memory of this machine
    dtype = planes.dtype if options.dtype == "same" else options.dtype
    check_planes_output(target, planes, dtype, options.overwrite)
    with read_errors(source):
        check_frames_memory(planes, options.channels != "apart", at_once * options.workers)
    masks = None if options.mask is None else planes.resources.enter_context(read_masks(options.mask, planes))
    with read_errors(source):
        given = wanted.channel_noise or wanted.noise
        groups = frame_groups(planes, options.channels, options.data_range, options.dtype, masks, given)
    remarks = _Remarks(source, progress, planes)
    with read_errors(source):
        remarks.begin(groups)
    suffix = picture_suffix(target)
    if missing := lost_of_planes(suffix, planes):
        remarks.warn(f"not kept in {suffix}: {missing}")

    def make_restore(group: "FrameGroup") -> "Restore":
        chosen = group.options(replace(wanted, on_message=remarks.once), options.fit == "shared")
        restore = restorer(options.recipe, options.ckpt, chosen)

        def restore_and_free(*images: Any) -> Any:
            with freed_afterwards():
                return restore(*images)

        return restore_and_free

    def results() -> Iterator[tuple[int, Any]]:
        try:
            with read_errors(source):
                yield from denoise_frames(groups, make_restore, options.batch, remarks.frame, options.neighbours)
        except UserError as error:
            raise _FrameFailed(error) from error

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)  # printed by the remarks, with the picture's name
        write_planes(target, results(), planes, dtype, options.overwrite)


class _Remarks:
    """What is said about a stack, each line once."""

    def __init__(self, source: Source, progress: "Listener", planes: "Planes") -> None:
        self._source = source
        self._progress = progress
        self._planes = planes
        self._said: set[str] = set()

    def once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._progress.say(line)

    def warn(self, text: str) -> None:
        self.once(f"warning: {shown(self._source)}: {text}")

    def begin(self, groups: "FrameGroups") -> None:
        self._progress.say(f"{shown(self._source)}: axes {groups.describe()}")
        own, letters = self._planes.own_axes, self._planes.axes.letters
        if own and own != letters:
            self.warn(f"the file's own axes are {own}; --axes {letters} is used")
        for lost in self._planes.lost:
            self.warn(f"not kept: {lost}")
        for group in groups:
            if shifted := group.shifted():
                self.warn(shifted)
        if groups.remark:
            self.once(groups.remark)

    def frame(self, done: "FrameDone") -> None:
        from torchdenoise.fitting.denoising import FEW_PHOTONS

        self._progress.frame(done.number, done.frames)
        if done.fitted is None:
            return
        if done.noise:
            self._progress.say(done.noise)
            self._planes.remarks.append(done.noise)
        for warning in done.fitted.assumption_warnings:
            self.warn(warning)
        if done.coarse:
            self.warn(f"{FEW_PHOTONS}: add --dtype float32")
