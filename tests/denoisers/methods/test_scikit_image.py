"""The baselines from scikit-image against the library's own calls."""

import numpy as np
import pytest
from helpers import noisy_image
from skimage.restoration import denoise_wavelet

from torchdenoise import UserError
from torchdenoise.denoisers import (
    Wavelet,
)
from torchdenoise.denoisers.methods.classical import to_array
from torchdenoise.denoisers.methods.scikit_image import calibrated
from torchdenoise.noise import gaussian_level


def test_calibration_takes_what_predicts_left_out_pixels_best():
    def mixed(noisy, channel_axis, share):
        assert channel_axis == -1
        return share * noisy.mean() + (1 - share) * noisy

    rng = np.random.default_rng(0)
    flat = 0.5 + 0.1 * rng.normal(size=(32, 33, 3))
    ramp = np.linspace(0, 1, 33)[None, :, None] * np.ones((32, 1, 3))
    shares = [0.0, 0.5, 1.0]
    np.testing.assert_array_equal(calibrated(mixed, flat, "share", shares), mixed(flat, -1, 1.0))
    np.testing.assert_array_equal(calibrated(mixed, ramp, "share", shares), mixed(ramp, -1, 0.0))


def test_wavelets_are_scikit_images_at_our_level():
    noisy = noisy_image()
    sigma = gaussian_level(noisy) / 255
    expected = denoise_wavelet(to_array(noisy), sigma, "db2", convert2ycbcr=True, channel_axis=-1)
    np.testing.assert_allclose(to_array(Wavelet()(noisy)), expected, atol=1e-6)
    assert not np.allclose(to_array(Wavelet("db1")(noisy)), expected, atol=1e-3)


def test_a_wavelet_that_is_none():
    with pytest.raises(UserError, match=r"wavelet=db0: .*did you mean db"):
        Wavelet("db0")
