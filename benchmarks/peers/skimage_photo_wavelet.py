"""scikit-image, a photograph: wavelets, after the example "Calibrating Denoisers Using J-Invariance"."""

from functools import partial

import numpy as np
from skimage import img_as_float, img_as_ubyte, io
from skimage.restoration import calibrate_denoiser, denoise_wavelet

noisy = img_as_float(io.imread("noisy.png"))
parameters = {
    "sigma": np.arange(0.04, 0.24, 0.02),
    "wavelet": ["db1", "db2"],
    "convert2ycbcr": [True, False],
    "channel_axis": [-1],
}
denoiser = calibrate_denoiser(noisy, partial(denoise_wavelet, rescale_sigma=True), denoise_parameters=parameters)
io.imsave("clean.png", img_as_ubyte(np.clip(denoiser(noisy), 0, 1)))
