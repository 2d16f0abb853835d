"""The invertible scaling between stored pixel values and the unit range of denoisers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from torchdenoise.errors import PictureError

# Cameras and microscopes store 10, 12 and 14 bits in 16: white is that of the sensor, not of the file.
_SENSOR_WHITES = (1023, 4095, 16383, 65535)
# Ranges are applied in float32 where that is exact enough, so float32 must be able to represent them.
_MIN_WIDTH, _MAX_VALUE = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max) / 2


@dataclass(frozen=True)
class Scaling:
    """The stored values of black (``low``, scaled to 0.0) and white (``high``, scaled to 1.0), and their ``dtype``.

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
        values range from their minimum, or 0 if that is lower, to their maximum.

        Args:
            array: real numbers.
            data_range: (low, high), or ``high`` for (0, high).

        Raises:
            PictureError: no values, values that are not finite real numbers, or an unusable range.

        Example:
            >>> Scaling.of(np.array([0, 4000], dtype=np.uint16)).high
            4095.0
        """
        _check(array)
        if data_range is None:
            low, high = _range_of(array)
        else:
            low, high = data_range if isinstance(data_range, tuple) else (0.0, data_range)
        return cls(float(low), float(high), array.dtype.newbyteorder("="))

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
        """Return an image, clamped to [0, 1], as values of ``dtype`` in the same shape; integers round half to even.

        Raises:
            PictureError: values are NaN or infinite, as after a diverged fit.

        Example:
            >>> Scaling(0, 10, np.dtype("uint8")).from_unit(torch.tensor([0.25, 2.0]))
            array([ 2, 10], dtype=uint8)
        """
        working = _working(self.dtype)
        values = image.detach().cpu().float().numpy().astype(working)
        if not np.isfinite(values).all():
            raise PictureError("the denoised picture holds NaN or infinity: the fit diverged; lower its learning rate")
        values = np.clip(values, 0, 1) * (self.high - self.low) + self.low
        np.clip(values, self.low, self.high, out=values)  # rounding may have exceeded the range
        if self.dtype.kind in "iu":
            # A given range may exceed the dtype. The largest 64-bit integer is not a float: clip just below it.
            bounds = np.iinfo(self.dtype)
            np.clip(np.rint(values), bounds.min, np.nextafter(working.type(bounds.max + 1), 0), out=values)
        restored: NDArray[Any] = values.astype(self.dtype)
        return restored


def _working(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return float32 if it represents every value of ``dtype`` exactly, else float64."""
    return np.result_type(dtype, np.float32)


def _check(array: NDArray[Any]) -> None:
    """Raise PictureError unless there are values and all are finite real numbers."""
    if array.dtype.kind not in "uif" or array.dtype.itemsize > 8:
        raise PictureError(
            f"values of type {array.dtype} are not supported: convert them to uint8, uint16 or float32 first"
        )
    if array.size == 0:
        raise PictureError(f"a picture of shape {array.shape} has no pixels: pass at least 1 x 1")
    bad = array.size - np.count_nonzero(np.isfinite(array))
    if bad:
        are = "pixel value is" if bad == 1 else "pixel values are"
        raise PictureError(f"{bad} {are} NaN or infinite: replace them first, e.g. by numpy.nan_to_num")


def _range_of(array: NDArray[Any]) -> tuple[float, float]:
    """Return black and white by dtype or, if that leaves them open, by the values; never an empty range."""
    dtype = array.dtype.newbyteorder("=")
    if dtype == np.uint8:
        return 0, 255
    smallest, largest = array.min().item(), array.max().item()
    if dtype == np.uint16:
        return 0, next(white for white in _SENSOR_WHITES if largest <= white)
    if dtype.kind == "f" and smallest >= 0 and largest <= 1:
        return 0, 1
    low = min(0, smallest)
    if low < largest:
        return low, largest
    return (low, 0) if low < 0 else (0, 1)
