"""``denoise()``, and the function behind it that the command line uses too."""

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchdenoise.data import ArrayPlanes, Axes, Picture, Planes, Scaling, open_planes, read_picture
from torchdenoise.data.alignment import shifted_channels
from torchdenoise.data.headers import check_fits
from torchdenoise.data.holes import Holes, check_mask, read_mask
from torchdenoise.data.stack_masks import StackMasks, masks_of, read_masks
from torchdenoise.data.tensors import array_of
from torchdenoise.denoisers import Denoiser
from torchdenoise.errors import AssumptionWarning, PictureError, RecipeError, UserError
from torchdenoise.fitting.budget import Budget, Progress
from torchdenoise.fitting.choosing import FITTED, ChosenFits, asks_for_fit
from torchdenoise.fitting.frames import (
    NEEDS_STACK,
    FrameDone,
    FrameGroup,
    Restore,
    advice,
    check_frames_memory,
    denoise_frames,
    frame_groups,
)
from torchdenoise.fitting.options import Options, check_steps, stated_noise
from torchdenoise.fitting.shared import SharedFit, check_shareable
from torchdenoise.fitting.single import Fitted, apply_denoiser, build, fit_image
from torchdenoise.fitting.together import Result, batch_size, fit_each, fit_images, unwrap
from torchdenoise.fitting.trainers import accelerator, on_cuda, stop_callbacks
from torchdenoise.isolation import default_torch_modes
from torchdenoise.noise import NoiseProfile, NoiseSource, find_outliers
from torchdenoise.noise.given import Given
from torchdenoise.recipes import AUTO, load_recipe, starts_trained

Noisy = TypeVar("Noisy", NDArray[Any], Tensor)
DEFAULT_RECIPE = AUTO
CHANNELS = ("auto", "together", "apart")
FEW_PHOTONS = "whole numbers are too coarse for the result, whose values differ by a few steps only"

FITS = ("each", "shared")
_logger = logging.getLogger(__name__)


