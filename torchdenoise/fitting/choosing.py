"""The default, ``auto``: which of two recipes suits a picture."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from types import EllipsisType
from typing import Any, NamedTuple

import torch
from kornia.filters import box_blur
from torch import Tensor
from typing_extensions import override

from torchdenoise.denoisers import Denoiser, NLRidge
from torchdenoise.denoisers.context import PictureContext
from torchdenoise.errors import UserError
from torchdenoise.fitting.options import Options
from torchdenoise.fitting.single import build
from torchdenoise.fitting.together import Result, fit_images
from torchdenoise.isolation import quiet, restored_random_state
from torchdenoise.noise import FramesNoise, ImagesNoise
from torchdenoise.protocols import DataDescription
from torchdenoise.recipes import AUTO, load_recipe

TRAINED, FITTED = "pretrained-fast", "fast"
"""The recipes to choose from."""
CHANNELS = (1, 3)
"""Of the pictures that the networks of ``TRAINED`` were trained on."""
STRONG = 6 / 255
"""Level from which on correlated noise is tried; of weaker noise, what is removed says little."""
LEAST_REMOVED, MOST_REMOVED = 0.7, 1.5
"""What a trained network removes of white noise, as a share of its energy; photographs give 0.73 to 1."""
LEAST_CORRELATED_REMOVED = 0.35
"""The same of correlated noise: less where the network does not know it (docs/results/limits.md)."""
LOST = 0.025
"""By which share of the noise's energy the network may be worse than similar patches; photographs give up to 0.01."""
AMOUNT = 0.5
"""Of noise that is added for a trial, see ``RecorruptedLoss``."""
SMALLEST = 16
"""Side of the pictures on which a network is tried."""
SIDE = 64
"""Of the crops of large pictures on which a network is tried."""


@dataclass(frozen=True)
class Choice:
    """A recipe, and why it is not the other one.

    Example:
        >>> print(Choice("fast", "the trained network leaves noise here"))
        by fast: the trained network leaves noise here
    """

    recipe: str
    reason: str = ""

    @override
    def __str__(self) -> str:
        return f"by {self.recipe}: {self.reason}" if self.reason else f"by {self.recipe}"


def choice_recipe() -> dict[str, Any]:
    """Return what stands for ``auto`` where a recipe is expected: the recipes that it chooses from."""
    return {AUTO: {name: load_recipe(name) for name in (TRAINED, FITTED)}}


def is_choice(recipe: Mapping[str, Any]) -> bool:
    """Return whether a mapping stands for ``auto``."""
    return AUTO in recipe


def asks_for_fit(options: Options) -> bool:
    """Return whether options say something about a fit, which only ``FITTED`` has."""
    return bool(options.max_steps or options.budget or options.overrides or options.parts or options.shared)


