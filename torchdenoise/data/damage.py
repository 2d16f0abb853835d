"""What the failures of decoders mean to a user."""

import contextlib
from collections.abc import Iterator

from torchdenoise.errors import PictureError, UserError


@contextlib.contextmanager
def decode_errors() -> Iterator[None]:
    """Turn what decoders raise inside into a PictureError of one line; a UserError stays as it is.

    Example:
        >>> with decode_errors():
        ...     raise IndexError("no such strip")
        Traceback (most recent call last):
        ...
        torchdenoise.errors.PictureError: damaged or cut short (no such strip); copy it again from its source
    """
    try:
        yield
    except UserError:
        raise
    except MemoryError as error:
        raise PictureError("does not fit into memory; crop or split it first") from error
    except Exception as error:  # the codecs raise many types of errors on damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PictureError(f"damaged or cut short ({reason}); copy it again from its source") from error