@default_torch_modes()
def denoise(
    noisy: Noisy | str | Path,
    recipe: str | Path | Mapping[str, Any] | None = None,
    *,
    checkpoint: str | Path | None = None,
    max_steps: int | None = None,
    seed: int | None = None,
    device: str = "auto",
    data_range: float | tuple[float, float] | None = None,
    overrides: Sequence[str] = (),
    progress: Progress | None = None,
    level: float | None = None,
    batch: int | str = 1,
    budget: float | None = None,
    strength: float = 1.0,
    dtype: Any = "same",
    noise: Given | Sequence[Given] | None = None,
    keep_outliers: bool = False,
    mask: NDArray[Any] | str | Path | None = None,
    axes: str | None = None,
    scene: int | str | None = None,
    channel_axis: int | None = None,
    channels: str = "auto",
    fit: str = "each",
    neighbours: int = 0,
    graphs: bool = False,
    should_stop: Callable[[], bool] | None = None,
    **parts: Any,
) -> Noisy | NDArray[Any]:
    """Return the denoised picture: same shape, dtype, range and device as the noisy one.

    Args:
        noisy: an array (H, W) or (H, W, C), a tensor (B, C, H, W) whose pictures are fitted separately, or the path of
            a picture file, a stack among them, which gives an array. Stacks are denoised frame by frame, with one
            scaling and one noise profile for all.
        recipe: a recipe's name, the path of a YAML file, or a dict. It is data and imports nothing: import your own
            modules first, or pass ``parts``. ``auto``, the default, chooses ``pretrained-fast`` or ``fast`` for each
            picture, and ``fast`` where arguments are about a fit: ``max_steps``, ``budget``, ``parts``.
        checkpoint: of an earlier fit, applied without another fit; with a recipe, a new fit starts from its network.
        max_steps: overrides the recipe's.
        seed: overrides the recipe's; for a checkpoint, the default is 0.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        data_range: the white level, or (black, white); by default it follows from the dtype, for floats from the data:
            0 to 1 if they lie there, else from their minimum to their maximum; see ``Scaling.of``.
        overrides: further arguments of the recipe, ``"model.network.width=64"``.
        progress: called with (finished steps, all steps) after every step.
        level: the true standard deviation of Gaussian noise on the 0-255 scale, for recipes called ``...-oracle``.
        batch: number of pictures of a tensor that are fitted together, or ``"auto"``: many on a GPU, one elsewhere.
        budget: seconds per picture; the number of steps is then chosen by the clock of this machine.
        strength: 0 to 1; the result is ``noisy + strength * (result - noisy)``.
        dtype: of the result: ``"same"``, or ``"float32"``, which rounds nothing; the values keep their unit.
        noise: what the noise is, instead of a measurement: a spec such as ``"gaussian:12"`` or
            ``"poisson:30+gaussian:5"``, a noise model, a ``NoiseProfile``, or the path of its file; in units of the
            white level (``data_range``). It is believed; outliers are measured unless a profile states them. For a
            stack, also a list with the noise of each channel, which are then denoised alone.
        keep_outliers: whether hot pixels and other outliers come back unchanged; methods that measure the noise remove
            them by default. The fit does not see them in either case.
        mask: (H, W), an array or a picture file; where it is not 0, pixels are not seen by the fit and keep their
            value. So do NaN, transparent pixels, and those that a NumPy masked array hides. For a stack, one mask for
            all frames, one for each, or an array of the stack's shape.
        axes: a letter for each axis of the array or the file, ``"TCYX"``: T time, Z depth, C channel, Y row, X column,
            S samples (RGB); from the file by default, for arrays (H, W) or (H, W, C) with C from 1 to 4.
        scene: of a file of several scenes (series, positions), by number from 1 on or by name.
        channel_axis: the number of the channel axis, as in scikit-image, instead of ``axes``.
        channels: ``"together"`` denoises the channels C of a frame as one image, ``"apart"`` each alone; ``"auto"``
            does the latter where their noise is measured and differs.
        fit: ``"each"`` fits a network to each frame of a stack, ``"shared"`` one for all, to frames of the whole stack.
        neighbours: how many frames before and after a frame, along T or Z, may hold patches similar to its own.
        graphs: record the steps of a fit on a CUDA device and replay them, which waits less; see ``StepGraphs``.
        should_stop: called after every step, and before the result of each picture or frame; if it returns True, the
            work ends at once with ``Stopped``.
        parts: constructor arguments of the denoiser as objects: ``loss=MyLoss()``, ``network=SmallCNN(width=64)``.

    The caller's random state, warnings and signal handlers are restored. Autocast, default devices and gradient modes
    around the call change nothing.

    Warns:
        AssumptionWarning: the noise violates the method's assumptions, or whole numbers are too coarse for the result.

    Raises:
        UserError: a mistake that the caller can fix; the message says how.
        Stopped: ``should_stop`` returned True; there is no result.

    Example:
        >>> noisy = (torch.rand(1, 3, 8, 8) * 255).byte()
        >>> denoise(noisy, max_steps=2).shape
        torch.Size([1, 3, 8, 8])
        >>> denoise(noisy, max_steps=2, strength=0.7, dtype="float32").dtype
        torch.float32
        >>> denoise(np.random.rand(2, 5, 8, 8), axes="TCYX", max_steps=2).shape
        (2, 5, 8, 8)
        >>> denoise(np.random.rand(3, 8, 8), axes="ZYX", fit="shared", neighbours=1, max_steps=2).shape
        (3, 8, 8)
    """
    options = Options(
        max_steps, seed, device, overrides, progress, level, parts, budget=budget, strength=strength,
        keep_outliers=keep_outliers, neighbours=neighbours, graphs=graphs, should_stop=should_stop,
        **stated_noise(noise),
    )  # fmt: skip
    check_word("channels", channels, CHANNELS)
    check_word("fit", fit, FITS)
    together = batch_size(batch, device)
    if isinstance(noisy, Tensor):
        if axes is not None or channel_axis is not None or scene is not None:
            raise UserError("axes, channel_axis and scene are for arrays and files: a tensor is (B, C, H, W)")
        if mask is not None:
            raise PictureError("a mask is for one picture: give an array (H, W) or (H, W, C) instead of a tensor")
        _refuse_without_stack(fit, neighbours)
        return _denoise_batch(noisy, data_range, restorer(recipe, checkpoint, options), options, together, dtype)
    planes = _planes(noisy, axes, channel_axis, scene)
    if planes is not None:
        with planes:
            check_frames_memory(planes, channels != "apart", 1 if on_cuda(device) else together)
            masks = _stack_masks(noisy, mask, planes)
            groups = frame_groups(planes, channels, data_range, dtype, masks, options.channel_noise or options.noise)
            _log(groups.remark)
            clean_planes = _denoise_planes(planes, groups, recipe, checkpoint, options, together, fit == "shared")
        return _masked_like(noisy, clean_planes)
    _refuse_without_stack(fit, neighbours)
    restore = restorer(recipe, checkpoint, options)
    if isinstance(noisy, np.ndarray):
        picture = Picture.from_array(np.ma.getdata(noisy), data_range, mask=_hidden(noisy, mask))
        _warn_of_shift(noisy if noisy.shape[2:] == (3,) else None)
    else:
        check_fits(Path(noisy))
        picture = read_picture(noisy, data_range, _hidden(None, mask))
        for note in picture.notes:
            warnings.warn(f"{noisy}: {note}", stacklevel=3)
    options.check_values(picture.scaling.values)
    target = picture.stored_as(dtype)
    (result,) = restore([picture.image])
    clean = _clean(result)
    _warn_of_rounding(target.scaling.rounds_away(clean, picture.image))
    restored = target.restore(clean)
    restored = _masked_like(noisy, restored)
    same = target.scaling is picture.scaling
    return restored.astype(noisy.dtype, copy=False) if isinstance(noisy, np.ndarray) and same else restored


