"""The invertible scaling between stored pixel values and the unit range of denoisers."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from torchdenoise.errors import PictureError, UserError
from torchdenoise.noise import ValueRange

# Cameras and microscopes store 10, 12 and 14 bits in 16: white is that of the sensor, not of the file.
_SENSOR_WHITES = (1023, 4095, 16383, 65535)
_PART = 1 << 20
"""Values that are converted together."""
# Ranges are applied in float32 where that is exact enough, so float32 must be able to represent them.
_MIN_WIDTH, _MAX_VALUE = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max) / 2
MIN_FILL = 0.1
"""Values that fill a smaller part of the usual range of their type have a range of their own: fits learn it better."""
OUTLIER_SHARE = 0.001
"""Of the values at either end, which may lie far from the rest; none of less than 1000 values."""
MAX_ROUNDING = 0.1
"""Rounding error, relative to the deviation of the noisy values, that whole numbers hide well enough."""


@dataclass(frozen=True)
class Scaling:
    """The stored values of black (``low``, scaled to 0.0) and white (``high``, scaled to 1.0), and their ``dtype``.

    With ``outliers``, a few values lie far outside: ``hide_outliers`` keeps them from a fit, ``keep_outliers`` restores
    them.

    Raises:
        PictureError: unless ``low < high`` are finite numbers in the range of float32.

    Example:
        >>> scaling = Scaling.of(np.array([[0, 51, 255]], dtype=np.uint8))
        >>> scaling.to_unit(np.array([[0, 51, 255]], dtype=np.uint8))
        tensor([[0.0000, 0.2000, 1.0000]])
        >>> scaling.from_unit(torch.tensor([[-1.0, 0.2, 1.5]]))
        array([[  0,  51, 255]], dtype=uint8)
    """

    low: float
    high: float
    dtype: np.dtype[Any]
    outliers: bool = False

    def __post_init__(self) -> None:
        if not (self.low >= -_MAX_VALUE and self.high <= _MAX_VALUE and self.high - self.low >= _MIN_WIDTH):
            raise PictureError(
                f"the data range {self.low:g} to {self.high:g} is not usable: "
                "give two finite numbers, the smaller first, or one number above 0"
            )

    @classmethod
    def of(cls, array: NDArray[Any], data_range: float | tuple[float, float] | None = None) -> "Scaling":
        """Return the scaling of an array of any shape: by ``data_range``, else by its dtype, else by its values.

        By dtype, uint8 is (0, 255) and uint16 is (0, 1023), (0, 4095), (0, 16383) or (0, 65535), the smallest that
        holds the maximum, because 10, 12 and 14-bit sensors store 16 bits. Floats within [0, 1] are (0, 1). Other
        values, and uint16 and floats that fill less than a tenth of these ranges, range from their minimum to their
        maximum; among floats and wider integers, a few outliers far from the rest do not count.

        Args:
            array: real numbers.
            data_range: (low, high), or ``high`` for (0, high).

        Raises:
            PictureError: no values, values that are not finite real numbers, or an unusable range; values that differ
                by less than float32 can represent.

        Example:
            >>> Scaling.of(np.array([0, 4000], dtype=np.uint16)).high
            4095.0
            >>> Scaling.of(np.array([0, 2e-6])).high
            2e-06
        """
        if array.size == 0:
            raise PictureError(f"a picture of shape {array.shape} has no pixels: pass at least 1 x 1")
        return cls.of_parts([array], array.size, array.dtype, data_range)

    @classmethod
    def of_parts(
        cls,
        parts: Iterable[NDArray[Any]],
        size: int,
        dtype: np.dtype[Any],
        data_range: float | tuple[float, float] | None = None,
    ) -> "Scaling":
        """Return the scaling of an array that comes in parts, each seen once: the same as ``of`` the whole.

        Args:
            parts: arrays of any shapes; not asked for where the type and ``data_range`` decide.
            size: the number of all values, or more; it limits what is kept of the parts.
            dtype: of all parts.
            data_range: as in ``of``.

        Raises:
            PictureError: as ``of``.

        Example:
            >>> frames = np.arange(12.0).reshape(3, 4)
            >>> Scaling.of_parts(iter(frames), frames.size, frames.dtype) == Scaling.of(frames)
            True
        """
        _check_type(dtype)
        dtype = dtype.newbyteorder("=")
        if data_range is None and dtype == np.uint8:
            return cls(0.0, 255.0, dtype)
        if data_range is None:
            values = _Summary.of(parts, size, dtype)
            _check_width(values)
            low, high = _range_of(values)
            return cls(float(low), float(high), dtype, bool(values.smallest < low or values.largest > high))
        if dtype.kind == "f":
            for part in parts:
                _check_finite(part)
        low, high = data_range if isinstance(data_range, tuple) else (0.0, data_range)
        return cls(float(low), float(high), dtype)

    @property
    def values(self) -> ValueRange:
        """The stored values of black and white, as a noise profile keeps them."""
        return ValueRange(self.dtype.name, self.low, self.high)

    def stored_as(self, dtype: Any) -> "Scaling":
        """Return the scaling of the same values stored as ``"float32"``; ``"same"`` changes nothing.

        Raises:
            UserError: another type.

        Example:
            >>> Scaling(0, 10, np.dtype("uint8")).stored_as("float32").from_unit(torch.tensor([0.25]))
            array([2.5], dtype=float32)
        """
        name = str(getattr(dtype, "__name__", dtype)).removeprefix("torch.")
        if name not in ("same", "float32"):
            raise UserError(f"dtype={name}: give 'same' or 'float32'")
        return self if name == "same" else replace(self, dtype=np.dtype(np.float32))

    def to_unit(self, array: NDArray[Any]) -> torch.Tensor:
        """Return the values as float32 of the same shape, ``low`` as 0.0 and ``high`` as 1.0, nothing clipped.

        Example:
            >>> Scaling(0, 10, np.dtype("uint8")).to_unit(np.array([5, 20], dtype=np.uint8))
            tensor([0.5000, 2.0000])
        """
        unit = array.astype(_working(array.dtype), order="C")
        unit -= self.low
        unit /= self.high - self.low
        return torch.from_numpy(unit.astype(np.float32, copy=False))

    def from_unit(self, image: torch.Tensor) -> NDArray[Any]:
        """Return an image as values of ``dtype`` in the same shape.

        Integers round half to even and are clipped to the range; floats are not.

        Raises:
            PictureError: values are NaN or infinite, as after a diverged fit.

        Example:
            >>> Scaling(0, 10, np.dtype("uint8")).from_unit(torch.tensor([0.25, 2.0]))
            array([ 2, 10], dtype=uint8)
        """
        image = image.detach().cpu().float()
        result = np.empty(image.shape, self.dtype)
        for part, stored in zip(_parts(image), _parts(result), strict=True):
            stored[...] = self._stored(part)
        return result

    def _stored(self, image: torch.Tensor) -> NDArray[Any]:
        """Return a part of an image as values of ``dtype``."""
        working = _working(self.dtype)
        values = image.numpy().astype(working)
        if not np.isfinite(values).all():
            raise PictureError("the denoised picture holds NaN or infinity: the fit diverged; lower its learning rate")
        width = self.high - self.low
        inside = np.clip(values, 0, 1)
        excess = (values - inside) * width
        values = np.clip(inside * width + self.low, self.low, self.high)  # rounding may have exceeded the range
        if self.outliers or self.dtype.kind == "f":
            values += excess
        if self.dtype.kind in "iu":
            # A given range may exceed the dtype. The largest 64-bit integer is not a float: clip just below it.
            bounds = np.iinfo(self.dtype)
            np.clip(np.rint(values), bounds.min, np.nextafter(working.type(bounds.max + 1), 0), out=values)
        restored: NDArray[Any] = values.astype(self.dtype)
        return restored

    def hide_outliers(self, image: torch.Tensor) -> torch.Tensor:
        """Return an image for a fit: outliers are clamped to [0, 1].

        Example:
            >>> Scaling(0, 1, np.dtype("float32"), outliers=True).hide_outliers(torch.tensor([0.5, 900.0]))
            tensor([0.5000, 1.0000])
        """
        return image.clamp(0, 1) if self.outliers else image

    def keep_outliers(self, image: torch.Tensor, noisy: torch.Tensor) -> torch.Tensor:
        """Return a denoised image with the outliers of the noisy one unchanged.

        Example:
            >>> scaling = Scaling(0, 1, np.dtype("float32"), outliers=True)
            >>> scaling.keep_outliers(torch.tensor([0.4, 1.0]), torch.tensor([0.5, 900.0]))
            tensor([4.0000e-01, 9.0000e+02])
        """
        return torch.where(noisy == noisy.clamp(0, 1), image, noisy) if self.outliers else image

    def rounds_away(self, image: torch.Tensor, noisy: torch.Tensor) -> bool:
        """Return whether whole numbers cannot hold an image, denoised from ``noisy``: few photons.

        That is so if the rounding error is more than a tenth of the deviation of all noisy values, which noise and
        picture make together: three grey levels, or a few photons.

        Example:
            >>> photons = torch.poisson(torch.full((1, 1, 64, 64), 0.6)) / 5
            >>> Scaling(0, 5, np.dtype("uint8")).rounds_away(torch.full_like(photons, 0.12), photons)
            True
            >>> Scaling(0, 5, np.dtype("float32")).rounds_away(torch.full_like(photons, 0.12), photons)
            False
        """
        if self.dtype.kind == "f":
            return False
        width = self.high - self.low
        errors, deviations = torch.zeros(()).double(), torch.zeros(()).double()
        mean = noisy.mean(dtype=torch.float64)
        for part, seen in zip(_parts(image.flatten()), _parts(noisy.flatten()), strict=True):
            values = part.double() * width + self.low
            errors += (values - values.round()).square().sum().cpu()
            deviations += (seen.double() - mean).square().sum().cpu()
        return bool(errors.sqrt() > MAX_ROUNDING * width * deviations.sqrt())


Values = TypeVar("Values", torch.Tensor, NDArray[Any])


def _parts(values: Values) -> Iterator[Values]:
    """Yield views of parts along the first axis: what is computed from all values at once would need much memory."""
    if values.ndim == 0:
        yield values
        return
    rows = max(1, _PART * len(values) // max(1, math.prod(values.shape)))
    for first in range(0, len(values), rows):
        yield values[first : first + rows]


def _working(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return float32 if it represents every value of ``dtype`` exactly, else float64."""
    return np.result_type(dtype, np.float32)


