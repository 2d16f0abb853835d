"""An image at several scales, for noise that is correlated over several pixels."""

from torch import Tensor

from torchdenoise.noise import NoiseProfile
from torchdenoise.noise.covariance import doubled, halved, low_frequencies

SMALLEST = 40
"""Side in pixels of the smallest scale."""


def number_of_scales(height: int, width: int, most: int) -> int:
    """Return how many scales an image has: each halves it, and none is smaller than ``SMALLEST``.

    Example:
        >>> number_of_scales(256, 300, 5), number_of_scales(256, 300, 2), number_of_scales(30, 300, 3)
        (3, 2, 1)
    """
    number = 1
    while number < most and min(height, width) >> number >= SMALLEST:
        number += 1
    return number


def with_low_frequencies(image: Tensor, coarser: Tensor) -> Tensor:
    """Return an image ``(1, C, H, W)`` whose low frequencies are replaced by an image of half its size."""
    return image - low_frequencies(image) + doubled(coarser, image)


class Pyramid:
    """An image at several scales, from coarse to fine; at each the result of the coarser one replaces low frequencies.

    Correlated noise is mostly low frequencies, which small crops and patches cannot tell from the image. Half the image
    by 2x2 means has less of it, and it is closer to white. So the coarsest image is denoised first. With its result,
    the next image is ``y - low(y) + doubled(result)``, ``low(y)`` being ``doubled(halved(y))``, and so on. The noise of
    the coarser results is neglected.

    Args:
        image: ``(1, C, H, W)``.
        profile: of its correlated noise.
        scales: their number, at least 1.
    """

    def __init__(self, image: Tensor, profile: NoiseProfile, scales: int) -> None:
        self._images, self._profiles = [image], [profile]
        for _ in range(1, scales):
            self._images.insert(0, halved(self._images[0]))
            self._profiles.insert(0, self._profiles[0].at_half_size())

    def level(self, number: int, coarser: Tensor | None) -> tuple[Tensor, NoiseProfile]:
        """Return the image to denoise at a scale, and its noise.

        Args:
            number: of the scale, 0 for the coarsest.
            coarser: the result of the scale before; None for the coarsest.
        """
        image, profile = self._images[number], self._profiles[number]
        if coarser is None:
            return image, profile
        return with_low_frequencies(image, coarser), profile.without_low_frequencies()

    def image(self, number: int) -> Tensor:
        """Return the noisy image at a scale, with all of its noise."""
        return self._images[number]

    def enlarged(self, result: Tensor, number: int) -> Tensor:
        """Return a result at scale ``number`` at the size of the image, interpolated linearly."""
        for finer in self._images[number + 1 :]:
            result = doubled(result, finer)
        return result