class ChosenFits:
    """Denoises each image by the recipe that suits it; all frames of a stack by that of the first one.

    Args:
        options: of the fits.

    Example:
        >>> noisy = 0.5 + 0.1 * torch.randn(1, 5, 16, 16, generator=torch.Generator().manual_seed(0))
        >>> ChosenFits(Options(max_steps=2))([noisy])[0].noise.partition("; ")[2]
        'by fast: options of a fit are given'
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._of_frames: Choice | None = None

    def __call__(self, images: Sequence[Tensor], neighbours: Sequence[Sequence[Tensor]] = (), /) -> list[Result]:
        """Return the result or error for each image ``(1, C, H, W)`` in 0..1; neighbours as in ``Restore``."""
        options = replace(self._options, noise=self._options.noise or ImagesNoise())
        near = neighbours or [()] * len(images)
        results: dict[int, Result] = {}
        groups: dict[tuple[Choice, int], list[int]] = {}
        for number, image in enumerate(images):
            try:
                choice = self._choose(image, options)
            except UserError as error:
                results[number] = error
            else:  # only fits are faster together
                groups.setdefault((choice, number if choice.recipe == TRAINED else -1), []).append(number)
        for (choice, _), numbers in groups.items():
            chosen, beside = [images[number] for number in numbers], [near[number] for number in numbers]
            made = fit_images(chosen, load_recipe(choice.recipe), options, beside)
            results |= {number: _with_choice(result, choice) for number, result in zip(numbers, made, strict=True)}
        return [results[number] for number in range(len(images))]

    def _choose(self, image: Tensor, options: Options) -> Choice:
        if self._of_frames is not None:
            return self._of_frames
        choice = choose(image, options)
        if isinstance(options.noise, FramesNoise):
            self._of_frames = choice
        return choice


def _with_choice(result: Result, choice: Choice) -> Result:
    if isinstance(result, UserError):
        return result
    return replace(result, noise=f"{result.noise}; {choice}", recipe=choice.recipe)


def choose(image: Tensor, options: Options) -> Choice:
    """Return the recipe that suits an image ``(1, C, H, W)`` in 0..1.

    ``TRAINED`` where its network can be relied on. It cannot where what it removes has another energy than the
    measured noise: it takes text for noise, or noise for texture. Of weak noise that neighbours share, that says
    little, and the network is taken.

    Args:
        image: noisy.
        options: of the fit; their noise is used.

    Raises:
        UserError: the given noise is that of images with another number of channels.

    Example:
        >>> noisy = 0.5 + 0.1 * torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> print(choose(noisy, Options()))
        by pretrained-fast
        >>> print(choose(noisy.expand(1, 2, 64, 64), Options()))
        by fast: the trained networks are for 1 or 3 channels
    """
    if asks_for_fit(options):
        return Choice(FITTED, "options of a fit are given")
    channels, height, width = image.shape[1:]
    if channels not in CHANNELS:
        return Choice(FITTED, "the trained networks are for 1 or 3 channels")
    if min(height, width) < SMALLEST:
        return Choice(FITTED, "the picture is too small for a trial")
    with restored_random_state(), quiet(), torch.no_grad():
        model, context = trained_model(image, options)
        profile = context.profiles[0]
        if profile.unusable:
            return Choice(FITTED, "the noise is not known")
        if profile.few_photons:
            return Choice(TRAINED)
        if profile.curve is not None and profile.curve.deviation.max().item() < STRONG:
            return Choice(TRAINED)
        crops = list(trial_crops(context))
        removed = removed_share(model, crops)
        lost = 0.0 if profile.correlated else _lost(model, crops)
    if removed > MOST_REMOVED or lost > LOST:
        return Choice(FITTED, "the trained network does not know such pictures")
    least = LEAST_CORRELATED_REMOVED if profile.correlated else LEAST_REMOVED
    return Choice(FITTED, "the trained network leaves noise here") if removed < least else Choice(TRAINED)


def trained_model(image: Tensor, options: Options) -> tuple[Denoiser, PictureContext]:
    """Return the model of ``TRAINED`` and what it knows about an image ``(1, C, H, W)``."""
    model = build(load_recipe(TRAINED), Options(noise=options.noise))
    channels, height, width = image.shape[1:]
    model.match_data(DataDescription(channels, height, width, image=image))
    return model, model.eval().context(image)


class TrialCrop(NamedTuple):
    """Part of an image on which a network is tried."""

    image: Tensor
    deviation: Tensor
    """Of its noise."""
    counts: Tensor
    """Not pixels near black or white, where noise is cut off, nor those that do not show the noise."""


def trial_crops(context: PictureContext) -> Iterator[TrialCrop]:
    """Yield the parts of an image on which a network is tried."""
    noisy, profile, image = context.noisy, context.profiles[0], context.transformed
    margin = profile.deviation(noisy).expand_as(noisy)
    deviation = context.transformed_profiles[0].deviation(image).expand_as(image)
    for place in _places(*image.shape[-2:]):
        brightness = box_blur(noisy[place], 5, border_type="replicate")
        here = (brightness > margin[place]) & (brightness < 1 - margin[place])
        if profile.informative is not None:
            here &= profile.informative[place]
        yield TrialCrop(image[place], deviation[place], here)


def removed_share(network: torch.nn.Module, crops: Sequence[TrialCrop]) -> float:
    """Return the energy of what a network removes, as a share of the noise's energy."""
    removed = sum((network(crop.image) - crop.image)[crop.counts].square().sum().item() for crop in crops)
    return _share(removed, crops)


def _lost(network: torch.nn.Module, crops: Sequence[TrialCrop]) -> float:
    """Return by how much the error of a network exceeds that of similar patches, as a share of the noise's energy.

    The noise is white. Both see the image with more noise, and the one whose result is nearer to an image with
    independent noise, the target of ``RecorruptedLoss``, has the lower error.
    """
    generator = torch.Generator().manual_seed(0)
    lost = 0.0
    for crop in crops:
        noise = crop.deviation * torch.randn(crop.image.shape, generator=generator)
        noisier, target = crop.image + AMOUNT * noise, crop.image - noise / AMOUNT
        similar = NLRidge(255 * crop.deviation.mean().item() * (1 + AMOUNT**2) ** 0.5, window=25, stride=6)
        errors = [(each(noisier) - target)[crop.counts].square() for each in (network, similar)]
        lost += (errors[0] - errors[1]).sum().item()
    return _share(lost, crops)


def _share(energy: float, crops: Sequence[TrialCrop]) -> float:
    """Return an energy as a share of the noise's; infinite where no pixel counts."""
    noise = sum(crop.deviation[crop.counts].square().sum().item() for crop in crops)
    return energy / noise if noise else inf


def _places(height: int, width: int) -> list[tuple[EllipsisType, slice, slice]]:
    """Return all of a small image, or the middles of the quarters of a large one."""

    def parts(size: int) -> list[slice]:
        if size <= 2 * SIDE:
            return [slice(0, size)]
        starts = [middle - SIDE // 2 for middle in (size // 4, 3 * size // 4)]
        return [slice(start, start + SIDE) for start in starts]

    return [(..., rows, columns) for rows in parts(height) for columns in parts(width)]
