"""scikit-image, your own loss: calibrate_denoiser has a fixed one, so the program searches itself."""

from itertools import product

import numpy as np
from skimage import img_as_float, img_as_ubyte, io
from skimage.restoration import denoise_invariant, denoise_wavelet


def charbonnier(one, other):
    """Return a smooth absolute difference."""
    return np.sqrt((one - other) ** 2 + 1e-4).mean()


def score(settings):
    """Return the loss of the prediction of each pixel from the others."""
    predicted = denoise_invariant(noisy, denoise_wavelet, denoiser_kwargs=settings)
    return charbonnier(predicted, noisy)


noisy = img_as_float(io.imread("noisy.png"))
choices = [
    {"sigma": sigma, "wavelet": wavelet, "convert2ycbcr": ycbcr, "rescale_sigma": True, "channel_axis": -1}
    for sigma, wavelet, ycbcr in product(np.arange(0.04, 0.24, 0.02), ["db1", "db2"], [True, False])
]
best = min(choices, key=score)
clean = denoise_invariant(noisy, denoise_wavelet, denoiser_kwargs=best)
io.imsave("clean.png", img_as_ubyte(np.clip(clean, 0, 1)))
