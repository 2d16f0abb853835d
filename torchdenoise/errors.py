"""Exceptions for what a user can fix; without torch, so that they can be raised early."""

import difflib
import re
from collections.abc import Iterable

KILLED = 128 + 15
"""Exit code after `kill` (SIGTERM)."""


class UserError(ValueError):
    """A failure that the user can fix; its message is one or two lines that name the problem and the remedy.

    The command line prints it without a traceback and exits with code 2.

    Example:
        >>> raise UserError("photo.png: no such file")
        Traceback (most recent call last):
        ...
        torchdenoise.errors.UserError: photo.png: no such file
    """


class RecipeError(UserError):
    """A recipe, or an option that overrides it, is wrong."""


class PictureError(UserError):
    """A picture cannot be read, written or denoised."""


class OutOfMemoryError(PictureError):
    """A picture does not go into the memory with what else is there; with fewer at once it may."""


class CheckpointError(UserError):
    """A checkpoint cannot be read, or does not fit the model."""


class DataError(UserError):
    """The arguments or pictures of a data module are wrong, do not fit together, or do not suit the method."""


class Stopped(Exception):  # noqa: N818  # nothing went wrong: somebody asked for it
    """A fit ended because ``should_stop`` returned True.

    It is no ``UserError``, because those become the results of single pictures, while the others go on.

    Example:
        >>> denoise(np.random.rand(8, 8), should_stop=lambda: True, device="cpu")
        Traceback (most recent call last):
        ...
        torchdenoise.errors.Stopped: stopped, as should_stop asked; there is no result
    """


class AssumptionWarning(UserWarning):
    """The noise of a picture violates the method's assumptions."""


_STEERING = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Return text whose characters that steer a terminal or turn its direction are escaped; line ends stay.

    Example:
        >>> printable("\\x1b[31mred")
        '\\\\x1b[31mred'
    """
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean X?)"`` for the known word closest to ``word``, or an empty string.

    Example:
        >>> did_you_mean("gausian", ["gaussian", "poisson"])
        ' (did you mean gaussian?)'
    """
    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f" (did you mean {by_lower[near[0]]}?)" if near else ""