def _check_type(dtype: np.dtype[Any]) -> None:
    """Raise PictureError unless values are real numbers."""
    if dtype.kind not in "uif" or dtype.itemsize > 8:
        raise PictureError(f"values of type {dtype} are not supported: convert them to uint8, uint16 or float32 first")


def _check_finite(array: NDArray[Any]) -> None:
    """Raise PictureError unless all values are finite."""
    bad = array.size - np.count_nonzero(np.isfinite(array))
    if bad:
        are = "pixel value is" if bad == 1 else "pixel values are"
        raise PictureError(
            f"{bad} {are} NaN or infinite: replace them first; NaN in an array or a file is kept as it is"
        )


def _check_width(values: "_Summary") -> None:
    """Raise PictureError for values that differ, but by less than float32 can represent."""
    if 0 < values.largest - values.smallest < _MIN_WIDTH:
        raise PictureError(
            f"the values differ by less than {_MIN_WIDTH:.1g}, which float32 cannot represent: multiply them first"
        )


@dataclass(frozen=True)
class _Summary:
    """What the range depends on: the extremes of all values, and the ends without the share that may be outliers."""

    dtype: np.dtype[Any]
    smallest: Any
    low: Any
    high: Any
    largest: Any

    @classmethod
    def of(cls, parts: Iterable[NDArray[Any]], size: int, dtype: np.dtype[Any]) -> "_Summary":
        narrow = dtype.kind in "iu" and dtype.itemsize < 4  # outliers count
        count = 0 if narrow else int(OUTLIER_SHARE * size)
        lowest, highest = np.empty(0, dtype), np.empty(0, dtype)
        seen = 0
        for part in parts:
            _check_finite(part)
            seen += part.size
            lowest = _least(np.concatenate([lowest, _least(part, count + 1)]), count + 1)
            highest = _most(np.concatenate([highest, _most(part, count + 1)]), count + 1)
        count = 0 if narrow else int(OUTLIER_SHARE * seen)
        lowest, highest = _least(lowest, count + 1), _most(highest, count + 1)
        return cls(dtype, *(value.item() for value in (lowest.min(), lowest.max(), highest.min(), highest.max())))


