"""Measuring the noise of pictures, each once."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, overload

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d
from typing_extensions import override

from torchdenoise.noise.assumptions import has_uneven_noise, neighbour_correlation, too_clipped
from torchdenoise.noise.blocks import LevelCurve, correlated_noise, flat_blocks
from torchdenoise.noise.counts import photon_gain
from torchdenoise.noise.covariance import at_lag_zero, radius
from torchdenoise.noise.describing import shows_noise
from torchdenoise.noise.level_function import NoiseLevelFunction, noise_level_function, white_patches
from torchdenoise.noise.outliers import find_outliers, replace_outliers
from torchdenoise.noise.patches import complete_patches
from torchdenoise.noise.profile import GUIDE_SIDE, NoiseProfile
from torchdenoise.noise.regions import informative_pixels
from torchdenoise.noise.stabilization import stabilize
from torchdenoise.noise.stripes import StripeNoise, remove_stripes, row_column_noise
from torchdenoise.noise.tone_curve import measured_gamma
from torchdenoise.noise.variation import level_map
from torchdenoise.noise.whitened import level_in_all_patches
from torchdenoise.noise.windows import level_ratio

MIN_RATIO = 0.5
"""If the quietest windows have less than this share of the noise, structure was taken for noise."""
MAX_RATIO = 1.3
"""If they have more than this multiple, a level that varies was measured where it is low."""
WEAK = 4 / 255
"""Cameras and JPEG take noise below this level out of flat regions, and leave it in others."""
AGREES = 1.1
"""Up to this multiple of the level of the flat blocks, all patches have the same; the rest is chance."""
TEXTURED = 1.6
"""With more, texture shows in every direction, and the level of the flat blocks stays: most clean photographs."""
BLOCK = 12
"""Side in pixels of the blocks that the estimators need."""
MIN_COMPLETE = 0.6
"""Share of blocks that are complete, relative to the share of informative pixels; scattered ones leave fewer."""
FEW_PHOTONS = 1.5
"""Median of the noise variance in units of squared photons: of photons a pixel, where there is no read noise. Below it,
the generalized Anscombe transform gives no uniform noise, and fits in the stored values are better; chosen on the odd
pictures of FMD and on made ones."""
MAX_SPREAD = 3.5
"""Ratio of the levels of correlated noise where a plot is possible; photographs have less (docs/results/limits.md)."""
NODES = 17
"""Of the level curve made from a level function."""
MIN_SHARED = 0.3
"""Correlation of the channels' noise that counts; texture in all blocks gives white noise of level 25 up to 0.27."""


def measure_noise(image: Tensor) -> NoiseProfile:
    """Return the noise profile of an image.

    Args:
        image: ``(1, C, H, W)`` of any size, 1.0 is white.

    Example:
        >>> white = torch.randn(1, 1, 200, 202, generator=torch.Generator().manual_seed(0))
        >>> profile = measure_noise(0.5 + 0.1 * white)
        >>> profile.correlated, round(profile.level.sigma, 2)
        (False, 0.1)
        >>> measure_noise(0.5 + 0.1 * (white[..., 1:] + white[..., :-1])).correlated
        True
    """
    found = _placed(image)
    return found.added_to(_pixel_noise(found.image, found.informative))


class _Placed(NamedTuple):
    """What belongs to places of an image, and the image without it."""

    image: Tensor
    outliers: Tensor | None
    stripes: StripeNoise | None
    informative: Tensor | None

    def added_to(self, profile: NoiseProfile) -> NoiseProfile:
        return replace(profile, outliers=self.outliers, stripes=self.stripes, informative=self.informative)


def _placed(image: Tensor) -> _Placed:
    informative = _informative(image)
    impulses = find_outliers(image)
    outliers = impulses.mask if impulses.share else None
    image = replace_outliers(image, impulses.mask) if impulses.share else image
    stripes = row_column_noise(image)
    striped = stripes.rows > 0 or stripes.columns > 0
    image = remove_stripes(image, stripes) if striped else image
    return _Placed(image, outliers, stripes if striped else None, informative)