def check_word(name: str, word: str, words: Sequence[str]) -> None:
    """Raise UserError unless an argument is one of some words."""
    if word not in words:
        raise UserError(f"{name}={word!r}: give {', '.join(map(repr, words[:-1]))} or {words[-1]!r}")


def _refuse_without_stack(fit: str, neighbours: int) -> None:
    for argument in ["fit='shared'"] * (fit == "shared") + [f"neighbours={neighbours}"] * (neighbours > 0):
        raise UserError(f"{argument} {NEEDS_STACK}")


def _hidden(noisy: NDArray[Any] | None, mask: NDArray[Any] | str | Path | None) -> Holes | None:
    """Return the mask that is given, with what the mask of a NumPy masked array hides."""
    given = None if mask is None else read_mask(mask) if isinstance(mask, (str, Path)) else check_mask(mask)
    if noisy is None or not np.ma.is_masked(noisy):
        return given
    hidden = np.ma.getmaskarray(noisy)
    own: Holes = np.asarray(hidden.any(-1) if hidden.ndim == 3 else hidden)
    return own if given is None else own | given


def _masked_like(noisy: Any, result: NDArray[Any]) -> NDArray[Any]:
    """Return a result with the mask of a NumPy masked array, if ``noisy`` is one."""
    return np.ma.MaskedArray(result, mask=noisy.mask) if isinstance(noisy, np.ma.MaskedArray) else result


def _stack_masks(
    noisy: NDArray[Any] | str | Path, mask: NDArray[Any] | str | Path | None, planes: Planes
) -> StackMasks | None:
    """Return the masks that are given, or that a NumPy masked array brings along."""
    if isinstance(mask, (str, Path)):
        return planes.resources.enter_context(read_masks(mask, planes))
    hidden = np.ma.getmaskarray(noisy) if isinstance(noisy, np.ndarray) and np.ma.is_masked(noisy) else None
    if mask is not None and hidden is not None:
        raise PictureError("the array has a mask of its own: leave mask out, or pass numpy.ma.getdata(noisy)")
    given = hidden if mask is None else np.asarray(mask)
    return None if given is None else masks_of(given, planes)


def _planes(
    noisy: NDArray[Any] | str | Path, axes: str | None, channel_axis: int | None, scene: int | str | None
) -> Planes | None:
    """Return the planes of an array or a file; None for a single picture."""
    if scene is not None and not isinstance(noisy, (str, Path)):
        raise UserError(f"scene={scene!r} is for files: leave it out")
    if isinstance(noisy, np.ndarray):
        if axes is None and channel_axis is None:
            return None
        return ArrayPlanes(np.ma.getdata(noisy), Axes.of(noisy.shape, axes, channel_axis))
    if not isinstance(noisy, (str, Path)):
        raise UserError(f"cannot denoise a {type(noisy).__name__}: give a NumPy array, a tensor or a file's path")
    if channel_axis is not None:
        raise UserError("channel_axis is for arrays: give axes, such as axes='TCYX'")
    return open_planes(noisy, axes, scene)


def _denoise_planes(
    planes: Planes,
    groups: Sequence[FrameGroup],
    recipe: str | Path | Mapping[str, Any] | None,
    checkpoint: str | Path | None,
    options: Options,
    batch: int,
    shared: bool,
) -> NDArray[Any]:
    """Return the array of denoised frames."""

    def make_restore(group: FrameGroup) -> Restore:
        return restorer(recipe, checkpoint, group.options(options, shared))

    coarse = []

    def on_frame(done: FrameDone) -> None:
        coarse.append(done.coarse)
        _log(done.noise)

    for group in groups:
        if shifted := group.shifted():
            warnings.warn(shifted, AssumptionWarning, stacklevel=4)
    result = np.empty(planes.shape, groups[0].scaling.dtype)
    for number, plane in denoise_frames(groups, make_restore, batch, on_frame, options.neighbours):
        planes.axes.put(result, number, plane)
    _warn_of_rounding(any(coarse))
    return result


