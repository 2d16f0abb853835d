"""A picture in memory: the image for a denoiser, and the metadata to write the result like the input."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from torchdenoise.data.axes import Axes
from torchdenoise.data.calibration import Calibration
from torchdenoise.data.holes import Holes, filled, find_holes
from torchdenoise.data.scaling import Scaling


def as_comment(remarks: Sequence[str]) -> str:
    """Return remarks as one line for the metadata of a result; nothing if there are none.

    Example:
        >>> as_comment(["", "noise: none"]), as_comment([])
        ('torchdenoise: noise: none', '')
    """
    line = "; ".join(filter(None, remarks))
    return f"torchdenoise: {line}" if line else ""


@dataclass(frozen=True, eq=False)
class Picture:
    """An image for a denoiser, with the scaling and metadata to write the result like the input.

    ``image`` is (1, C, H, W) float32, 1.0 = white; C = 1 is grey, 3 RGB, a frame of a stack may have any number.
    ``alpha`` is (H, W) as stored.

    Example:
        >>> picture = Picture.from_array(np.full((8, 9), 51, dtype=np.uint8))
        >>> picture.image.shape, picture.image.max()
        (torch.Size([1, 1, 8, 9]), tensor(0.2000))
        >>> picture.restore(picture.image).dtype
        dtype('uint8')
    """

    image: torch.Tensor
    scaling: Scaling
    shape: tuple[int, ...]
    """Of the original array: (H, W) or (H, W, samples), alpha included."""
    alpha: NDArray[Any] | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    """Without the ``Exif`` prefix of JPEG."""
    dpi: tuple[float, float] | None = None
    """Pixels per inch, across and down."""
    remarks: Sequence[str] = ()
    """What the metadata of a result say beside those of the input."""
    png: Mapping[bytes, bytes] = field(default_factory=dict)
    """Chunks that only PNG can hold, by name."""
    tiff: Mapping[str, Any] = field(default_factory=dict)
    """How a TIFF was written, as arguments of ``tifffile.imwrite``."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What another format reads and needs again to write the result; other formats ignore it."""
    unclamped: torch.Tensor | None = None
    """The image with the outliers that ``image`` lacks, if there are any."""
    holes: Holes | None = None
    """Pixels that keep their value, (H, W); None if there are none. ``image`` is filled in there."""
    kept: NDArray[Any] | None = None
    """The stored values of the holes, (number, C)."""
    xmp: bytes | None = None
    """The packet, an XML document."""
    text: Sequence[tuple[bytes, bytes]] = ()
    """Text chunks of a PNG: name and content of each."""
    notes: Sequence[str] = ()
    """What the reader changed: sentences that begin behind the file's name."""
    quality: int = 95
    """Of a lossy result, 1 to 100."""
    calibration: Calibration = field(default_factory=Calibration)
    """Size and unit of its pixels, where a format says it."""

    @classmethod
    def from_array(
        cls,
        array: NDArray[Any],
        data_range: float | tuple[float, float] | None = None,
        *,
        mask: Holes | None = None,
        nodata: float | None = None,
        **metadata: Any,
    ) -> "Picture":
        """Return the picture of an array (H, W) or (H, W, C): 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.

        Args:
            array: of numbers.
            data_range: as in ``Scaling.of``.
            mask: (H, W), True where pixels are hidden from the fit and keep their value, as NaN and transparent ones.
            nodata: a value that stands for none: such pixels are kept, too.
            metadata: further fields of the class.

        Raises:
            PictureError: another shape, or as ``Scaling.of``.

        Example:
            >>> Picture.from_array(np.zeros((8, 9, 4), dtype=np.uint16)).image.shape
            torch.Size([1, 3, 8, 9])
        """
        Axes.of(array.shape)
        samples = array[..., None] if array.ndim == 2 else array
        colours = samples[..., : 1 if samples.shape[-1] < 3 else 3]
        alpha = samples.shape[-1] > colours.shape[-1]
        holes = find_holes(colours, samples[..., -1] if alpha else None, nodata, mask)
        scaling = Scaling.of(colours if holes is None else colours[~holes], data_range)
        return cls.of_frame(array, scaling, alpha, holes, **metadata)

    @classmethod
    def of_frame(
        cls,
        array: NDArray[Any],
        scaling: Scaling,
        alpha: bool = False,
        holes: Holes | None = None,
        **metadata: Any,
    ) -> "Picture":
        """Return the picture of an array (H, W) or (H, W, C) of any number of channels, its scaling known.

        Args:
            array: of numbers.
            scaling: of the whole that the array is a frame of.
            alpha: whether the last channel is transparency.
            holes: (H, W), True where pixels have no value.
            metadata: further fields of the class.

        Example:
            >>> Picture.of_frame(np.zeros((8, 9, 5)), Scaling(0.0, 1.0, np.dtype(float))).image.shape
            torch.Size([1, 5, 8, 9])
        """
        samples = array[..., None] if array.ndim == 2 else array
        colours = samples[..., :-1] if alpha else samples
        image = scaling.to_unit(colours).permute(2, 0, 1)[None].contiguous()
        image = image if holes is None else filled(image, holes)
        return cls(
            image=scaling.hide_outliers(image),
            unclamped=image if scaling.outliers else None,
            scaling=scaling,
            shape=array.shape,
            alpha=samples[..., -1].astype(scaling.dtype) if alpha else None,
            holes=holes,
            kept=None if holes is None else colours[holes].astype(scaling.dtype),
            **metadata,
        )

    def stored_as(self, dtype: Any) -> "Picture":
        """Return the picture whose results are stored as ``"float32"``; ``"same"`` changes nothing.

        The values keep their unit: the 255 of an 8-bit picture becomes 255.0.

        Raises:
            UserError: another type.

        Example:
            >>> picture = Picture.from_array(np.array([[0, 255]], dtype=np.uint8)).stored_as("float32")
            >>> picture.restore(torch.tensor([[[[0.2, 0.5]]]]))
            array([[ 51. , 127.5]], dtype=float32)
        """
        scaling = self.scaling.stored_as(dtype)
        alpha = None if self.alpha is None else self.alpha.astype(scaling.dtype)
        kept = None if self.kept is None else self.kept.astype(scaling.dtype)
        return replace(self, scaling=scaling, alpha=alpha, kept=kept)

    def with_remarks(self, remarks: Sequence[str]) -> "Picture":
        """Return the picture whose results carry remarks in their metadata; empty ones do not count.

        They become one line: a PNG and a JPEG store it as comment, a TIFF as software, other formats where they have a
        place for text.

        Example:
            >>> Picture.from_array(np.zeros((8, 9))).with_remarks(["", "noise: none"]).comment
            'torchdenoise: noise: none'
        """
        return replace(self, remarks=tuple(filter(None, remarks)) or self.remarks)

    @property
    def comment(self) -> str:
        """The remarks as one line for the metadata of a result; nothing if there are none."""
        return as_comment(self.remarks)

    def restore(self, image: torch.Tensor) -> NDArray[Any]:
        """Return ``image``, (1, C, H, W) like this one, as an array of the original shape, dtype, range and alpha.

        Raises:
            PictureError: values are NaN or infinite.

        Example:
            >>> Picture.from_array(np.array([[0, 255]], dtype=np.uint8)).restore(torch.tensor([[[[0.2, 0.5]]]]))
            array([[ 51, 128]], dtype=uint8)
        """
        if image.shape != self.image.shape:
            raise ValueError(f"expected an image of shape {tuple(self.image.shape)}, got {tuple(image.shape)}")
        if self.unclamped is not None:
            image = self.scaling.keep_outliers(image.cpu(), self.unclamped)
        array = self.scaling.from_unit(image[0].permute(1, 2, 0))
        if self.holes is not None:
            array[self.holes] = self.kept
        if self.alpha is not None:
            array = np.concatenate([array, self.alpha[..., None]], axis=-1)
        return np.ascontiguousarray(array).reshape(self.shape)