class FramesNoise:
    """The noise of many frames: one profile for all of them, but for what belongs to the places of each.

    The profile is measured once, in some of the frames, when it is first needed. Outliers, stripes, constant areas and
    a level that varies over the picture are looked for in each frame.

    Args:
        sample: returns frames to measure, ``(1, C, H, W)`` each, of one size.

    Example:
        >>> frames = [0.5 + 0.1 * torch.randn(1, 1, 64, 64) for _ in range(9)]
        >>> noise = FramesNoise(lambda: frames[:4])
        >>> round(noise.for_image(frames[8]).level.sigma, 2)
        0.1
    """

    def __init__(self, sample: Callable[[], Sequence[Tensor]]) -> None:
        self._sample = sample
        self._profile: NoiseProfile | None = None

    @property
    def profile(self) -> NoiseProfile:
        """What all frames share."""
        if self._profile is None:
            with torch.inference_mode(mode=False), torch.no_grad():
                self._profile = _measure_together(self._sample())
        return self._profile

    def for_image(self, image: Tensor) -> NoiseProfile:
        """Return the profile of a frame ``(1, C, H, W)``."""
        with torch.inference_mode(mode=False), torch.no_grad():
            found = _placed(image)
            profile = found.added_to(self.profile)
            if profile.correlated:
                return profile
            variation = level_map(stabilize(found.image, profile.level)).map
            if variation is None:
                return profile
            return _raised(replace(profile, variation=variation), found.image, found.informative)


class ImagesNoise:
    """The noise of single images, measured in each when it is first needed, and kept for whoever asks again.

    Example:
        >>> noise, image = ImagesNoise(), 0.5 + 0.1 * torch.randn(1, 1, 64, 64)
        >>> noise.for_image(image) is noise.for_image(image.clone())
        True
    """

    def __init__(self) -> None:
        self._known: list[tuple[Tensor, NoiseProfile]] = []

    def for_image(self, image: Tensor) -> NoiseProfile:
        """Return the profile of an image ``(1, C, H, W)``."""
        for known, profile in self._known:
            if known is image or torch.equal(known, image.to(known.device)):
                return profile
        self._known.append((image, measure_noise(image)))
        return self._known[-1][1]


NoiseSource = FramesNoise | ImagesNoise
"""Where the profile of each image comes from, if not from the image alone."""


def _measure_together(images: Sequence[Tensor]) -> NoiseProfile:
    """Return the profile that images of one size share: that of the image in which they lie below each other."""
    found = [_placed(image) for image in images]
    informative = None
    if any(each.informative is not None for each in found):
        everywhere = torch.ones_like(images[0][:, :1], dtype=torch.bool)
        informative = torch.cat([everywhere if each.informative is None else each.informative for each in found], -2)
    return replace(_pixel_noise(torch.cat([each.image for each in found], -2), informative), variation=None)


def with_outliers(profile: NoiseProfile, image: Tensor) -> NoiseProfile:
    """Return a stated profile with the outliers of an image ``(1, C, H, W)``, unless it states them, too.

    Noise specs and profile files say nothing about the places of outliers.
    """
    if profile.outliers is not None:
        return profile
    impulses = find_outliers(image)
    return replace(profile, outliers=impulses.mask) if impulses.share else profile


def _informative(image: Tensor) -> Tensor | None:
    """Return where an image shows its noise; None if everywhere, or if what shows none is scattered, as in a JPEG."""
    seen = informative_pixels(image)
    complete = complete_patches(seen, BLOCK, 1)
    if seen.all() or isinstance(complete, slice) or not len(complete):
        return None
    return seen if complete.float().mean() > MIN_COMPLETE * seen.float().mean() else None


def _pixel_noise(image: Tensor, informative: Tensor | None) -> NoiseProfile:
    """Return the profile of an image without outliers and stripes."""
    if image.shape[1] > 1 and torch.equal(image, image[:, :1].expand_as(image)):
        return _copied(_pixel_noise(image[:, :1], informative), image.shape[1])
    photon = photon_gain(image)
    if photon is not None:
        return _few_photons(photon, image.shape[1])
    level = noise_level_function(image, informative)
    stabilized = stabilize(image, level)
    clipped = too_clipped(image, informative)
    profile = _correlated(image, stabilized, level, informative)
    if profile is not None and (clipped or _contradicted(profile)) and _made_of_lines(profile):
        profile = None
    profile = _without_lines(profile, image) if profile else _white(stabilized, level, informative, clipped)
    ratio = level_ratio(image, profile.deviation(image), profile.covariance, informative)
    if ratio < MIN_RATIO and not level.gain:
        return NoiseProfile(NoiseLevelFunction(0.0, level_ratio(image, torch.ones(()), None, informative)))
    if profile.curve is not None:
        return _as_in_all_patches(profile, image, informative)
    profile = profile if profile.variation is None else _raised(profile, image, informative)
    return _with_curve(profile, image) if _has_few_photons(profile, image, informative) else profile


def _contradicted(profile: NoiseProfile) -> bool:
    """Return whether neighbours share no noise and one level holds at every brightness, so that a curve is in doubt."""
    return not profile.coarse_to_fine and not profile.level.gain