def _clean(result: Result) -> Tensor:
    """Return the clean image and log what was found of its noise, or raise the error."""
    _log(result.noise if isinstance(result, Fitted) else "")
    return unwrap(result)


def _log(line: str) -> None:
    if line:
        _logger.info(line)


def _warn_of_shift(noisy: NDArray[Any] | None) -> None:
    found = "" if noisy is None else shifted_channels(noisy)
    if found:
        warnings.warn(f"{found}; {advice(Axes('YXS'))}", AssumptionWarning, stacklevel=4)


def _warn_of_rounding(coarse: bool) -> None:
    if coarse:
        warnings.warn(f"{FEW_PHOTONS}: pass dtype='float32' (--dtype float32)", AssumptionWarning, stacklevel=4)


def restorer(recipe: str | Path | Mapping[str, Any] | None, checkpoint: str | Path | None, options: Options) -> Restore:
    """Return the function that denoises images by a fit, by a checkpoint, or by a fit that starts from one.

    Raises:
        UserError: the recipe, an override, the checkpoint or the device is wrong; known before any work is done.
    """
    if options.max_steps is not None or options.budget is not None:
        check_steps(options.words())
    restore = _full_restorer(recipe, checkpoint, options)
    if options.strength == 0:
        return _unchanged
    if options.keep_outliers:
        restore = _finished(restore, lambda noisy, clean: torch.where(_outliers(noisy, options.noise), noisy, clean))
    if options.strength < 1:
        restore = _finished(restore, lambda noisy, clean: torch.lerp(noisy, clean, options.strength))
    return restore


def _unchanged(images: Sequence[Tensor], _: Sequence[Sequence[Tensor]] = (), /) -> list[Result]:
    return [Fitted(image.cpu()) for image in images]


def _finished(restore: Restore, finish: Callable[[Tensor, Tensor], Tensor]) -> Restore:
    """Return a function that changes each result; ``finish`` is called with the noisy image and the clean one."""

    def finished(images: Sequence[Tensor], neighbours: Sequence[Sequence[Tensor]] = (), /) -> list[Result]:
        return [
            result if isinstance(result, UserError) else replace(result, image=finish(noisy.cpu(), result.image))
            for noisy, result in zip(images, restore(images, neighbours), strict=True)
        ]

    return finished


def _outliers(noisy: Tensor, given: NoiseProfile | NoiseSource | None) -> Tensor:
    """Return where an image has outliers, as the given noise states or as they are measured."""
    stated = given.outliers if isinstance(given, NoiseProfile) else None
    return find_outliers(noisy).mask if stated is None else stated.to(noisy.device)


def _full_restorer(
    recipe: str | Path | Mapping[str, Any] | None, checkpoint: str | Path | None, options: Options
) -> Restore:
    """Return the function that denoises images with full strength."""
    accelerator(options.device)
    start = None if checkpoint is None else Denoiser.load(checkpoint)
    if start is not None and recipe is None:
        unused = [name for name in ("max_steps", "overrides", "parts", "budget") if getattr(options, name)]
        unused += ["fit='shared' (--fit shared)"] if options.shared else []
        if unused:
            raise RecipeError(
                f"a checkpoint is applied without a fit: leave {' and '.join(unused)} out, or name a recipe whose fit "
                "starts from it"
            )

        _check_use(start, options)
        start.given_noise = options.noise

        def apply(image: Tensor, neighbours: Sequence[Tensor]) -> Fitted:
            clean = apply_denoiser(start, image, options.device, stop_callbacks(options), options.seed or 0, neighbours)
            return Fitted(clean, noise=start.noise_line())

        return _for_any_size(lambda images, near=(): fit_each(images, apply, near), start.smallest)
    name = FITTED if recipe in (None, AUTO) else recipe
    if name != recipe and start is None and not asks_for_fit(options):
        return _for_any_size(ChosenFits(options), Denoiser.smallest)
    loaded = name if isinstance(name, Mapping) else load_recipe(str(name))
    if start is None:
        _check_start(str(name), options)
    else:
        options = replace(options, parts={"network": start.result_network, **options.parts})
    denoiser = build(loaded, options)
    _check_use(denoiser, options)
    if options.budget is not None and not denoiser.stages():
        raise RecipeError("a budget chooses the number of steps, and this recipe has none")
    budget = None if options.budget is None else _budget(options.budget, loaded, options)
    if options.shared is not None:
        frames = options.shared
        large = replace(options, shared=lambda: [_enlarged(frame, denoiser.smallest) for frame in frames()])
        shared = SharedFit(loaded, large, None if budget is None else budget.steps)
        return _for_any_size(lambda images, near=(): fit_each(images, shared.denoise, near), denoiser.smallest)
    if budget is None:
        return _for_any_size(lambda images, near=(): fit_images(images, loaded, options, near), denoiser.smallest)

    def fit(image: Tensor, neighbours: Sequence[Tensor]) -> Fitted:
        return budget.fit(image, options.progress, neighbours)

    return _for_any_size(lambda images, near=(): fit_each(images, fit, near), denoiser.smallest)


