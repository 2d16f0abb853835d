"""The invertible step between stored pixel values and the unit range that every denoiser works in."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from torchdenoise.errors import UserError

# Cameras and microscopes store 10, 12 and 14 bits in 16: the white is that of the sensor, not of the file.
_SENSOR_WHITES = (1023, 4095, 16383, 65535)
# A range is applied in float32 where that is exact enough, so it has to be a usable one there.
_NARROWEST, _LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max) / 2


@dataclass(frozen=True)
class Scaling:
    """Which stored values are black (``low``, 0.0 in units) and white (``high``, 1.0), and the ``dtype`` to give back.

    Raises UserError unless ``low < high`` are finite numbers within the reach of float32.

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
        if not (self.low >= -_LARGEST and self.high <= _LARGEST and self.high - self.low >= _NARROWEST):
            raise UserError(
                f"the data range {self.low:g} to {self.high:g} is not usable: "
                "give two finite numbers, the smaller first, or one number above 0"
            )

    @classmethod
    def of(cls, array: NDArray[Any], data_range: float | tuple[float, float] | None = None) -> "Scaling":
        """Return the scaling of an array of any shape: as stated, by its dtype, or else by its values.

        A number ``r`` states (0, r). Unstated, uint8 is (0, 255); uint16 is (0, 1023), (0, 4095), (0, 16383) or
        (0, 65535), the smallest that holds the maximum, because 10, 12 and 14-bit sensors store in 16 bits; floats
        within [0, 1] are (0, 1); everything else runs from the minimum, or 0 if that is lower, to the maximum.
        Raises UserError for values that are no finite real numbers, for no values and for an unusable range.

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
        """Return units, clamped to [0, 1], as values of ``dtype`` in the same shape, integers rounded half to even.

        Raises UserError when units are NaN or infinite, which is what a diverged fit leaves.

        Example:
            >>> Scaling(0, 10, np.dtype("uint8")).from_unit(torch.tensor([0.25, 2.0]))
            array([ 2, 10], dtype=uint8)
        """
        working = _working(self.dtype)
        values = image.detach().cpu().float().numpy().astype(working)
        if not np.isfinite(values).all():
            raise UserError("the denoised picture holds NaN or infinity: the fit diverged; lower its learning rate")
        values = np.clip(values, 0, 1) * (self.high - self.low) + self.low
        np.clip(values, self.low, self.high, out=values)  # the sum above may end a rounding error outside
        if self.dtype.kind in "iu":
            # A stated range may exceed the dtype, and the top of 64 bits is no float: stop just short of one too many.
            bounds = np.iinfo(self.dtype)
            np.clip(np.rint(values), bounds.min, np.nextafter(working.type(bounds.max + 1), 0), out=values)
        restored: NDArray[Any] = values.astype(self.dtype)
        return restored


def _working(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return float32 where it counts every value of ``dtype``, else float64."""
    return np.result_type(dtype, np.float32)


def _check(array: NDArray[Any]) -> None:
    """Raise UserError unless there are values and all are finite real numbers."""
    if array.dtype.kind not in "uif" or array.dtype.itemsize > 8:
        raise UserError(f"values of type {array.dtype} are no pixels: convert them to uint8, uint16 or float32 first")
    if array.size == 0:
        raise UserError(f"there are no pixels in a picture of shape {array.shape}: pass one with at least 1 x 1")
    bad = array.size - np.count_nonzero(np.isfinite(array))
    if bad:
        are = "pixel value is" if bad == 1 else "pixel values are"
        raise UserError(f"{bad} {are} NaN or infinite: replace them first, e.g. by numpy.nan_to_num")


def _range_of(array: NDArray[Any]) -> tuple[float, float]:
    """Return black and white by dtype or, where the dtype leaves it open, by the values; never an empty range."""
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