def _made_of_lines(profile: NoiseProfile) -> bool:
    """Return whether what was measured as correlated noise may be the lines and edges of a plot or drawing.

    On plain paper, its only flat blocks are those of the paper. Noise of cameras varies less. So it returns True, too,
    where the covariance could not be measured.
    """
    if profile.curve is None:
        return True
    low, high = profile.curve.deviation.aminmax()
    return bool(high > MAX_SPREAD * low)


def _without_lines(profile: NoiseProfile, image: Tensor) -> NoiseProfile:
    """Return a profile of correlated noise without what the dark lines of a plot or drawing add to its level.

    On bright paper, the blocks at other brightnesses than the paper's show lines. Noise grows with brightness, or is
    up to ``MAX_SPREAD`` times stronger in the dark, by a tone curve. Where the darker values seem to have more, they
    get the level of the median brightness.
    """
    if profile.curve is None:
        return profile
    brightness, deviation = profile.curve
    paper = image.flatten(2).median(-1).values
    level = profile.curve.at(paper[..., None, None]).view(-1, 1)
    lines = (brightness < paper.view(-1, 1)) & (deviation > level)
    if not (deviation > MAX_SPREAD * level)[lines].any():
        return profile
    return replace(profile, curve=LevelCurve(brightness, torch.where(lines, level, deviation)))


def _has_few_photons(profile: NoiseProfile, image: Tensor, informative: Tensor | None) -> bool:
    """Return whether most of an image is too dark to make its noise Gaussian: see ``FEW_PHOTONS``."""
    limit = FEW_PHOTONS * profile.level.gain**2
    if not limit:
        return False
    side = min(GUIDE_SIDE, *image.shape[-2:])
    brightness = avg_pool2d(image, side)
    if informative is not None:
        seen = avg_pool2d(informative.to(image), side) == 1
        brightness = brightness[seen.expand_as(brightness)]
    return bool(brightness.numel()) and profile.level.deviation(brightness.median().item()) ** 2 < limit


def _with_curve(profile: NoiseProfile, image: Tensor) -> NoiseProfile:
    """Return the profile of white noise that is described by curves, as correlated noise is."""
    channels = image.shape[1]
    covariance = torch.eye(channels)[..., None, None]
    return replace(profile, curve=_curve(profile.level, channels), covariance=covariance)


def _as_in_all_patches(profile: NoiseProfile, image: Tensor, informative: Tensor | None) -> NoiseProfile:
    """Return a profile of weak correlated noise with the level of all patches, if the flat blocks had less."""
    assert profile.curve is not None
    assert profile.covariance is not None
    deviation = profile.deviation(image)
    if deviation.mean() > WEAK:
        return profile
    ratio = level_in_all_patches(image, deviation, profile.covariance, informative)
    if not AGREES < ratio < TEXTURED:
        return profile
    return replace(profile, curve=LevelCurve(profile.curve.brightness, profile.curve.deviation * ratio))


def _raised(profile: NoiseProfile, image: Tensor, informative: Tensor | None) -> NoiseProfile:
    """Return a profile whose level varies over the image, its level raised if it was measured where it is low."""
    ratio = level_ratio(image, profile.deviation(image), profile.covariance, informative)
    if ratio <= MAX_RATIO:
        return profile
    return replace(profile, level=profile.level._replace(sigma=profile.level.sigma * ratio))


def _few_photons(photon: float, channels: int) -> NoiseProfile:
    """Return the profile of counts too low for an Anscombe transform."""
    level = NoiseLevelFunction(photon, 0.0)
    covariance = torch.eye(channels)[..., None, None]
    return NoiseProfile(level, None, _curve(level, channels), covariance, coarse_to_fine=True)


def level_patches(image: Tensor, profile: NoiseProfile) -> tuple[Tensor, Tensor]:
    """Return brightness and noise deviation of the patches that the level of a profile was fitted to.

    Args:
        image: ``(1, C, H, W)``, which the profile was measured in.
        profile: of its noise.

    Returns:
        two tensors ``(K, N)``: K is the number of channels for correlated noise, else 1. N is 0 where the level follows
        from something else, such as the size of single photons.
    """
    image = profile.repaired(image)
    if image.shape[1] > 1 and torch.equal(image, image[:, :1].expand_as(image)):
        image = image[:, :1]
    if photon_gain(image) is not None:
        return torch.empty(1, 0), torch.empty(1, 0)
    if profile.covariance is not None and radius(profile.covariance):
        return flat_blocks(image, profile.informative)
    brightness, deviation = white_patches(image, profile.level, profile.informative)
    return brightness[None], deviation[None]


