import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from torchdenoise.metrics import psnr, ssim


def pair_of(channels, height, width):
    """Three pictures of structure, and worse and worse copies of them."""
    rng = np.random.default_rng(0)
    clean = np.cumsum(rng.normal(size=(3, channels, height, width)), axis=-1)
    clean = (clean - clean.min()) / np.ptp(clean)
    noisy = np.clip(clean + np.array([0.02, 0.1, 0.3])[:, None, None, None] * rng.normal(size=clean.shape), 0, 1)
    return noisy, clean


def tensors(*arrays):
    return [torch.from_numpy(array).float() for array in arrays]


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 20, 31), (3, 2, 2)])
def test_psnr_of_each_picture(shape):
    noisy, clean = pair_of(*shape)
    expected = [10 * np.log10(1 / np.mean((one - other) ** 2)) for one, other in zip(noisy, clean, strict=True)]
    np.testing.assert_allclose(psnr(*tensors(noisy, clean)).numpy(), expected, atol=1e-3)


def test_equal_pictures_have_infinite_psnr():
    assert psnr(torch.ones(2, 1, 3, 3), torch.ones(2, 1, 3, 3)).tolist() == [float("inf")] * 2


@pytest.mark.parametrize("shape", [(1, 11, 11), (1, 16, 40), (3, 20, 31), (3, 12, 11)])
def test_ssim_of_each_picture(shape):
    noisy, clean = pair_of(*shape)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1, "win_size": 11}
    expected = []
    for one, other in zip(noisy, clean, strict=True):
        _, everywhere = structural_similarity(one, other, channel_axis=0, full=True, **options)
        expected.append(everywhere[:, 5:-5, 5:-5].mean())
    np.testing.assert_allclose(ssim(*tensors(noisy, clean)).numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("size", [(10, 30), (30, 10), (2, 2)])
def test_ssim_has_no_value_for_pictures_smaller_than_its_window(size):
    image = torch.rand(2, 3, *size)
    value = ssim(image, image)
    assert value.shape == (2,)
    assert value.isnan().all()
