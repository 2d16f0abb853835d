"""Fits to several images, together as stacked networks or one after the other."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from torchdenoise.data import SeveralImages
from torchdenoise.data.memory import freed_afterwards
from torchdenoise.denoisers import Stack, stacking_obstacle
from torchdenoise.errors import OutOfMemoryError, UserError
from torchdenoise.fitting.options import Options
from torchdenoise.fitting.single import Fitted, build_objects, fit_image, zero_shot_data
from torchdenoise.fitting.trainers import make_trainer, on_cuda
from torchdenoise.isolation import interruptible, memory_errors, quiet, restored_random_state, seed_all
from torchdenoise.protocols import DataDescription
from torchdenoise.recipes.building import Fit

Result = Fitted | UserError
"""The result of a fit, or its error."""


MANY = 32
"""Pictures that a GPU is given together if nobody says how many; halved while they do not go into its memory."""


def batch_size(batch: int | str, device: str) -> int:
    """Return how many pictures to fit together on a device.

    Args:
        batch: a number, or ``"auto"``: many on a GPU, which one small network leaves idle, and one elsewhere, where
            stacked fits are no faster (``docs/results/speed.md``).
        device: by name.

    Raises:
        UserError: another word, or a number below 1.

    Example:
        >>> batch_size("auto", "cpu"), batch_size(4, "cpu")
        (1, 4)
    """
    if batch == "auto":
        return MANY if on_cuda(device) else 1
    if isinstance(batch, str) or batch < 1:
        raise UserError(f"batch={batch}: must be at least 1, or 'auto'")
    return batch


def fit_images(
    images: Sequence[Tensor],
    recipe: Mapping[str, Any],
    options: Options,
    neighbours: Sequence[Sequence[Tensor]] = (),
) -> list[Result]:
    """Return the result or error for each image ``(1, C, H, W)``, of any sizes; neighbours as in ``Restore``.

    The networks of images with the same number of channels and of stages are stacked; each result equals that of
    ``fit_image`` up to rounding. A method that cannot be stacked fits the images one after the other. Those that do not
    go into the memory together are fitted in two halves, and so on.
    """
    obstacle = recipe_stacking_obstacle(recipe, options) if len(images) > 1 else ""
    if obstacle:
        options.on_message(f"{obstacle}: the pictures are fitted one after the other")
    if obstacle or len(images) == 1:
        return fit_each(images, lambda image, near: fit_image(image, recipe, options, near), neighbours)
    near = neighbours or [()] * len(images)
    results: dict[int, Result] = {}
    for channels in {image.shape[1]: None for image in images}:
        numbers = [number for number, image in enumerate(images) if image.shape[1] == channels]
        fitted = _fit_by_halves([(images[number], near[number]) for number in numbers], recipe, options)
        results |= dict(zip(numbers, fitted, strict=True))
    return [results[number] for number in range(len(images))]


def fit_each(
    images: Sequence[Tensor],
    fit: Callable[[Tensor, Sequence[Tensor]], Fitted],
    neighbours: Sequence[Sequence[Tensor]] = (),
) -> list[Result]:
    """Return the result or error of ``fit`` for each image and its neighbours, one after the other."""
    results: list[Result] = []
    for image, near in zip(images, neighbours or [()] * len(images), strict=True):
        try:
            results.append(fit(image, near))
        except UserError as error:
            results.append(error)
    return results


def unwrap(result: Result) -> Tensor:
    """Return the clean image, or raise the error."""
    if isinstance(result, UserError):
        raise result
    return result.image


def recipe_stacking_obstacle(recipe: Mapping[str, Any], options: Options) -> str:
    """Return why fits of a recipe cannot be stacked; an empty string if they can."""
    with restored_random_state(), quiet():
        fit = build_objects(recipe, options)
        cropped = zero_shot_data(fit).crop is not None
    return stacking_obstacle(fit.model) or (
        "data.crop cuts one picture at a time (OnCrops cuts many)" if cropped else ""
    )


def _fit_by_halves(
    images: Sequence[tuple[Tensor, Sequence[Tensor]]], recipe: Mapping[str, Any], options: Options
) -> list[Result]:
    """Return the results of images with the same number of channels; of those for which memory is short, by halves."""
    if len(images) == 1:
        return fit_each([images[0][0]], lambda image, near: fit_image(image, recipe, options, near), [images[0][1]])
    with freed_afterwards():
        results = _fit_stacked(images, recipe, options)
    short = [number for number, result in enumerate(results) if isinstance(result, OutOfMemoryError)]
    if short:
        options.on_message(f"{len(short)} pictures do not go into the memory together: they are fitted in two halves")
        middle = len(short) // 2
        for half in (short[:middle], short[middle:]):
            again = _fit_by_halves([images[number] for number in half], recipe, options) if half else []
            for number, result in zip(half, again, strict=True):
                results[number] = result
    return results


def _fit_stacked(
    images: Sequence[tuple[Tensor, Sequence[Tensor]]], recipe: Mapping[str, Any], options: Options
) -> list[Result]:
    """Return the result or error for each of the images, which have the same number of channels and their neighbours.

    Images for which the method takes other stages are in different stacks. An error of a stack becomes the error of
    each of its images.
    """
    with restored_random_state(), quiet(), interruptible():
        fits: dict[int, Fit] = {}
        results: dict[int, Result] = {}
        for number, (image, neighbours) in enumerate(images):
            fit = build_objects(recipe, options)
            zero_shot_data(fit).use(image, options.level, neighbours=neighbours)
            seed_all(fit.seed)
            try:
                fit.model.match_data(_description(image))
            except UserError as error:
                results[number] = error
            else:
                fits[number] = fit
        by_stages: dict[tuple[int | None, ...], dict[int, Fit]] = {}
        for number, fit in fits.items():
            by_stages.setdefault(tuple(stage.needs for stage in fit.model.stages()), {})[number] = fit
        for alike in by_stages.values():
            try:
                with memory_errors():
                    results |= dict(zip(alike, _stacked_results(list(alike.values()), options), strict=True))
            except OutOfMemoryError as error:
                results |= dict.fromkeys(alike, OutOfMemoryError(str(error)))  # a new one, which holds no tensors
            except UserError as error:
                results |= dict.fromkeys(alike, error)
        return [results[number] for number in range(len(images))]


def _description(image: Tensor) -> DataDescription:
    channels, height, width = image.shape[1:]
    return DataDescription(channels, height, width, image=image)


def _stacked_results(fits: Sequence[Fit], options: Options) -> list[Result]:
    if not fits:
        return []
    stack, data = Stack([fit.model for fit in fits]), SeveralImages([zero_shot_data(fit) for fit in fits])
    trainer = make_trainer(fits[0].trainer, options)
    seed_all(fits[0].seed)
    trainer.fit(stack, datamodule=data)
    clean = trainer.predict(stack, datamodule=data)
    assert clean is not None
    return [
        UserError(stack.failed[number])
        if number in stack.failed
        else Fitted(result.cpu(), fit.model.assumption_warnings, fit.model.noise_line())
        for number, (result, fit) in enumerate(zip(clean, fits, strict=True))
        if isinstance(result, Tensor)
    ]
