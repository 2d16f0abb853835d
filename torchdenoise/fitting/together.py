"""Fits to several pictures at once, with stacked networks."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from torchdenoise.data import SeveralImages
from torchdenoise.denoisers import Stack, stacking_obstacle
from torchdenoise.errors import UserError
from torchdenoise.fitting.options import Options
from torchdenoise.fitting.single import Fitted, built, data_of, fit_image
from torchdenoise.fitting.trainers import trainer_of
from torchdenoise.isolation import enough_memory, interruptible, own_random_state, quiet, seed_all
from torchdenoise.protocols import DataDescription
from torchdenoise.recipes.building import Fit

Result = Fitted | UserError
"""What a fit made of a picture, or what went wrong."""


def fit_images(images: Sequence[Tensor], recipe: Mapping[str, Any], options: Options) -> list[Result]:
    """Return what fits make of images ``(1, C, H, W)`` of any sizes, together, or what went wrong with each.

    Their networks are stacked, those of one number of channels together; each result is what ``fit_image`` gives, but
    for rounding. A method that cannot be stacked fits them one after the other.
    """
    reason = recipe_stacking_obstacle(recipe, options) if len(images) > 1 else ""
    if reason and options.told is not None:
        options.told(f"{reason}: the pictures are fitted one after the other")
    if reason or len(images) == 1:
        return [capture_error(functools.partial(fit_image, image, recipe, options)) for image in images]
    results: dict[int, Result] = {}
    for channels in {image.shape[1]: None for image in images}:
        places = [place for place, image in enumerate(images) if image.shape[1] == channels]
        found = _fit_stacked([images[place] for place in places], recipe, options)
        results |= dict(zip(places, found, strict=True))
    return [results[place] for place in range(len(images))]


def recipe_stacking_obstacle(recipe: Mapping[str, Any], options: Options) -> str:
    """Return why a recipe's fits cannot be stacked; an empty string if they can."""
    with own_random_state(), quiet():
        fit = built(recipe, options)
        cropped = data_of(fit).crop is not None
    return stacking_obstacle(fit.model) or (
        "data.crop cuts one picture at a time (OnCrops cuts many)" if cropped else ""
    )


def unwrap(result: Result) -> Tensor:
    """Return a clean image, or raise what went wrong."""
    if isinstance(result, UserError):
        raise result
    return result.image


def capture_error(fit: Callable[[], Fitted]) -> Result:
    """Return what a fit made, or the error that the user can mend."""
    try:
        return fit()
    except UserError as error:
        return error


def _fit_stacked(images: Sequence[Tensor], recipe: Mapping[str, Any], options: Options) -> list[Result]:
    """Return what becomes of images with one number of channels; what is wrong for all is wrong with each."""
    with own_random_state(), quiet(), interruptible():
        fits: dict[int, Fit] = {}
        results: dict[int, Result] = {}
        for place, image in enumerate(images):
            fit = built(recipe, options)
            data_of(fit).use(image, options.level)
            seed_all(fit.seed)
            try:
                fit.model.match_data(DataDescription(*image.shape[1:]))
            except UserError as error:
                results[place] = error
            else:
                fits[place] = fit
        try:
            with enough_memory():
                results |= dict(zip(fits, _stacked_results(list(fits.values()), options), strict=True))
        except UserError as error:
            results |= dict.fromkeys(fits, error)
        return [results[place] for place in range(len(images))]


def _stacked_results(fits: Sequence[Fit], options: Options) -> list[Result]:
    if not fits:
        return []
    stack, data = Stack([fit.model for fit in fits]), SeveralImages([data_of(fit) for fit in fits])
    trainer = trainer_of(fits[0].trainer, options)
    seed_all(fits[0].seed)
    trainer.fit(stack, datamodule=data)
    clean = trainer.predict(stack, datamodule=data)
    assert clean is not None
    return [
        UserError(f"{stack.failed[place]}: lower the rate")
        if place in stack.failed
        else Fitted(result.cpu(), fit.model.assumption_warnings)
        for place, (result, fit) in enumerate(zip(clean, fits, strict=True))
        if isinstance(result, Tensor)
    ]