def _curve(level: NoiseLevelFunction, channels: int) -> LevelCurve:
    """Return the curve of a level function, with more nodes where it bends."""
    brightness = level.offset + (1 - level.offset) * torch.linspace(0, 1, NODES) ** 3
    deviation = torch.tensor([level.deviation(value) for value in brightness.tolist()])
    return LevelCurve(brightness.repeat(channels, 1), deviation.repeat(channels, 1))


def _correlated(
    image: Tensor, stabilized: Tensor, level: NoiseLevelFunction, informative: Tensor | None
) -> NoiseProfile | None:
    """Return the profile of correlated noise; None if it may be white."""
    correlation = neighbour_correlation(stabilized, informative)
    if not correlation and not has_uneven_noise(stabilized, informative):
        return None
    found = correlated_noise(image, informative)
    if found is not None and (correlation or _channels_share(found.covariance)):
        return NoiseProfile(
            level,
            curve=found.curve,
            covariance=found.covariance,
            coarse_to_fine=bool(correlation),
            gamma=measured_gamma(found),
        )
    if correlation:
        return NoiseProfile(level, unusable=f"the noise of neighbouring pixels is correlated ({correlation:.1f})")
    return None


def _white(stabilized: Tensor, level: NoiseLevelFunction, informative: Tensor | None, clipped: str) -> NoiseProfile:
    """Return the profile of white noise.

    Where much is clipped, one level for all brightnesses is used: if it is too low, that does less harm than none.
    """
    clipped = clipped if level.gain or not shows_noise(level) else ""
    sigma = None
    if level.gain:
        after = noise_level_function(stabilized, informative)
        sigma = after.deviation(max(stabilized.mean((1, 2, 3)).item(), 0))
    variation = level_map(stabilized).map
    return NoiseProfile(level, sigma, unusable=clipped, variation=variation)


def _copied(profile: NoiseProfile, channels: int) -> NoiseProfile:
    """Return the profile of a grey image whose one channel is stored several times."""
    curve, covariance = profile.curve, profile.covariance
    if curve is None:
        curve = _curve(profile.level, 1)
    if covariance is None:
        covariance = torch.ones(1, 1, 1, 1)
    repeated = LevelCurve(*(each.repeat(channels, 1) for each in curve))
    return replace(profile, sigma=None, curve=repeated, covariance=covariance.repeat(channels, channels, 1, 1))


def _channels_share(covariance: Tensor) -> bool:
    """Return whether the noise of the channels is correlated."""
    shared = at_lag_zero(covariance)
    return bool((shared - shared.diagonal().diag()).abs().max() > MIN_SHARED)


class Profiles(Sequence[NoiseProfile]):
    """The noise profiles of images, each made when it is first asked for.

    Example:
        >>> profiles = Profiles(2, lambda number: NoiseProfile(NoiseLevelFunction(0.0, number / 10)))
        >>> [profile.level.sigma for profile in profiles]
        [0.0, 0.1]
    """

    def __init__(self, number: int, make: Callable[[int], NoiseProfile]) -> None:
        self._made: list[NoiseProfile | None] = [None] * number
        self._make = make

    @classmethod
    def measured(cls, images: Tensor) -> "Profiles":
        """Return the profiles of images ``(B, C, H, W)``."""
        return cls._of_each(images, lambda image: measure_noise(image))

    @classmethod
    def given(cls, profile: NoiseProfile, images: Tensor) -> "Profiles":
        """Return a stated profile for each of the images ``(B, C, H, W)``; only their outliers are measured."""
        return cls._of_each(images, lambda image: with_outliers(profile, image))

    @classmethod
    def from_source(cls, noise: NoiseSource, images: Tensor) -> "Profiles":
        """Return the profiles of images ``(B, C, H, W)``, such as frames of a stack."""
        return cls._of_each(images, noise.for_image)

    @classmethod
    def _of_each(cls, images: Tensor, profile_of: Callable[[Tensor], NoiseProfile]) -> "Profiles":
        def make(number: int) -> NoiseProfile:
            with torch.inference_mode(mode=False), torch.no_grad():
                return profile_of(images[number : number + 1])

        return cls(len(images), make)

    def stabilized(self) -> "Profiles":
        """Return the profiles after the images' noise was stabilised."""
        return Profiles(len(self), lambda number: self[number].stabilized())

    @overload
    def __getitem__(self, number: int) -> NoiseProfile: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[NoiseProfile]: ...
    @override
    def __getitem__(self, number: int | slice) -> NoiseProfile | Sequence[NoiseProfile]:
        """Return a profile, or several."""
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        made = self._made[number]
        if made is None:
            made = self._made[number] = self._make(range(len(self))[number])
        return made

    @override
    def __len__(self) -> int:
        return len(self._made)
