"""Noise that the user states, instead of a measurement."""

from collections.abc import Sequence
from pathlib import Path

from torchdenoise.errors import UserError
from torchdenoise.noise.models import NoiseModel
from torchdenoise.noise.profile import NoiseProfile
from torchdenoise.noise.profile_files import check_profile, load_profile, load_profiles
from torchdenoise.noise.specs import from_spec

SUFFIX = ".json"
"""Of profiles' file names."""


def given_profile(noise: NoiseProfile | NoiseModel | str | Path) -> NoiseProfile:
    """Return the profile of noise that is stated as a profile, a model, a spec, or the path of a profile.

    Text that ends in ``.json`` and is no spec ``measured:...`` is a path.

    Raises:
        UserError: none of these, or noise that no one profile describes.

    Example:
        >>> given_profile("poisson:50+gaussian:25.5").level
        NoiseLevelFunction(gain=0.02, sigma=0.1, clipped=False, offset=0.0)
    """
    if isinstance(noise, NoiseProfile):
        check_profile(noise)
        return noise
    if isinstance(noise, Path) or (isinstance(noise, str) and _is_path(noise)):
        return load_profile(noise)
    if isinstance(noise, (NoiseModel, str)):
        return from_spec(noise).profile()
    raise UserError(f"noise: a {type(noise).__name__}; give a spec such as gaussian:12, a NoiseProfile, or its file")


Given = NoiseProfile | NoiseModel | str | Path
"""Noise that is stated for a picture, or for each channel of a stack alike."""


def given_profiles(noise: Given | Sequence[Given]) -> list[NoiseProfile]:
    """Return the profile of noise that is stated, or one for each channel: of a list, or of a file that holds them.

    Raises:
        UserError: as ``given_profile``, or an empty list.

    Example:
        >>> [each.level.sigma for each in given_profiles(["gaussian:25.5", "gaussian:51"])]
        [0.1, 0.2]
    """
    if isinstance(noise, Path) or (isinstance(noise, str) and _is_path(noise)):
        return load_profiles(noise)
    if isinstance(noise, (list, tuple)):
        if not noise:
            raise UserError("noise: an empty list; give the noise of each channel, or leave it out")
        return [given_profile(each) for each in noise]
    return [given_profile(noise)]  # type: ignore[arg-type]  # a string is a sequence of strings


def _is_path(text: str) -> bool:
    return text.lower().endswith(SUFFIX) and not text.startswith("measured:")
