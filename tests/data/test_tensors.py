"""The values of odd tensors."""

import numpy as np
import pytest
import torch

from torchdenoise import PictureError, denoise
from torchdenoise.data.tensors import array_of

ONES = torch.ones(1, 3, 8, 8)


@pytest.mark.filterwarnings("ignore::UserWarning:torch")
@pytest.mark.filterwarnings("ignore:.*(quantized tensor|nested tensors|Sparse):UserWarning")
@pytest.mark.parametrize(
    ("make", "remedy"),
    [
        (lambda: ONES.to_sparse(), r"a sparse tensor .* to_dense\(\)"),
        (lambda: ONES.to("meta"), "a meta tensor holds no values"),
        (lambda: torch.quantize_per_tensor(ONES, 0.1, 0, torch.quint8), r"a quantized tensor .* dequantize\(\)"),
        (lambda: torch.nested.nested_tensor([ONES[0], ONES[0]]), "a nested tensor"),
        (lambda: ONES.to(torch.float8_e4m3fn), "a Tensor of float8_e4m3fn does not give its values"),
        (lambda: (ONES + 0j).conj(), "values of type complex64 are not supported"),
    ],
)
def test_a_tensor_without_a_number_for_each_pixel_is_refused(make, remedy):
    with pytest.raises(PictureError, match=remedy):
        denoise(make(), max_steps=1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64, torch.uint8, torch.uint16])
def test_values_and_type_are_kept(dtype):
    array = array_of(ONES.to(dtype).requires_grad_(dtype.is_floating_point))
    assert np.array_equal(array, np.ones((1, 3, 8, 8)))
    assert array.dtype == str(dtype).removeprefix("torch.")