def _budget(seconds: float, recipe: Mapping[str, Any], options: Options) -> Budget[Fitted]:
    def fit(
        image: Tensor,
        steps: int,
        progress: Progress | None,
        callbacks: Sequence[lightning.Callback] = (),
        neighbours: Sequence[Tensor] = (),
    ) -> Fitted:
        limited = replace(options, budget=None, max_steps=steps, progress=progress)
        return fit_image(image, recipe, replace(limited, callbacks=[*options.callbacks, *callbacks]), neighbours)

    return Budget(seconds, fit, options.on_message)


def _for_any_size(restore: Restore, smallest: int) -> Restore:
    """Return a function that mirrors images at their edges until they have the method's smallest size."""

    def cut(result: Result, like: Tensor) -> Result:
        if isinstance(result, UserError) or result.image.shape == like.shape:
            return result
        return replace(result, image=result.image[..., : like.shape[-2], : like.shape[-1]])

    def restored(images: Sequence[Tensor], neighbours: Sequence[Sequence[Tensor]] = (), /) -> list[Result]:
        beside = [[_enlarged(image, smallest) for image in near] for near in neighbours]
        results = restore([_enlarged(image, smallest) for image in images], beside)
        return [cut(result, image) for result, image in zip(results, images, strict=True)]

    return restored


def _enlarged(image: Tensor, smallest: int) -> Tensor:
    missing = [(0, max(smallest - size, 0)) for size in image.shape[-2:]]
    if not any(after for _, after in missing):
        return image
    return torch.from_numpy(np.pad(image.cpu().numpy(), [(0, 0), (0, 0), *missing], mode="symmetric"))


def _check_start(name: str, options: Options) -> None:
    """Refuse a recipe that starts from a trained network and has none."""
    if starts_trained(name) and not options.gives("network"):
        raise RecipeError(f"{name} starts from a trained network: give checkpoint=FILE (--ckpt FILE)")


def _check_use(denoiser: Denoiser, options: Options) -> None:
    """Refuse what would have no effect: a given noise, a shared fit, neighbours."""
    if options.shared is not None:
        check_shareable(denoiser)
    if options.neighbours and not denoiser.active_readout().uses_neighbours:
        raise RecipeError(
            f"{type(denoiser).__name__} with {type(denoiser.active_readout()).__name__} looks for no similar patches: "
            f"leave neighbours={options.neighbours} (--neighbours) out, or choose instant, fast or best"
        )
    if isinstance(options.noise, NoiseProfile) and not denoiser.uses_noise:
        raise RecipeError(
            f"{type(denoiser).__name__} makes no use of a given noise: leave it out, or choose a recipe that does, "
            "such as fast, instant or best"
        )


def _denoise_batch(
    noisy: Tensor,
    data_range: float | tuple[float, float] | None,
    restore: Restore,
    options: Options,
    batch: int,
    dtype: Any,
) -> Tensor:
    array = array_of(noisy)
    if noisy.ndim != 4:
        raise PictureError(f"a tensor must be (B, C, H, W), this one is {tuple(noisy.shape)}; try noisy[None]")
    scaling = Scaling.of(array, data_range)
    options.check_values(scaling.values)
    target, unclamped = scaling.stored_as(dtype), scaling.to_unit(array)
    images = torch.split(scaling.hide_outliers(unclamped), 1)
    clean = torch.cat(
        [_clean(result) for start in range(0, len(images), batch) for result in restore(images[start : start + batch])]
    )
    _warn_of_rounding(target.rounds_away(clean, unclamped))
    restored = torch.from_numpy(target.from_unit(scaling.keep_outliers(clean, unclamped)))
    return restored.to(noisy.device, noisy.dtype if target is scaling else restored.dtype)