def _least(values: NDArray[Any], count: int) -> NDArray[Any]:
    """Return the least values, as many as ``count`` or there are."""
    flat: NDArray[Any] = values.reshape(-1)
    if count == 1:
        return flat[[flat.argmin()]]
    return np.partition(flat, count - 1)[:count] if flat.size > count else flat


def _most(values: NDArray[Any], count: int) -> NDArray[Any]:
    """Return the largest values, as many as ``count`` or there are."""
    flat: NDArray[Any] = values.reshape(-1)
    if count == 1:
        return flat[[flat.argmax()]]
    return np.partition(flat, flat.size - count)[-count:] if flat.size > count else flat


def _range_of(values: _Summary) -> tuple[float, float]:
    """Return black and white by dtype or, where that is too wide or leaves them open, by the values."""
    usual = _usual_range(values.dtype, values.smallest, values.largest)
    narrow = _without_outliers(values)
    return narrow if _MIN_WIDTH <= _width(narrow) < MIN_FILL * _width(usual) else usual


def _usual_range(dtype: np.dtype[Any], smallest: float, largest: float) -> tuple[float, float]:
    """Return black and white of a type, else the extremes of the values; never an empty range."""
    if dtype == np.uint16:
        return 0, next(white for white in _SENSOR_WHITES if largest <= white)
    if dtype.kind == "f" and smallest >= 0 and largest <= 1:
        return 0, 1
    if smallest < largest:
        return smallest, largest
    return (0, largest) if largest > 0 else (smallest, 0) if smallest < 0 else (0, 1)


def _without_outliers(values: _Summary) -> tuple[float, float]:
    """Return the extremes of the values, without a few that lie so far away that the rest fills a small part."""
    smallest, low, high, largest = values.smallest, values.low, values.high, values.largest
    near = max(smallest, 2 * low - high), min(largest, 2 * high - low)
    return near if low < high and _width(near) < MIN_FILL * (largest - smallest) else (smallest, largest)


def _width(ends: tuple[float, float]) -> float:
    return ends[1] - ends[0]
