"""The values of a tensor that a caller passes, whatever kind of tensor it is."""

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from torchdenoise.errors import PictureError


def array_of(tensor: Tensor) -> NDArray[Any]:
    """Return the values of a tensor of any device; bfloat16 as float32.

    Raises:
        PictureError: a tensor that does not hold one value for each pixel.

    Example:
        >>> array_of(torch.ones(2, dtype=torch.bfloat16))
        array([1., 1.], dtype=float32)
        >>> array_of(torch.ones(2, device="meta"))
        Traceback (most recent call last):
        ...
        torchdenoise.errors.PictureError: a meta tensor holds no values: pass one with values
    """
    if tensor.is_meta:
        raise PictureError("a meta tensor holds no values: pass one with values")
    if tensor.is_nested:
        raise PictureError("a nested tensor holds pictures of several sizes: pass each alone")
    if tensor.layout is not torch.strided:
        raise PictureError("a sparse tensor does not hold every pixel: pass its to_dense()")
    if tensor.is_quantized:
        raise PictureError("a quantized tensor holds codes for its values: pass its dequantize()")
    try:
        plain = tensor.detach().cpu().resolve_conj().resolve_neg()
        array: NDArray[Any] = (plain.float() if plain.dtype is torch.bfloat16 else plain).numpy()
    except (TypeError, RuntimeError):
        raise PictureError(
            f"a {type(tensor).__name__} of {str(tensor.dtype).removeprefix('torch.')} does not give its values: "
            "pass an ordinary tensor of float32, uint8 or uint16"
        ) from None
    return array
